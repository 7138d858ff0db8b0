"""Reductions: 0 multiply-adds, one element operation for every input element.

Counting convention: `docs/counting.md`, "Reductions".
"""

from __future__ import annotations

from graphlint.costs.contract import Category, Operation, Work, operators
from graphlint.costs.recipes import per_input_element, rows_taken, statistics

__all__ = ["HANDLES", "MICROSOFT"]

_CROSS_ENTROPY = 6
"""A softmax's five, and the logarithm."""


def determinant(operation: Operation) -> Work:
    """Det and Inverse: n³ / 3 and n³ steps of elimination for every n * n matrix."""
    steps = operation.input(0).elements * operation.input(0).shape[-1]
    return Work(element_operations=steps // 3 if operation.node.op == "Det" else steps)


def negative_log_likelihood(operation: Operation) -> Work:
    """NegativeLogLikelihoodLoss: one picked value for every target, weighted and added up."""
    targets = operation.input(1).elements
    reads = {0: targets}
    if operation.has_input(2):
        reads[2] = rows_taken(operation.input(2), targets)
    return Work(element_operations=(1 + int(operation.has_input(2))) * targets, reads=reads)


_EACH = per_input_element(1)

HANDLES = {
    **operators(
        "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
        "ReduceSum ReduceSumSquare",
        _EACH,
        Category.REDUCTION,
        control=(1,),
    ),
    **operators("ArgMax ArgMin", _EACH, Category.REDUCTION),
    **operators("TopK", _EACH, Category.REDUCTION, control=(1,)),
    **operators("Unique NonZero", _EACH, Category.REDUCTION),
    **operators("Det", determinant, Category.REDUCTION),
    **operators("NegativeLogLikelihoodLoss", negative_log_likelihood, Category.REDUCTION),
    **operators("SoftmaxCrossEntropyLoss", per_input_element(_CROSS_ENTROPY), Category.REDUCTION),
}

MICROSOFT = {
    **operators("ReduceSumInteger Unique", _EACH, Category.REDUCTION),
    **operators(
        "QLinearReduceMean", per_input_element(1, statistics(1, 2, 3, 4)), Category.REDUCTION
    ),
    **operators("Inverse", determinant, Category.REDUCTION),
}
