"""## What it does

Looks at the building blocks of a network and counts their fragments: convolutions and pooling
operators (not global pooling). A block is the region from a value that several operators read to
the first operator that all paths from it pass: a Concat over the channels, or an element-wise
operator, of the same rank as the forked value and, up to a stride, of its spatial size. It is
reported when more than 2 of its fragments lie beyond the critical path, the path with the most
fragments. What a block nested inside of it holds counts for the nested one alone.

No finding are: detection heads that are flattened and concatenated over anchors; branches that lead
to outputs of their own; groups of a convolution that are unrolled into Split, convolutions and
Concat (that is G2's).

## Why it costs

    parallel fragments = fragments − fragments on the critical path

Many small operators use a parallel device badly: each has too little work to fill it, each is a
kernel to launch, and where paths meet they wait for one another. The memory access is the same, so
no bytes are charged: what it costs depends on the device. In the paper's table 3, four parallel
fragments instead of one make a block 3.5 times slower on a GPU at narrow widths, 1.5 times at wide
ones, and hardly slower on one core of an ARM CPU.

By this count a ResNet unit has 3 fragments (4 with a projection), an Inception v1 module 7 on 4
branches, of which 2 are on the critical path, a NASNet-A cell 13 or more.

## Example

An Inception v1 module, 7 fragments of which 2 are on the critical path: 5 could run in parallel.
With measured times (`--latency`) the finding says how long the whole region takes.

## What to do instead

Fewer and larger operators: merge 1×1 convolutions over the same input into one and split its
result, put branches in series, or leave out those that bring little. This is a design choice;
networks found by automatic search have many fragments because the search counted multiply-adds.

## Options

- `max-parallel-fragments` (2): how many fragments may lie beyond the critical path.

## References

- Ma, Zhang, Zheng, Sun: ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design.
  ECCV 2018, arXiv:1807.11164, section 2, guideline G3 and table 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from graphlint.graph import Node, TensorType
from graphlint.regions import Region, is_fragment
from graphlint.rule import Alternative, Context, Example, Option, Rule, Site
from graphlint_rules.alternatives import alone, convolution
from graphlint_rules.building_blocks import (
    by_origin,
    is_building_block,
    own_parallel_fragments,
)
from graphlint_rules.convolution_sites import read_convolution
from graphlint_rules.data_flow import runs
from graphlint_rules.figures import by
from graphlint_rules.unrolled_groups import unrolled_groups

_HELP = (
    "a design choice: fewer and larger operators; merge convolutions over the same input, or put "
    "branches in series"
)


def check(context: Context) -> Iterator[Site]:
    """A site for every building block with many fragments beyond its critical path."""
    most = int(context.options["max-parallel-fragments"])
    if sum(is_fragment(node) for node in context.view.nodes) <= most:
        return  # looking for regions would take longer than everything else
    origins = by_origin(context.regions)
    unrolled = {group.join.index for group in unrolled_groups(context)}
    for region in context.regions:
        parallel = region.fragments - region.critical_path
        # The cheap questions first: the others list the region's nodes.
        if min(parallel, region.own_fragments) <= most or not runs(context, region.join):
            continue
        if region.join.index in unrolled or not is_building_block(context, region):
            continue
        if own_parallel_fragments(context, region, origins) > most:
            yield _site(context, region)


def _site(context: Context, region: Region) -> Site:
    parallel = region.fragments - region.critical_path
    shape = context.view.shape(region.join.outputs[0]) or ()
    branches = sum(any(is_fragment(node) for node in branch) for branch in region.branches)
    ways = f" on {branches} branches" if branches > 1 else ""
    return Site(
        nodes=_nodes(region),
        message=(
            f"{region.fragments} fragments{ways}, {region.critical_path} on the critical path: "
            f"{parallel} could run in parallel; joined by {region.join.op} to {by(shape[1:])}."
        ),
        help=_HELP,
        excess_bytes=None,
    )


def alternative(context: Context, site: Site) -> Alternative | None:
    """Two convolutions in series that do the multiply-adds of the whole block.

    Their kernel is the one in which most of the block's multiply-adds are done; a stride stands in
    the first. None where the block reads other values than the forked one.
    """
    region = next((each for each in context.regions if _nodes(each) == site.nodes), None)
    if region is None or not _reads_only(context, region):
        return None
    source, result = (context.view.type(key) for key in (region.fork, region.join.outputs[0]))
    if not (isinstance(source, TensorType) and isinstance(result, TensorType)):
        return None
    before, after = source.sizes, result.sizes
    if before is None or after is None or len(before) != 4 or source.dtype != result.dtype:
        return None
    return _in_series(context, region, before, after, source.dtype)


def _in_series(
    context: Context, region: Region, before: tuple[int, ...], after: tuple[int, ...], dtype: int
) -> Alternative | None:
    kernel, stride = _usual_kernel(context, region), -(-before[2] // after[2])
    work = sum(context.cost(node).multiply_adds for node in region.nodes)
    each = kernel**2 * (before[1] + after[1]) * after[0] * after[2] * after[3]
    middle = work // context.executions(region.join) // each
    if not middle or before[2:] != (after[2] * stride, after[3] * stride):
        return None
    same = {"auto_pad": "SAME_UPPER"}
    first = {"v": (middle, before[1], kernel, kernel), "a": (middle,)}
    second = {"w": (after[1], middle, kernel, kernel), "b": (after[1],)}
    model = alone(
        context,
        [
            convolution("x", "z", tuple(first), {**same, "strides": [stride, stride]}),
            convolution("z", "y", tuple(second), same),
        ],
        {"x": before},
        {"y": after},
        {**first, **second},
        dtype,
    )
    label = f"{before[1]}→{middle}→{after[1]}, {by((kernel, kernel))} twice in series"
    return Alternative(label, _nodes(region), model, fits=True)


def _nodes(region: Region) -> tuple[Node, ...]:
    return (*region.nodes, region.join)


def _reads_only(context: Context, region: Region) -> bool:
    """Whether the block reads no value but the forked one, and constants."""
    inside = {key for node in region.nodes for key in node.outputs}
    read = {key for node in _nodes(region) for key in node.inputs if key}
    return read - inside - context.view.static_values == {region.fork}


def _usual_kernel(context: Context, region: Region) -> int:
    """The side of the kernel in which most multiply-adds of the block are done."""
    work: Counter[int] = Counter()
    for node in region.nodes:
        if (layer := read_convolution(context, node)) is not None:
            work[max(layer.kernel)] += context.cost(node).multiply_adds
    return max(work, key=lambda side: (work[side], -side), default=1)


GOOD = (
    Example(
        "a residual unit",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,64,28,28] x, float[16,64,1,1] u, float[16,16,3,3] v, float[64,16,1,1] w)
            => (float[1,64,28,28] y) {
            a = Conv(x, u)
            b = Conv <pads = [1, 1, 1, 1]> (a, v)
            c = Conv(b, w)
            y = Add(x, c)
        }
        """,
    ),
    Example(
        "ShuffleNet V2's unit with stride 2",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,24,28,28] x, float[24,1,3,3] d, float[24,24,1,1] p)
            => (float[1,48,14,14] y) {
            a = Conv <group = 24, pads = [1, 1, 1, 1], strides = [2, 2]> (x, d)
            b = Conv(a, p)
            e = Conv(x, p)
            f = Conv <group = 24, pads = [1, 1, 1, 1], strides = [2, 2]> (e, d)
            g = Conv(f, p)
            y = Concat <axis = 1> (b, g)
        }
        """,
    ),
    Example(
        "groups unrolled into Split, convolutions and Concat",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,64,28,28] x, float[16,16,3,3] s, float[16,16,3,3] t, float[16,16,3,3] u,
             float[16,16,3,3] v) => (float[1,64,28,28] y) {
            a, b, c, d = Split <axis = 1> (x)
            e = Conv <pads = [1, 1, 1, 1]> (a, s)
            f = Conv <pads = [1, 1, 1, 1]> (b, t)
            g = Conv <pads = [1, 1, 1, 1]> (c, u)
            h = Conv <pads = [1, 1, 1, 1]> (d, v)
            y = Concat <axis = 1> (e, f, g, h)
        }
        """,
    ),
    Example(
        "detection heads, flattened and concatenated over anchors",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,64,16,16] x, float[8,64,1,1] s, float[8,64,1,1] t, float[8,64,1,1] u,
             float[8,64,1,1] v) => (float[1,8,1024] y)
        <int64[3] flat = {1, 8, 256}> {
            a = Conv(x, s)
            b = Conv(x, t)
            c = Conv(x, u)
            d = Conv(x, v)
            e = Reshape(a, flat)
            f = Reshape(b, flat)
            g = Reshape(c, flat)
            h = Reshape(d, flat)
            y = Concat <axis = 2> (e, f, g, h)
        }
        """,
    ),
    Example(
        "branches that end in outputs",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,64,16,16] x, float[8,64,1,1] s, float[8,64,1,1] t, float[8,64,1,1] u,
             float[8,64,1,1] v)
            => (float[1,8,16,16] a, float[1,8,16,16] b, float[1,8,16,16] c, float[1,8,16,16] d) {
            a = Conv(x, s)
            b = Conv(x, t)
            c = Conv(x, u)
            d = Conv(x, v)
        }
        """,
    ),
)
BAD = (
    Example(
        "an Inception module",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,64,28,28] x, float[16,64,1,1] r, float[16,16,3,3] s, float[16,16,5,5] t)
            => (float[1,64,28,28] y) {
            a = Conv(x, r)
            b = Conv(x, r)
            c = Conv <pads = [1, 1, 1, 1]> (b, s)
            d = Conv(x, r)
            e = Conv <pads = [2, 2, 2, 2]> (d, t)
            f = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x)
            g = Conv(f, r)
            y = Concat <axis = 1> (a, c, e, g)
        }
        """,
    ),
    Example(
        "four parallel convolutions, summed",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,64,28,28] x, float[64,64,1,1] w) => (float[1,64,28,28] y) {
            a = Conv(x, w)
            b = Conv(x, w)
            c = Conv(x, w)
            d = Conv(x, w)
            y = Sum(a, b, c, d)
        }
        """,
    ),
    Example(
        "a Split whose parts meet different kernels",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,64,28,28] x, float[16,1,3,3] s, float[16,1,5,5] t, float[16,1,7,7] u,
             float[16,1,9,9] v) => (float[1,64,28,28] y) {
            a, b, c, d = Split <axis = 1> (x)
            e = Conv <group = 16, pads = [1, 1, 1, 1]> (a, s)
            f = Conv <group = 16, pads = [2, 2, 2, 2]> (b, t)
            g = Conv <group = 16, pads = [3, 3, 3, 3]> (c, u)
            h = Conv <group = 16, pads = [4, 4, 4, 4]> (d, v)
            y = Concat <axis = 1> (e, f, g, h)
        }
        """,
    ),
)

RULE = Rule(
    code="G3",
    name="fragmented-branches",
    summary="Building blocks of many small operators leave a parallel device idle.",
    check=check,
    page=__doc__,
    good=GOOD,
    bad=BAD,
    alternative=alternative,
    options=(
        Option(
            "max-parallel-fragments",
            2,
            "how many fragments may lie beyond the critical path",
            minimum=0,
        ),
    ),
)
