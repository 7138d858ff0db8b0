"""Pooling: 0 multiply-adds; element operations are the kernel's taps for every output element.

Counting convention: `docs/counting.md`, "Pooling".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from graphlint.costs.contract import Category, Operation, UnknownCost, Work, operators
from graphlint.costs.recipes import per_input_element, statistics

__all__ = ["HANDLES", "INTERNAL_NHWC", "MICROSOFT", "NCHWC"]

_BILINEAR_TAPS = 4


def window(parameters: Mapping[int, int] | None = None) -> Callable[[Operation], Work]:
    """A pooling window: its taps for every output element, padding taps counted."""
    fixed = parameters or {}

    def work(operation: Operation) -> Work:
        kernel = operation.attribute("kernel_shape")
        if not kernel:
            raise UnknownCost(f"{operation.node.op} lacks its kernel_shape")
        return Work(
            element_operations=prod(kernel) * operation.output(0).elements, parameters=fixed
        )

    return work


def roi_align(operation: Operation) -> Work:
    """RoiAlign: four taps for each sample of a bin.

    With `sampling_ratio` 0 the samples hang on the regions: then each element of the map is
    counted as sampled once.
    """
    ratio = int(operation.attribute("sampling_ratio", 0))
    per_bin, bins = (ratio * ratio, operation.output(0)) if ratio else (1, operation.input(0))
    return Work(element_operations=_BILINEAR_TAPS * per_bin * bins.elements)


def crop_and_resize(operation: Operation) -> Work:
    """CropAndResize: every output element is one bilinear sample."""
    return Work(element_operations=_BILINEAR_TAPS * operation.output(0).elements)


_WHOLE_MAP = per_input_element(1)

_WINDOWED = operators("MaxPool AveragePool LpPool", window(), Category.POOLING)
_GLOBAL = operators("GlobalMaxPool GlobalAveragePool", _WHOLE_MAP, Category.POOLING)
_QUANTISED = {
    **operators("QLinearAveragePool", window(statistics(1, 2, 3, 4)), Category.POOLING),
    **operators(
        "QLinearGlobalAveragePool",
        per_input_element(1, statistics(1, 2, 3, 4)),
        Category.POOLING,
    ),
}

HANDLES = {
    **_WINDOWED,
    **_GLOBAL,
    **operators("GlobalLpPool MaxRoiPool", _WHOLE_MAP, Category.POOLING),
    **operators("MaxUnpool", _WHOLE_MAP, Category.POOLING, control=(2,)),
    **operators("RoiAlign", roi_align, Category.POOLING),
}

MICROSOFT = {
    **_QUANTISED,
    **operators("NhwcMaxPool MaxpoolWithMask", window(), Category.POOLING),
    **operators("CropAndResize", crop_and_resize, Category.POOLING, control=(3,)),
}

NCHWC = {**_WINDOWED, **_GLOBAL}
INTERNAL_NHWC = {
    **_WINDOWED,
    **_GLOBAL,
    **_QUANTISED,
    **operators("GlobalLpPool", _WHOLE_MAP, Category.POOLING),
    **operators("MaxUnpool", _WHOLE_MAP, Category.POOLING, control=(2,)),
}
