"""Element-wise operators: 0 multiply-adds, one element operation per output element and function.

Counting convention: `docs/counting.md`, "Element-wise work"; paper, guideline G4.
"""

from __future__ import annotations

from graphlint.costs.contract import Category, Operation, Work, operators
from graphlint.costs.recipes import per_output_element, rows_taken, statistics

__all__ = ["HANDLES", "MICROSOFT"]

_ROTATION = 3
"""Two products and a sum for every rotated element."""


def variadic(operation: Operation) -> Work:
    """Sum, Max and Min of several operands: one operation for every operand after the first."""
    given = sum(operand is not None for operand in operation.inputs)
    return Work(element_operations=(given - 1) * operation.output(0).elements)


def mean(operation: Operation) -> Work:
    """Mean of several operands: their sum, and one division."""
    given = sum(operand is not None for operand in operation.inputs)
    return Work(element_operations=given * operation.output(0).elements)


def cast_like(operation: Operation) -> Work:
    """CastLike: the second input lends its type alone."""
    return Work(element_operations=operation.output(0).elements, reads={1: 0})


def optional_bias(operation: Operation) -> Work:
    """FastGelu: an activation, and a sum where there is a bias."""
    functions = 1 + int(operation.has_input(1))
    return Work(element_operations=functions * operation.output(0).elements)


def rotary(operation: Operation) -> Work:
    """RotaryEmbedding-23: with positions given, each token takes its row of the two tables."""
    work_elements = _ROTATION * operation.output(0).elements
    if not operation.has_input(3):
        return Work(element_operations=work_elements)
    return _rotation(operation, work_elements, positions=3, tables=(1, 2))


def rotary_microsoft(operation: Operation) -> Work:
    """com.microsoft.RotaryEmbedding: positions are input 1, one offset or one for each token."""
    work_elements = _ROTATION * operation.output(0).elements
    return _rotation(operation, work_elements, positions=1, tables=(2, 3))


def _rotation(operation: Operation, work: int, positions: int, tables: tuple[int, int]) -> Work:
    shape = operation.input(0).shape
    tokens = operation.input(positions).elements
    if tokens == 1:  # an offset: consecutive rows, one for each step of the sequence
        tokens = shape[-2]
    reads = {
        table: rows_taken(operation.input(table), tokens * operation.input(table).shape[-1])
        for table in tables
    }
    return Work(element_operations=work, reads=reads)


def dropout_with_bias(operation: Operation) -> Work:
    """BiasDropout at inference: one sum, and another for the residual."""
    sums = 1 + int(operation.has_input(2))
    return Work(element_operations=sums * operation.output(0).elements)


def quantised_choice(operation: Operation) -> Work:
    """QLinearWhere: a choice between two operands, each brought to the output's scale."""
    return Work(
        element_operations=operation.output(0).elements,
        parameters=statistics(2, 3, 5, 6, 7, 8),
    )


def complex_product(operation: Operation) -> Work:
    """ComplexMul: pairs of numbers; four products and two sums for each pair."""
    return Work(element_operations=3 * operation.output(0).elements)


_UNARY = (
    "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu "
    "HardSigmoid HardSwish IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu "
    "Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu"
)
_BINARY = (
    "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less "
    "LessOrEqual Mod Mul Or PRelu Pow Sub Xor Where"
)
_ONE = per_output_element(1)
_TWO = per_output_element(2)
_SPLIT_GELU = per_output_element(4)

HANDLES = {
    **operators(f"{_UNARY} {_BINARY} Cast", _ONE, Category.ELEMENTWISE),
    **operators("Clip", _ONE, Category.ELEMENTWISE, control=(1, 2)),
    **operators("CastLike", cast_like, Category.ELEMENTWISE, control=(1,)),
    **operators("Sum Max Min", variadic, Category.ELEMENTWISE),
    **operators("Mean", mean, Category.ELEMENTWISE),
    **operators("SwiGLU", _TWO, Category.ELEMENTWISE),
    # Experimental operators of early opsets, which ONNX Runtime still runs.
    **operators(
        "Affine ImageScaler ParametricSoftplus Scale ScaledTanh", _ONE, Category.ELEMENTWISE
    ),
    **operators("CumSum CumProd", _ONE, Category.ELEMENTWISE, control=(1,)),
    **operators("RotaryEmbedding", rotary, Category.ELEMENTWISE, control=(3,)),
}

MICROSOFT = {
    **operators("Gelu QuickGelu ScaledSiLU", _ONE, Category.ELEMENTWISE),
    **operators("BiasGelu BiasAdd SwiGLU", _TWO, Category.ELEMENTWISE),
    **operators("FastGelu", optional_bias, Category.ELEMENTWISE),
    **operators("BiasSplitGelu", _SPLIT_GELU, Category.ELEMENTWISE),
    **operators(
        "BiasDropout BitmaskBiasDropout", dropout_with_bias, Category.ELEMENTWISE, control=(3, 4)
    ),
    **operators("RotaryEmbedding", rotary_microsoft, Category.ELEMENTWISE, control=(1,)),
    **operators("ComplexMul ComplexMulConj", complex_product, Category.ELEMENTWISE),
    **operators(
        "QLinearAdd QLinearMul",
        per_output_element(1, statistics(1, 2, 4, 5, 6, 7)),
        Category.ELEMENTWISE,
    ),
    **operators(
        "QLinearSigmoid QLinearLeakyRelu",
        per_output_element(1, statistics(1, 2, 3, 4)),
        Category.ELEMENTWISE,
    ),
    **operators("MulInteger", per_output_element(1, statistics(1, 3)), Category.ELEMENTWISE),
    **operators("QOrderedGelu", per_output_element(1, statistics(1, 2)), Category.ELEMENTWISE),
    **operators("QLinearWhere", quantised_choice, Category.ELEMENTWISE),
}
