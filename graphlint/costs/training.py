"""Optimisers and gradients (ai.onnx.preview.training).

Counting convention: `docs/counting.md`, "Training". An optimiser's inputs are, after the learning
rate and the step count, groups of equal length: tensors, gradients and states.
"""

from __future__ import annotations

from collections.abc import Callable

from graphlint.costs.contract import Category, Operation, Work, operators
from graphlint.costs.recipes import data_dependent

__all__ = ["HANDLES"]

_SETTINGS = 2


def optimiser(groups: int, per_element: int) -> Callable[[Operation], Work]:
    """An update of every trained element, `per_element` operations each."""

    def work(operation: Operation) -> Work:
        tensors = (len(operation.inputs) - _SETTINGS) // groups
        trained = sum(operation.input(_SETTINGS + position).elements for position in range(tensors))
        return Work(element_operations=per_element * trained)

    return work


HANDLES = {
    **operators("Momentum", optimiser(groups=3, per_element=5), Category.OTHER, control=(0, 1)),
    **operators("Adagrad", optimiser(groups=3, per_element=7), Category.OTHER, control=(0, 1)),
    **operators("Adam", optimiser(groups=4, per_element=12), Category.OTHER, control=(0, 1)),
    **operators(
        "Gradient",
        data_dependent("it differentiates a part of the graph, whose size it does not say"),
        Category.OTHER,
    ),
}
