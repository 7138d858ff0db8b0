"""The nodes and initializers that edits bring, made ready for a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graphlint.errors import RewriteError
from graphlint.graph import ABSENT
from graphlint.node_order import subgraphs
from graphlint.rewrites import Edit
from graphlint.rewriting.captures import captured, defined
from graphlint.rewriting.names import Names
from graphlint.rewriting.removal import Removal, outside_reads
from graphlint.rewriting.repeated import Undo, change

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

PROVENANCE = "graphlint.rewrite"
"""The key under which new nodes and the model say where they come from."""


class Incoming:
    """All new nodes and initializers, checked, with names that are free and with provenance.

    `owners` has the edit of each node, `wanted` the position that it would best stand before.
    """

    def __init__(self, removal: Removal, provenance: str) -> None:
        main = removal.main
        self.nodes: list[NodeProto] = []
        self.owners: list[int] = []
        self.wanted: list[int] = []
        self.initializers: list[TensorProto] = []
        self._values = Names(main.taken(removal.gone, removal.gone_initializers))
        self._labels = Names(
            node.name for position, node in enumerate(main.nodes) if position not in removal.gone
        )
        for edit in removal.edits:
            for node in edit.nodes:
                for _, body in subgraphs(node.attribute):
                    self._values.reserve(set(defined(body)) - set(captured(body)))
        for names in removal.needed:
            self._values.reserve(names)
        for number, edit in enumerate(removal.edits):
            _check(removal, number, edit)
            self._add(removal, number, edit, provenance)

    def _add(self, removal: Removal, number: int, edit: Edit, provenance: str) -> None:
        made = [tensor.name for tensor in edit.initializers]
        made += [name for node in edit.nodes for name in node.output if name != ABSENT]
        new = [name for name in made if name not in removal.needed[number]]
        mapping = {name: self._values.take(name) for name in new}
        for tensor in edit.initializers:
            self.initializers.append(copied(tensor))
            self.initializers[-1].name = mapping.get(tensor.name, tensor.name)
        said = f"{provenance} unit={edit.origin}" if edit.origin else provenance
        place = max(removal.removed[number], default=0)
        for node in edit.nodes:
            copy = copied(node)
            _rename(copy, mapping)
            if copy.name:
                copy.name = self._labels.take(copy.name)
            set_metadata(copy, said)
            self.nodes.append(copy)
        self.owners += [number] * len(edit.nodes)
        self.wanted += [place] * len(edit.nodes)


def _check(removal: Removal, number: int, edit: Edit) -> None:
    """Refuse an edit that would leave the model broken."""
    made: set[str] = {tensor.name for tensor in edit.initializers}
    count = len(edit.initializers)
    for node in edit.nodes:
        names = [name for name in node.output if name != ABSENT]
        made.update(names)
        count += len(names)
        _check_domains(removal.main.proto, edit, node)
    where = edit.origin or "an edit"
    if len(made) < count:
        raise RewriteError(f"{where}: does not fit", cause="it makes a value twice")
    if missing := sorted(removal.needed[number] - made):
        raise RewriteError(
            f"{where}: does not fit",
            cause=f"others read {missing[0]!r}, and no new node makes it",
        )
    for name in sorted(outside_reads(edit)):
        if not removal.main.is_known(name):
            raise RewriteError(
                f"{where}: does not fit", cause=f"it reads {name!r}, and nothing makes that"
            )


def _check_domains(proto: ModelProto, edit: Edit, node: NodeProto) -> None:
    imported = {"" if entry.domain == "ai.onnx" else entry.domain for entry in proto.opset_import}
    for domain in _domains(node):
        # Some models do not import what they use: the new nodes may do as the old ones did.
        if domain not in imported and all(domain != old.domain for old in edit.removed):
            raise RewriteError(
                f"{node.name or node.op_type}: needs an operator set that is not imported",
                cause=f"the model has no operators of {domain or 'ai.onnx'!r}",
                hint="a rewrite adds no operator set to a model",
            )


def _domains(node: NodeProto) -> Iterator[str]:
    yield "" if node.domain == "ai.onnx" else node.domain
    for _, body in subgraphs(node.attribute):
        for inner in body.node:
            yield from _domains(inner)


def _rename(node: NodeProto, mapping: Mapping[str, str]) -> None:
    for names in (node.input, node.output):
        for position, name in enumerate(names):
            if name in mapping:
                names[position] = mapping[name]
    for _, body in subgraphs(node.attribute):
        outer = {name: mapping[name] for name in captured(body) if name in mapping}
        if outer:
            for inner in body.node:
                _rename(inner, outer)
            for info in body.output:
                info.name = outer.get(info.name, info.name)


def copied(message: Any) -> Any:
    """A copy of a protobuf."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def set_metadata(message: Any, value: str) -> Undo:
    """Say where a node or model comes from, in the place of what was said so far."""
    entries = message.metadata_props
    old = [i for i, entry in enumerate(entries) if entry.key == PROVENANCE]
    new = type(message)().metadata_props.add(key=PROVENANCE, value=value)
    return change(entries, old, [new], [old[0] if old else len(entries)])
