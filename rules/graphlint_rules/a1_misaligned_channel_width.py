"""## What it does

Looks at convolutions whose widths are no multiple of the number of channels that the device works
on at once, its block. A processor's vector has 8 or 16 float32 numbers, and a runtime that lays
channels out in such blocks fills up the last one, or falls back to a slower layout altogether. With
groups it is the channels of a group that count; of a depthwise convolution, all channels. An input
narrower than a block (a picture's three channels) is read by kernels made for it, and is no site.

This is no guideline of the paper: what it costs depends on the device. The rule says nothing unless
it knows the block: from a device profile (`graphlint calibrate`) that is named, or from the option.

## Why it costs

With blocks of b channels a convolution from c1 to c2 channels does the work of

    c1 and c2, a group, each rounded up to a multiple of b.

What is beyond its own multiply-adds is work for nothing. A model is reported when that is at least
5 % of its multiply-adds. How much time that is depends on the device's kernels: with such a
profile, a finding is left out unless the nearest widths are expected to save more than the error of
that expectation. With the option alone, `graphlint profile --what-if A1` measures it.

## Example

240→60 with 3 groups on 28×28 makes 20 channels a group; with blocks of 16 it does the work of 32.

## What to do instead

Choose widths of whole blocks, a group too. The finding names the nearest ones and what they do to
the multiply-adds; another width changes the function and needs training.
`graphlint rewrite --plan match-aligned` gives a ShuffleNet V1 network aligned V2 units.

## Options

- `block` (0): the channels of a block; 0 is that of the device profile that `--device-profile`, a
  configuration or the environment names, and silence without one.
- `min-waste` (0.05): the least part of the model's multiply-adds that filling up the blocks adds.

## References

- `docs/calibrate.md`: how a device's block is found.
- Georganas and others: Anatomy of High-Performance Deep Learning Convolutions on SIMD
  Architectures. SC 2018, arXiv:1808.05567, on blocked layouts.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphlint.rule import Alternative, Context, Example, Option, Rule, Site
from graphlint_rules.alternatives import Widths, with_widths
from graphlint_rules.convolution_sites import Convolution, convolutions, layer_of
from graphlint_rules.figures import spell_layer

_HELP = (
    "a design choice: widths of whole blocks; `graphlint rewrite --plan match-aligned` gives a "
    "ShuffleNet V1 network aligned V2 units"
)


def check(context: Context) -> Iterator[Site]:
    """A site for every convolution with a width that is no multiple of the device's block."""
    block = _block(context)
    if not block:
        return
    sites = [layer for layer in convolutions(context) if _is_misaligned(layer, block)]
    wasted = sum(_wasted(context, layer, block) for layer in sites)
    if wasted >= float(context.options["min-waste"]) * context.costs.total.multiply_adds:
        for layer in sites:
            yield _site(layer, block)


def alternative(context: Context, site: Site) -> Alternative | None:
    """The nearest widths of whole blocks."""
    layer = layer_of(context, site.nodes)
    return None if layer is None else with_widths(context, layer, nearest(layer, _block(context)))


def nearest(layer: Convolution, block: int) -> Widths:
    """The nearest widths that are multiples of the block, a group; at least one block each."""
    if layer.is_depthwise:
        channels = _round(layer.channels_in, block)
        return Widths(channels, channels * (layer.channels_out // layer.channels_in), channels)
    before, after = (
        layer.groups * _round(width // layer.groups, block)
        for width in (layer.channels_in, layer.channels_out)
    )
    return Widths(before, after, layer.groups)


def _block(context: Context) -> int:
    given = int(context.options["block"])
    return given or (0 if context.device is None else context.device.channel_block)


def _round(width: int, block: int) -> int:
    """To the nearest multiple, up from half of the way; never to none."""
    return max(block, (2 * width + block) // (2 * block) * block)


def _filled(width: int, block: int) -> int:
    """Up to a multiple."""
    return -(-width // block) * block


def _is_misaligned(layer: Convolution, block: int) -> bool:
    return _filled_up(layer, block) != layer.channels_in * layer.channels_out


def _filled_up(layer: Convolution, block: int) -> int:
    """Input times output channels with each block filled up, as many groups as there are."""
    if layer.is_depthwise:
        return layer.channels_out * _filled(layer.channels_in, block)
    before, after = layer.channels_in // layer.groups, layer.channels_out // layer.groups
    if before < block and layer.groups == 1:
        return layer.channels_in * layer.channels_out
    return _filled(before, block) * _filled(after, block) * layer.groups**2


def _wasted(context: Context, layer: Convolution, block: int) -> int:
    """Multiply-adds for channels that are not there."""
    done = sum(context.cost(node).multiply_adds for node in layer.nodes)
    both = layer.channels_in * layer.channels_out
    return done * (_filled_up(layer, block) - both) // both


def _site(layer: Convolution, block: int) -> Site:
    other = nearest(layer, block)
    per_group = ", a group," if layer.groups > 1 and not layer.is_depthwise else ""
    before = layer.channels_in * layer.channels_out // layer.groups
    after = other.channels_in * other.channels_out // other.groups
    change = round(100 * (after - before) / before)
    return Site(
        nodes=layer.nodes,
        message=(
            f"{spell_layer(layer)}: widths{per_group} of no whole blocks of {block} channels; the "
            f"nearest are {other} ({change:+d} % multiply-adds)."
        ),
        help=_HELP,
        excess_bytes=None,
    )


_BLOCKS_OF_16 = {"block": 16}

GOOD = (
    Example(
        "no device profile and no block: nothing is said",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,60,28,28] x, float[68,60,1,1] w) => (float[1,68,28,28] y) {
            y = Conv(x, w)
        }
        """,
    ),
    Example(
        "whole blocks, in a group too",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,96,28,28] x, float[48,32,1,1] w) => (float[1,48,28,28] y) {
            y = Conv <group = 3> (x, w)
        }
        """,
        options=_BLOCKS_OF_16,
    ),
    Example(
        "the three channels of a picture",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,3,56,56] x, float[32,3,3,3] w) => (float[1,32,56,56] y) {
            y = Conv <pads = [1, 1, 1, 1]> (x, w)
        }
        """,
        options=_BLOCKS_OF_16,
    ),
    Example(
        "too little to matter",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,64,56,56] x, float[64,64,3,3] w, float[60,64,1,1] v)
            => (float[1,60,56,56] z) {
            y = Conv <pads = [1, 1, 1, 1]> (x, w)
            z = Conv(y, v)
        }
        """,
        options=_BLOCKS_OF_16,
    ),
)
BAD = (
    Example(
        "widths between two blocks",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,60,28,28] x, float[68,60,1,1] w) => (float[1,68,28,28] y) {
            y = Conv(x, w)
        }
        """,
        options=_BLOCKS_OF_16,
    ),
    Example(
        "20 channels a group",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,240,28,28] x, float[60,80,1,1] w) => (float[1,60,28,28] y) {
            y = Conv <group = 3> (x, w)
        }
        """,
        options=_BLOCKS_OF_16,
    ),
    Example(
        "depthwise",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,24,28,28] x, float[24,1,3,3] w) => (float[1,24,28,28] y) {
            y = Conv <group = 24, pads = [1, 1, 1, 1]> (x, w)
        }
        """,
        options=_BLOCKS_OF_16,
    ),
)

RULE = Rule(
    code="A1",
    name="misaligned-channel-width",
    summary="Convolutions whose widths are no whole blocks of the device's channels.",
    check=check,
    page=__doc__,
    good=GOOD,
    bad=BAD,
    alternative=alternative,
    by_price=True,
    options=(
        Option("block", 0, "channels of a block; 0: the device profile's", minimum=0),
        Option("min-waste", 0.05, "the least share of multiply-adds for filling up", minimum=0),
    ),
)
