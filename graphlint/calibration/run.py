"""Experiments on their way through the latency protocol, one child process after the other.

The networks of an experiment run in turn (`graphlint.latency.comparing`), so that what is said of
one against another holds on a machine whose speed changes. The time is shared over all experiments
by their networks; what one does not need goes to those behind it. What is measured is told as it
comes, so that an interrupted calibration can keep it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint.calibration.experiment import Experiment, Measured
from graphlint.errors import UsageError
from graphlint.latency.children import DEFAULT_LIMITS, Limits, scratch_folder
from graphlint.latency.compare import compare
from graphlint.latency.request import MeasureRequest
from graphlint.times import ComparedTimes, Comparison, NotMeasured

if TYPE_CHECKING:
    from graphlint.timing import LatencyOptions


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an experiment came to: its networks' times by their keys, and why others have none.

    `busy_factor` is wall over CPU time, 1 where it can't be told; `rounds` are those in which every
    network had its turn.
    """

    experiment: str
    measured: Mapping[str, Measured]
    lost: Mapping[str, str]
    busy_factor: float
    rounds: int

    @property
    def spread(self) -> float:
        """The largest of its networks' spreads."""
        return max((each.spread for each in self.measured.values()), default=0.0)


Heard = Callable[[Outcome], None]
"""Told what an experiment came to, as soon as it is there."""


def measure(
    experiments: Sequence[Experiment],
    options: LatencyOptions,
    budget_seconds: float,
    *,
    heard: Heard = lambda outcome: None,
    limits: Limits = DEFAULT_LIMITS,
) -> Mapping[tuple[str, str], Measured]:
    """The times of all networks that can run, by the keys of experiment and network.

    `budget_seconds` is for all of them; `options.time_budget` is not looked at. A device that is
    too slow for it takes longer: every network has at least its three sessions of five rounds.

    Raises:
        UsageError: an option can't be met: no such provider, or one that falls back.
    """
    return times_of(_heard(outcomes(experiments, options, budget_seconds, limits), heard))


def times_of(found: Iterator[Outcome] | Sequence[Outcome]) -> Mapping[tuple[str, str], Measured]:
    """The times of all networks, by the keys of experiment and network."""
    return {
        (outcome.experiment, key): measured
        for outcome in found
        for key, measured in outcome.measured.items()
    }


def _heard(found: Iterator[Outcome], heard: Heard) -> Iterator[Outcome]:
    for outcome in found:
        heard(outcome)
        yield outcome


def outcomes(
    experiments: Sequence[Experiment],
    options: LatencyOptions,
    budget_seconds: float,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Outcome]:
    """What each experiment comes to, in order; see `measure`.

    Raises:
        UsageError: an option can't be met: no such provider, or one that falls back.
    """
    ends = time.monotonic() + budget_seconds
    for place, experiment in enumerate(experiments):
        networks = sum(len(each.networks) for each in experiments[place:])
        left = max(0.0, ends - time.monotonic())
        share = left * len(experiment.networks) / networks
        yield _outcome(experiment, replace(options, time_budget=share), limits)


def _outcome(experiment: Experiment, options: LatencyOptions, limits: Limits) -> Outcome:
    with scratch_folder() as folder:
        files = [
            _saved(network.build().SerializeToString(), folder / f"{place}.onnx")
            for place, network in enumerate(experiment.networks)
        ]
        comparison = compare([_request(file, options) for file in files], limits)
    _raise_if_usage(comparison)
    pairs = list(zip((n.key for n in experiment.networks), comparison.models, strict=True))
    return Outcome(
        experiment.key,
        {key: Measured(m.seconds, m.spread) for key, m in pairs if isinstance(m, ComparedTimes)},
        {key: m.reason for key, m in pairs if isinstance(m, NotMeasured)},
        comparison.busy_factor,
        comparison.rounds,
    )


def _saved(data: bytes, file: Path) -> Path:
    file.write_bytes(data)
    return file


def _request(file: Path, options: LatencyOptions) -> MeasureRequest:
    return MeasureRequest(
        path=str(file),
        provider=options.provider,
        threads=options.threads,
        optimization=options.optimization,
        time_budget=options.time_budget,
    )


def _raise_if_usage(comparison: Comparison) -> None:
    for model in comparison.models:
        if isinstance(model, NotMeasured) and model.is_usage:
            raise UsageError(
                "the device can't be measured as asked", cause=model.reason, hint=model.hint
            )
