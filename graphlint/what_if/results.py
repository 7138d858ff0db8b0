"""What trying alternatives comes to: plain values, without onnx, ready for any reporter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from graphlint.times import Clock, ComparedTimes, NotMeasured

Where = Literal["in the model", "alone"]
"""Measured in the model with all sites changed at once, or a single site alone, among its like."""


@dataclass(frozen=True, slots=True)
class Saving:
    """Seconds that a run of the model would save, with a 95 % interval; negative: it would lose."""

    seconds: float
    low: float
    high: float

    @property
    def is_told(self) -> bool:
        """Whether the interval leaves out 0."""
        return not self.low <= 0.0 <= self.high


@dataclass(frozen=True, slots=True)
class Change:
    """A finding, and what its alternative would save at all of its sites together.

    `message` is the finding's, `becomes` spells the alternative, `place` is the first node's path.
    """

    code: str
    name: str
    message: str
    becomes: str
    place: str
    sites: int
    where: Where
    saving: Saving | NotMeasured


@dataclass(frozen=True, slots=True)
class Untried:
    """A finding without an alternative that could be measured, and why."""

    code: str
    message: str
    place: str
    sites: int
    reason: str


@dataclass(frozen=True, slots=True)
class WhatIfReport:
    """A model's changes, the largest saving first. `model` is its time from end to end."""

    version: str
    path: str
    provider: str
    threads: int
    optimization: str
    model: ComparedTimes | NotMeasured
    clock: Clock
    changes: tuple[Change, ...] = ()
    untried: tuple[Untried, ...] = ()
    notes: tuple[str, ...] = ()
