"""Units of ShuffleNet V2 that stand in for units of V1: their widths, and their weights as arrays.

A unit is laid out before it has weights (`UnitPlan`), gets them (`UnitWeights`), and only then
becomes nodes (`graphlint_rules.rewrites.v2.nodes`). Fitting and building meet in these values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphlint_rules.rewrites.v1.units import Activation, Array, V1Unit


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """A V2 unit (arXiv 1807.11164, figure 3 c and d) in the place of a V1 unit.

    With stride 1, the first `passed` of `width_in` channels pass through, and the branch works on
    the others; with stride 2, `passed` is the width that the shortcut branch puts out. The
    branches' outputs are concatenated, the passed one first unless `branch_first`, and shuffled
    with two groups where `shuffled`: single channels as in the paper, or `chunk` channels that stay
    side by side.

    `keeps_pool`: the shortcut begins with V1's average pooling instead of a depthwise convolution.
    """

    unit: V1Unit
    width_in: int
    width_out: int
    passed: int
    width_mid: int
    exact: bool
    shuffled: bool
    keeps_pool: bool = False
    branch_first: bool = False
    chunk: int = 1

    @property
    def order(self) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        """The place among the concatenated channels of each channel of the output."""
        places = np.arange(self.width_out)
        if not self.shuffled:
            return places
        return places.reshape(2, -1, self.chunk).transpose(1, 0, 2).ravel()

    @property
    def stride(self) -> int:
        """1 or 2."""
        return self.unit.stride

    @property
    def branch_in(self) -> int:
        """Channels that the branch reads."""
        return self.width_in - self.passed if self.stride == 1 else self.width_in

    @property
    def branch_out(self) -> int:
        """Channels that the branch puts out."""
        return self.width_out - self.passed

    @property
    def activation(self) -> Activation:
        """What follows the branch's first 1×1 convolution."""
        return self.unit.activation

    @property
    def branch_activation(self) -> Activation:
        """What follows the branch's last 1×1 convolution."""
        return self.unit.output_activation

    @property
    def shortcut_activation(self) -> Activation:
        """What follows the shortcut's 1×1 convolution, with stride 2."""
        return (
            Activation()
            if self.unit.activates_branch_only and self.exact
            else (self.unit.output_activation)
        )

    def multiply_adds(self, area_in: int, area_out: int) -> int:
        """Multiply-adds of one run, with so many positions before and after its stride."""
        kernel = int(self.unit.depthwise.weight[0, 0].size)
        branch = (
            area_in * self.branch_in * self.width_mid
            + area_out * kernel * self.width_mid
            + area_out * self.width_mid * self.branch_out
        )
        if self.stride == 1:
            return branch
        pooling = 0 if self.keeps_pool else area_out * kernel * self.width_in
        return branch + pooling + area_out * self.width_in * self.passed


@dataclass(frozen=True, slots=True)
class ConvWeights:
    """Weights of a convolution: `weight` (out, in / groups, kh, kw), `bias` (out,).

    `mean` and `variance` are those of its output without the bias on calibration data, for the
    BatchNormalization that is written after it; None where nothing was run.
    """

    weight: Array
    bias: Array
    mean: Array | None = None
    variance: Array | None = None


@dataclass(frozen=True, slots=True)
class UnitWeights:
    """The weights of a V2 unit; the shortcut's with stride 2 only."""

    first: ConvWeights
    depthwise: ConvWeights
    last: ConvWeights
    shortcut_depthwise: ConvWeights | None = None
    shortcut_pointwise: ConvWeights | None = None
    activation_slope: Array | None = None
    """PRelu's slope after the first convolution, where it was permuted with its channels."""
