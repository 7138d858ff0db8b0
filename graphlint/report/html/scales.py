"""Logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogScale:
    """From values between `low` and `high` to places between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where `value` is drawn; never outside the axis."""
        whole = math.log10(self.high) - math.log10(self.low)
        part = (math.log10(value) - math.log10(self.low)) / whole
        return self.start + min(1.0, max(0.0, part)) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """The powers of ten on the axis; with their halves where there are few."""
        low, high = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        steps = (1, 2, 5) if high - low <= 2 else (1,)
        values = (step * 10.0**power for power in range(low - 1, high + 1) for step in steps)
        return [v for v in values if self.low * (1 - 1e-9) <= v <= self.high * (1 + 1e-9)]


def covering(values: Sequence[float], start: float, end: float) -> LogScale:
    """An axis that holds all of the (positive) values with some room at both ends."""
    low, high = min(values) / 1.6, max(values) * 1.6
    if high / low < 30:  # too short an axis would make much of little
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(30), middle * math.sqrt(30)
    return LogScale(low, high, start, end)
