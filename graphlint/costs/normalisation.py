"""Normalisation: 0 multiply-adds, a small stated number of element operations per element.

Counting convention: `docs/counting.md`, "Normalisation".
"""

from __future__ import annotations

from collections.abc import Callable

from graphlint.costs.contract import Category, Operation, Work, operators
from graphlint.costs.recipes import per_output_element, rows_taken, statistics

__all__ = ["HANDLES", "INTERNAL_NHWC", "MICROSOFT"]

_SCALE_AND_SHIFT = 2
_LAYER = 7
"""Mean, difference, square, variance, division, scale, shift."""

_ROOT_MEAN_SQUARE = 4
"""Square, mean, division, scale."""

_MEAN_VARIANCE = 5
_POWER_NORM = 3
_SOFTMAX = 5
"""Maximum, difference, exponential, sum, division."""

_HARDMAX = 2
_STATISTICS = statistics(3, 4)
"""The running mean and variance are observed, not trained."""


def batch_normalisation(operation: Operation) -> Work:
    """BatchNormalization: one scale and one shift at inference; in training the statistics too.

    Its stored mean and variance are statistics, not parameters.
    """
    per_element = _LAYER if _is_training(operation) else _SCALE_AND_SHIFT
    return Work(
        element_operations=per_element * operation.output(0).elements, parameters=_STATISTICS
    )


def _is_training(operation: Operation) -> bool:
    """Opset 14 says it by an attribute, 7 to 13 by the outputs, before 7 by `is_test`."""
    version = operation.node.version
    if version >= 14:
        return bool(operation.attribute("training_mode", 0))
    if version >= 7:
        return any(output is not None for output in operation.outputs[1:])
    return not operation.attribute("is_test", 0)


def local_response(operation: Operation) -> Work:
    """LRN: a window of squares over the channels, then a power and a division."""
    window = int(operation.attribute("size", 1))
    return Work(element_operations=(window + _POWER_NORM) * operation.output(0).elements)


def behind_a_sum(per_element: int, skip: int, bias: int) -> Callable[[Operation], Work]:
    """A normalisation behind the residual sum with input `skip` and an optional `bias`."""

    def work(operation: Operation) -> Work:
        sums = int(operation.has_input(skip)) + int(operation.has_input(bias))
        return Work(element_operations=(per_element + sums) * operation.output(0).elements)

    return work


def embedding(operation: Operation) -> Work:
    """EmbedLayerNormalization: the rows taken from two or three tables, summed and normalised."""
    return _embedded(operation, operation.has_input(8), parameters={})


def quantised_embedding(operation: Operation) -> Work:
    """QEmbedLayerNormalization: the same, from quantised tables."""
    return _embedded(operation, False, parameters=statistics(*range(8, 18)))


def _embedded(operation: Operation, positions_given: bool, parameters: dict[int, int]) -> Work:
    batch, steps, width = operation.output(0).shape
    tokens = batch * steps
    # Words, positions, segments; without position ids every sequence takes the same rows.
    rows = {2: tokens, 3: tokens if positions_given else steps, 4: tokens}
    reads = {
        table: rows_taken(operation.input(table), taken * width)
        for table, taken in rows.items()
        if operation.has_input(table)
    }
    return Work(
        element_operations=(_LAYER + len(reads) - 1) * tokens * width,
        reads=reads,
        parameters=parameters,
    )


_LAYERS = per_output_element(_LAYER)
_RMS = per_output_element(_ROOT_MEAN_SQUARE)
_BATCH = operators("BatchNormalization", batch_normalisation, Category.NORMALISATION)

HANDLES = {
    **_BATCH,
    **operators(
        "InstanceNormalization LayerNormalization GroupNormalization",
        _LAYERS,
        Category.NORMALISATION,
    ),
    **operators("RMSNormalization SimplifiedLayerNormalization", _RMS, Category.NORMALISATION),
    **operators(
        "MeanVarianceNormalization", per_output_element(_MEAN_VARIANCE), Category.NORMALISATION
    ),
    **operators("LpNormalization", per_output_element(_POWER_NORM), Category.NORMALISATION),
    **operators("LRN", local_response, Category.NORMALISATION),
    **operators("Softmax LogSoftmax", per_output_element(_SOFTMAX), Category.NORMALISATION),
    **operators("Hardmax", per_output_element(_HARDMAX), Category.NORMALISATION),
}

MICROSOFT = {
    **operators("GroupNorm", _LAYERS, Category.NORMALISATION),
    **operators("SkipGroupNorm", behind_a_sum(_LAYER, 3, 4), Category.NORMALISATION),
    **operators("LayerNormalization", _LAYERS, Category.NORMALISATION),
    **operators("SimplifiedLayerNormalization", _RMS, Category.NORMALISATION),
    **operators("SkipLayerNormalization", behind_a_sum(_LAYER, 1, 4), Category.NORMALISATION),
    **operators(
        "SkipSimplifiedLayerNormalization",
        behind_a_sum(_ROOT_MEAN_SQUARE, 1, 3),
        Category.NORMALISATION,
    ),
    **operators("EmbedLayerNormalization", embedding, Category.NORMALISATION, control=(0, 1, 8)),
    **operators(
        "QEmbedLayerNormalization", quantised_embedding, Category.NORMALISATION, control=(0, 1)
    ),
    **operators(
        "QOrderedLayerNormalization",
        per_output_element(_LAYER, statistics(1, 4)),
        Category.NORMALISATION,
    ),
    **operators("BiasSoftmax", per_output_element(_SOFTMAX + 1), Category.NORMALISATION),
    **operators(
        "QLinearSoftmax",
        per_output_element(_SOFTMAX, statistics(1, 2, 3, 4)),
        Category.NORMALISATION,
    ),
}

INTERNAL_NHWC = {
    **_BATCH,
    **operators("InstanceNormalization", _LAYERS, Category.NORMALISATION),
    **operators("LRN", local_response, Category.NORMALISATION),
}
