"""A run of training: its schedule, its end, and that the best is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import pytest

from graphlint_rules.rewrites.v2.fitting.augmentation import Augmentation
from graphlint_rules.rewrites.v2.fitting.budget import Deadline
from graphlint_rules.rewrites.v2.fitting.optimiser import Schedule
from graphlint_rules.rewrites.v2.fitting.parameters import Layer
from graphlint_rules.rewrites.v2.fitting.training import Run, Trained, train

Array = np.ndarray[Any, Any]


@dataclass
class Bowl:
    """One number that is to become 1."""

    layers: Sequence[Layer] = field(default_factory=lambda: [Layer(x=np.zeros(1, np.float32))])
    batch: int = 2

    @property
    def x(self) -> float:
        return float(self.layers[0].arrays["x"][0])

    def images(self, members: Array) -> Array:
        return np.zeros((len(members), 1, 2, 2), np.float32)

    def prepare(self, images: Array) -> None:
        pass

    def learn(self, images: Array) -> None:
        self.layers[0].gradients["x"][...] = self.x - 1

    def grade(self, members: Array) -> float:
        return -abs(self.x - 1)


def run(deadline: Deadline | None = None, **given: Any) -> Run:
    ends = deadline or Deadline(1e9, lambda: 0.0)
    return Run(np.arange(5), np.arange(3), Augmentation(()), ends, seed=0, **given)


def test_it_gets_there() -> None:
    bowl = Bowl()
    assert train(bowl, run(steps=300, rate=0.02), lambda done, grade: None) == Trained(300, False)
    assert bowl.x == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("rate", [1e3, float("inf"), float("nan")])
def test_the_best_is_kept(rate: float) -> None:
    bowl = Bowl()
    train(bowl, run(steps=50, rate=rate), lambda done, grade: None)
    assert bowl.grade(np.arange(3)) >= -1


def test_a_run_without_steps_follows_the_clock() -> None:
    ticks = count()
    told: list[float] = []
    deadline = Deadline(100, lambda: float(next(ticks)))
    trained = train(Bowl(), run(deadline), lambda done, grade: told.append(done))
    assert not trained.cut
    assert 20 < trained.steps < 60
    assert told == sorted(told)
    assert told[-1] == 1


def test_a_run_with_steps_is_cut_by_the_clock() -> None:
    ticks = count()
    deadline = Deadline(20, lambda: float(next(ticks)))
    trained = train(Bowl(), run(deadline, steps=1000), lambda done, grade: None)
    assert trained.cut
    assert trained.steps < 20


def test_no_steps() -> None:
    assert train(Bowl(), run(steps=0), lambda done, grade: None) == Trained(0, False)


def test_the_rate_warms_up_and_cools_down() -> None:
    rates = [Schedule(1.0)(done) for done in np.linspace(0, 1, 101)]
    assert rates[0] < 0.1
    assert max(rates) == pytest.approx(1, abs=0.02)
    assert rates.index(max(rates)) < 10
    assert rates[-1] == pytest.approx(0.01)
