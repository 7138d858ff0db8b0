"""Data movement: 0 multiply-adds and, but for interpolation, 0 element operations.

Counting convention: `docs/counting.md`, "Data movement". Gather and Slice read what they take;
scatters read their data and their updates, and write their output whole.
"""

from __future__ import annotations

from math import prod

from graphlint.costs.contract import Category, Operation, Work, operators
from graphlint.costs.recipes import (
    PACKED_BYTE,
    attribute_text,
    moved,
    per_input_element,
    per_output_element,
    rows_taken,
    statistics,
    written_only,
)

__all__ = ["HANDLES", "INTERNAL_NHWC", "MICROSOFT", "NCHWC"]

_TAPS_PER_AXIS = {"linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}
"""Values that are added up for an output element, by the `mode`; any other only takes one."""


def taken(operation: Operation) -> Work:
    """Gather, Slice, Compress: as many elements of input 0 are read as the output holds."""
    return Work(reads={0: rows_taken(operation.input(0), operation.output(0).elements)})


def cropped(operation: Operation) -> Work:
    """CenterCropPad: what a crop cuts off is not read."""
    kept = map(min, operation.input(0).shape, operation.output(0).shape)
    return Work(reads={0: prod(kept)})


def interpolated(operation: Operation) -> Work:
    """Resize and Upsample: nearest moves data, others add up 2 or 4 taps on every resized axis."""
    shapes = zip(operation.input(0).shape, operation.output(0).shape, strict=True)
    resized = sum(before != after for before, after in shapes)
    return Work(element_operations=_taps(operation, resized, default="nearest"))


def sampled(operation: Operation) -> Work:
    """GridSample: 1, 2ⁿ or 4ⁿ taps for every output element, n spatial axes."""
    axes = operation.output(0).rank - 2
    return Work(element_operations=_taps(operation, axes, default="linear"))


def _taps(operation: Operation, axes: int, default: str) -> int:
    """Taps of all output elements, interpolated along so many axes; none where data only moves."""
    per_axis = _TAPS_PER_AXIS.get(attribute_text(operation, "mode", default))
    return per_axis**axes * operation.output(0).elements if per_axis else 0


def dequantised_rows(operation: Operation) -> Work:
    """GatherBlockQuantized: the rows taken of a packed table, with their scales."""
    table, output = operation.input(0), operation.output(0).elements
    bits = int(operation.attribute("bits", 4))
    per_byte = 8 // bits if table.dtype == PACKED_BYTE else 1
    whole = table.elements * per_byte
    reads = {0: rows_taken(table, -(-output // per_byte))}
    for position in (2, 3):
        if operation.has_input(position):
            companion = operation.input(position)
            share = -(-companion.elements * output // max(whole, 1))
            reads[position] = rows_taken(companion, share)
    return Work(
        element_operations=2 * output, reads=reads, parameters={0: whole, **statistics(2, 3)}
    )


def quantised_concat(operation: Operation) -> Work:
    """QLinearConcat: two settings of the output, then a tensor with its two settings, and so on."""
    count = len(operation.inputs)
    settings = [0, 1, *(place for place in range(2, count) if (place - 2) % 3)]
    return Work(element_operations=operation.output(0).elements, parameters=statistics(*settings))


_TAKES = operators("Gather GatherElements GatherND", taken, Category.MOVEMENT, control=(1,))

HANDLES = {
    **_TAKES,
    **operators("Slice", taken, Category.MOVEMENT, control=(1, 2, 3, 4)),
    **operators("Compress", taken, Category.MOVEMENT, control=(1,)),
    **operators("Transpose Concat DepthToSpace SpaceToDepth", moved, Category.MOVEMENT),
    **operators("Split Expand Trilu ReverseSequence", moved, Category.MOVEMENT, control=(1,)),
    **operators("Tile", moved, Category.MOVEMENT, control=(1, 2)),
    **operators("Pad", moved, Category.MOVEMENT, control=(1, 2, 3)),
    **operators("CenterCropPad", cropped, Category.MOVEMENT, control=(1,)),
    **operators("OneHot", moved, Category.MOVEMENT, control=(1, 2)),
    **operators("Scatter ScatterElements ScatterND", moved, Category.MOVEMENT, control=(1,)),
    **operators("TensorScatter", moved, Category.MOVEMENT, control=(2,)),
    **operators("Col2Im", per_input_element(1), Category.MOVEMENT, control=(1, 2)),
    **operators("Resize Upsample", interpolated, Category.MOVEMENT, control=(1, 2, 3)),
    **operators("GridSample", sampled, Category.MOVEMENT),
    **operators("AffineGrid", per_output_element(1), Category.MOVEMENT, control=(1,)),
    **operators("EyeLike", written_only, Category.MOVEMENT, control=(0,)),
    **operators("Range", per_output_element(1), Category.MOVEMENT, control=(0, 1, 2)),
    # ONNX Runtime's copies between devices, in models saved after its optimiser.
    **operators("MemcpyFromHost MemcpyToHost", moved, Category.MOVEMENT),
}

MICROSOFT = {
    **operators("GatherND TorchEmbedding", taken, Category.MOVEMENT, control=(1, 2, 3)),
    **operators("GatherBlockQuantized", dequantised_rows, Category.MOVEMENT, control=(1,)),
    **operators("QLinearConcat", quantised_concat, Category.MOVEMENT),
    **operators("Pad", moved, Category.MOVEMENT, control=(1, 2)),
    **operators("Trilu", moved, Category.MOVEMENT, control=(1,)),
    **operators("Range", per_output_element(1), Category.MOVEMENT, control=(0, 1, 2)),
    **operators("UnfoldTensor RemovePadding", moved, Category.MOVEMENT),
    **operators("RestorePadding", moved, Category.MOVEMENT, control=(1,)),
    **operators("NGramRepeatBlock", moved, Category.MOVEMENT),
    **operators("GridSample", sampled, Category.MOVEMENT),
}

NCHWC = {
    **operators("ReorderInput ReorderOutput", moved, Category.MOVEMENT),
    **operators("Upsample", interpolated, Category.MOVEMENT),
}

INTERNAL_NHWC = {
    **operators("DepthToSpace SpaceToDepth", moved, Category.MOVEMENT),
    **operators("Resize", interpolated, Category.MOVEMENT, control=(1, 2, 3)),
    **operators("GridSample", sampled, Category.MOVEMENT),
}
