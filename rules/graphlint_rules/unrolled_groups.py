"""Group convolutions spelt as Split, one convolution a group, and Concat, as Keras exports them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from graphlint.graph import Node
from graphlint.rule import Context
from graphlint_rules.data_flow import (
    TRANSPARENT,
    activations,
    carrier,
    elements,
    only_data_reader,
)

_CONVOLUTIONS = frozenset({"Conv", "FusedConv", "QLinearConv", "ConvInteger", "NhwcConv"})
_SPLITS = frozenset({"Split", "Slice"})
_JOINS = frozenset({"Concat", "QLinearConcat"})
_SAME = ("dilations", "strides", "pads", "auto_pad", "kernel_shape", "group")
_LONGEST_WAY = 16  # nodes between a convolution and the Split or Concat


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
    sources = {part.source for part in known}
    alike = len({_signature(context, part.convolution) for part in known}) == 1
    if len(sources) > 1 or not alike or not _share_out(context, known):
        return None
    return UnrolledGroups(sources.pop(), tuple(part.convolution for part in known), join)


@dataclass(frozen=True, slots=True)
class _Part:
    source: str
    key: str
    convolution: Node


def _part(context: Context, key: str) -> _Part | None:
    """The convolution before `key`, where it reads a part of another value."""
    convolution = _convolution_before(context, key)
    if convolution is None:
        return None
    key = convolution.input(0)
    for node in _upstream(context, key):
        if node.op in _SPLITS:
            return _Part(node.input(0), key, convolution)
        if node.op not in TRANSPARENT:
            return None
        key = node.input(0)
    return None


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
    for _ in range(_LONGEST_WAY):
        node = context.view.producer(key)
        if node is None or only_data_reader(context, key) is None:
            return
        yield node
        key = carrier(context, node) or ""


def _share_out(context: Context, parts: list[_Part]) -> bool:
    """Whether the parts are distinct and make up all channels of their source."""
    source = context.view.shape(parts[0].source)
    sizes = [elements(context, key) for key in {part.key for part in parts}]
    weights = [_weight_shape(context, part.convolution) for part in parts]
    groups = [part.convolution.attribute("group", 1) for part in parts]
    if source is None or None in sizes or None in weights:
        return False
    if not all(isinstance(group, int) for group in groups):
        return False  # broken nodes
    channels = sum(
        shape[1] * group
        for shape, group in zip(weights, groups, strict=True)
        if shape is not None and len(shape) > 2
    )
    whole = sum(size for size in sizes if size is not None)
    return whole == prod(source) and channels in source[1:]


def _signature(context: Context, convolution: Node) -> tuple[object, ...]:
    """What has to be the same in all groups: the operator, its attributes, its weight's shape."""
    attributes = tuple(
        tuple(value) if isinstance(value, list) else value
        for value in (convolution.attribute(name) for name in _SAME)
    )
    return (convolution.domain, convolution.op, attributes, _weight_shape(context, convolution))


def _weight_shape(context: Context, convolution: Node) -> tuple[int, ...] | None:
    return context.view.shape(convolution.input(3 if convolution.op == "QLinearConv" else 1))
