"""Means and variances of what every convolution puts out, for BatchNormalization."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from graphlint_rules.rewrites.v2.fitting.arrays import Array
from graphlint_rules.rewrites.v2.fitting.student import Head, Unit
from graphlint_rules.rewrites.v2.units import ConvWeights, UnitWeights


class Moments:
    """Sums over positions, by channel, of outputs of convolutions that are told one by one."""

    def __init__(self) -> None:
        self._sums: dict[tuple[int, str], Array] = {}
        self._squares: dict[tuple[int, str], Array] = {}
        self._counts: dict[tuple[int, str], int] = {}

    def add(self, place: int, name: str, z: Array) -> None:
        """z: (channels, positions)."""
        key = (place, name)
        self._sums[key] = self._sums.get(key, 0) + z.sum(axis=1, dtype=np.float64)
        squares = np.einsum("cp,cp->c", z, z).astype(np.float64)
        self._squares[key] = self._squares.get(key, 0) + squares
        self._counts[key] = self._counts.get(key, 0) + z.shape[1]

    def filled(self, place: int, name: str, weights: ConvWeights, told_bias: Array) -> ConvWeights:
        """The weights with mean and variance; `told_bias` is what was added to what was told."""
        count = self._counts[place, name]
        mean = self._sums[place, name] / count
        variance = np.maximum(self._squares[place, name] / count - mean**2, 0)
        return replace(
            weights,
            mean=(mean - told_bias).astype(np.float32),
            variance=variance.astype(np.float32),
        )


HEAD = -1
"""The head's place among the units."""


def observed(units: Sequence[Unit], head: Head | None, batches: Iterable[Array]) -> Moments:
    """The moments of all convolutions for batches of the first unit's input."""
    moments = Moments()
    for x in batches:
        for place, unit in enumerate(units):
            x = unit.forward(x, partial(moments.add, place))
            unit.forget()
        if head is not None:
            head.features(x, partial(moments.add, HEAD))
    return moments


def with_moments(moments: Moments, place: int, unit: Unit, weights: UnitWeights) -> UnitWeights:
    """A unit's weights with the statistics of each convolution."""
    biases = {
        "first": unit.first.bias,
        "depthwise": unit.depthwise.bias,
        "last": unit.last.bias,
    }
    if unit.shortcut is not None:
        biases["shortcut_pointwise"] = unit.shortcut.bias
    if unit.pool is not None:
        biases["shortcut_depthwise"] = unit.pool.bias
    filled: dict[str, Any] = {}
    for name, bias in biases.items():
        given: ConvWeights | None = getattr(weights, name)
        if given is not None:
            filled[name] = moments.filled(place, name, given, bias)
    return replace(weights, **filled)
