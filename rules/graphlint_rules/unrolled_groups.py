"""Group convolutions spelt as Split, one convolution a group, and Concat, as Keras exports them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphlint.graph import ABSENT, Node
from graphlint.rule import Context
from graphlint_rules.data_flow import (
    TRANSPARENT,
    activations,
    carrier,
    only_data_reader,
)
from graphlint_rules.operators import is_channels_last

_CONVOLUTIONS = frozenset({"Conv", "FusedConv", "QLinearConv", "ConvInteger", "NhwcConv"})
_SPLITS = frozenset({"Split", "Slice"})
_JOINS = frozenset({"Concat", "QLinearConcat"})
_SAME = ("dilations", "strides", "pads", "auto_pad", "kernel_shape", "group")


@dataclass(frozen=True, slots=True)
class UnrolledGroups:
    """One group convolution in parts: the value that is split, the parts, and what joins them."""

    source: str
    convolutions: tuple[Node, ...]
    join: Node


def unrolled_groups(context: Context) -> tuple[UnrolledGroups, ...]:
    """Every place where like convolutions over the parts of one value are concatenated."""
    found = (
        _match(context, node)
        for node in context.view.nodes
        if node.op in _JOINS and len(activations(context, node)) > 1
    )
    return tuple(match for match in found if match is not None)


def _match(context: Context, join: Node) -> UnrolledGroups | None:
    parts = [_part(context, key) for key in activations(context, join)]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    first, *others = known
    alike = all(_is_alike(context, first, other) for other in others)
    if not alike or not all(_is_share(context, part, len(parts)) for part in known):
        return None
    return UnrolledGroups(first.source, tuple(part.convolution for part in known), join)


@dataclass(frozen=True, slots=True)
class _Part:
    """A convolution over `key`, a part of `source`; `axis` is where both have the channels."""

    source: str
    key: str
    axis: int
    convolution: Node


def _part(context: Context, key: str) -> _Part | None:
    """The convolution before `key`, where it reads a part of another value."""
    convolution = _convolution_before(context, key)
    weight = None if convolution is None else _weight_shape(context, convolution)
    if convolution is None or weight is None:
        return None
    key, axis = convolution.input(0), len(weight) - 1 if is_channels_last(convolution) else 1
    for node in _upstream(context, key):
        if node.op in _SPLITS:
            return _Part(node.input(0), key, axis, convolution)
        before = _axis_before(node, axis)
        if node.op not in TRANSPARENT or before is None:
            return None
        key, axis = node.input(0), before
    return None


def _axis_before(node: Node, axis: int) -> int | None:
    """Where in its input the node finds what it has at `axis`; None where that is not told."""
    if node.op != "Transpose":
        return axis
    order = node.attribute("perm")
    return order[axis] if isinstance(order, tuple) and axis < len(order) else None


def _convolution_before(context: Context, key: str) -> Node | None:
    """The convolution whose result reaches `key` through nothing but what it can absorb."""
    for node in _upstream(context, key):
        if node.op in _CONVOLUTIONS:
            return node
        if carrier(context, node) is None:
            return None
    return None


def _upstream(context: Context, key: str) -> Iterator[Node]:
    """The producers one behind the other, along data that nobody else reads."""
    while (node := context.view.producer(key)) and only_data_reader(context, key):
        yield node
        key = carrier(context, node) or ABSENT


def _is_share(context: Context, part: _Part, count: int) -> bool:
    """Whether it is one of `count` equal shares of its source's channels, all else being whole."""
    shape = context.view.shape(part.key)
    return shape is not None and context.view.shape(part.source) == tuple(
        size * count if at == part.axis else size for at, size in enumerate(shape)
    )


def _is_alike(context: Context, part: _Part, other: _Part) -> bool:
    return (part.source, part.axis) == (other.source, other.axis) and _signature(
        context, part.convolution
    ) == _signature(context, other.convolution)


def _signature(context: Context, convolution: Node) -> tuple[object, ...]:
    """What has to be the same in all groups: the operator, its attributes, its weight's shape."""
    attributes = [convolution.attribute(name) for name in _SAME]
    weight = _weight_shape(context, convolution)
    return (convolution.domain, convolution.op, weight, *attributes)


def _weight_shape(context: Context, convolution: Node) -> tuple[int, ...] | None:
    return context.view.shape(convolution.input(3 if convolution.op == "QLinearConv" else 1))
