"""The model that is measured: optimised once, saved, and given names that events can be read by.

ONNX Runtime's profile names a kernel by its node's name. Names are missing or not unique in many
models, so every node of the saved model gets its position as its name; nodes of bodies get the
name of the outermost node around them with a suffix.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint.latency.session import LatencyError, Setup, open_session

if TYPE_CHECKING:
    import onnx

_PREFIX = "graphlint."
_BODY = ".body."
_NAME = re.compile(r"graphlint\.(\d+)(?:\.body\.\d+)?")


@dataclass(frozen=True, slots=True)
class Prepared:
    """An optimised model on disk.

    `path` is to be run at `optimization`; `proto` is its structure under its old names; `kernels`
    and `inner` count its nodes outside and inside bodies.
    """

    path: Path
    proto: onnx.ModelProto
    kernels: int
    inner: int
    optimization: str = "disable"

    def readable(self, text: str) -> str:
        """An error of the runtime with the kernels' old names in the place of the new ones."""
        return _NAME.sub(self._old_name, text).replace(str(self.path), "the optimised model")

    def _old_name(self, match: re.Match[str]) -> str:
        position = int(match[1])
        if position >= len(self.proto.graph.node):
            return match[0]
        node = self.proto.graph.node[position]
        return str(node.name or f"#{position}({node.op_type})")


def prepare(model: Path, inputs: Collection[str], setup: Setup, folder: Path) -> Prepared:
    """Optimise a model with the given inputs as `setup` says, into `folder`.

    Raises:
        LatencyError: the runtime refuses the model or can't save it.
    """
    import onnx

    saved = folder / "optimised.onnx"
    open_session(model, setup, save_optimised=saved)
    if not saved.is_file():
        raise LatencyError(
            "the runtime did not save the optimised model",
            cause="there is no file where it was asked to write it",
            hint="check the space in the temporary folder",
        )
    proto = onnx.load(str(saved), load_external_data=False)
    named = onnx.ModelProto()
    named.CopyFrom(proto)
    # Before IR 4 initializers stand among the inputs too, and the runtime leaves them there when it
    # has folded them away: they would be missing when the model runs.
    kept = [info for info in named.graph.input if info.name in inputs]
    del named.graph.input[:]
    named.graph.input.extend(kept)
    inner = 0
    for position, node in enumerate(named.graph.node):
        node.name = name_of(position)
        for count, body_node in enumerate(_inside(node)):
            body_node.name = f"{node.name}{_BODY}{count}"
            inner += 1
    path = folder / "measured.onnx"
    path.write_bytes(named.SerializeToString())
    return Prepared(path, proto, len(named.graph.node), inner)


def _inside(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.HasField("g") else []
        for graph in (*graphs, *attribute.graphs):
            for inner in graph.node:
                yield inner
                yield from _inside(inner)


def name_of(position: int) -> str:
    """The name that the kernel at a position gets."""
    return f"{_PREFIX}{position}"


def parse_name(name: str) -> tuple[int, bool] | None:
    """The position of the kernel that an event is of, and whether it is of one of its bodies.

    None where the name is not one that `prepare` gave.
    """
    if not name.startswith(_PREFIX):
        return None
    position, body, _ = name.removeprefix(_PREFIX).partition(_BODY)
    return (int(position), bool(body)) if position.isdigit() else None
