"""Permutations of channels, found by carrying movements out on an array of indices.

A movement is an operator that puts numbers elsewhere and changes none: Reshape, Transpose, Gather,
Split, Concat and their like. How a shuffle is spelt with them does not matter here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from graphlint.graph import ABSENT, GraphView, Node
from graphlint.rewrites import Subject

CUSTOM_SHUFFLES = frozenset({"ChannelShuffle", "ShuffleChannel", "channel_shuffle"})
"""Operators of other domains that shuffle axis 1; their attribute `group` says with how many."""

_RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
QUANTISERS = frozenset({"QuantizeLinear", "DequantizeLinear"})
"""They change numbers, but not their places."""

_MOVEMENTS = _RESHAPES | {"Concat", "Gather", "Identity", "Slice", "Split", "Transpose"}
_MOST_NODES = 64  # a shuffle of 16 groups by Split, Unsqueeze and Concat has 19
_MOST_ELEMENTS = 1 << 24

Numbers = Callable[[str], "np.ndarray[Any, Any] | None"]
Indices = np.ndarray[Any, np.dtype[np.int64]]
Order = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Movement:
    """Everything between two values that only moves numbers; no nodes where they are one.

    `nodes` are in topological order.
    """

    source: str
    nodes: tuple[Node, ...]
    result: str


def movement_before(view: GraphView, key: str, through: frozenset[str] = frozenset()) -> Movement:
    """The longest movement that ends in `key` and begins in a single value.

    Operators in `through` are taken for copies.
    """
    best = Movement(key, (), key)
    front, members = {key}, dict[int, Node]()
    while len(members) < _MOST_NODES:
        node = _latest(view, front)
        if node is None or not (is_movement(node) or node.op in through):
            break
        members[node.index] = node
        front.difference_update(node.outputs)
        front.update(moved(view, node))
        if len(front) == 1:
            nodes = tuple(members[index] for index in sorted(members))
            best = Movement(next(iter(front)), nodes, key)
    return best


def is_movement(node: Node) -> bool:
    """Whether the node only moves numbers."""
    return node.op in (_MOVEMENTS if node.domain == "" else CUSTOM_SHUFFLES)


def moved(view: GraphView, node: Node) -> tuple[str, ...]:
    """The inputs of a movement whose numbers come out of it."""
    read = node.inputs if node.op == "Concat" else node.inputs[:1]
    return tuple(key for key in read if key != ABSENT)


def _latest(view: GraphView, keys: set[str]) -> Node | None:
    producers = [view.producer(key) for key in keys]
    return max(
        (node for node in producers if node is not None), key=lambda node: node.index, default=None
    )


# Permutations.


def channel_permutation(
    subject: Subject, movement: Movement, axes: tuple[int, int] = (1, 1)
) -> Order | None:
    """p where the movement is nothing but result[:, j, …] = source[:, p[j], …]; else None.

    `axes` are those of the channels in the source and in the result, 1 or -1: all others have to
    keep their order (n, h, w).
    """
    order = channel_selection(subject, movement, axes)
    shape = subject.view.shape(movement.source)
    return order if order is not None and shape and len(order) == shape[axes[0]] else None


def channel_selection(
    subject: Subject, movement: Movement, axes: tuple[int, int] = (1, 1)
) -> Order | None:
    """The same for a result that has some of the source's channels only, each at most once."""
    shape = subject.view.shape(movement.source)
    if shape is None or len(shape) < 2 or 0 in shape:
        return None
    if not movement.nodes:
        same = axes[0] % len(shape) == axes[1] % len(shape)
        return tuple(range(shape[axes[0]])) if same else None
    batch = shape[0] if _keeps_batches_apart(subject, movement, shape[0]) else 1
    elements = prod(shape) // batch
    if elements > _MOST_ELEMENTS:
        return None
    start = np.arange(elements).reshape(shape[0] // batch, *shape[1:])
    result = _carried_out(subject, movement, start, batch)
    if result is None or result.ndim != len(shape) or 0 in result.shape:
        return None
    return _order(np.moveaxis(start, axes[0], 1), np.moveaxis(result, axes[1], 1))


def _order(before: Indices, after: Indices) -> Order | None:
    """p with after[:, j] = before[:, p[j]]."""
    first = before[0].reshape(before.shape[1], -1)[:, 0]
    places = {int(index): channel for channel, index in enumerate(first)}
    wanted = after[0].reshape(after.shape[1], -1)[:, 0]
    order = tuple(places.get(int(index), -1) for index in wanted)
    distinct = -1 not in order and len(set(order)) == len(order)
    return order if distinct and np.array_equal(after, before[:, list(order)]) else None


def _keeps_batches_apart(subject: Subject, movement: Movement, batch: int) -> bool:
    """Whether each image is moved by itself and in the same way: then one stands for all."""
    for node in movement.nodes:
        shape = subject.view.shape(node.outputs[0])
        axis = int(node.attribute("axis", 1 if node.op == "Flatten" else 0))
        if shape is None or not shape or shape[0] % batch:
            return False
        if node.op in ("Concat", "Gather", "Split") and axis in (0, -len(shape)):
            return False
        if node.op == "Slice" and 0 in _slice_axes(subject.numbers, node, len(shape)):
            return False
        if node.op == "Transpose" and next(iter(node.attribute("perm", (1,)))) != 0:
            return False
    return True


def shuffle_groups(order: Order) -> int | None:
    """The number of groups of a group shuffle: reshape to (g, c/g), transpose, flatten.

    None for the identity and for any other permutation. Shuffling back counts: it is a shuffle
    with c/g groups.
    """
    width = len(order)
    if width < 4 or order[1] < 2 or width % order[1]:
        return None
    groups = width // order[1]
    shuffled = np.arange(width).reshape(groups, order[1]).T.ravel()
    return groups if groups > 1 and order == tuple(shuffled.tolist()) else None


def is_identity(order: Order) -> bool:
    """Whether every channel stays where it is."""
    return order == tuple(range(len(order)))


# Carrying movements out.


def _carried_out(
    subject: Subject, movement: Movement, start: Indices, batch: int
) -> Indices | None:
    values = {movement.source: start}
    for node in movement.nodes:
        read = [values[key] for key in moved(subject.view, node)]
        try:
            results = _moved(subject, node, read, batch)
        except (IndexError, ValueError):  # its settings don't fit its input: the model is broken
            return None
        if results is None:
            return None
        values.update(zip(node.outputs, results, strict=False))
    return values[movement.result]


def _moved(subject: Subject, node: Node, read: list[Indices], batch: int) -> list[Indices] | None:
    """What a movement makes of indices, for one image of `batch`; None where that can't be said."""
    x = read[0]
    if node.op == "Identity" or node.op in QUANTISERS:
        return [x]
    if node.op in _RESHAPES:
        shape = subject.view.shape(node.outputs[0])
        if shape is None or prod(shape) != x.size * batch:
            return None
        return [x.reshape((shape[0] // batch, *shape[1:]) if shape else ())]
    if node.op == "Transpose":
        perm = tuple(node.attribute("perm", range(x.ndim)[::-1]))
        return [x.transpose(perm)] if len(perm) == x.ndim else None
    if node.op == "Concat":
        axis = int(node.attribute("axis", 1))
        alike = len({part.ndim for part in read}) == 1 and -x.ndim <= axis < x.ndim
        return [np.concatenate(read, axis)] if alike else None
    if node.op == "Split":
        return _split(subject, node, x)
    if node.op == "Gather":
        return _gathered(subject.numbers(node.input(1)), int(node.attribute("axis", 0)), x)
    if node.op == "Slice":
        return _sliced(subject.numbers, node, x)
    return _shuffled(x, int(node.attribute("group", node.attribute("groups", 0))))


def _split(subject: Subject, node: Node, x: Indices) -> list[Indices] | None:
    axis = int(node.attribute("axis", 0))
    shapes = [subject.view.shape(key) for key in node.outputs]
    sizes = [shape[axis] for shape in shapes if shape is not None and len(shape) == x.ndim]
    if len(sizes) < len(shapes) or sum(sizes) != x.shape[axis]:
        return None
    return list(np.split(x, np.cumsum(sizes)[:-1], axis))


def _gathered(indices: np.ndarray[Any, Any] | None, axis: int, x: Indices) -> list[Indices] | None:
    if indices is None or not -x.ndim <= axis < x.ndim:
        return None
    if indices.size and not -x.shape[axis] <= indices.min() <= indices.max() < x.shape[axis]:
        return None
    return [np.take(x, indices.astype(np.int64), axis)]


def _sliced(numbers: Numbers, node: Node, x: Indices) -> list[Indices] | None:
    parts = dict(_slices(numbers, node, x.ndim))
    if not parts or not all(0 <= axis < x.ndim for axis in parts):
        return None
    return [x[tuple(parts.get(axis, slice(None)) for axis in range(x.ndim))]]


def _slices(numbers: Numbers, node: Node, rank: int) -> Iterator[tuple[int, slice]]:
    """Slice's axes with the part of each; nothing where they are not known."""
    given: Mapping[str, list[int] | None] = {
        name: _setting(numbers, node, name, position)
        for position, name in enumerate(("starts", "ends", "axes", "steps"), start=1)
    }
    starts, ends = given["starts"], given["ends"]
    if starts is None or ends is None:
        return
    axes = given["axes"] or list(range(len(starts)))
    steps = given["steps"] or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=False):
        last = None if step < 0 and end < -(1 << 31) else end
        yield axis % rank, slice(start, last, step)


def _slice_axes(numbers: Numbers, node: Node, rank: int) -> list[int]:
    return [axis for axis, _ in _slices(numbers, node, rank)]


def _setting(numbers: Numbers, node: Node, name: str, position: int) -> list[int] | None:
    """An attribute, which later became an input."""
    if name in node.attributes:
        return [int(number) for number in node.attribute(name)]
    array = numbers(node.input(position))
    return None if array is None else [int(number) for number in array.ravel()]


def _shuffled(x: Indices, groups: int) -> list[Indices] | None:
    if x.ndim < 2 or groups < 1 or x.shape[1] % groups:
        return None
    apart = x.reshape(x.shape[0], groups, x.shape[1] // groups, -1)
    return [apart.swapaxes(1, 2).reshape(x.shape)]
