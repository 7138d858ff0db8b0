"""The arrays of fitting: tensors are (channels, height, width, batch), float32 in use."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
"""Of any floating-point type: gradients are checked in float64."""

Indices = npt.NDArray[np.intp]
"""Numbers of images, channels or positions."""


def flat(x: Array) -> Array:
    """A tensor (channels, …) as a matrix (channels, positions), the same memory."""
    return x.reshape(len(x), -1)


def to_front(batch: Array) -> Array:
    """(batch, channels, …) as (channels, …, batch), contiguous."""
    return np.ascontiguousarray(np.moveaxis(batch, 0, -1))
