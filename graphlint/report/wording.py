"""What reports for machines and code hosts say in words: counts, places, errors as one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import floor, log10

from graphlint.findings import Finding, Predicted, Severity
from graphlint.problem import Problem
from graphlint.report.text import safe
from graphlint.results import BaselineSummary, ModelReport, Report
from graphlint.units import format_bytes, format_seconds, format_share

_PLACE = 400
_IN = {"s": 1.0, "ms": 1e3, "µs": 1e6}


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
    """The finding's message, excess and price, and how it is worse than known; safe to show."""
    moved = excess(finding, model)
    saving = price(finding.predicted)
    worse = growth(finding)
    return (
        safe(finding.message, 600)
        + (f" Excess: {moved}." if moved else "")
        + (f" To save: {saving}." if saving else "")
        + (f" Worse: {worse}." if worse else "")
    )


def price(predicted: Predicted | None) -> str:
    """`about 0.41 ms on this device (±0.10)`; empty where there is no price."""
    if predicted is None or predicted.seconds is None:
        return ""
    unit = format_seconds(max(abs(predicted.seconds), predicted.plus_minus)).split()[-1]
    saving, error = predicted.seconds * _IN[unit], predicted.plus_minus * _IN[unit]
    digits = min(2, max(0, 1 - floor(log10(error)))) if error > 0 else 2
    left = f", {counted(predicted.left_out, 'place')} not told" if predicted.left_out else ""
    figures = f"{saving:.{digits}f} {unit} on this device (±{error:.{digits}f}){left}"
    return f"about {figures}".replace("-", "−")


def dearest(findings: Iterable[Finding]) -> float:
    """What findings would save together, in seconds; what would save nothing counts as that."""
    priced = [f.predicted.seconds for f in findings if f.predicted is not None]
    return sum(max(0.0, seconds) for seconds in priced if seconds is not None)


def growth(finding: Finding) -> str:
    """`3 places, the baseline has 2 (+1.10 MiB)`; empty for what no baseline holds."""
    known = finding.known
    if known is None:
        return ""
    moved = "" if known.excess_bytes is None else f" (+{format_bytes(known.excess_bytes)})"
    return f"{counted(len(finding.sites), 'place')}, the baseline has {known.sites:,}{moved}"


def baseline_tally(summary: BaselineSummary) -> str:
    """`12 findings in the baseline, 1 new, 1 worse, 2 fixed`."""
    counts = {"new": summary.new, "worse": summary.worse, "fixed": summary.fixed}
    said = [f"{count:,} {what}" for what, count in counts.items() if count]
    return ", ".join([f"{counted(summary.known, 'finding')} in the baseline", *said])


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
    """By severity, price and excess; the report's order where these are equal."""

    def rank(pair: tuple[ModelReport, Finding]) -> tuple[int, float, int]:
        return (-pair[1].severity, -dearest([pair[1]]), -(pair[1].excess_bytes or 0))

    return sorted(found, key=rank)


class Ordinals:
    """Makes keys unique: the first of a kind stays as it is, the next ones get a number."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def unique(self, key: str) -> str:
        """`key`, then `key:2`, `key:3`."""
        number = self._seen[key] = self._seen.get(key, 0) + 1
        return key if number == 1 else f"{key}:{number}"
