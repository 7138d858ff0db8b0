"""## What it does

Puts units of ShuffleNet V2 in the place of units of ShuffleNet V1. A V1 unit has two grouped 1×1
convolutions, a channel shuffle and an element-wise Add, which is what guidelines G2 and G4 of the
V2 paper speak against; a V2 unit lets one part of the channels pass, works on the other with
ungrouped convolutions, and concatenates and shuffles the two.

Units are found by their data flow, in whatever spelling: exported by any exporter, with
BatchNormalization kept or folded, the shuffle before or after the depthwise convolution. Plans say
how wide the new units are:

- `keep`: each unit alone, one half passes, as in the paper. Takes more multiply-adds than V1 did.
- `keep-flops`: each unit alone; with stride 1 the branch is so narrow that it does no more
  multiply-adds than the V1 unit. Stride-2 units stay exact and may take more.
- `match`: whole stages get new widths. Where the network is the paper's V1, the paper's V2 of the
  same scale; else V1's proportions at V1's multiply-adds. Needs the whole network.
- `match-aligned`: the same, with half-widths that are multiples of the device's channel block, and
  at most 105 % of V1's multiply-adds.
- `auto`: all of these are built and measured, and the fastest is taken that stays within
  `--budget`; without a runtime the first that can be made, in the order `match-aligned`,
  `keep-flops`, `match`, `keep`.

## What it keeps

The model's inputs and outputs, its operator sets, and every node outside the units; `match` and
`match-aligned` also give the stem and the classifier new widths, and add a 1×1 convolution before
the classifier where the paper's V2 has one. `keep` and `keep-flops` keep the shape of every tensor
outside the units.

Under these two a unit with stride 2 is exact: groups become blocks on the diagonal of a dense
matrix, the shuffle goes into the order of the weights, and average pooling becomes a depthwise
convolution with equal weights (or stays, where it leaves its padding out of the average). A unit
with stride 1 is another function: it needs fitting or training.

## When it is refused

Where an intermediate value is read by somebody else or is an output of the model, where the Add
adds something else, where the permutation is no group shuffle, where weights are shared or depend
on the input, where the model is quantised or was fused by a runtime. Each near miss is reported
with its node and the reason.

## Options

- `block` (0): the channel block of the device for `keep-flops` and `match-aligned`; 0 asks the
  processor (16 with AVX-512, else 8).
- `stride-2` (exact): `fit` narrows stride-2 units too under `keep-flops`, approximately.
- `shuffle` (auto): `transpose` spells shuffles as Reshape, Transpose, Reshape; `chunks` pushes them
  into the order of weights (the rewrite `shuffle-elimination`), under `match` and `match-aligned`
  with quarters of the channels shuffled instead of single ones; `auto` does so under
  `match-aligned`.
- `fold-bn` (false): writes no BatchNormalization, its effect goes into the convolutions.

## References

- Ma, Zhang, Zheng, Sun: ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design.
  ECCV 2018, arXiv:1807.11164, section 3 and figure 3.
- Zhang, Zhou, Lin, Sun: ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile
  Devices. CVPR 2018, arXiv:1707.01083, figure 2.
"""

from __future__ import annotations

from graphlint.rewrites import Rewrite, Stages
from graphlint.rule import Option
from graphlint_rules.rewrites.v2.plan_names import PLANS


def _stages() -> Stages:
    from graphlint_rules.rewrites.v2.stages import STAGES

    return STAGES


REWRITE = Rewrite(
    name="shufflenet-v1-to-v2",
    summary="ShuffleNet V1 units become ShuffleNet V2 units",
    page=__doc__,
    requires="units of ShuffleNet V1 in the main graph, in floating point",
    ensures="no grouped 1×1 convolution and no residual Add is left in the rewritten units",
    plans=PLANS,
    stages=_stages,
    clears=("G2", "G4"),
    options=(
        Option("block", 0, "channel block of the device; 0 asks the processor", minimum=0),
        Option("stride-2", "exact", "`fit` narrows stride-2 units too under keep-flops"),
        Option("shuffle", "auto", "`transpose`, `chunks`; auto: chunks under match-aligned"),
        Option("fold-bn", False, "write no BatchNormalization"),
    ),
)
