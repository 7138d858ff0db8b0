"""Shapes of convolutions and pooling in every layout, quantised or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphlint.contrib_shapes.call import Call, Outputs, Shape, UnshapedError, times
from graphlint.contrib_shapes.windows import spread, swept
from graphlint.graph import Dim, TensorType

__all__ = ["INTERNAL_NHWC", "MICROSOFT", "NCHWC"]

Rule = Callable[[Call], Outputs]

_BLOCK = 16
"""The largest block of channels in ONNX Runtime's blocked layout."""


def _split(shape: Shape, last: bool) -> tuple[Dim, Dim, Shape]:
    """Batch, channels and spatial sizes."""
    if len(shape) < 3:
        raise UnshapedError
    return (shape[0], shape[-1], shape[1:-1]) if last else (shape[0], shape[1], shape[2:])


def _joined(batch: Dim, channels: Dim, spatial: Shape, last: bool) -> Shape:
    return (batch, *spatial, channels) if last else (batch, channels, *spatial)


def _is_last(call: Call, last: bool) -> bool:
    return last or bool(call.integer("channels_last"))


def _kernel(call: Call, weight: int) -> list[int]:
    given = call.node.attribute("kernel_shape")
    sizes = given or call.shape(weight)[2:]
    kernel = [size for size in sizes if isinstance(size, int)]
    if len(kernel) != len(sizes):
        raise UnshapedError
    return kernel


def convolution(weight: int = 1, dtype: int = 0, last: bool = False) -> Rule:
    """A convolution; `dtype` is the input whose element type the output has."""

    def rule(call: Call) -> Outputs:
        channels_last = _is_last(call, last)
        batch, _, spatial = _split(call.shape(0), channels_last)
        sizes = swept(call.node, spatial, _kernel(call, weight))
        shape = _joined(batch, call.shape(weight)[0], sizes, channels_last)
        return [TensorType(call.dtype(dtype), shape)]

    return rule


def transposed(
    weight: int = 1, dtype: int = 0, last: bool = False, pads: int | None = None
) -> Rule:
    """A transposed convolution, its padding an attribute or the input at `pads`."""

    def rule(call: Call) -> Outputs:
        channels_last = _is_last(call, last)
        batch, _, spatial = _split(call.shape(0), channels_last)
        kernel = _kernel(call, weight)
        if pads is not None and call.given(pads):
            known = call.numbers(pads)
            sizes = (
                tuple(None for _ in spatial)
                if known is None
                else spread(call.node, spatial, kernel, known)
            )
        else:
            sizes = spread(call.node, spatial, kernel)
        channels = times(call.shape(weight)[1], call.integer("group", 1))
        return [TensorType(call.dtype(dtype), _joined(batch, channels, sizes, channels_last))]

    return rule


def pooled(last: bool = False) -> Rule:
    """A pooling window; indices, where asked for, have the output's shape."""

    def rule(call: Call) -> Outputs:
        channels_last = _is_last(call, last)
        batch, channels, spatial = _split(call.shape(0), channels_last)
        kernel = [int(size) for size in call.node.attribute("kernel_shape") or []]
        if len(kernel) != len(spatial):
            raise UnshapedError
        shape = _joined(batch, channels, swept(call.node, spatial, kernel), channels_last)
        return [TensorType(call.dtype(0), shape), TensorType(7, shape)]

    return rule


def globally_pooled(last: bool = False) -> Rule:
    """A pooling that leaves one value for each channel."""

    def rule(call: Call) -> Outputs:
        channels_last = _is_last(call, last)
        batch, channels, spatial = _split(call.shape(0), channels_last)
        shape = _joined(batch, channels, tuple(1 for _ in spatial), channels_last)
        return [TensorType(call.dtype(0), shape)]

    return rule


def blocked(call: Call) -> Outputs:
    """ReorderInput: channels first, padded to blocks of a size that only the processor knows."""
    batch, channels, spatial = _split(call.shape(0), bool(call.integer("channels_last")))
    whole = isinstance(channels, int) and channels % _BLOCK == 0
    return [TensorType(call.dtype(0), (batch, channels if whole else None, *spatial))]


def unblocked(call: Call) -> Outputs:
    """ReorderOutput: as many channels as its attribute says."""
    batch, _, spatial = _split(call.shape(0), last=False)
    last = bool(call.integer("channels_last"))
    shape = _joined(batch, call.integer("channels"), spatial, last)
    return [TensorType(call.dtype(0), shape)]


def upsampled(call: Call) -> Outputs:
    """Upsample by whole factors, one for each axis."""
    shape = call.shape(0)
    scales = [int(scale) for scale in call.node.attribute("scales") or []]
    if len(scales) != len(shape):
        raise UnshapedError
    return [TensorType(call.dtype(0), tuple(map(times, shape, scales)))]


def same(call: Call) -> Outputs:
    """As input 0."""
    return [call.type(0)]


MICROSOFT: Mapping[str, Rule] = {
    "FusedConv": convolution(),
    "NhwcConv": convolution(last=True),
    "NhwcFusedConv": convolution(last=True),
    "QLinearConv": convolution(weight=3, dtype=7),
    "ConvTransposeWithDynamicPads": transposed(pads=2),
    "NhwcMaxPool": pooled(last=True),
    "MaxpoolWithMask": pooled(),
    "QLinearAveragePool": pooled(),
    "QLinearGlobalAveragePool": globally_pooled(),
}

NCHWC: Mapping[str, Rule] = {
    "Conv": convolution(),
    "MaxPool": pooled(),
    "AveragePool": pooled(),
    "GlobalMaxPool": globally_pooled(),
    "GlobalAveragePool": globally_pooled(),
    "ReorderInput": blocked,
    "ReorderOutput": unblocked,
    "Upsample": upsampled,
}

INTERNAL_NHWC: Mapping[str, Rule] = {
    "Conv": convolution(last=True),
    "QLinearConv": convolution(weight=3, dtype=7, last=True),
    "ConvTranspose": transposed(last=True),
    "QLinearConvTranspose": transposed(weight=3, dtype=7, last=True),
    "MaxPool": pooled(last=True),
    "AveragePool": pooled(last=True),
    "LpPool": pooled(last=True),
    "QLinearAveragePool": pooled(last=True),
    "GlobalMaxPool": globally_pooled(last=True),
    "GlobalAveragePool": globally_pooled(last=True),
    "GlobalLpPool": globally_pooled(last=True),
    "BatchNormalization": same,
    "InstanceNormalization": same,
    "LRN": same,
}
