"""One V2 unit's weights in closed form, from what the V1 unit puts out.

The V2 unit's branch first repeats what of V1's bottleneck the channels that it reads can tell; what
channels it has left carry linear maps of its input past the activation, so that the last 1×1
convolution can add what V1's residual connection did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from graphlint_rules.rewrites.v1.units import Activation, V1Unit
from graphlint_rules.rewrites.v2.fitting.arrays import Array, flat
from graphlint_rules.rewrites.v2.fitting.nonlinear import nonlinear
from graphlint_rules.rewrites.v2.fitting.placement import Order
from graphlint_rules.rewrites.v2.fitting.regression import (
    leading_directions,
    solver,
    through_activation,
)
from graphlint_rules.rewrites.v2.fitting.teaching import Samples
from graphlint_rules.rewrites.v2.fitting.windows import Bands
from graphlint_rules.rewrites.v2.units import ConvWeights, UnitPlan, UnitWeights
from graphlint_rules.rewrites.v2.weights import exact_weights

_HARD_SWISH_BEND = 3.0
_SHARES = (1.0, 0.5)
"""Shares of V1's bottleneck that are tried; the rest of the branch carries."""


@dataclass(frozen=True)
class Bottleneck:
    """V1's bottleneck in the order in which the depthwise convolution sees it.

    `weight` (channels, inputs) and `bias` come before the activation, `kernel` (channels, kh, kw)
    after it; `importance` is how much of the output depends on each channel.
    """

    weight: Array
    bias: Array
    kernel: Array
    importance: Array


def bottleneck(unit: V1Unit) -> Bottleneck:
    """The bottleneck of a V1 unit."""
    weights = exact_weights(_as_exact(unit))
    kernel = weights.depthwise.weight[:, 0]
    reach = np.abs(weights.last.weight[:, :, 0, 0]).sum(axis=0)
    return Bottleneck(
        weights.first.weight[:, :, 0, 0],
        weights.first.bias,
        kernel,
        reach * np.abs(kernel).sum(axis=(1, 2)),
    )


def _as_exact(unit: V1Unit) -> UnitPlan:
    return UnitPlan(
        unit,
        unit.width_in,
        unit.width_out,
        passed=unit.width_in,
        width_mid=unit.width_mid,
        exact=True,
        shuffled=False,
        keeps_pool=True,
    )


def permuted(weights: UnitWeights, order_in: Order, shortcut: Order, branch: Order) -> UnitWeights:
    """An exact unit's weights where its values are stored in other orders.

    `shortcut` and `branch` are the rows that come to each place of the two parts of its output.
    """
    depthwise, pointwise = weights.shortcut_depthwise, weights.shortcut_pointwise
    assert pointwise is not None
    if depthwise is not None:
        depthwise = ConvWeights(depthwise.weight[order_in], depthwise.bias[order_in])
    return replace(
        weights,
        first=replace(weights.first, weight=weights.first.weight[:, order_in]),
        last=ConvWeights(weights.last.weight[branch], weights.last.bias[branch]),
        shortcut_depthwise=depthwise,
        shortcut_pointwise=ConvWeights(
            pointwise.weight[shortcut][:, order_in], pointwise.bias[shortcut]
        ),
    )


def shortcut_weights(
    plan: UnitPlan, x: Array, samples: Samples, written: Order, slope: Array | None
) -> tuple[ConvWeights | None, ConvWeights]:
    """The shortcut's depthwise convolution, an average, and its 1×1 convolution in closed form."""
    pool = plan.unit.pool
    assert pool is not None
    bands = Bands(pool.window, x.shape[1], x.shape[2])
    pooled, _ = bands.forward(x, bands.mean_weight)
    depthwise: ConvWeights | None = ConvWeights(
        np.repeat(bands.mean_weight[:, None], len(x), axis=0), np.zeros(len(x), np.float32)
    )
    if plan.keeps_pool:
        depthwise = None
        if not pool.counts_padding:
            pooled *= bands.inside
    targets = samples.columns[plan.unit.output][written]
    fitted = through_activation(samples.of(pooled), targets, plan.shortcut_activation, slope)
    return depthwise, _pointwise(fitted.weight, fitted.bias)


def branch_weights(
    plan: UnitPlan,
    x: Array,
    samples: Samples,
    written: Order,
    slope: Array | None,
) -> UnitWeights:
    """The branch's weights in closed form, for the teacher's channels `written` as its output.

    x: what the branch reads, (channels, height, width, batch). `slope`: PRelu's after the branch.
    The best of some shares between repeating the bottleneck and carrying is taken.
    """
    unit = plan.unit
    targets = samples.columns[unit.output][written]
    best: tuple[float, UnitWeights] | None = None
    for first in _first_layers(plan, x, samples, targets):
        spatial = samples.of(_depthwise(plan, x, first))
        last = through_activation(spatial, targets, plan.branch_activation, slope)
        found, _ = nonlinear(plan.branch_activation, slope)(last(spatial))
        error = float(np.square(found - targets).mean())
        if best is None or error < best[0]:
            weights = UnitWeights(
                _pointwise(first.weight, first.bias),
                ConvWeights(first.kernel[:, None], np.zeros(len(first.kernel), np.float32)),
                _pointwise(last.weight, last.bias),
                activation_slope=first.slope,
            )
            best = error, weights
    assert best is not None
    return best[1]


@dataclass(frozen=True)
class _FirstLayers:
    weight: Array
    bias: Array
    kernel: Array
    slope: Array | None


def _first_layers(
    plan: UnitPlan, x: Array, samples: Samples, targets: Array
) -> Iterator[_FirstLayers]:
    """First 1×1 and depthwise convolutions that repeat more or less of V1's bottleneck."""
    v1, unit = bottleneck(plan.unit), plan.unit
    seen = samples.of(x)
    before = v1.weight @ samples.columns[unit.input] + v1.bias[:, None]
    repeated = solver(seen)(before)
    slope = _mid_slope(unit, len(v1.bias))
    tried = set()
    for share in _SHARES:
        count = round(min(len(v1.bias), plan.width_mid) * share)
        if count in tried:
            continue
        tried.add(count)
        kept = np.sort(np.argsort(-v1.importance)[:count])
        own = _FirstLayers(
            repeated.weight[kept],
            repeated.bias[kept],
            v1.kernel[kept],
            None if slope is None else slope[kept],
        )
        yield _with_carriers(plan, x, samples, targets, own)


def _with_carriers(
    plan: UnitPlan, x: Array, samples: Samples, targets: Array, own: _FirstLayers
) -> _FirstLayers:
    count = plan.width_mid - len(own.bias)
    if not count:
        return own
    known = (
        samples.of(_depthwise(plan, x, own))
        if len(own.bias)
        else np.zeros((0, targets.shape[1]), np.float32)
    )
    kernel = _carrying_kernel(plan)
    carried = _slid(plan, x, np.repeat(kernel[None], len(x), axis=0))
    maps = leading_directions(samples.of(carried), known, targets, count)
    values = maps @ samples.of(x)
    scale, bias = _past_activation(plan.activation, values)
    maps = np.concatenate([maps, np.zeros((count - len(maps), len(x)), np.float32)])
    scale, bias = (np.resize(part, count).astype(np.float32) for part in (scale, bias))
    slope = own.slope
    if slope is not None:
        slope = np.concatenate([slope, np.resize(slope.mean(), count)]).astype(np.float32)
    return _FirstLayers(
        np.concatenate([own.weight, maps * scale[:, None]]),
        np.concatenate([own.bias, bias]),
        np.concatenate([own.kernel, np.repeat(kernel[None], count, axis=0)]),
        slope,
    )


def _carrying_kernel(plan: UnitPlan) -> Array:
    """The window that hands a channel on: the middle alone, or with stride 2 the average."""
    kernel = plan.unit.window.kernel
    if plan.stride == 2:
        return np.full(kernel, 1 / (kernel[0] * kernel[1]), np.float32)
    result = np.zeros(kernel, np.float32)
    result[kernel[0] // 2, kernel[1] // 2] = 1
    return result


def _past_activation(activation: Activation, values: Array) -> tuple[Array, Array]:
    """Scale and bias for each row that bring its values where the activation is the identity."""
    low = np.quantile(values, 0.002, axis=1)
    high = np.quantile(values, 0.998, axis=1)
    spread = np.maximum(high - low, 1e-6)
    start, end = 0.0, None
    if activation.op == "HardSwish":
        start = _HARD_SWISH_BEND
    elif activation.op == "Clip" and activation.bounds is not None:
        start = activation.bounds[0] or 0.0
        end = activation.bounds[1]
    elif not activation:
        return np.ones_like(low), np.zeros_like(low)
    scale = np.ones_like(low) if end is None else np.minimum(1, (end - start) / spread)
    return scale, start - low * scale


def _depthwise(plan: UnitPlan, x: Array, first: _FirstLayers) -> Array:
    z = first.weight @ flat(x) + first.bias[:, None]
    mid, _ = nonlinear(plan.activation, first.slope)(z)
    return _slid(plan, mid.reshape(len(mid), *x.shape[1:]), first.kernel)


def _slid(plan: UnitPlan, x: Array, kernel: Array) -> Array:
    return Bands(plan.unit.window, x.shape[1], x.shape[2]).forward(x, kernel)[0]


def _mid_slope(unit: V1Unit, width: int) -> Array | None:
    """PRelu's slopes in the order of the bottleneck."""
    slope = unit.activation.slope
    if slope is None:
        return None
    return np.resize(slope, width) if slope.size == 1 else slope[list(unit.shuffle)]


def _pointwise(weight: Array, bias: Array) -> ConvWeights:
    return ConvWeights(
        np.ascontiguousarray(weight, np.float32)[:, :, None, None], np.asarray(bias, np.float32)
    )
