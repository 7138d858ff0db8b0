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
    `multiply_adds` are those of one site, `multiply_adds_instead` of its alternative; None where
    they can't be told.
    """

    code: str
    name: str
    message: str
    becomes: str
    place: str
    sites: int
    where: Where
    saving: Saving | NotMeasured
    multiply_adds: int | None = None
    multiply_adds_instead: int | None = None


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
    """A model's changes, the largest saving first. `model` is its time from end to end.

    `device` is the name of the processor or accelerator.
    """

    version: str
    path: str
    device: str
    provider: str
    threads: int
    optimization: str
    model: ComparedTimes | NotMeasured
    clock: Clock
    changes: tuple[Change, ...] = ()
    untried: tuple[Untried, ...] = ()
    notes: tuple[str, ...] = ()
