"""JSON Lines: a model a line, written as each is done; then a line for each path without models.

A line is `{"schema": 1, "version": …, "model": …}` or `{…, "error": …}`, and what is in it is as in
the JSON report (`docs/report.schema.json`).
"""

from __future__ import annotations

import json
from typing import Any

from graphlint.problem import Problem
from graphlint.report.json import SCHEMA, model_values, problem_values
from graphlint.results import ModelReport, Report


def render(report: Report) -> str:
    """All lines of the report."""
    lines = [model_line(model, report.version) for model in report.models]
    return "".join(lines) + error_lines(report)


def model_line(model: ModelReport, version: str) -> str:
    """A model as a line."""
    return _line(version, "model", model_values(model))


def error_lines(report: Report) -> str:
    """The lines behind the models': what is wrong with paths."""
    return "".join(_error_line(problem, report.version) for problem in report.errors)


def _error_line(problem: Problem, version: str) -> str:
    return _line(version, "error", problem_values(problem))


def _line(version: str, kind: str, value: dict[str, Any] | dict[str, str]) -> str:
    line = {"schema": SCHEMA, "version": version, kind: value}
    return json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n"
