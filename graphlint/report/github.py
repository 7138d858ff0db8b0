"""GitHub's workflow commands: annotations in a pull request, made by lines in a job's log.

GitHub shows ten of a kind for a step, so the worst nine are told and the tenth says how many more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graphlint.findings import Finding, Severity
from graphlint.problem import Problem
from graphlint.report.repository import relative
from graphlint.report.text import safe
from graphlint.report.wording import (
    baseline_tally,
    in_models,
    place,
    problem_lines,
    problems,
    sentence,
    worst_first,
)
from graphlint.results import ModelReport, Report

SHOWN = 9
_PATH = 1_000
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(report: Report, root: Path) -> str:
    """A line an annotation, errors first; nothing at all for a clean report."""
    ranked = worst_first(in_models(report))
    summary = []
    if report.baseline is not None and ranked:
        summary = [_command("notice", "", "graphlint", baseline_tally(report.baseline))]
    room = SHOWN - len(summary)
    told = [_of_problem(model, problem, root) for model, problem in problems(report)][:room]
    shown = ranked[: room - len(told)]
    told += [_of_finding(model, finding, root) for model, finding in shown]
    left = len(report.problems) + len(ranked) - len(told)
    if left:
        told.append(_rest(left, ranked[len(shown) :]))
    return "".join(f"{line}\n" for line in told + summary)


def _of_problem(model: ModelReport | None, problem: Problem, root: Path) -> str:
    file = "" if model is None else relative(model.path, root)
    return _command("error", file, "graphlint", "\n".join(problem_lines(problem)))


def _of_finding(model: ModelReport, finding: Finding, root: Path) -> str:
    title = f"{finding.code} {finding.name}"
    message = f"{place(finding)}: {sentence(finding, model)}\n{safe(finding.help, 600)}"
    return _command(_COMMANDS[finding.severity], relative(model.path, root), title, message)


def _rest(left: int, findings: list[tuple[ModelReport, Finding]]) -> str:
    """How many more there are, as loud as the worst of them."""
    kind = _COMMANDS[findings[0][1].severity] if findings else "error"
    return _command(kind, "", "graphlint", f"…and {left:,} more: see the report in full")


def _command(kind: str, file: str, title: str, message: str) -> str:
    properties = {"file": safe(file, _PATH), "title": safe(title)}
    spelled = ",".join(_properties(properties))
    return f"::{kind} {spelled}::{_data(message)}"


def _properties(properties: dict[str, str]) -> Iterator[str]:
    for name, value in properties.items():
        if value:
            yield f"{name}={_data(value).replace(':', '%3A').replace(',', '%2C')}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
