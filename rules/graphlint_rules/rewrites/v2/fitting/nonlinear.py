"""Activations and their derivatives, channels first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from graphlint_rules.rewrites.v1.units import Activation
from graphlint_rules.rewrites.v2.fitting.arrays import Array

Derivative = npt.NDArray[Any] | None
"""What the gradient is multiplied by: booleans or numbers; None for the identity."""

Nonlinear = Callable[[Array], tuple[Array, Derivative]]
"""The activated matrix (channels, positions), in the place of its argument, and its derivative."""


def nonlinear(activation: Activation, slope: Array | None = None) -> Nonlinear:
    """The activation as a function of a matrix (channels, positions).

    `slope`: PRelu's, one number or one a channel of the matrix; the activation's own otherwise.

    Raises:
        KeyError: an activation that no unit has.
    """
    attributes = dict(activation.attributes)
    match activation.op:
        case "":
            return lambda z: (z, None)
        case "Relu":
            return _relu
        case "Clip":
            low, high = activation.bounds or (None, None)
            return lambda z: _clip(z, low, high)
        case "LeakyRelu":
            return lambda z: _sloped(z, np.asarray(attributes.get("alpha", 0.01)))
        case "PRelu":
            given = activation.slope if slope is None else slope
            assert given is not None
            column = given.reshape(-1, 1)
            return lambda z: _sloped(z, column)
        case "HardSwish":
            return _hard_swish
        case other:
            raise KeyError(other)


def backward(gradient: Array, derivative: Derivative) -> Array:
    """The gradient before the activation, of that after it."""
    return gradient if derivative is None else gradient * derivative


def _relu(z: Array) -> tuple[Array, Derivative]:
    derivative = z > 0
    return np.maximum(z, 0, out=z), derivative


def _clip(z: Array, low: float | None, high: float | None) -> tuple[Array, Derivative]:
    derivative = np.ones(z.shape, bool)
    if low is not None:
        derivative &= z > low
    if high is not None:
        derivative &= z < high
    if low is None and high is None:
        return z, derivative
    return np.clip(z, low, high, out=z), derivative


def _sloped(z: Array, slope: Array) -> tuple[Array, Derivative]:
    derivative = np.where(z > 0, 1, slope).astype(z.dtype)
    z *= derivative
    return z, derivative


def _hard_swish(z: Array) -> tuple[Array, Derivative]:
    """x · clip(x / 6 + 1/2, 0, 1)."""
    gate = np.clip(z / 6 + 0.5, 0, 1)
    derivative = gate + np.where((gate > 0) & (gate < 1), z / 6, 0)
    z *= gate
    return z, derivative
