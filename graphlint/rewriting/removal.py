"""What goes with the nodes that edits remove, and what must still be made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphlint.errors import RewriteError
from graphlint.graph import ABSENT
from graphlint.rewrites import Edit
from graphlint.rewriting.captures import reads
from graphlint.rewriting.main_graph import MainGraph


class Removal:
    """What goes with the removed nodes, and which of their values must be made by the new ones.

    `removed` has each edit's positions, `gone` all that go; `needed` the values by edit; `vanished`
    the values that nobody makes any more.
    """

    def __init__(self, main: MainGraph, edits: Sequence[Edit]) -> None:
        self.main = main
        self.edits = edits
        self.removed = [[main.find(node) for node in edit.removed] for edit in edits]
        self.gone = set[int]()
        for edit, positions in zip(edits, self.removed, strict=True):
            self._add(edit, positions)
        self.read_by_new = {name for edit in edits for name in outside_reads(edit)}
        self._reads_left: dict[str, int] = {}
        self._follow_reads()
        self.gone_initializers = self._gone_initializers()
        self.needed = [self._needed(positions) for positions in self.removed]
        made = (name for position in self.gone for name in main.nodes[position].output if name)
        kept = set[str]().union(*self.needed)
        self.vanished = (set(made) - kept) | self.gone_initializers

    def _add(self, edit: Edit, positions: Sequence[int]) -> None:
        for node, position in zip(edit.removed, positions, strict=True):
            if position in self.gone:
                raise RewriteError(f"{node.path}: can't be replaced", cause="two edits remove it")
            self.gone.add(position)

    def is_needed(self, name: str) -> bool:
        """Whether something that stays or comes needs the value."""
        return (
            name in self.main.leaving
            or name in self.read_by_new
            or self._reads_left.get(name, len(self.main.readers.get(name, ()))) > 0
        )

    def _needed(self, positions: Iterable[int]) -> set[str]:
        names = (name for position in positions for name in self.main.nodes[position].output)
        return {name for name in names if name != ABSENT and self.is_needed(name)}

    def _follow_reads(self) -> None:
        """Count the reads that are left, and let constant nodes go that have none."""
        main, left = self.main, self._reads_left
        waiting = list(self.gone)
        constant: dict[int, bool] = {}
        while waiting:
            for name in main.reads(waiting.pop()):
                left[name] = left.get(name, len(main.readers[name])) - 1
                feeder = main.producers.get(name)
                if self.is_needed(name) or feeder is None or feeder in self.gone:
                    continue
                outputs = filter(None, main.nodes[feeder].output)
                if not any(map(self.is_needed, outputs)) and self._is_constant(feeder, constant):
                    self.gone.add(feeder)
                    waiting.append(feeder)

    def _is_constant(self, position: int, known: dict[int, bool]) -> bool:
        """Whether a standard node without bodies depends on nothing that is fed to the model."""
        main, waiting = self.main, [position]
        while waiting:
            current = waiting[-1]
            node = main.nodes[current]
            names = node.input[:]
            feeders = [main.producers[name] for name in names if name in main.producers]
            plain = node.domain in ("", "ai.onnx") and current not in main.bodies
            fed = any(name in main.inputs and name not in main.initializers for name in names)
            if not plain or fed:
                known[current] = False
            elif unknown := [feeder for feeder in feeders if feeder not in known]:
                known[current] = False  # until it is known: a cycle is not constant
                waiting += unknown
                continue
            else:
                known[current] = all(known[feeder] for feeder in feeders)
            waiting.pop()
        return known[position]

    def _gone_initializers(self) -> set[str]:
        """Initializers that were read only by nodes that go.

        From IR 4 on, one that is an input as well belongs to the model's interface, and stays.
        """
        main = self.main
        names = {name for position in self.gone for name in main.reads(position)}
        overridable = main.inputs if main.proto.ir_version >= 4 else {}
        return {
            name
            for name in names
            if name in main.initializers and name not in overridable and not self.is_needed(name)
        }


def outside_reads(edit: Edit) -> set[str]:
    """The values that the new nodes read and neither make nor bring along."""
    own = {name for node in edit.nodes for name in node.output}
    own.update(tensor.name for tensor in edit.initializers)
    return {name for node in edit.nodes for name in reads(node)} - own
