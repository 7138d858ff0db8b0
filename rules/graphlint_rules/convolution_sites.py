"""Convolutions as the rules see them: widths, groups and sizes, however they are spelt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from graphlint.costs.contract import UnknownCost
from graphlint.costs.count import element_bits
from graphlint.graph import Node, TensorType
from graphlint.rule import Context
from graphlint_rules.data_flow import runs
from graphlint_rules.operators import is_channels_last
from graphlint_rules.unrolled_groups import UnrolledGroups, unrolled_groups

_CONTRIBUTED = "com.microsoft"
_INTERNAL_NHWC = "com.ms.internal.nhwc"

# The position of the weight among the inputs, by domain and operator; the data is input 0.
_WEIGHTS = {
    ("", "Conv"): 1,
    ("", "ConvInteger"): 1,
    ("", "QLinearConv"): 3,
    (_CONTRIBUTED, "FusedConv"): 1,
    (_CONTRIBUTED, "NhwcConv"): 1,
    (_CONTRIBUTED, "NhwcFusedConv"): 1,
    (_CONTRIBUTED, "QLinearConv"): 3,
    ("com.microsoft.nchwc", "Conv"): 1,
    (_INTERNAL_NHWC, "Conv"): 1,
    (_INTERNAL_NHWC, "QLinearConv"): 3,
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """An activation of static shape: its elements, and the bits of one."""

    shape: tuple[int, ...]
    bits: int

    @property
    def elements(self) -> int:
        """How many elements it has."""
        return prod(self.shape)

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return -(-self.elements * self.bits // 8)


@dataclass(frozen=True, slots=True)
class Convolution:
    """One execution of a convolution; `nodes` are several where its groups are unrolled.

    `moved` are the bytes that it reads and writes, weights included; `executions` says how often it
    runs in one run of the model.
    """

    nodes: tuple[Node, ...]
    channels_in: int
    channels_out: int
    groups: int
    kernel: tuple[int, ...]
    input: Tensor
    output: Tensor
    spatial: tuple[int, ...]
    moved: int
    executions: int

    @property
    def positions(self) -> int:
        """At how many places it computes its output channels: h × w, times the batch."""
        return self.output.elements // self.channels_out

    @property
    def batch(self) -> int:
        """How often it computes its positions in space."""
        return self.positions // (prod(self.spatial) or 1)

    @property
    def is_pointwise(self) -> bool:
        """Whether its kernel is 1×1."""
        return prod(self.kernel) == 1

    @property
    def is_depthwise(self) -> bool:
        """Whether every input channel is a group of its own, whatever the multiplier."""
        return self.groups == self.channels_in > 1


def convolutions(context: Context) -> Iterator[Convolution]:
    """Every convolution of static shape that runs; unrolled groups as the one that they spell."""
    unrolled = unrolled_groups(context)
    parts = {node.index for group in unrolled for node in group.convolutions}
    for node in context.view.nodes:
        if node.index not in parts and (found := read_convolution(context, node)) is not None:
            yield found
    for group in unrolled:
        if (found := _rolled(context, group)) is not None:
            yield found


def layer_of(context: Context, nodes: tuple[Node, ...]) -> Convolution | None:
    """The convolution that the nodes are, as `convolutions` has it; None where it has none."""
    if len(nodes) == 1:
        return read_convolution(context, nodes[0])
    for group in unrolled_groups(context):
        if (*group.convolutions, group.join) == nodes:
            return _rolled(context, group)
    return None


def read_convolution(context: Context, node: Node) -> Convolution | None:
    """The node's figures, None if it is no convolution or they are not known."""
    weight = _WEIGHTS.get((node.domain, node.op))
    if weight is None or not runs(context, node):
        return None
    shape = context.view.shape(node.input(weight))
    source, result = tensor(context, node.input(0)), tensor(context, node.outputs[0])
    if shape is None or len(shape) < 3 or source is None or result is None or not prod(shape):
        return None
    groups = node.attribute("group", 1)
    if not isinstance(groups, int) or groups < 1 or len(result.shape) != len(shape):
        return None  # a broken node
    executions = context.executions(node)
    return Convolution(
        nodes=(node,),
        channels_in=shape[1] * groups,
        channels_out=shape[0],
        groups=groups,
        kernel=shape[2:],
        input=source,
        output=result,
        spatial=result.shape[1:-1] if is_channels_last(node) else result.shape[2:],
        moved=context.cost(node).memory_access_bytes // executions,
        executions=executions,
    )


def tensor(context: Context, key: str) -> Tensor | None:
    """The value's size, None where it is not known."""
    type_, shape = context.view.type(key), context.view.shape(key)
    if not isinstance(type_, TensorType) or shape is None:
        return None
    try:
        return Tensor(shape, element_bits(type_.dtype))
    except UnknownCost:
        return None


def _rolled(context: Context, unrolled: UnrolledGroups) -> Convolution | None:
    """The grouped convolution that a Split, its convolutions and their Concat spell."""
    parts = [read_convolution(context, node) for node in unrolled.convolutions]
    known = [part for part in parts if part is not None]
    source, result = tensor(context, unrolled.source), tensor(context, unrolled.join.outputs[0])
    if len(known) < len(parts) or source is None or result is None:
        return None
    return replace(
        known[0],
        nodes=(*unrolled.convolutions, unrolled.join),
        channels_in=sum(part.channels_in for part in known),
        channels_out=sum(part.channels_out for part in known),
        groups=sum(part.groups for part in known),
        input=source,
        output=result,
        moved=sum(part.moved for part in known),
    )
