"""Recurrent operators: the gates' two matrix products, at every step of the sequence.

Counting convention: `docs/counting.md`, "Recurrent operators". Sequences count at their padded
length; `W` is (directions, gates * hidden, input) and `R` (directions, gates * hidden, hidden),
in either order of their last two dimensions, so their elements are a step's multiply-adds.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from graphlint.costs.contract import Category, Operation, Work, operators
from graphlint.costs.recipes import data_dependent, statistics

__all__ = ["HANDLES", "MICROSOFT"]

_LAYER_STEPS = {"RNN": 1, "GRU": 8, "LSTM": 9}
"""Element operations per hidden element and step: activations, gate products and sums."""

_PEEPHOLE_GATES = 3


def layer(kind: str, scales: tuple[int, ...] = ()) -> Callable[[Operation], Work]:
    """RNN, GRU or LSTM; both directions count, the input is (sequence, batch, …) either way."""
    fixed = statistics(*scales)

    def work(operation: Operation) -> Work:
        steps = prod(operation.input(0).shape[:2])
        recurrence = operation.input(2)
        directions, *matrix = recurrence.shape
        # R is gates * hidden by hidden, so its smaller side is the hidden size.
        hidden = int(operation.attribute("hidden_size", 0)) or min(matrix)
        per_element = _LAYER_STEPS[kind]
        if kind == "LSTM" and operation.has_input(7):
            per_element += _PEEPHOLE_GATES
        return Work(
            multiply_adds=steps * (operation.input(1).elements + recurrence.elements),
            element_operations=steps * directions * hidden * per_element,
            parameters=fixed,
        )

    return work


HANDLES = {
    **operators("RNN", layer("RNN"), Category.RECURRENT, control=(4,)),
    **operators("GRU", layer("GRU"), Category.RECURRENT, control=(4,)),
    **operators("LSTM", layer("LSTM"), Category.RECURRENT, control=(4,)),
}

MICROSOFT = {
    **operators(
        "DynamicQuantizeLSTM",
        layer("LSTM", scales=(8, 9, 10, 11)),
        Category.RECURRENT,
        control=(4,),
    ),
    **operators(
        "AttnLSTM",
        data_dependent("its attention over a memory has no documented count"),
        Category.RECURRENT,
    ),
}
