"""One line a place, for editors and grep: `path::node: G1 warning message`."""

from __future__ import annotations

from collections.abc import Iterator

from graphlint.problem import Problem
from graphlint.report.text import Style, safe
from graphlint.report.wording import baseline_tally, growth, price
from graphlint.results import Report
from graphlint.units import format_bytes


def render(report: Report, style: Style) -> str:
    """The report as text: nothing at all for a clean one."""
    lines = []
    for model in report.models:
        for finding in model.findings:
            worse = f" (worse: {growth(finding)})" if finding.known is not None else ""
            told = price(finding.predicted)
            together = "all places " if len(finding.sites) > 1 else ""
            told = f" [{together}{told}]" if told else ""
            for site in finding.sites:
                excess = ""
                if site.excess_bytes is not None:
                    excess = f" [+{format_bytes(site.excess_bytes)}]"
                place = safe(str(site.location), 600)
                message = safe(finding.message, 600)
                head = f"{place}: {finding.code} {finding.severity} {message}"
                lines.append(f"{head}{excess}{told}{worse}")
        lines += _problems(model.errors)
    lines += _problems(report.errors)
    if report.baseline is not None and report.findings:
        lines.append(f"baseline: {baseline_tally(report.baseline)}")
    return style.final("".join(f"{line}\n" for line in lines))


def _problems(problems: tuple[Problem, ...]) -> Iterator[str]:
    for problem in problems:
        cause = f": {safe(problem.cause, 600)}" if problem.cause else ""
        yield f"{safe(problem.message, 400)}: error{cause}"
