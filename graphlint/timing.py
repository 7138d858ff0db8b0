"""Measured times brought into a report: nodes, findings, and what could not be measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from graphlint.bindings import Bindings
from graphlint.config import Settings
from graphlint.errors import UsageError
from graphlint.findings import Finding
from graphlint.results import ModelReport
from graphlint.times import ModelTimes, NodeTime, NotMeasured


@dataclass(frozen=True, slots=True)
class LatencyOptions:
    """How to measure: see `docs/measuring.md`. `time_budget` is in seconds a model."""

    provider: str = "cpu"
    threads: int = 1
    optimization: str = "all"
    time_budget: float = 3.0
    input_data: Path | None = None


def measure(
    report: ModelReport, settings: Settings, options: LatencyOptions, file: Path | None = None
) -> ModelReport:
    """The report with the times of its model, or with the reason why there are none.

    Raises:
        UsageError: an option can't be met: no such provider, input data that do not fit.
    """
    from graphlint.latency.measure import measure as measure_model
    from graphlint.latency.request import MeasureRequest

    outcome = measure_model(
        MeasureRequest(
            path=report.path,
            file=file,
            bindings=Bindings.parse(settings.input_shape, settings.dim, strict=False),
            provider=options.provider,
            threads=options.threads,
            optimization=options.optimization,
            time_budget=options.time_budget,
            input_data=options.input_data,
        )
    )
    if isinstance(outcome, NotMeasured):
        if outcome.is_usage:
            raise UsageError(
                f"{report.path}: latency can't be measured as asked",
                cause=outcome.reason,
                hint=outcome.hint,
            )
        return replace(report, not_measured=outcome)
    return with_times(report, outcome)


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
