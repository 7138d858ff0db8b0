"""Quantisation and back: 0 multiply-adds, a scale and a zero point for every element.

Counting convention: `docs/counting.md`, "Quantisation". Scales and zero points are read, but they
are no parameters.
"""

from __future__ import annotations

from graphlint.costs.contract import Category, operators
from graphlint.costs.recipes import per_input_element, per_output_element, statistics

__all__ = ["HANDLES", "MICROSOFT"]

_SCALE_AND_SHIFT = 2
_RANGE_SCALE_AND_SHIFT = 4
"""Minimum and maximum first."""

_BOTH_WAYS = operators(
    "QuantizeLinear DequantizeLinear",
    per_output_element(_SCALE_AND_SHIFT, statistics(1, 2)),
    Category.QUANTISATION,
)

HANDLES = {
    **_BOTH_WAYS,
    **operators(
        "DynamicQuantizeLinear", per_input_element(_RANGE_SCALE_AND_SHIFT), Category.QUANTISATION
    ),
}

MICROSOFT = {
    **_BOTH_WAYS,
    **operators(
        "QuantizeWithOrder DequantizeWithOrder",
        per_output_element(1, statistics(1)),
        Category.QUANTISATION,
    ),
    **operators("QuantizeBFP", per_input_element(_SCALE_AND_SHIFT), Category.QUANTISATION),
    **operators(
        "DequantizeBFP",
        per_output_element(_SCALE_AND_SHIFT),
        Category.QUANTISATION,
        control=(1, 2),
    ),
}
