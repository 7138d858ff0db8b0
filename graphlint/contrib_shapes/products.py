"""Shapes of matrix products, dense, quantised and packed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphlint.contrib_shapes.call import (
    FLOAT,
    INT32,
    Call,
    Outputs,
    Shape,
    UnshapedError,
    broadcast,
)
from graphlint.graph import TensorType

__all__ = ["MICROSOFT"]

Rule = Callable[[Call], Outputs]


def matmul_shape(left: Shape, right: Shape) -> Shape:
    """MatMul: batches broadcast, a vector on either side loses its dimension."""
    if not left or not right:
        raise UnshapedError
    batch = broadcast(left[:-2], right[:-2])
    rows = left[-2:-1]
    columns = right[-1:] if len(right) > 1 else ()
    return (*batch, *rows, *columns)


def matmul(dtype: Callable[[Call], int]) -> Rule:
    """A plain product of inputs 0 and 1."""

    def rule(call: Call) -> Outputs:
        return [TensorType(dtype(call), matmul_shape(call.shape(0), call.shape(1)))]

    return rule


def _turned(shape: Shape, within: int, batch: int) -> Shape:
    """An operand as its flags transpose it: its batch behind its first axis, then its matrix."""
    if len(shape) < 2:
        return shape
    if batch:
        shape = (*shape[1:-1], shape[0], shape[-1])
    return (*shape[:-2], shape[-1], shape[-2]) if within else shape


def fused_matmul(call: Call) -> Outputs:
    """FusedMatMul: each operand may be transposed within its matrices and over its batch."""
    left = _turned(call.shape(0), call.integer("transA"), call.integer("transBatchA"))
    right = _turned(call.shape(1), call.integer("transB"), call.integer("transBatchB"))
    return [TensorType(call.dtype(0), matmul_shape(left, right))]


def gemm(dtype: Callable[[Call], int], right: int = 1) -> Rule:
    """A Gemm whose second operand is the input at `right`."""

    def rule(call: Call) -> Outputs:
        rows = call.shape(0, rank=2)[1 if call.integer("transA") else 0]
        columns = call.shape(right, rank=2)[0 if call.integer("transB") else 1]
        return [TensorType(dtype(call), (rows, columns))]

    return rule


def to_width(attribute: str) -> Rule:
    """A product with a packed weight, as wide as an attribute says."""

    def rule(call: Call) -> Outputs:
        return [_widened(call, call.integer(attribute))]

    return rule


def _widened(call: Call, width: int) -> TensorType:
    if not width:
        raise UnshapedError
    return TensorType(call.dtype(0), (*call.shape(0)[:-1], width))


def blob(call: Call) -> Outputs:
    """MatMulFpQ4: the weight's shape is its third input."""
    known = call.numbers(2)
    if known is None:
        raise UnshapedError
    return [TensorType(call.dtype(0), matmul_shape(call.shape(0), tuple(known)))]


def rows_of_weight(call: Call) -> Outputs:
    """A weight stored as (outputs, inputs)."""
    return [TensorType(call.dtype(0), (*call.shape(0)[:-1], call.shape(1)[0]))]


def gated(call: Call) -> Outputs:
    """MatMulNBitsMlp: the product, and the residual sum."""
    return [_widened(call, call.integer("N")), call.type(0)]


def query_key_value(call: Call) -> Outputs:
    """MatMulNBitsQkv: three products, and the residual sum."""
    keys = _widened(call, call.integer("Nkv"))
    return [_widened(call, call.integer("Nq")), keys, keys, call.type(0)]


def pairs(call: Call) -> Outputs:
    """CDist: a distance for every pair of rows."""
    return [TensorType(call.dtype(0), (call.shape(0, rank=2)[0], call.shape(1, rank=2)[0]))]


def _first(call: Call) -> int:
    return call.dtype(0)


def _quantised_or_float(call: Call) -> int:
    return call.dtype(8, FLOAT)


MICROSOFT: Mapping[str, Rule] = {
    "FusedMatMul": fused_matmul,
    "FusedMatMulActivation": fused_matmul,
    "TransposeMatMul": fused_matmul,
    "MatMulInteger16": matmul(lambda _: INT32),
    "MatMulIntegerToFloat": matmul(lambda call: call.dtype(2)),
    "DynamicQuantizeMatMul": matmul(_first),
    "GemmFastGelu": matmul(_first),
    "QOrderedMatMul": lambda call: [
        TensorType(call.dtype(0), matmul_shape(call.shape(0), call.shape(2)))
    ],
    "FusedGemm": gemm(_first),
    "QGemm": gemm(_quantised_or_float, right=3),
    "GemmFloat8": gemm(lambda call: call.integer("dtype", FLOAT)),
    "MatMulNBits": to_width("N"),
    "MatMulBnb4": to_width("N"),
    "MatMulPacked": to_width("N"),
    "MatMulFpQ4": blob,
    "MatMulBlockQuantizedFp4Weight": rows_of_weight,
    "MatMulBlockQuantizedFp8Weight": rows_of_weight,
    "MatMulNBitsMlp": gated,
    "MatMulNBitsQkv": query_key_value,
    "CDist": pairs,
}
