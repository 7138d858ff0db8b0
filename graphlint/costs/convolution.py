"""Convolutions: multiply-adds by output elements, input channels of a group and kernel elements.

Counting convention: `docs/counting.md`, "Convolution"; paper, section 2.
A weight is (c_out, c_in / g, kernel …), so the product of all but its first dimension is what one
output element costs, in every layout of the data: channels first, last or blocked.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from graphlint.costs.contract import Category, Operation, Work, operators
from graphlint.costs.recipes import activations, statistics

__all__ = ["HANDLES", "INTERNAL_NHWC", "MICROSOFT", "NCHWC"]

_SAMPLE_TAPS = 4
"""Values that one bilinear sample reads and adds up."""


def convolution(weight: int = 1, scales: tuple[int, ...] = ()) -> Callable[[Operation], Work]:
    """Conv and its quantised spellings: output elements * (c_in / g) * kernel, padding counted."""
    fixed = statistics(*scales)

    def work(operation: Operation) -> Work:
        taps = prod(operation.input(weight).shape[1:])
        return Work(multiply_adds=operation.output(0).elements * taps, parameters=fixed)

    return work


def fused(operation: Operation) -> Work:
    """A convolution with a sum and an activation behind it: each one operation per element."""
    taps = prod(operation.input(1).shape[1:])
    outputs = operation.output(0).elements
    extras = int(operation.has_input(3)) + activations(operation)
    return Work(multiply_adds=outputs * taps, element_operations=outputs * extras)


def transposed(weight: int = 1, scales: tuple[int, ...] = ()) -> Callable[[Operation], Work]:
    """ConvTranspose: input elements * (c_out / g) * kernel; its weight is (c_in, c_out / g, …)."""
    fixed = statistics(*scales)

    def work(operation: Operation) -> Work:
        taps = prod(operation.input(weight).shape[1:])
        return Work(multiply_adds=operation.input(0).elements * taps, parameters=fixed)

    return work


def deformable(operation: Operation) -> Work:
    """DeformConv: a convolution over bilinear samples, four taps each, and a mask's product."""
    batch, channels, *_ = operation.input(0).shape
    kernel = prod(operation.input(1).shape[2:])
    output = operation.output(0)
    samples = batch * channels * kernel * prod(output.shape[2:])
    per_sample = _SAMPLE_TAPS + int(operation.has_input(4))
    return Work(
        multiply_adds=output.elements * prod(operation.input(1).shape[1:]),
        element_operations=samples * per_sample,
    )


def causal_depthwise(operation: Operation) -> Work:
    """CausalConvWithState: depthwise, so every output element costs the kernel's elements."""
    outputs = operation.output(0).elements
    taps = prod(operation.input(1).shape[1:])
    return Work(multiply_adds=outputs * taps, element_operations=outputs * activations(operation))


HANDLES = {
    **operators("Conv", convolution(), Category.CONVOLUTION),
    **operators("ConvInteger", convolution(scales=(2, 3)), Category.CONVOLUTION),
    **operators(
        "QLinearConv", convolution(weight=3, scales=(1, 2, 4, 5, 6, 7)), Category.CONVOLUTION
    ),
    **operators("ConvTranspose", transposed(), Category.CONVOLUTION),
    **operators("DeformConv", deformable, Category.CONVOLUTION),
    **operators("CausalConvWithState", causal_depthwise, Category.CONVOLUTION),
}

MICROSOFT = {
    **operators("FusedConv NhwcConv NhwcFusedConv", fused, Category.CONVOLUTION),
    **operators(
        "QLinearConv", convolution(weight=3, scales=(1, 2, 4, 5, 6, 7)), Category.CONVOLUTION
    ),
    **operators("ConvTransposeWithDynamicPads", transposed(), Category.CONVOLUTION, control=(2,)),
    **operators("CausalConvWithState", causal_depthwise, Category.CONVOLUTION),
}

NCHWC = operators("Conv", fused, Category.CONVOLUTION)

INTERNAL_NHWC = {
    **operators("Conv", fused, Category.CONVOLUTION),
    **operators("ConvTranspose", transposed(), Category.CONVOLUTION),
    **operators(
        "QLinearConv", convolution(weight=3, scales=(1, 2, 4, 5, 6, 7)), Category.CONVOLUTION
    ),
    **operators(
        "QLinearConvTranspose",
        transposed(weight=3, scales=(1, 2, 4, 5, 6, 7)),
        Category.CONVOLUTION,
    ),
}
