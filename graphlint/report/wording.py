"""What reports for machines and code hosts say in words: counts, places, errors as one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from graphlint.findings import Finding, Severity
from graphlint.problem import Problem
from graphlint.report.text import safe
from graphlint.results import ModelReport, Report
from graphlint.units import format_bytes, format_share

_PLACE = 400


def counted(number: int, noun: str) -> str:
    """`1 model`, `2 models`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def tally(findings: Sequence[Finding]) -> str:
    """`3 warnings, 6 info`; `no findings`."""
    found = [
        f"{number:,} {severity}" if severity is Severity.INFO else counted(number, str(severity))
        for severity in sorted(Severity, reverse=True)
        if (number := sum(finding.severity is severity for finding in findings))
    ]
    return ", ".join(found) or "no findings"


def place(finding: Finding) -> str:
    """Where to look first, and how many places more there are; safe to show."""
    first = safe(str(finding.location), _PLACE)
    more = len(finding.sites) - 1
    return f"{first} and {counted(more, 'place')} more" if more else first


def excess(finding: Finding, model: ModelReport) -> str:
    """`18.0 KiB, 5.0% of the memory access`; empty where the rule counts no bytes."""
    if finding.excess_bytes is None:
        return ""
    moved = format_bytes(finding.excess_bytes)
    if model.totals is None:
        return moved
    share = format_share(finding.excess_bytes, model.totals.memory_access_bytes)
    return f"{moved}, {share} of the memory access"


def sentence(finding: Finding, model: ModelReport) -> str:
    """The finding's message, and its excess; safe to show."""
    moved = excess(finding, model)
    return safe(finding.message, 600) + (f" Excess: {moved}." if moved else "")


def problem_lines(problem: Problem) -> list[str]:
    """What is wrong, why, and what to do; safe to show."""
    lines = [safe(problem.message, 400), safe(problem.cause, 600), safe(problem.hint, 400)]
    return [line for line in lines if line] or ["an error"]


def problems(report: Report) -> Iterator[tuple[ModelReport | None, Problem]]:
    """All errors with the models that they are of; None for paths without models."""
    for model in report.models:
        yield from ((model, problem) for problem in model.errors)
    yield from ((None, problem) for problem in report.errors)


def in_models(report: Report) -> Iterator[tuple[ModelReport, Finding]]:
    """All findings with their models, in the report's order."""
    for model in report.models:
        yield from ((model, finding) for finding in model.findings)


def worst_first(
    found: Iterable[tuple[ModelReport, Finding]],
) -> list[tuple[ModelReport, Finding]]:
    """By severity and excess; the report's order where these are equal."""
    return sorted(found, key=lambda pair: (-pair[1].severity, -(pair[1].excess_bytes or 0)))


class Ordinals:
    """Makes keys unique: the first of a kind stays as it is, the next ones get a number."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def unique(self, key: str) -> str:
        """`key`, then `key:2`, `key:3`."""
        number = self._seen[key] = self._seen.get(key, 0) + 1
        return key if number == 1 else f"{key}:{number}"
