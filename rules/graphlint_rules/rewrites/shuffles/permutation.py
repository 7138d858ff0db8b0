"""Permutations of channels, found by carrying movements out on an array of indices.

A movement is an operator that puts numbers elsewhere and changes none: Reshape, Transpose, Gather,
Split, Concat and their like. How a shuffle is spelt with them does not matter here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from graphlint.graph import ABSENT, GraphView, Node
from graphlint.rewrites import Subject
from graphlint_rules.rewrites.definitions import axis_of, integers, is_standard, slices

CUSTOM_SHUFFLES = frozenset({"ChannelShuffle", "ShuffleChannel", "channel_shuffle"})
"""Operators of other domains that shuffle axis 1; their attribute `group` says with how many."""

_RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
QUANTISERS = frozenset({"QuantizeLinear", "DequantizeLinear"})
"""They change numbers, but not their places."""

_MOVEMENTS = _RESHAPES | {"Concat", "Gather", "Identity", "Slice", "Split", "Transpose"}
_MOST_NODES = 64  # a shuffle of 16 groups by Split, Unsqueeze and Concat has 19

MAX_ELEMENTS = 1 << 25
"""The largest tensor whose elements are followed one by one."""

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
    if node.domain != "":
        return node.op in CUSTOM_SHUFFLES
    return node.op in _MOVEMENTS and is_standard(node)


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
    if elements > MAX_ELEMENTS:
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
        if shape is None or not shape or shape[0] % batch:
            return False
        if node.op in ("Concat", "Gather", "Split") and axis_of(node, len(shape)) == 0:
            return False
        if node.op == "Slice" and 0 in (slices(subject, node, len(shape)) or ()):
            return False
        if node.op == "Transpose" and node.attribute("perm", ())[:1] != (0,):
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
        results = moved_elements(subject, node, read, batch)
        if results is None or sum(result.size for result in results) > start.size:
            return None  # where elements are copied, nothing is permuted
        values.update(zip(node.outputs, results, strict=True))
    return values[movement.result]


def moved_elements(
    subject: Subject, node: Node, read: Sequence[Indices], batch: int = 1
) -> list[Indices] | None:
    """What a movement makes of the elements `read`, for one image of `batch`.

    None where that can't be said, or is more than `MAX_ELEMENTS`.
    """
    try:
        results = _moved(subject, node, read, batch)
    except (IndexError, ValueError):  # its settings don't fit its input: the model is broken
        return None
    if results is None or len(results) != len(node.outputs):
        return None
    return results if sum(result.size for result in results) <= MAX_ELEMENTS else None


def _moved(
    subject: Subject, node: Node, read: Sequence[Indices], batch: int
) -> list[Indices] | None:
    x = read[0]
    if node.op == "Identity" or node.op in QUANTISERS:
        return [x]
    if node.op in _RESHAPES:
        shape = subject.view.shape(node.outputs[0])
        if shape is None or prod(shape) != x.size * batch:
            return None
        return [x.reshape((shape[0] // batch, *shape[1:]) if shape else ())]
    if node.op == "Transpose":
        return [x.transpose(node.attribute("perm"))]
    if node.op == "Slice":
        parts = slices(subject, node, x.ndim)
        return [x[tuple(parts.get(axis, slice(None)) for axis in range(x.ndim))]] if parts else None
    if node.domain != "":
        return _shuffled(x, node.attribute("group", node.attribute("groups")))
    axis = axis_of(node, x.ndim)
    if axis is None:
        return None
    if node.op == "Concat":
        return [np.concatenate(read, axis)]
    if node.op == "Split":
        return _split(subject, node, x, axis)
    return _gathered(subject, node, x, axis)


def _split(subject: Subject, node: Node, x: Indices, axis: int) -> list[Indices] | None:
    shapes = [subject.view.shape(key) for key in node.outputs]
    sizes = [shape[axis] for shape in shapes if shape is not None and len(shape) == x.ndim]
    if len(sizes) < len(shapes) or sum(sizes) != x.shape[axis]:
        return None
    return list(np.split(x, np.cumsum(sizes)[:-1], axis))


def _gathered(subject: Subject, node: Node, x: Indices, axis: int) -> list[Indices] | None:
    indices = integers(subject, node.input(1))
    shape = subject.view.shape(node.input(1))
    if indices is None or shape is None or len(indices) * x.size > MAX_ELEMENTS * x.shape[axis]:
        return None
    return [np.take(x, np.reshape(indices, shape).astype(np.int64), axis)]


def _shuffled(x: Indices, groups: object) -> list[Indices] | None:
    if not isinstance(groups, int) or x.ndim < 2 or groups < 1 or x.shape[1] % groups:
        return None
    apart = x.reshape(x.shape[0], groups, x.shape[1] // groups, -1)
    return [apart.swapaxes(1, 2).reshape(x.shape)]
