"""Measured times brought into a report: nodes, findings, and what could not be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint.bindings import Bindings
from graphlint.config import Settings
from graphlint.errors import UsageError
from graphlint.findings import Finding
from graphlint.results import ModelReport
from graphlint.times import Ceilings, Comparison, ModelTimes, NodeTime, NotMeasured

if TYPE_CHECKING:
    from graphlint.latency.request import MeasureRequest


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """How to measure: see `docs/measuring.md`. `time_budget` is in seconds a model."""

    provider: str = "cpu"
    threads: int = 1
    optimization: str = "all"
    time_budget: float = 3.0
    input_data: Path | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to measure: its report, its settings, and where its bytes lie if not at its path."""

    report: ModelReport
    settings: Settings
    file: Path | None = None


def measure(subject: Subject, options: LatencyOptions) -> ModelReport:
    """The report with the times of its model, or with the reason why there are none.

    Raises:
        UsageError: an option can't be met: no such provider, input data that do not fit.
    """
    from graphlint.latency.measure import measure as measure_model

    report = subject.report
    outcome = measure_model(_request(subject, options))
    if isinstance(outcome, NotMeasured):
        _raise_if_usage(report, outcome)
        return replace(report, not_measured=outcome)
    return with_times(report, outcome)


def compare(subjects: Sequence[Subject], options: LatencyOptions) -> Comparison:
    """The models measured in turn, in `options.time_budget` seconds for all of them.

    Raises:
        UsageError: an option can't be met: no such provider, input data that do not fit.
    """
    from graphlint.latency.compare import compare as compare_models

    comparison = compare_models([_request(subject, options) for subject in subjects])
    for subject, outcome in zip(subjects, comparison.models, strict=True):
        if isinstance(outcome, NotMeasured):
            _raise_if_usage(subject.report, outcome)
    return comparison


def ceilings(options: LatencyOptions, seconds: float) -> Ceilings | None:
    """The device's ceilings, each from `seconds` of probes; None where they can't be measured."""
    from graphlint.latency.ceilings import measure_ceilings

    outcome = measure_ceilings(options.provider, options.threads, seconds)
    return outcome if isinstance(outcome, Ceilings) else None


def _request(subject: Subject, options: LatencyOptions) -> MeasureRequest:
    from graphlint.latency.request import MeasureRequest

    report, settings = subject.report, subject.settings
    return MeasureRequest(
        path=report.path,
        file=subject.file,
        bindings=Bindings.parse(
            settings.input_shape, settings.dim, strict=False, batch=report.batch
        ),
        provider=options.provider,
        threads=options.threads,
        optimization=options.optimization,
        time_budget=options.time_budget,
        input_data=options.input_data,
    )


def _raise_if_usage(report: ModelReport, outcome: NotMeasured) -> None:
    if outcome.is_usage:
        raise UsageError(
            f"{report.path}: latency can't be measured as asked",
            cause=outcome.reason,
            hint=outcome.hint,
        )


def with_times(report: ModelReport, times: ModelTimes) -> ModelReport:
    """The report with every node's time, and every finding's."""
    pairs = zip(report.nodes, times.nodes, strict=True)
    nodes = tuple(replace(node, time=time) for node, time in pairs)
    by_path = {node.path: node.time for node in nodes if node.time is not None}
    findings = tuple(_timed(finding, by_path) for finding in report.findings)
    return replace(report, nodes=nodes, findings=findings, times=times)


def _timed(finding: Finding, times: Mapping[str, NodeTime]) -> Finding:
    known = [times[path].seconds for path in finding.nodes if path in times]
    return replace(finding, seconds=sum(known) if known else None)
