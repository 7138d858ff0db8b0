"""Adam on one vector, and how its step changes over a run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphlint_rules.rewrites.v2.fitting.parameters import Parameters

_FIRST, _SECOND, _EPSILON = 0.9, 0.99, 1e-8
_WARM_UP = 0.05
_LEAST = 0.01


class Adam:
    """Kingma and Ba, arXiv 1412.6980, with the bias corrections folded into the rate."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._mean = np.zeros_like(parameters.values)
        self._square = np.zeros_like(parameters.values)
        self._steps = 0

    def step(self, rate: float) -> None:
        """Move the values against their gradients."""
        gradient = self._parameters.gradients
        self._steps += 1
        self._mean += (1 - _FIRST) * (gradient - self._mean)
        self._square += (1 - _SECOND) * (gradient * gradient - self._square)
        corrected = rate * np.sqrt(1 - _SECOND**self._steps) / (1 - _FIRST**self._steps)
        self._parameters.values -= np.float32(corrected) * (
            self._mean / (np.sqrt(self._square) + np.float32(_EPSILON))
        )


@dataclass(frozen=True)
class Schedule:
    """A linear warm-up, then half a cosine down to a hundredth of `rate`."""

    rate: float

    def __call__(self, done: float) -> float:
        """The rate where a share `done` of the run is over."""
        if done < _WARM_UP:
            return self.rate * max(done / _WARM_UP, _LEAST)
        along = (done - _WARM_UP) / (1 - _WARM_UP)
        return self.rate * (_LEAST + (1 - _LEAST) * float(1 + np.cos(np.pi * min(1, along))) / 2)
