"""One run of training: steps under a deadline, and the best that was seen is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from graphlint_rules.rewrites.v2.fitting.arrays import Array, Indices
from graphlint_rules.rewrites.v2.fitting.augmentation import Augmentation
from graphlint_rules.rewrites.v2.fitting.budget import Deadline
from graphlint_rules.rewrites.v2.fitting.optimiser import Adam, Schedule
from graphlint_rules.rewrites.v2.fitting.parameters import Layer, Parameters

RATE = 3e-3
_CHECKS = 12
"""How often a run looks at the images it chooses by."""


class Lesson(Protocol):
    """Something that layers can learn from images, and be graded in."""

    @property
    def batch(self) -> int:
        """How many images it takes at once."""
        ...

    @property
    def layers(self) -> Sequence[Layer]:
        """What learns."""
        ...

    def images(self, members: Indices) -> Array:
        """The images with these numbers."""
        ...

    def prepare(self, images: Array) -> None:
        """Bring the layers into a form that learns well, which computes the same."""
        ...

    def learn(self, images: Array) -> None:
        """Note the gradients of the layers for a batch of images."""
        ...

    def grade(self, members: Indices) -> float:
        """How good the layers are on the images with these numbers: the larger, the better."""
        ...


@dataclass(frozen=True)
class Run:
    """How to train: the images to fit on and to choose by, and for how long.

    With `steps`, the rate of learning follows them, and the deadline can only cut the run; without,
    it follows the time up to the deadline, so that the run ends as it should.
    """

    fit: Indices
    choose: Indices
    augmentation: Augmentation
    deadline: Deadline
    seed: int
    steps: int | None = None
    rate: float = RATE


@dataclass(frozen=True)
class Trained:
    """How many steps were made, and whether time ran out before the last of them."""

    steps: int
    cut: bool


Told = Callable[[float, float], None]
"""Told the share of the run that is done, and the last grade on the images to choose by."""


def train(lesson: Lesson, run: Run, told: Told) -> Trained:
    """Train the lesson's layers, and leave them as they did best on the images to choose by."""
    random = np.random.default_rng(run.seed)
    lesson.prepare(lesson.images(run.fit[: lesson.batch]))
    parameters = Parameters(lesson.layers)
    optimiser, schedule = Adam(parameters), Schedule(run.rate)
    best, kept = lesson.grade(run.choose), parameters.values.copy()
    grade, made, checked = best, 0, 0.0
    start = run.deadline.clock()

    def done() -> float:
        if run.steps is not None:
            return made / run.steps if run.steps else 1.0
        return (run.deadline.clock() - start) / max(run.deadline.end - start, 1e-9)

    # A rate that is too high may lead anywhere; what was best before is kept.
    with np.errstate(over="ignore", invalid="ignore"):
        while (share := done()) < 1 and not run.deadline.passed:
            images = lesson.images(random.choice(run.fit, lesson.batch))
            lesson.learn(run.augmentation(images, random))
            optimiser.step(schedule(share))
            made += 1
            if share >= checked + 1 / _CHECKS:
                checked, grade = share, lesson.grade(run.choose)
                if grade >= best:
                    best, kept = grade, parameters.values.copy()
            told(share, grade)
        grade = lesson.grade(run.choose) if made else best
    if grade >= best:
        best = grade
    else:
        parameters.values[...] = kept
    told(1.0, best)
    return Trained(made, run.steps is not None and made < run.steps)
