"""V1 units made of random weights, and the V2 units that stand in for them."""

from __future__ import annotations

import numpy as np

from graphlint.graph import Node
from graphlint_rules.rewrites.v1.units import (
    NONE,
    Activation,
    ConvLayer,
    Pool,
    SpatialShape,
    V1Unit,
)
from graphlint_rules.rewrites.v2.units import UnitPlan

RELU = Activation("Relu")
_NODE = Node(0, "add", "add", "Add", "", 17, (), (), {}, None)


def window(
    kernel: int = 3, stride: int = 1, dilation: int = 1, pads: tuple[int, ...] | None = None
) -> SpatialShape:
    """A square window, padded so that stride 1 keeps the size unless `pads` are given."""
    half = dilation * (kernel // 2)
    top, left, bottom, right = pads or (half,) * 4
    return SpatialShape(
        (kernel, kernel), (stride, stride), (dilation, dilation), (top, left, bottom, right)
    )


def v1_unit(
    random: np.random.Generator,
    width_in: int,
    width_out: int,
    *,
    stride: int = 1,
    groups: int = 2,
    activation: Activation = RELU,
    output_activation: Activation = RELU,
    spatial: SpatialShape | None = None,
    counts_padding: bool = True,
    key: int = 0,
) -> V1Unit:
    """A unit with random weights, from the value `x{key}` to `x{key + 1}`."""
    mid = width_out // 2
    branch = width_out - (width_in if stride == 2 else 0)
    shape = spatial or window(stride=stride)
    shuffle = np.arange(mid).reshape(groups, mid // groups).T.ravel()
    pool = Pool(window(stride=2), counts_padding, ()) if stride == 2 else None
    return V1Unit(
        nodes=(_NODE,),
        input=f"x{key}",
        output=f"x{key + 1}",
        join=_NODE,
        stride=stride,
        first=_conv(random, mid, width_in, groups),
        activation=activation,
        shuffle=tuple(int(place) for place in shuffle),
        shuffle_after_depthwise=False,
        depthwise=_conv(random, mid, mid, mid, shape.kernel),
        window=shape,
        last=_conv(random, branch, mid, groups),
        output_activation=output_activation,
        pool=pool,
    )


def v2_plan(unit: V1Unit, *, passed: int | None = None, mid: int | None = None) -> UnitPlan:
    """The V2 unit in its place: half passes, unless told otherwise; never exact."""
    return UnitPlan(
        unit,
        unit.width_in,
        unit.width_out,
        passed=unit.width_out // 2 if passed is None else passed,
        width_mid=unit.width_out // 2 if mid is None else mid,
        exact=False,
        shuffled=True,
        keeps_pool=unit.pool is not None and not unit.pool.counts_padding,
    )


def _conv(
    random: np.random.Generator,
    outputs: int,
    inputs: int,
    groups: int,
    kernel: tuple[int, int] = (1, 1),
) -> ConvLayer:
    shape = (outputs, inputs // groups, *kernel)
    scale = np.sqrt(2 / np.prod(shape[1:]))
    weight = (random.standard_normal(shape) * scale).astype(np.float32)
    bias = (random.standard_normal(outputs) * 0.1).astype(np.float32)
    return ConvLayer(weight, bias, groups, batch_norm=False, nodes=())


__all__ = ["NONE", "RELU", "v1_unit", "v2_plan", "window"]
