"""Which fork-join regions are building blocks of a network, and what in them runs in parallel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphlint.costs.contract import Category
from graphlint.graph import ABSENT
from graphlint.regions import Region, is_fragment
from graphlint.rule import Context
from graphlint_rules.data_flow import activations
from graphlint_rules.operators import is_channels_last

_CONCATENATIONS = frozenset({"Concat", "QLinearConcat"})
_SUMMING_CONVOLUTIONS = frozenset({"FusedConv", "NhwcFusedConv"})
_CHANNELS_SECOND = ((0, 2, 1), (0, 3, 1, 2), (0, 4, 1, 2, 3))  # orders that bring the last there
_LARGEST_STRIDE = 4
_WIDEST_KERNEL = 7  # without padding, a branch loses as many positions, less one


def is_building_block(context: Context, region: Region) -> bool:
    """Whether the paths meet on the channel axis, or element by element, over the same positions.

    What meets otherwise is none: detection heads that are flattened and concatenated over anchors,
    several outputs, post-processing.
    """
    fork = context.view.shape(region.fork)
    join = context.view.shape(region.join.outputs[0])
    if fork is None or join is None or len(fork) != len(join) or len(fork) < 3:
        return False
    last = _is_channels_last(region)
    positions = slice(1, -1) if last else slice(2, None)
    if fork[0] != join[0] or not _is_strided(fork[positions], join[positions]):
        return False
    if region.join.op in _CONCATENATIONS:
        axis = region.join.attribute("axis", 1)
        return isinstance(axis, int) and axis % len(join) == (len(join) - 1 if last else 1)
    return len(activations(context, region.join)) > 1 and (
        context.cost(region.join).category is Category.ELEMENTWISE
        or (region.join.op in _SUMMING_CONVOLUTIONS and region.join.input(3) != ABSENT)
    )


def _is_channels_last(region: Region) -> bool:
    """Whether the region's data is NHWC: it is transposed for its convolutions, or they say so."""
    return any(
        is_channels_last(node)
        or (node.op == "Transpose" and node.attribute("perm") in _CHANNELS_SECOND)
        for node in (*region.nodes, region.join)
    )


def _is_strided(before: Sequence[int], after: Sequence[int]) -> bool:
    """Whether one stride leads from the first sizes to the second, with padding or without."""
    return any(
        all(
            (old - _WIDEST_KERNEL) // stride + 1 <= new <= -(-old // stride)
            for old, new in zip(before, after, strict=True)
        )
        for stride in range(1, _LARGEST_STRIDE + 1)
    )


def own_parallel_fragments(
    context: Context, region: Region, origins: Mapping[int, list[Region]]
) -> int:
    """The fragments beyond the critical path, without what the regions nested inside hold.

    A skip connection over a whole network would otherwise be charged with all that it spans.
    """
    nested = _nested(region, origins)
    longest: dict[int, int] = {}
    fragments = 0
    for node in region.nodes:
        before = (context.view.producer(key) for key in node.inputs)
        ways = (longest.get(producer.index, 0) for producer in before if producer is not None)
        counts = is_fragment(node) and node.index not in nested
        fragments += counts
        longest[node.index] = max(ways, default=0) + counts
    return fragments - max(longest.values())


def _nested(region: Region, origins: Mapping[int, list[Region]]) -> set[int]:
    """The indices of the nodes of all regions that fork inside of `region`.

    Such a region joins inside too, or at the same join; so does one that forks inside of it, and
    adds nothing.
    """
    nested: set[int] = set()
    for node in region.nodes:
        if node.index not in nested:
            for inner in origins.get(node.index, ()):
                nested.update(part.index for part in inner.nodes)
    return nested


def by_origin(regions: Sequence[Region]) -> Mapping[int, list[Region]]:
    """The regions by the index of the node that forks."""
    found: dict[int, list[Region]] = {}
    for region in regions:
        if region.origin is not None:
            found.setdefault(region.origin.index, []).append(region)
    return found
