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

import numpy as np

from graphlint.graph import ABSENT, Node
from graphlint.rewrites import Subject
from graphlint_rules.rewrites.definitions import axis_of, is_standard, slices
from graphlint_rules.rewrites.shuffles.permutation import MAX_ELEMENTS, Indices, moved_elements

CHANNEL_AXIS = 1
MAX_CHANNELS = 1 << 16
"""The most channels of a tensor that are followed one by one."""

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
    """How many channels a tensor has; None for constants and what has no known channel axis.

    None too where there is no channel, or more than `MAX_CHANNELS`.
    """
    shape = subject.view.shape(key)
    if key == ABSENT or shape is None or len(shape) < 2 or key in subject.view.static_values:
        return None
    return shape[CHANNEL_AXIS] if 0 < shape[CHANNEL_AXIS] <= MAX_CHANNELS else None


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
        if node.op not in ROUTING or not is_standard(node):
            return
        data = data_inputs(node)
        if any(channel_count(self._subject, key) is None for key in data if key not in self._loose):
            return
        if self._moves_channels(node) and not any(key in self._loose for key in data):
            self._follow_channels(node, data)
        else:
            self._follow_elements(node, data)

    def _moves_channels(self, node: Node) -> bool:
        if node.op == "Identity":
            return True
        if node.op not in _MOVES or node.op == "Transpose":
            return False
        if node.op == "Slice":
            cuts = slices(self._subject, node, self._rank(node.input(0)))
            return cuts is not None and set(cuts) == {CHANNEL_AXIS}
        if node.op == "Gather" and self._rank(node.input(1)) != 1:
            return False
        return axis_of(node, self._rank(node.input(0))) == CHANNEL_AXIS

    def _rank(self, key: str) -> int:
        return len(self._subject.view.shape(key) or ())

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

    def _take(self, node: Node, outputs: Sequence[Indices]) -> None:
        """The outputs are laid out by channels: these, if they are as many as they should be."""
        widths = [channel_count(self._subject, key) for key in node.outputs]
        if widths != [len(tokens) for tokens in outputs]:
            return
        for key, tokens in zip(node.outputs, outputs, strict=True):
            if key != ABSENT:
                self.channels[key] = tuple(self._channel(int(token)) for token in tokens)
        self.nodes[node.index] = node
        roots = max(1, len({bisect_right(self._starts, int(t)) for out in outputs for t in out}))
        if any(runs(tokens.tolist()) > 2 * roots for tokens in outputs):
            self.shuffles.append(node)

    def _follow_channels(self, node: Node, data: Sequence[str]) -> None:
        """Follow whole channels: one element stands for each."""
        rank = self._rank(data[0])
        read = [self._tokens(key).reshape(1, -1, *[1] * (rank - 2)) for key in data]
        moved = moved_elements(self._subject, node, read)
        if moved is not None:
            self._take(node, [tokens.ravel() for tokens in moved])

    def _follow_elements(self, node: Node, data: Sequence[str]) -> None:
        inputs = [self._elements(key) for key in data]
        known = [loose for loose in inputs if loose is not None]
        if len(known) != len(inputs) or len({(x.batch, x.places) for x in known}) != 1:
            return
        moved = moved_elements(self._subject, node, [loose.codes for loose in known])
        if moved is None:
            return
        first = known[0]
        outputs = [_Loose(codes, first.batch, first.places) for codes in moved]
        collapsed = [_collapsed(loose) for loose in outputs]
        tokens = [found for found in collapsed if found is not None]
        if len(tokens) == len(outputs):
            self._take(node, tokens)
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
        if len(shape) < 3 or not 0 < prod(shape) <= MAX_ELEMENTS:
            return None
        tokens = self._tokens(key)
        place = np.arange(size, dtype=np.int64).reshape(batch, 1, -1)
        return _Loose((tokens[:, None] * size + place).reshape(shape), batch, places)


def _collapsed(loose: _Loose) -> Indices | None:
    """The numbers of the channels, where the elements are laid out by whole channels again."""
    shape = loose.codes.shape
    if len(shape) < 3 or shape[0] != loose.batch or shape[2:] != loose.places or not shape[1]:
        return None
    rows = loose.codes.reshape(shape[0], shape[1], -1)
    tokens: Indices = rows[0, :, 0] // loose.stride
    place = np.arange(loose.stride, dtype=np.int64).reshape(loose.batch, 1, -1)
    return tokens if np.array_equal(rows, tokens[:, None] * loose.stride + place) else None


def data_inputs(node: Node) -> tuple[str, ...]:
    """The inputs whose elements are moved, without indices and sizes."""
    return node.inputs if node.op == "Concat" else node.inputs[:1]
