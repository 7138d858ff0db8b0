"""Shapes of element-wise operators, normalisation, quantisation, reductions and data movement."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphlint.contrib_shapes.call import (
    BOOL,
    FLOAT,
    INT8,
    INT32,
    INT64,
    UINT8,
    UINT32,
    Call,
    Outputs,
    UnshapedError,
    broadcast,
    over,
    plus,
    times,
)
from graphlint.graph import Dim, TensorType

__all__ = ["MICROSOFT", "ONNX"]

Rule = Callable[[Call], Outputs]


def like(position: int) -> Rule:
    """Type and shape of an input."""
    return lambda call: [call.type(position)]


def combined(*positions: int, dtype: int | None = None) -> Rule:
    """The inputs at `positions`, broadcast; an element type of its own, or the first one's."""

    def rule(call: Call) -> Outputs:
        shape = broadcast(*(call.shape(position) for position in positions))
        return [TensorType(call.dtype(positions[0]) if dtype is None else dtype, shape)]

    return rule


def dropped(call: Call) -> Outputs:
    """BiasDropout: the tensor, and a mask."""
    return [call.type(0), TensorType(BOOL, call.type(0).shape)]


def bit_dropped(call: Call) -> Outputs:
    """BitmaskDropout: a mask of one bit for each element, in words of 32."""
    count: Dim = 1
    for dim in call.shape(0):
        count = count * dim if isinstance(count, int) and isinstance(dim, int) else None
    words = -(-count // 32) if isinstance(count, int) else None
    return [call.type(0), TensorType(UINT32, (words,))]


def halved(call: Call) -> Outputs:
    """BiasSplitGelu: one half activates the other."""
    *rest, width = call.shape(0)
    return [TensorType(call.dtype(0), (*rest, over(width, 2)))]


def swiglu(call: Call) -> Outputs:
    """SwiGLU: two tensors, or two halves of one."""
    return [call.type(0)] if call.given(1) else halved(call)


def skipped(call: Call) -> Outputs:
    """A residual normalisation: the tensor, two statistics of every row, and the sum."""
    *rows, _ = call.shape(0)
    statistic = TensorType(FLOAT, (*rows, 1))
    return [call.type(0), statistic, statistic, call.type(0)]


def root_mean_square(call: Call) -> Outputs:
    """SimplifiedLayerNormalization: the tensor, and an inverse deviation for every row."""
    shape = call.shape(0)
    axis = call.integer("axis", -1) % len(shape) if shape else 0
    rows = (*shape[:axis], *(1 for _ in shape[axis:]))
    return [TensorType(call.dtype(1, call.dtype(0)), shape), TensorType(FLOAT, rows)]


def twice(call: Call) -> Outputs:
    """SkipGroupNorm: the tensor and the sum before it."""
    return [call.type(0), call.type(0)]


def embedding(quantised: bool) -> Rule:
    """EmbedLayerNormalization: a row for every token, the mask's lengths, and the sum."""

    def rule(call: Call) -> Outputs:
        batch, steps = call.shape(0, rank=2)
        dtype = FLOAT if quantised else call.dtype(2)
        rows = TensorType(dtype, (batch, steps, call.shape(2, rank=2)[1]))
        return [rows, TensorType(INT32, (batch,)), rows]

    return rule


def quantised(call: Call) -> Outputs:
    """QuantizeLinear: unsigned bytes, unless a zero point says otherwise."""
    return [TensorType(call.dtype(2, UINT8), call.shape(0))]


def dequantised(call: Call) -> Outputs:
    """DequantizeLinear: the type of its scale."""
    return [TensorType(call.dtype(1), call.shape(0))]


def reordered(call: Call) -> Outputs:
    """QuantizeWithOrder and DequantizeWithOrder: another element type."""
    return [TensorType(call.integer("to", INT8), call.shape(0))]


def reduced(dtype: int | None = None) -> Rule:
    """A reduction over the attribute `axes`."""

    def rule(call: Call) -> Outputs:
        shape = call.shape(0)
        axes = call.node.attribute("axes")
        gone = {axis % len(shape) for axis in axes} if axes else set(range(len(shape)))
        keep = call.integer("keepdims", 1)
        kept = tuple(
            1 if axis in gone else dim for axis, dim in enumerate(shape) if keep or axis not in gone
        )
        return [TensorType(call.dtype(0) if dtype is None else dtype, kept)]

    return rule


def concatenated(call: Call) -> Outputs:
    """QLinearConcat: every third input from the third on is a tensor."""
    shapes = [call.shape(position) for position in range(2, len(call.inputs), 3)]
    if not shapes or not shapes[0]:
        raise UnshapedError
    axis = call.integer("axis") % len(shapes[0])
    length: Dim = 0
    for shape in shapes:
        length = plus(length, shape[axis])
    others = broadcast(*((*shape[:axis], 1, *shape[axis + 1 :]) for shape in shapes))
    return [TensorType(call.dtype(2), (*others[:axis], length, *others[axis + 1 :]))]


def dequantised_rows(call: Call) -> Outputs:
    """GatherBlockQuantized: bytes hold several elements of the last axis."""
    *rest, width = call.shape(0)
    per_byte = 8 // call.integer("bits", 4) if call.dtype(0) == UINT8 else 1
    table = (*rest, times(width, per_byte))
    axis = call.integer("gather_axis") % len(table)
    shape = (*table[:axis], *call.shape(1), *table[axis + 1 :])
    return [TensorType(call.dtype(2), shape)]


def rows(call: Call) -> Outputs:
    """TorchEmbedding: a row for every index."""
    return [TensorType(call.dtype(0), (*call.shape(1), call.shape(0, rank=2)[1]))]


def gathered_nd(call: Call) -> Outputs:
    """GatherND: the last axis of the indices addresses leading axes of the data."""
    data, indices = call.shape(0), call.shape(1)
    if not indices or not isinstance(indices[-1], int):
        raise UnshapedError
    return [TensorType(call.dtype(0), (*indices[:-1], *data[indices[-1] :]))]


def unfolded(call: Call) -> Outputs:
    """UnfoldTensor: slices of `size` every `step` positions, in a new last axis."""
    shape = list(call.shape(0))
    size, step = call.integer("size"), call.integer("step", 1)
    axis = call.integer("dim", -1) % len(shape)
    dim = shape[axis]
    shape[axis] = (dim - size) // step + 1 if isinstance(dim, int) else None
    return [TensorType(call.dtype(0), (*shape, size))]


def padded(call: Call) -> Outputs:
    """Pad: by amounts that are known, or to unknown sizes."""
    shape = call.shape(0)
    known = call.numbers(1)
    if known is None:
        return [TensorType(call.dtype(0), tuple(None for _ in shape))]
    ends = zip(known[: len(shape)], known[len(shape) :], strict=True)
    sizes = (plus(dim, before + after) for dim, (before, after) in zip(shape, ends, strict=True))
    return [TensorType(call.dtype(0), tuple(sizes))]


def expanded(call: Call) -> Outputs:
    """ExpandDims: a new axis at a known place."""
    known = call.numbers(1)
    if not known:
        raise UnshapedError
    shape = call.shape(0)
    axis = known[0] % (len(shape) + 1)
    return [TensorType(call.dtype(0), (*shape[:axis], 1, *shape[axis:]))]


def transformed(call: Call) -> Outputs:
    """Rfft: one-sided, half of the last axis; a pair for every complex number."""
    *rest, length = call.shape(0)
    kept = plus(over(length, 2), 1) if call.integer("onesided", 1) else length
    return [TensorType(call.dtype(0), (*rest, kept, 2))]


def transformed_back(call: Call) -> Outputs:
    """Irfft: the reverse, to an even length."""
    *rest, length, _ = call.shape(0)
    whole = times(plus(length, -1), 2) if call.integer("onesided", 1) else length
    return [TensorType(call.dtype(0), (*rest, whole))]


def cropped(call: Call) -> Outputs:
    """CropAndResize: every region at one size."""
    known: list[int] | list[None] = call.numbers(3) or [None, None]
    regions, channels = call.shape(1, rank=2)[0], call.shape(0, rank=4)[1]
    return [TensorType(call.dtype(0), (regions, channels, *known))]


def sampled(call: Call) -> Outputs:
    """GridSample: the grid's size."""
    batch, channels, *_ = call.shape(0, rank=4)
    return [TensorType(call.dtype(0), (batch, channels, *call.shape(1, rank=4)[1:3]))]


def restored(call: Call) -> Outputs:
    """RestorePadding: tokens back in their sequences."""
    batch, steps = call.shape(1, rank=2)
    return [TensorType(call.dtype(0), (batch, steps, call.shape(0, rank=2)[1]))]


def removed(call: Call) -> Outputs:
    """RemovePadding: how many tokens are left, the data says."""
    batch, steps, width = call.shape(0, rank=3)
    return [
        TensorType(call.dtype(0), (None, width)),
        TensorType(INT32, (batch, steps)),
        TensorType(INT32, (plus(batch, 1),)),
        TensorType(INT32, (1,)),
    ]


def unique(call: Call) -> Outputs:
    """Unique: how many values, the data says; where each of them went is as long as the input."""
    length = call.shape(0, rank=1)
    return [
        TensorType(call.dtype(0), (None,)),
        TensorType(INT64, length),
        TensorType(INT64, (None,)),
    ]


def recurrent(call: Call) -> Outputs:
    """DynamicQuantizeLSTM: its weights are stored as (directions, input, 4 * hidden)."""
    steps, batch, _ = call.shape(0, rank=3)
    directions, hidden, _ = call.shape(2, rank=3)
    last = TensorType(call.dtype(0), (directions, batch, hidden))
    return [TensorType(call.dtype(0), (steps, directions, batch, hidden)), last, last]


_SAME = like(0)
_SKIPPED = {"SkipLayerNormalization": skipped, "SkipSimplifiedLayerNormalization": skipped}
_UNARY = (
    "Gelu QuickGelu FastGelu ScaledSiLU BiasSoftmax BiasAdd Inverse Trilu RotaryEmbedding "
    "GroupNorm QLinearSigmoid QLinearLeakyRelu QLinearSoftmax QOrderedGelu "
    "QOrderedLayerNormalization MoE QMoE SampleOp LayerNormalization"
)
_LEGACY = "Affine ImageScaler MemcpyFromHost MemcpyToHost ParametricSoftplus Scale ScaledTanh"

ONNX: Mapping[str, Rule] = {
    "SimplifiedLayerNormalization": root_mean_square,
    **dict.fromkeys(_LEGACY.split(), _SAME),
}

MICROSOFT: Mapping[str, Rule] = {
    **dict.fromkeys(_UNARY.split(), _SAME),
    **_SKIPPED,
    "SimplifiedLayerNormalization": root_mean_square,
    "SkipGroupNorm": twice,
    "BiasGelu": combined(0, 1),
    "ComplexMul": combined(0, 1),
    "ComplexMulConj": combined(0, 1),
    "QLinearAdd": combined(0, 3),
    "QLinearMul": combined(0, 3),
    "QLinearWhere": combined(1, 0, 4),
    "MulInteger": combined(0, 2, dtype=INT32),
    "BiasDropout": dropped,
    "BitmaskDropout": bit_dropped,
    "BitmaskBiasDropout": bit_dropped,
    "BiasSplitGelu": halved,
    "SwiGLU": swiglu,
    "EmbedLayerNormalization": embedding(quantised=False),
    "QEmbedLayerNormalization": embedding(quantised=True),
    "QuantizeLinear": quantised,
    "DequantizeLinear": dequantised,
    "QuantizeWithOrder": reordered,
    "DequantizeWithOrder": reordered,
    "QLinearReduceMean": reduced(),
    "ReduceSumInteger": reduced(dtype=INT32),
    "QLinearConcat": concatenated,
    "GatherBlockQuantized": dequantised_rows,
    "TorchEmbedding": rows,
    "GatherND": gathered_nd,
    "NGramRepeatBlock": like(1),
    "UnfoldTensor": unfolded,
    "Pad": padded,
    "ExpandDims": expanded,
    "Rfft": transformed,
    "Irfft": transformed_back,
    "CropAndResize": cropped,
    "GridSample": sampled,
    "RestorePadding": restored,
    "RemovePadding": removed,
    "Unique": unique,
    "DynamicQuantizeLSTM": recurrent,
    "IsAllFinite": lambda _: [TensorType(BOOL, ())],
}
