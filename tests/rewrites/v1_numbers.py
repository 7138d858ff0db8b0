"""What a V1 unit computes, from its value alone: in numpy, to hold against a runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from graphlint_rules.rewrites.v1.units import Activation, ConvLayer, SpatialShape, V1Unit

Array = np.ndarray[Any, Any]


def evaluated(found: V1Unit, x: Array) -> Array:
    """What the unit says that it computes."""
    order = list(found.shuffle)
    y = activated(convolved(x, found.first, POINT), found.activation)
    y = y if found.shuffle_after_depthwise else y[:, order]
    y = convolved(y, found.depthwise, found.window)
    y = y[:, order] if found.shuffle_after_depthwise else y
    y = convolved(y, found.last, POINT)
    if found.pool is None:
        return activated(x + y, found.output_activation)
    if found.activates_branch_only:
        y = activated(y, found.output_activation)
    pooled = averaged(x, found.pool.window, found.pool.counts_padding)
    joined = np.concatenate([pooled, y] if found.pool_first else [y, pooled], 1)
    return joined if found.activates_branch_only else activated(joined, found.output_activation)


POINT = SpatialShape((1, 1), (1, 1), (1, 1), (0, 0, 0, 0))


def windows(x: Array, window: SpatialShape) -> Array:
    """(n, c, h', w', kh, kw)."""
    top, left, bottom, right = window.pads
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    extent = [(size - 1) * d + 1 for size, d in zip(window.kernel, window.dilations, strict=True)]
    slid = sliding_window_view(x, extent, (2, 3))
    (sh, sw), (dh, dw) = window.strides, window.dilations
    return slid[:, :, ::sh, ::sw, ::dh, ::dw]


def convolved(x: Array, layer: ConvLayer, window: SpatialShape) -> Array:
    """A group convolution."""
    slid = windows(x, window)
    n, c, h, w, *kernel = slid.shape
    g = layer.groups
    apart = slid.reshape(n, g, c // g, h, w, *kernel)
    weight = layer.weight.reshape(g, -1, *layer.weight.shape[1:])
    y = np.einsum("ngihwkl,goikl->ngohw", apart, weight).reshape(n, -1, h, w)
    return y + layer.bias[:, None, None]


def averaged(x: Array, window: SpatialShape, counts: bool) -> Array:
    """An average pooling."""
    total = windows(x, window).sum((4, 5))
    if counts:
        return total / (window.kernel[0] * window.kernel[1])
    return total / windows(np.ones_like(x), window).sum((4, 5))


def activated(x: Array, activation: Activation) -> Array:
    """The activation."""
    if activation.op == "PRelu":
        assert activation.slope is not None
        return np.where(x > 0, x, x * activation.slope.reshape(-1, 1, 1))
    if activation.op == "Clip":
        assert activation.bounds is not None
        return np.clip(x, *activation.bounds)
    alpha = dict(activation.attributes).get("alpha", 0.0)
    return {
        "": lambda: x,
        "Relu": lambda: np.maximum(x, 0),
        "LeakyRelu": lambda: np.where(x > 0, x, x * alpha),
        "HardSwish": lambda: x * np.clip(x / 6 + 0.5, 0, 1),
    }[activation.op]()
