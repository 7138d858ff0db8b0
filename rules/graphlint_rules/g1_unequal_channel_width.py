"""## What it does

Looks at 1×1 convolutions, grouped or not, whose input and output differ in width, by a factor of 2
or more. Each site is charged with what it moves beyond a convolution of equal widths that does the
same multiply-adds. Depthwise convolutions are left to G4.

## Why it costs

A 1×1 convolution from c1 to c2 channels on h×w positions does B = hw·c1·c2/g multiply-adds and
moves MAC = hw·(c1 + c2) + c1·c2/g elements (MAC is memory access cost). For a given B, and by the
inequality of the means,

    MAC ≥ 2·√(g·hw·B) + B/(hw),   with equality if and only if c1 = c2.

What lies above that bound is

    excess = hw·(√c1 − √c2)² = hw·(c1 + c2 − 2·√(c1·c2)) elements,

with hw the positions that are computed, times the batch. The weights are the same in both. The root
is rounded down to a whole element, and all figures are exact integers.

The ratio alone says little: at 1:2 the excess is 6 % of the activations, at 1:4 it is 20 %, and in
measurements it weighs most where layers are narrow, so that memory and not arithmetic is the limit.

## Example

A ResNet bottleneck's last layer, 64→256 on 56×56, moves 3.9 MiB. With 128→128, the same
multiply-adds, it would move 3.1 MiB.

## What to do instead

Bring the widths of neighbouring 1×1 convolutions nearer to each other. Bottlenecks (256→64→256) and
inverted bottlenecks (24→144→24) trade this for accuracy or parameters: a design choice to know
about, not a mistake. ShuffleNet V2's units keep equal widths throughout.

## Options

- `min-ratio` (2): the least ratio of the wider to the narrower side that counts.
- `linear-layers` (false): look at MatMul and Gemm with constant weights over several rows too; a
  linear layer over tokens is a 1×1 convolution by another name.

## References

- Ma, Zhang, Zheng, Sun: ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design.
  ECCV 2018, arXiv:1807.11164, section 2, guideline G1 and table 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt

from graphlint.rule import Alternative, Context, Example, Option, Rule, Site
from graphlint.units import format_bytes
from graphlint_rules.alternatives import Widths, with_widths
from graphlint_rules.convolution_sites import Convolution, convolutions, layer_of
from graphlint_rules.figures import spell_layer, times
from graphlint_rules.linear_layers import linear_layers

_HELP = (
    "a design choice: equal widths move the least; bring input and output nearer to each other, "
    "as in ShuffleNet V2's units"
)


def check(context: Context) -> Iterator[Site]:
    """A site for every 1×1 convolution with unequal widths."""
    ratio = float(context.options["min-ratio"])
    layers = [layer for layer in convolutions(context) if layer.is_pointwise]
    if context.options["linear-layers"]:
        layers += linear_layers(context)
    for layer in layers:
        narrow, wide = sorted((layer.channels_in, layer.channels_out))
        if not layer.is_depthwise and wide >= ratio * narrow:
            excess = excess_bytes(layer)
            if excess > 0:
                yield _site(layer, excess)


def excess_bytes(layer: Convolution) -> int:
    """What one execution moves beyond equal widths at the same multiply-adds and groups."""
    hw, c1, c2 = layer.positions, layer.channels_in, layer.channels_out
    elements = hw * (c1 + c2) - isqrt(4 * c1 * c2 * hw * hw)
    return elements * layer.input.bits // 8


def alternative(context: Context, site: Site) -> Alternative | None:
    """Equal widths at the same multiply-adds and groups, to a whole number of channels a group."""
    layer = layer_of(context, site.nodes)
    if layer is None:
        return None
    geometric_mean = (layer.channels_in * layer.channels_out) ** 0.5
    width = layer.groups * round(geometric_mean / layer.groups)
    return with_widths(context, layer, Widths(width, width, layer.groups))


def _site(layer: Convolution, excess: int) -> Site:
    moved, least = format_bytes(layer.moved), format_bytes(layer.moved - excess)
    return Site(
        nodes=layer.nodes,
        message=(
            f"{spell_layer(layer)}: moves {moved}; equal widths at the same multiply-adds {least} "
            f"({times(layer.moved - excess, layer.moved)})."
        ),
        help=_HELP,
        excess_bytes=excess * layer.executions,
    )


GOOD = (
    Example(
        "equal widths",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,128,28,28] x, float[128,128,1,1] w) => (float[1,128,28,28] y) {
            y = Conv(x, w)
        }
        """,
    ),
    Example(
        "below the ratio",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,100,28,28] x, float[199,100,1,1] w) => (float[1,199,28,28] y) {
            y = Conv(x, w)
        }
        """,
    ),
    Example(
        "a 3×3 convolution is no 1×1",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,64,28,28] x, float[256,64,3,3] w) => (float[1,256,28,28] y) {
            y = Conv <pads = [1, 1, 1, 1]> (x, w)
        }
        """,
    ),
    Example(
        "depthwise with a multiplier",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,32,28,28] x, float[128,1,1,1] w) => (float[1,128,28,28] y) {
            y = Conv <group = 32> (x, w)
        }
        """,
    ),
    Example(
        "linear layers, unless asked for",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,196,64] x) => (float[1,196,256] y)
        <int64[2] shape = {64, 256}> {
            w = ConstantOfShape(shape)
            y = MatMul(x, w)
        }
        """,
    ),
)
BAD = (
    Example(
        "the expansion of a bottleneck",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,64,56,56] x, float[256,64,1,1] w) => (float[1,256,56,56] y) {
            y = Conv(x, w)
        }
        """,
    ),
    Example(
        "grouped, and narrowing",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,240,28,28] x, float[60,80,1,1] w) => (float[1,60,28,28] y) {
            y = Conv <group = 3> (x, w)
        }
        """,
    ),
    Example(
        "quantised",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (uint8[1,64,28,28] x, int8[256,64,1,1] w) => (uint8[1,256,28,28] y)
        <float s = {0.5}, uint8 z = {0}, int8 wz = {0}> {
            y = QLinearConv(x, s, z, w, s, wz, s, z)
        }
        """,
    ),
)

RULE = Rule(
    code="G1",
    name="unequal-channel-width",
    summary="1×1 convolutions whose input and output differ in width move more than they need.",
    check=check,
    page=__doc__,
    good=GOOD,
    bad=BAD,
    alternative=alternative,
    options=(
        Option("min-ratio", 2.0, "the least ratio of wider to narrower that counts", minimum=1),
        Option("linear-layers", False, "look at MatMul and Gemm over several rows too"),
    ),
)
