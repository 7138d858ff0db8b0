"""## What it does

Looks at convolutions with groups, of any kernel, that are not depthwise. Each site is charged with
what it moves beyond one ungrouped convolution that does the same multiply-adds. Groups that are
unrolled into Split, one convolution a group, and Concat, as Keras exports them, count as the group
convolution that they spell.

Depthwise means as many groups as input channels, whatever the multiplier; that is G4's.

## Why it costs

Groups save multiply-adds, so networks spend the saving on more channels, and more channels mean
more memory access. With B = hw·c1·c2·k²/g multiply-adds the convolution moves

    MAC = hw·(c1 + c2) + k²·c1·c2/g elements   (MAC is memory access cost).

Without groups, both widths divided by √g give the same B and the same weights, and move only
hw·(c1 + c2)/√g activations. So

    excess = hw·(c1 + c2)·(1 − 1/√g) elements,

where input and output count by their own shapes, for a stride makes them differ. The roots are
rounded down to whole elements, and all figures are exact integers.

## Example

120→480 with 3 groups on 28×28 moves 1.87 MiB; 69→277 without groups does the same multiply-adds
and moves 1.11 MiB.

## What to do instead

Fewer groups on fewer channels. This is a design choice: it changes the function and needs training.
ShuffleNet V2 replaces the grouped 1×1 convolutions of V1 by ungrouped ones on half of the channels.

## Options

- `min-groups` (2): the least number of groups that counts.

## References

- Ma, Zhang, Zheng, Sun: ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design.
  ECCV 2018, arXiv:1807.11164, section 2, guideline G2 and table 2.
- Zhang, Zhou, Lin, Sun: ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile
  Devices. CVPR 2018, arXiv:1707.01083.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt

from graphlint.rule import Alternative, Context, Example, Option, Rule, Site
from graphlint.units import format_bytes
from graphlint_rules.alternatives import Widths, with_widths
from graphlint_rules.convolution_sites import Convolution, Tensor, convolutions, layer_of
from graphlint_rules.figures import spell_layer, times

_POINTWISE_HELP = (
    "a design choice: use fewer groups on fewer channels; ShuffleNet V2's units have ungrouped 1×1 "
    "convolutions on half of the channels instead"
)
_HELP = "a design choice: fewer groups on fewer channels do the same work and move less"


def check(context: Context) -> Iterator[Site]:
    """A site for every convolution with groups that is not depthwise."""
    least = int(context.options["min-groups"])
    for layer in convolutions(context):
        if layer.groups >= least and not layer.is_depthwise:
            yield _site(layer, excess_bytes(layer))


def excess_bytes(layer: Convolution) -> int:
    """What one execution moves beyond no groups at the same multiply-adds."""
    return sum(_saved(side, layer.groups) for side in (layer.input, layer.output))


def _saved(side: Tensor, groups: int) -> int:
    narrowed = isqrt(side.elements * side.elements // groups)
    return (side.elements - narrowed) * side.bits // 8


def alternative(context: Context, site: Site) -> Alternative | None:
    """One group at the same multiply-adds: both widths divided by the root of the groups."""
    layer = layer_of(context, site.nodes)
    if layer is None:
        return None
    root = layer.groups**0.5
    channels_in, channels_out = layer.channels_in / root, layer.channels_out / root
    return with_widths(context, layer, Widths(round(channels_in), round(channels_out)))


def _site(layer: Convolution, excess: int) -> Site:
    moved, less = format_bytes(layer.moved), format_bytes(layer.moved - excess)
    return Site(
        nodes=layer.nodes,
        message=(
            f"{spell_layer(layer)}: moves {moved}; ungrouped at the same multiply-adds {less} "
            f"({times(layer.moved - excess, layer.moved)})."
        ),
        help=_POINTWISE_HELP if layer.is_pointwise else _HELP,
        excess_bytes=excess * layer.executions,
    )


GOOD = (
    Example(
        "no groups",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,128,28,28] x, float[128,128,3,3] w) => (float[1,128,28,28] y) {
            y = Conv <pads = [1, 1, 1, 1]> (x, w)
        }
        """,
    ),
    Example(
        "depthwise",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,128,28,28] x, float[128,1,3,3] w) => (float[1,128,28,28] y) {
            y = Conv <group = 128, pads = [1, 1, 1, 1]> (x, w)
        }
        """,
    ),
    Example(
        "depthwise with a multiplier",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,32,28,28] x, float[64,1,3,3] w) => (float[1,64,28,28] y) {
            y = Conv <group = 32, pads = [1, 1, 1, 1]> (x, w)
        }
        """,
    ),
    Example(
        "like branches over a whole tensor are no groups",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,64,28,28] x, float[32,64,1,1] v, float[32,64,1,1] w)
            => (float[1,64,28,28] y) {
            a = Conv(x, v)
            b = Conv(x, w)
            y = Concat <axis = 1> (a, b)
        }
        """,
    ),
)
BAD = (
    Example(
        "a grouped 1×1 convolution",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,120,28,28] x, float[480,40,1,1] w) => (float[1,480,28,28] y) {
            y = Conv <group = 3> (x, w)
        }
        """,
    ),
    Example(
        "ResNeXt's 3×3 convolution with 32 groups",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,128,56,56] x, float[128,4,3,3] w) => (float[1,128,56,56] y) {
            y = Conv <group = 32, pads = [1, 1, 1, 1]> (x, w)
        }
        """,
    ),
    Example(
        "groups unrolled into Split, convolutions and Concat",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,120,28,28] x, float[20,40,1,1] u, float[20,40,1,1] v, float[20,40,1,1] w)
            => (float[1,60,28,28] y) {
            a, b, c = Split <axis = 1> (x)
            d = Conv(a, u)
            e = Conv(b, v)
            f = Conv(c, w)
            y = Concat <axis = 1> (d, e, f)
        }
        """,
    ),
)

RULE = Rule(
    code="G2",
    name="excessive-group-convolution",
    summary="Group convolutions move more than ungrouped ones that do the same work.",
    check=check,
    page=__doc__,
    good=GOOD,
    bad=BAD,
    alternative=alternative,
    options=(Option("min-groups", 2, "the least number of groups that counts", minimum=2),),
)
