"""The nodes of a model whose channels are stored in another order: with reordered weights, and with
Split and Concat where channels were moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlint.graph import Node, TensorType
from graphlint.rewrites import Edit, Subject
from graphlint.rewriting.names import Names
from graphlint_rules.rewrites.shuffles.orders import Assembly, Order, Orders, Piece
from graphlint_rules.rewrites.shuffles.parts import Parameter, Part
from graphlint_rules.rewrites.shuffles.routing import CHANNEL_AXIS, channel_count

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

_SUFFIX = "_reordered"


@dataclass(frozen=True, slots=True)
class Layout:
    """New orders of channels, for some regions of a model.

    `moves` are the nodes that only moved channels, `dead` those that computed only for them,
    `parts` the others that read or write what is reordered. `named` values keep their names.
    """

    moves: tuple[Node, ...]
    dead: tuple[Node, ...]
    parts: tuple[Part, ...]
    orders: Orders
    assemblies: tuple[Assembly, ...]
    named: frozenset[str]


def changed(parts: Iterable[Part], orders: Orders, requested: Iterable[str]) -> Iterator[Part]:
    """The nodes that a change of orders makes others of: they read or write reordered values.

    One that needs the order of its channels stays, as the values that it reads keep their names.
    """
    moved = set(requested)
    for each in parts:
        keys = (*each.tied, *each.free)
        if each.editable and any(key in moved or orders.of(key) is not None for key in keys):
            yield each


def edit_of(subject: Subject, layout: Layout, origin: str) -> Edit:
    """The edit that brings the channels in their new order."""
    writer = _Writer(subject, layout)
    nodes = tuple(writer.nodes())
    return Edit(removed(layout), nodes, tuple(writer.initializers), origin)


def removed(layout: Layout) -> tuple[Node, ...]:
    """The nodes that go, in topological order: the moves, and those that are written anew."""
    anew = _anew(layout)
    nodes = [*layout.moves, *layout.dead, *(each.node for each in anew)]
    return tuple(sorted(nodes, key=lambda node: node.index))


def _anew(layout: Layout) -> tuple[Part, ...]:
    requested = (assembly.key for assembly in layout.assemblies)
    return tuple(changed(layout.parts, layout.orders, requested))


class _Writer:
    """Writes the new nodes, each behind those that it reads."""

    def __init__(self, subject: Subject, layout: Layout) -> None:
        self.initializers: list[TensorProto] = []
        self._subject = subject
        self._layout = layout
        self._anew = {each.node.index: each for each in _anew(layout)}
        self._assemblies = {assembly.key: assembly for assembly in layout.assemblies}
        self._fixed = {key for each in layout.parts for key in each.fixed} | layout.named
        self._names: dict[str, str] = {}
        self._made: dict[tuple[tuple[Piece, ...], tuple[int, ...]], str] = {}
        self._parts: dict[Piece, str] = {}
        self._free = Names()
        self._parameters: dict[tuple[str, tuple[int | bytes, ...]], str] = {}
        self._cuts = _cuts(layout.assemblies, self._width)

    def nodes(self) -> Iterator[NodeProto]:
        """All new nodes."""
        for node in removed(self._layout):
            if node.index in self._anew:
                yield self._written_anew(self._anew[node.index])
                continue
            for key in node.outputs:
                if key in self._assemblies:
                    yield from self._assemble(self._assemblies[key])

    def _width(self, key: str) -> int:
        """How many channels the value has in the new model."""
        order = self._layout.orders.of(key)
        width = channel_count(self._subject, key) if order is None else len(order)
        assert width is not None
        return width

    def _name(self, key: str) -> str:
        """The value's name in the new model."""
        if key in self._names:
            return self._names[key]
        return key if self._layout.orders.of(key) is None else f"{key}{_SUFFIX}"

    def _written_anew(self, part: Part) -> NodeProto:
        """The node on values in their new order, with its parameters in that order."""
        proto: NodeProto = type(part.node.proto)()
        proto.CopyFrom(part.node.proto)
        inputs = [self._name(key) if key else key for key in part.node.inputs]
        moved: dict[int, list[Parameter]] = {}
        for parameter in part.parameters:
            if self._layout.orders.of(parameter.key) is not None:
                moved.setdefault(parameter.position, []).append(parameter)
        for position, parameters in moved.items():
            inputs[position] = self._parameter(part.node.inputs[position], parameters)
        del proto.input[:], proto.output[:]
        proto.input.extend(inputs)
        proto.output.extend(self._name(key) if key else key for key in part.node.outputs)
        for attribute in proto.attribute:
            if attribute.name == "group" and part.tied:  # depthwise
                attribute.i = self._width(part.tied[0])
        return proto

    def _parameter(self, key: str, parameters: list[Parameter]) -> str:
        """The name of a constant in the new order of its axes; its own if that changes nothing."""
        numbers = self._subject.numbers(key)
        assert numbers is not None
        ordered = numbers
        said: list[int | bytes] = []
        for parameter in parameters:
            order = self._layout.orders.of(parameter.key)
            assert order is not None
            ordered = _ordered(ordered, order, parameter)
            said += [parameter.axis, parameter.fill, order.tobytes()]
        known = key, tuple(said)
        if known not in self._parameters:
            same = np.array_equal(ordered, numbers)
            self._parameters[known] = key if same else self._store(key, ordered)
        return self._parameters[known]

    def _store(self, key: str, numbers: np.ndarray[Any, Any]) -> str:
        from onnx import helper, numpy_helper

        type_ = self._subject.view.type(key)
        assert isinstance(type_, TensorType)
        kind = helper.tensor_dtype_to_np_dtype(type_.dtype)
        name = self._free.take(f"{key}{_SUFFIX}")
        array = np.ascontiguousarray(numbers.astype(kind))
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def _integers(self, name: str, numbers: Iterable[int]) -> str:
        from onnx import numpy_helper

        array = np.array(tuple(numbers), np.int64)
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    # Moving

    def _assemble(self, assembly: Assembly) -> Iterator[NodeProto]:
        """Put a request together; nothing, where the same stands ready and needs no other name."""
        key, wanted = assembly.key, (assembly.pieces, assembly.picked)
        name = self._name(key)
        if wanted not in self._made:
            parts: list[str] = []
            for piece in assembly.pieces:
                yield from self._split(piece.source)
                parts += self._within(piece)
            if len(parts) == 1 and not assembly.picked:
                self._made[wanted] = parts[0]
            else:
                yield from self._joined(name, parts, assembly.picked)
                self._made[wanted] = name
        ready = self._made[wanted]
        if ready != name and key in self._fixed:
            yield _node("Identity", f"{name}/Identity", [ready], [name])
        else:
            self._names[key] = ready

    def _joined(self, name: str, parts: list[str], picked: tuple[int, ...]) -> Iterator[NodeProto]:
        joined = parts[0]
        if len(parts) > 1:
            joined = f"{name}_joined" if picked else name
            yield _node("Concat", f"{name}/Concat", parts, [joined], axis=CHANNEL_AXIS)
        if picked:
            indices = self._integers(f"{name}_channels", picked)
            yield _node("Gather", f"{name}/Gather", [joined, indices], [name], axis=CHANNEL_AXIS)

    def _split(self, source: str) -> Iterator[NodeProto]:
        """Split a source where requests cut it, the first time that it is asked for."""
        cuts = self._cuts[source]
        pieces = [Piece(source, start, stop) for start, stop in pairwise(cuts)]
        if len(pieces) == 1 or pieces[0] in self._parts:
            return
        name = self._name(source)
        for number, piece in enumerate(pieces):
            self._parts[piece] = f"{name}_part{number}"
        outputs = [self._parts[piece] for piece in pieces]
        sizes = [piece.stop - piece.start for piece in pieces]
        if self._subject.view.opsets[""] < 13:
            yield _node("Split", f"{name}/Split", [name], outputs, axis=CHANNEL_AXIS, split=sizes)
        else:
            given = self._integers(f"{name}_sizes", sizes)
            yield _node("Split", f"{name}/Split", [name, given], outputs, axis=CHANNEL_AXIS)

    def _within(self, piece: Piece) -> list[str]:
        """The parts of a source that make up a piece of it."""
        if piece.stop - piece.start == self._width(piece.source):
            return [self._name(piece.source)]
        cuts = [cut for cut in self._cuts[piece.source] if piece.start <= cut <= piece.stop]
        return [self._parts[Piece(piece.source, *bounds)] for bounds in pairwise(cuts)]


def _ordered(
    numbers: np.ndarray[Any, Any], order: Order, parameter: Parameter
) -> np.ndarray[Any, Any]:
    """The numbers in an order of channels, in which there may be added ones."""
    added = len(order) - numbers.shape[parameter.axis]
    if added:
        around = [(0, 0)] * numbers.ndim
        around[parameter.axis] = (0, added)
        numbers = np.pad(numbers, around, constant_values=parameter.fill)
    return np.take(numbers, order, parameter.axis)


def _cuts(made: Iterable[Assembly], width: Any) -> dict[str, list[int]]:
    """Where each source is cut, with its ends."""
    cuts: dict[str, set[int]] = {}
    for piece in (piece for assembly in made for piece in assembly.pieces):
        ends = cuts.setdefault(piece.source, {0, width(piece.source)})
        ends.update((piece.start, piece.stop))
    return {source: sorted(ends) for source, ends in cuts.items()}


def _node(
    op: str, name: str, inputs: list[str], outputs: list[str], **attributes: Any
) -> NodeProto:
    from onnx import helper

    return helper.make_node(op, inputs, outputs, name, **attributes)
