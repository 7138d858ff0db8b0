"""Where the channels of a tensor come from, through nodes that only move them.

Split, Slice, Gather and Concat on the channel axis, Identity, and chains that leave the layout of
channels and come back to it (Reshape, Transpose, Unsqueeze, … as group shuffles are spelt) compute
nothing: each channel of their results is a channel of a tensor that something else made. Such a
chain is followed element by element, on indices, so that any spelling is understood.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from graphlint.graph import ABSENT, Node
from graphlint.rewrites import Subject

Indices = np.ndarray[Any, np.dtype[np.int64]]

CHANNEL_AXIS = 1
MAX_ELEMENTS = 1 << 25
"""The largest tensor whose elements are followed one by one."""

# They only say otherwise how the same elements are to be read.
VIEWS = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
_MOVES = frozenset({"Concat", "Gather", "Slice", "Split", "Transpose"})
ROUTING = VIEWS | _MOVES


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of a tensor that is no result of moving: the tensor's key and a number."""

    source: str
    number: int


@dataclass(frozen=True)
class Routing:
    """The routing of a model's main graph.

    `nodes` are those that only move elements, by their index. `channels` has for their outputs
    that are laid out by channels where each channel comes from. `shuffles` are the nodes that
    complete a permutation of channels, in order.
    """

    nodes: dict[int, Node] = field(default_factory=dict)
    channels: dict[str, tuple[Channel, ...]] = field(default_factory=dict)
    shuffles: tuple[Node, ...] = ()


def route(subject: Subject, nodes: Iterable[Node]) -> Routing:
    """Follow the channels through those of `nodes` (in topological order) that only move them."""
    follower = _Follower(subject)
    for node in nodes:
        follower.visit(node)
    return Routing(follower.nodes, follower.channels, tuple(follower.shuffles))


def channel_count(subject: Subject, key: str) -> int | None:
    """How many channels a tensor has; None for constants and what has no known channel axis."""
    shape = subject.view.shape(key)
    if key == ABSENT or shape is None or len(shape) < 2 or key in subject.view.static_values:
        return None
    return shape[CHANNEL_AXIS]


def runs(numbers: Sequence[int]) -> int:
    """Into how many pieces of consecutive numbers the sequence falls."""
    return sum(after != before + 1 for before, after in pairwise(numbers)) + bool(len(numbers))


@dataclass(frozen=True, slots=True)
class _Loose:
    """A tensor in no channel layout: of every element, its channel's number and its place there.

    Numbers of channels are those of `_Follower`; `places` are places in a channel of all images.
    """

    codes: Indices
    batch: int
    places: tuple[int, ...]

    @property
    def stride(self) -> int:
        """By how much the codes of two channels differ."""
        return self.batch * prod(self.places)


class _Follower:
    """Visits nodes in topological order and says what their outputs consist of."""

    def __init__(self, subject: Subject) -> None:
        self.nodes: dict[int, Node] = {}
        self.channels: dict[str, tuple[Channel, ...]] = {}
        self.shuffles: list[Node] = []
        self._subject = subject
        self._loose: dict[str, _Loose] = {}
        self._bases: dict[str, int] = {}
        self._starts: list[int] = []
        self._roots: list[str] = []
        self._end = 0

    def visit(self, node: Node) -> None:
        """Take a node in, if it moves elements in a way that can be followed."""
        if node.op not in ROUTING or node.domain != "":
            return
        data = data_inputs(node)
        if any(channel_count(self._subject, key) is None for key in data if key not in self._loose):
            return
        if self._moves_channels(node) and not any(key in self._loose for key in data):
            moved = self._moved([self._tokens(key) for key in data], node, axis=0)
            if moved is not None:
                self._take(node, data, moved)
        else:
            self._follow_elements(node, data)

    def _moves_channels(self, node: Node) -> bool:
        if node.op == "Identity":
            return True
        if node.op not in _MOVES or node.op == "Transpose":
            return False
        if node.op == "Slice":
            bounds = slice_bounds(self._subject, node)
            return bounds is not None and set(bounds) == {CHANNEL_AXIS}
        indices = self._subject.numbers(node.input(1)) if node.op == "Gather" else None
        if node.op == "Gather" and (indices is None or indices.ndim != 1):
            return False
        shape = self._subject.view.shape(node.input(0))
        return shape is not None and _axis(node, len(shape)) == CHANNEL_AXIS

    def _tokens(self, key: str) -> Indices:
        """Numbers for the channels of a tensor, its own and consecutive."""
        if key not in self._bases:
            count = channel_count(self._subject, key)
            assert count is not None
            self._bases[key] = self._end
            self._starts.append(self._end)
            self._roots.append(key)
            self._end += count
        count = channel_count(self._subject, key)
        assert count is not None
        return np.arange(count, dtype=np.int64) + self._bases[key]

    def _channel(self, token: int) -> Channel:
        """What a number stands for; of a routed tensor, where that channel comes from."""
        position = bisect_right(self._starts, token) - 1
        root, number = self._roots[position], token - self._starts[position]
        return self.channels[root][number] if root in self.channels else Channel(root, number)

    def _take(self, node: Node, data: Sequence[str], outputs: Sequence[Indices]) -> None:
        """The outputs are laid out by channels: these."""
        for key, tokens in zip(node.outputs, outputs, strict=True):
            if key != ABSENT:
                self.channels[key] = tuple(self._channel(int(token)) for token in tokens)
        self.nodes[node.index] = node
        roots = max(1, len({bisect_right(self._starts, int(t)) for out in outputs for t in out}))
        if any(runs(tokens.tolist()) > 2 * roots for tokens in outputs):
            self.shuffles.append(node)

    def _follow_elements(self, node: Node, data: Sequence[str]) -> None:
        inputs = [self._elements(key) for key in data]
        known = [loose for loose in inputs if loose is not None]
        if len(known) != len(inputs) or len({(x.batch, x.places) for x in known}) != 1:
            return
        moved = self._moved([loose.codes for loose in known], node, axis=None)
        if moved is None:
            return
        first = known[0]
        outputs = [_Loose(codes, first.batch, first.places) for codes in moved]
        collapsed = [_collapsed(loose) for loose in outputs]
        tokens = [found for found in collapsed if found is not None]
        if len(tokens) == len(outputs):
            self._take(node, data, tokens)
            return
        self.nodes[node.index] = node
        self._loose.update(
            (key, loose) for key, loose in zip(node.outputs, outputs, strict=True) if key != ABSENT
        )

    def _elements(self, key: str) -> _Loose | None:
        if key in self._loose:
            return self._loose[key]
        shape = self._subject.view.shape(key)
        assert shape is not None
        batch, places = shape[0], shape[2:]
        size = batch * prod(places)
        if len(shape) < 3 or prod(shape) > MAX_ELEMENTS or not size:
            return None
        tokens = self._tokens(key)
        place = np.arange(size, dtype=np.int64).reshape(batch, 1, -1)
        return _Loose((tokens[:, None] * size + place).reshape(shape), batch, places)

    def _moved(
        self, inputs: Sequence[Indices], node: Node, axis: int | None
    ) -> list[Indices] | None:
        """The node's outputs for such inputs; `axis` is given where they have only that axis.

        None where what the node does can't be told.
        """
        view = self._subject.view
        first = inputs[0]
        where = axis if axis is not None else _axis(node, first.ndim)
        match node.op:
            case "Identity":
                return [first]
            case "Concat":
                return [np.concatenate(inputs, where)]
            case "Split":
                shapes = [view.shape(key) for key in node.outputs]
                sizes = [shape[_axis(node, len(shape))] for shape in shapes if shape is not None]
                if len(sizes) != len(shapes) or sum(sizes) != first.shape[where]:
                    return None
                return list(np.split(first, np.cumsum(sizes)[:-1], where))
            case "Gather":
                indices = self._subject.numbers(node.input(1))
                return None if indices is None else [np.take(first, indices, where)]
            case "Slice":
                bounds = slice_bounds(self._subject, node)
                if bounds is None:
                    return None
                cut = [slice(None)] * first.ndim
                for at, bound in bounds.items():
                    cut[0 if axis is not None else at] = bound
                return [first[tuple(cut)]]
            case "Transpose":
                return [np.transpose(first, node.attribute("perm"))]
            case _:
                shape = view.shape(node.outputs[0])
                if shape is None or prod(shape) != first.size:
                    return None
                return [first.reshape(shape)]


def _collapsed(loose: _Loose) -> Indices | None:
    """The numbers of the channels, where the elements are laid out by whole channels again."""
    shape = loose.codes.shape
    if len(shape) < 3 or shape[0] != loose.batch or shape[2:] != loose.places:
        return None
    rows = loose.codes.reshape(shape[0], shape[1], -1)
    tokens: Indices = rows[0, :, 0] // loose.stride
    place = np.arange(loose.stride, dtype=np.int64).reshape(loose.batch, 1, -1)
    return tokens if np.array_equal(rows, tokens[:, None] * loose.stride + place) else None


def data_inputs(node: Node) -> tuple[str, ...]:
    """The inputs whose elements are moved, without indices and sizes."""
    return node.inputs if node.op == "Concat" else node.inputs[:1]


def _axis(node: Node, rank: int) -> int:
    axis: int = node.attribute("axis", CHANNEL_AXIS if node.op == "Concat" else 0)
    return axis + rank if axis < 0 else axis


def slice_bounds(subject: Subject, node: Node) -> dict[int, slice] | None:
    """What a Slice takes of each axis that it names; None where that depends on what is fed."""
    shape = subject.view.shape(node.input(0))
    if shape is None:
        return None
    if node.version < 10:
        starts, ends = node.attribute("starts", ()), node.attribute("ends", ())
        axes, steps = node.attribute("axes"), None
    else:
        given = [subject.numbers(node.input(at)) if node.input(at) else None for at in range(1, 5)]
        if any(node.input(at) and given[at - 1] is None for at in range(1, 5)):
            return None
        starts, ends, axes, steps = given
    bounds = {}
    for position, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = int(axes[position]) if axes is not None else position
        axis += len(shape) if axis < 0 else 0
        step = int(steps[position]) if steps is not None else 1
        bounds[axis] = _slice(int(start), int(end), step, shape[axis])
    return bounds


def _slice(start: int, end: int, step: int, size: int) -> slice:
    """As Python has it: a negative end below the first element is no end at all."""
    if step < 0:
        stop = end + size if end < 0 else end
        return slice(start, stop if stop >= 0 else None, step)
    return slice(start, end, step)
