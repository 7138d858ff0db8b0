"""Channel shuffles that are folded into the weights around them.

## What it does

A channel shuffle, and any other node that only moves channels (Split, Slice, Concat, Gather by a
constant), computes nothing: it copies. In what order a convolution writes its channels is up to the
order of its filters, and in what order the next one reads them to that of its weights. So the
weights are permuted once, and the copies need not be made at every run.

The channels that each convolution writes are ordered by who reads them. Each reader then finds
those that it needs in few pieces, and gets them by one Split behind the convolution and one Concat
before the reader. In a ShuffleNet V2 network, half of a unit's branch is read by the next unit, a
quarter by the one after that, and so on: no channel is copied while it only passes through, and no
Transpose is left. Units of any width are done, in any spelling of split and shuffle.

Operators that work on each channel by itself (depthwise convolutions, BatchNormalization,
activations, pooling, sums of values in one order) let the order pass through, with their
parameters permuted.

Plan `exact` does this and no more. Plan `widened` adds channels to convolutions whose width is no
multiple of four, with weights of zeros before and behind them: 58 becomes 60. ONNX Runtime's fast
convolutions on a CPU take only such widths, and half of the paper's networks (1× and 2×, with 58
and 122 channels in stage 2) have others.

## What it keeps

The function, exactly: the same products are added, if in another order, so that results differ by
rounding. Inputs and outputs of the model, and every value that keeps its name, are what they
were; values whose channels are in another order have other names. Weights that others read too
are copied, not changed. `exact` adds no weight and no multiply-add. Where the size of the batch is
open, it is taken for granted that channels do not move from one image to another.

## When it is refused

A shuffle stays where something around it fixes the order of channels: a grouped convolution that
is not depthwise (ShuffleNet V1), an output of the model, an operator that mixes channels or is not
known, quantised or computed weights, a subgraph. Where only some readers do, they get their
channels by one Gather, if that leaves fewer permutations than there were and less is copied.

## Options

- `multiple` (4): what plan `widened` makes widths a multiple of.

## References

Ma, Zhang, Zheng, Sun: ShuffleNet V2, ECCV 2018, section 3: Concat, shuffle and Split "are merged
into a single element-wise operation".
"""

from __future__ import annotations

from graphlint.rewrites import Rewrite, Stages
from graphlint.rule import Option


def _stages() -> Stages:
    from graphlint_rules.rewrites.shuffles.stages import STAGES

    return STAGES


REWRITE = Rewrite(
    name="shuffle-elimination",
    summary="channel shuffles are folded into the weights around them",
    page=__doc__,
    requires="channel shuffles between convolutions that are not grouped, in the main graph",
    ensures="the same function with fewer permutations of channels and less copying",
    plans=("exact", "widened"),
    stages=_stages,
    options=(Option("multiple", 4, "what plan `widened` makes widths a multiple of", minimum=1),),
    only_by_name=True,
)
