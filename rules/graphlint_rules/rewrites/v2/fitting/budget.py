"""How long fitting may take, and how much it may hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from graphlint.rewrites import Subject
from graphlint_rules.rewrites.v2.fitting.arrays import Indices
from graphlint_rules.rewrites.v2.units import UnitPlan

Clock = Callable[[], float]

_RESERVED = 0.05
"""The share of the time that is kept for what comes after training."""

_TENSOR_BYTES = 128 << 20
_SAMPLES_BYTES = 512 << 20
_RUN_BYTES = 384 << 20
_MOST_IMAGES, _FEWEST_IMAGES = 2048, 64
_MOST_COLUMNS = 24576
_LARGEST_BATCH, _SMALLEST_BATCH = 64, 4
_CLOSED_FORM_SHARE = 0.25
_MULTIPLY_ADDS_A_SECOND = 5e8
"""What the closed form does of the model's multiply-adds, on one core of a server of 2023."""

_NUMBER = 4


@dataclass(frozen=True)
class Deadline:
    """When training ends, by a clock that counts seconds."""

    end: float
    clock: Clock

    @property
    def passed(self) -> bool:
        """Whether that is over."""
        return self.clock() >= self.end


def deadline(seconds: float, clock: Clock) -> Deadline:
    """So many seconds from now, less what is kept for what comes after training."""
    return Deadline(clock() + seconds * (1 - _RESERVED), clock)


@dataclass(frozen=True)
class Sizes:
    """How many images the closed form looks at, samples of each value, and images in a batch."""

    images: int
    columns: int
    batch: int


def sizes(
    subject: Subject, plans: Sequence[UnitPlan], available: int, seconds: float | None
) -> Sizes:
    """Sizes with which fitting stays below some gigabytes, and the closed form within its time.

    `seconds`: None where time doesn't matter. All follow from shapes: no clock is asked, so that
    the same call gives the same sizes.
    """
    begin = next((place for place, plan in enumerate(plans) if not plan.exact), 0)
    maps = [_area(subject, plan.unit.input) * plan.unit.width_in for plan in plans[begin:]]
    maps.append(_area(subject, plans[-1].unit.output) * plans[-1].unit.width_out)
    channels = plans[0].unit.width_in + sum(plan.unit.width_out for plan in plans)
    images = min(_MOST_IMAGES, available, _TENSOR_BYTES // (_NUMBER * max(maps)))
    if seconds is not None:
        work = max(1, subject.costs.total.multiply_adds // max(1, _batch_of(subject)))
        images = min(images, int(_CLOSED_FORM_SHARE * seconds * _MULTIPLY_ADDS_A_SECOND / work))
    # A unit's run holds its input, twice its middle with a mask, its output, and gradients.
    held = sum(
        _area(subject, plan.unit.input) * (plan.width_in + 3 * plan.width_mid)
        + 2 * _area(subject, plan.unit.output) * plan.width_out
        for plan in plans
    )
    batch = _RUN_BYTES // (_NUMBER * held)
    return Sizes(
        max(min(_FEWEST_IMAGES, available), images),
        min(_MOST_COLUMNS, _SAMPLES_BYTES // (_NUMBER * channels)),
        int(np.clip(batch, _SMALLEST_BATCH, _LARGEST_BATCH)),
    )


def _area(subject: Subject, key: str) -> int:
    shape = subject.view.shape(key)
    return 1 if shape is None else prod(shape[2:])


def _batch_of(subject: Subject) -> int:
    shape = subject.view.shape(subject.view.inputs[0])
    return shape[0] if shape else 1


@dataclass(frozen=True)
class Parts:
    """Images to fit on, to choose the best on, and to state agreement on: no image in two."""

    fit: Indices
    choose: Indices
    state: Indices


_CHOOSE, _STATE = 10, 6
_MOST_CHOOSE, _MOST_STATE = 512, 1000


def parts(count: int, seed: int) -> Parts:
    """A tenth to choose on, a sixth to state on, the rest to fit on; at random by the seed."""
    order = np.random.default_rng(seed).permutation(count)
    choose, state = min(count // _CHOOSE, _MOST_CHOOSE), min(count // _STATE, _MOST_STATE)
    return Parts(order[choose + state :], order[:choose], order[choose : choose + state])
