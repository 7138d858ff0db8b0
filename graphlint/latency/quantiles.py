"""Order statistics of times that a clock has cut to whole ticks."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

FEW = 25
"""Below so many runs the minimum stands for the lower quartile."""


def lower_quartile(ticks: Sequence[int]) -> float:
    """The lower quartile of times in whole ticks, in ticks.

    A reading of n stands for a time from n to n + 1, so half a tick is added. Below `FEW` readings
    the smallest one is taken.
    """
    if len(ticks) < FEW:
        return min(ticks) + 0.5
    return sorted(ticks)[(len(ticks) - 1) // 4] + 0.5


def lower_quartile_seconds(seconds: Sequence[float]) -> float:
    """The same statistic of times that are not cut."""
    if len(seconds) < FEW:
        return min(seconds)
    return sorted(seconds)[(len(seconds) - 1) // 4]


def relative_spread(values: Sequence[float]) -> float:
    """The distance between the largest and the smallest value as a part of their median."""
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle > 0 else 0.0
