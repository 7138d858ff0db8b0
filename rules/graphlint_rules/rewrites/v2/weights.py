"""Weights that need no data: a stride-2 unit's exactly, all others drawn from a seed."""

from __future__ import annotations

import numpy as np

from graphlint_rules.rewrites.v1.units import Array, ConvLayer
from graphlint_rules.rewrites.v2.units import ConvWeights, UnitPlan, UnitWeights


def exact_weights(plan: UnitPlan) -> UnitWeights:
    """The weights with which the V2 unit computes what the V1 unit does (stride 2).

    Groups become blocks on the diagonal of a dense matrix. The shuffle goes into the order of the
    first convolution's outputs. Average pooling whose padding counts is a depthwise convolution
    with equal weights; the shortcut's 1×1 convolution is the identity.
    """
    unit = plan.unit
    order = list(unit.shuffle)
    first, depthwise = dense(unit.first), unit.depthwise
    depthwise_order = order if unit.shuffle_after_depthwise else list(range(unit.width_mid))
    slope = unit.activation.slope
    return UnitWeights(
        first=ConvWeights(first[order], unit.first.bias[order]),
        depthwise=ConvWeights(depthwise.weight[depthwise_order], depthwise.bias[depthwise_order]),
        last=ConvWeights(dense(unit.last), unit.last.bias),
        shortcut_depthwise=None if plan.keeps_pool else _pooling(plan),
        shortcut_pointwise=_identity(plan.width_in),
        activation_slope=slope[order] if slope is not None and slope.size > 1 else slope,
    )


def seeded_weights(plan: UnitPlan, generator: np.random.Generator) -> UnitWeights:
    """Weights drawn as He et al. (arXiv 1502.01852) draw them: the structure, and no more."""
    kernel = plan.unit.window.kernel
    shortcut_pointwise = shortcut_depthwise = None
    if plan.stride == 2:
        shortcut_pointwise = drawn(generator, plan.passed, plan.width_in)
        if not plan.keeps_pool:
            shortcut_depthwise = drawn(generator, plan.width_in, 1, kernel)
    slope = plan.unit.activation.slope
    return UnitWeights(
        first=drawn(generator, plan.width_mid, plan.branch_in),
        depthwise=drawn(generator, plan.width_mid, 1, kernel),
        last=drawn(generator, plan.branch_out, plan.width_mid),
        shortcut_depthwise=shortcut_depthwise,
        shortcut_pointwise=shortcut_pointwise,
        activation_slope=None if slope is None else slope.mean(keepdims=True).ravel(),
    )


def drawn(
    generator: np.random.Generator, outputs: int, inputs: int, kernel: tuple[int, int] = (1, 1)
) -> ConvWeights:
    """A convolution's weights, normal with variance 2 / fan-in, and no bias."""
    scale = np.sqrt(2 / (inputs * kernel[0] * kernel[1]))
    weight = generator.standard_normal((outputs, inputs, *kernel)) * scale
    return ConvWeights(weight.astype(np.float32), np.zeros(outputs, np.float32))


def dense(layer: ConvLayer) -> Array:
    """A grouped convolution's weight, (out, in / g, kh, kw), as the dense (out, in, kh, kw)."""
    outputs, inputs = layer.width_out // layer.groups, layer.width_in // layer.groups
    full = np.zeros((layer.width_out, layer.width_in, *layer.weight.shape[2:]), np.float32)
    for group in range(layer.groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        full[rows, group * inputs : (group + 1) * inputs] = layer.weight[rows]
    return full


def _pooling(plan: UnitPlan) -> ConvWeights:
    assert plan.unit.pool is not None
    kernel = plan.unit.pool.window.kernel
    weight = np.full((plan.width_in, 1, *kernel), 1 / (kernel[0] * kernel[1]), np.float32)
    return ConvWeights(weight, np.zeros(plan.width_in, np.float32))


def _identity(width: int) -> ConvWeights:
    weight = np.eye(width, dtype=np.float32)[:, :, None, None]
    return ConvWeights(weight, np.zeros(width, np.float32))
