"""Fourier transforms, as fast ones: 5·n·⌈log₂ n⌉ element operations for a transform of length n.

Counting convention: `docs/counting.md`, "Signals".
"""

from __future__ import annotations

from math import prod

from graphlint.costs.contract import Category, Operation, Work, operators

__all__ = ["HANDLES", "MICROSOFT"]

_BUTTERFLY = 5
"""Cooley and Tukey's count of real operations, per point and stage."""


def fourier(operation: Operation) -> Work:
    """DFT: a transform along one axis of every line of the input.

    Before opset 20 the axis is an attribute (1 by default), since then an input (-2 by default).
    """
    shape = operation.input(0).shape
    lines = list(shape[:-1])
    length = lines.pop(_axis(operation) % len(shape))
    if operation.has_input(1):
        length = int(operation.input(1).numbers().item())
    return Work(element_operations=prod(lines) * _transform(length))


def _axis(operation: Operation) -> int:
    if operation.node.version < 20:
        return int(operation.attribute("axis", 1))
    return int(operation.input(2).numbers().item()) if operation.has_input(2) else -2


def short_time_fourier(operation: Operation) -> Work:
    """STFT: every frame is multiplied by the window and transformed."""
    batch, frames, *_ = operation.output(0).shape
    if operation.has_input(3):
        length = int(operation.input(3).numbers().item())
    else:
        length = operation.input(2).elements
    windowed = length if operation.has_input(2) else 0
    return Work(element_operations=batch * frames * (_transform(length) + windowed))


def real_fourier(operation: Operation) -> Work:
    """Rfft and Irfft: over the last `signal_ndim` axes of the real side."""
    inverse = operation.node.op == "Irfft"
    shape = (operation.output(0) if inverse else operation.input(0)).shape
    axes = shape[len(shape) - int(operation.attribute("signal_ndim", 1)) :]
    stages = sum(_stages(length) for length in axes)
    return Work(element_operations=_BUTTERFLY * prod(shape) * stages)


def _transform(length: int) -> int:
    return _BUTTERFLY * length * _stages(length)


def _stages(length: int) -> int:
    return (length - 1).bit_length()


HANDLES = {
    **operators("DFT", fourier, Category.OTHER, control=(1, 2)),
    **operators("STFT", short_time_fourier, Category.OTHER, control=(1, 3)),
}

MICROSOFT = operators("Rfft Irfft", real_fourier, Category.OTHER)
