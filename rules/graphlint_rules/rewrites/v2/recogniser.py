"""Recognises units of ShuffleNet V2, to say that a network has them already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from graphlint.graph import Node
from graphlint.rewrites import Subject
from graphlint_rules.rewrites.definitions import axis_of, is_standard
from graphlint_rules.rewrites.shuffles.permutation import (
    Movement,
    Order,
    channel_selection,
    movement_before,
)
from graphlint_rules.rewrites.v1.branches import Strand, strand_before

SplitSpelling = Literal["split", "slice", "chunk", "gather", "none"]


@dataclass(frozen=True, slots=True)
class V2Unit:
    """A unit of ShuffleNet V2 (arXiv 1807.11164, figure 3 c and d).

    `widths` are the channels of the shortcut's and the branch's output; `split` is how the
    channels are split before it, `none` with stride 2. `nodes` are its layers, its Concat, and
    what moves channels before them (with stride 1: the split, and the shuffle of the unit before).
    """

    nodes: tuple[Node, ...]
    join: Node
    stride: int
    split: SplitSpelling
    widths: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Side:
    """One operand of a Concat: layers (first to last), and what moves channels before them."""

    strands: tuple[Strand, ...]
    movement: Movement
    width: int


def recognise_v2(subject: Subject) -> tuple[V2Unit, ...]:
    """All units of V2, in the order of their Concats; their outputs or inputs are shuffled."""
    found = [
        each
        for node in subject.view.nodes
        if node.op == "Concat" and len(node.inputs) == 2 and is_standard(node)
        for each in _at(subject, node)
    ]
    if not found:
        return ()
    shuffled = frozenset(_shuffled(subject))
    return tuple(
        unit for source, unit in found if source in shuffled or unit.join.outputs[0] in shuffled
    )


def _at(subject: Subject, join: Node) -> Iterator[tuple[str, V2Unit]]:
    """The unit that ends in `join`, with the value that both of its sides come from."""
    shape = subject.view.shape(join.outputs[0])
    if shape is None or len(shape) != 4 or axis_of(join, 4) != 1:
        return
    sides = [_side(subject, key) for key in join.inputs]
    known = sorted((side for side in sides if side is not None), key=lambda side: len(side.strands))
    if len(known) < 2 or known[0].movement.source != known[1].movement.source:
        return
    shortcut, branch = known
    stride = _stride(subject, shortcut, branch)
    if stride is None:
        return
    yield (
        shortcut.movement.source,
        V2Unit(
            _nodes(shortcut, branch, join),
            join,
            stride,
            _spelling(subject, branch.movement) if stride == 1 else "none",
            (shortcut.width, branch.width),
        ),
    )


def _side(subject: Subject, key: str) -> _Side | None:
    """What makes an operand: no layers, depthwise and 1×1, or 1×1, depthwise and 1×1."""
    shape = subject.view.shape(key)
    if shape is None or len(shape) != 4:
        return None
    strands: list[Strand] = []
    start = key
    for is_wanted in (_is_pointwise, _is_depthwise, _is_pointwise):
        strand = strand_before(subject, start)
        if strand is None or strand.is_moved or not is_wanted(strand):
            break
        strands.insert(0, strand)
        start = strand.convolution.source
    return _Side(tuple(strands), movement_before(subject.view, start), shape[1])


def _is_pointwise(strand: Strand) -> bool:
    return strand.convolution.is_pointwise and strand.convolution.groups == 1


def _is_depthwise(strand: Strand) -> bool:
    return strand.convolution.is_depthwise and not strand.convolution.is_pointwise


def _stride(subject: Subject, shortcut: _Side, branch: _Side) -> int | None:
    """1 or 2, where both sides are wired like a unit's."""
    layers = (len(shortcut.strands), len(branch.strands))
    if layers not in ((0, 3), (2, 3)):
        return None
    spatial = [side.strands[-2].convolution for side in (shortcut, branch) if side.strands]
    strides = {convolution.window.strides for convolution in spatial}
    read = [channel_selection(subject, side.movement) for side in (shortcut, branch)]
    kept = [frozenset(order) for order in read if order is not None]
    if len(kept) < 2:
        return None
    if layers == (0, 3):
        return 1 if strides == {(1, 1)} and kept[0].isdisjoint(kept[1]) else None
    return 2 if strides == {(2, 2)} and kept[0] == kept[1] else None


def _nodes(shortcut: _Side, branch: _Side, join: Node) -> tuple[Node, ...]:
    nodes = {join.index: join}
    for side in (shortcut, branch):
        own = (*side.movement.nodes, *(node for strand in side.strands for node in strand.nodes))
        nodes.update((node.index, node) for node in own)
    return tuple(nodes[index] for index in sorted(nodes))


def _spelling(subject: Subject, movement: Movement) -> SplitSpelling:
    cut = next((node for node in reversed(movement.nodes) if node.op in _CUTS), None)
    if cut is None:
        return "none"
    if cut.op == "Slice" and _is_computed(subject, cut):
        return "chunk"
    return _CUTS[cut.op]


_CUTS: dict[str, SplitSpelling] = {"Split": "split", "Slice": "slice", "Gather": "gather"}


def _is_computed(subject: Subject, cut: Node) -> bool:
    """Whether a bound is computed, as TorchScript exports `chunk`."""
    producers = [subject.view.producer(key) for key in cut.inputs[1:3]]
    return any(node is not None and node.op != "Constant" for node in producers)


def _shuffled(subject: Subject) -> Iterator[str]:
    """Values whose channels come to a convolution, or out of the model, shuffled in two groups."""
    view = subject.view
    ends = [node.input(0) for node in view.nodes if node.op == "Conv"]
    for key in dict.fromkeys((*ends, *view.outputs)):
        movement = movement_before(view, key)
        order = channel_selection(subject, movement) if movement.nodes else None
        shape = view.shape(movement.source)
        if order and shape and _is_part_of_shuffle(order, shape[1]):
            yield movement.source


def _is_part_of_shuffle(order: Order, width: int) -> bool:
    """Whether it is a run of channels as a shuffle of two groups leaves them, or its inverse."""
    if width < 4 or width % 2 or len(order) < 2:
        return False
    return any(_is_run(order, np.arange(width).reshape(shape)) for shape in ((2, -1), (-1, 2)))


def _is_run(order: Order, apart: np.ndarray[Any, np.dtype[np.int64]]) -> bool:
    shuffled: list[int] = apart.T.ravel().tolist()
    start = shuffled.index(order[0])
    return list(order) == shuffled[start : start + len(order)]
