"""GitLab's Code Quality report: a JSON list of issues, shown in a merge request."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from graphlint.findings import Finding, Severity
from graphlint.problem import Problem
from graphlint.report.repository import relative
from graphlint.report.text import safe
from graphlint.report.wording import (
    Ordinals,
    in_models,
    place,
    problem_lines,
    problems,
    sentence,
)
from graphlint.results import ModelReport, Report

_PATH = 1_000
_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def render(report: Report, root: Path) -> str:
    """The report's errors, then its findings, as issues; an empty list for a clean one."""
    ordinals = Ordinals()
    paths = {model.path: safe(relative(model.path, root), _PATH) for model in report.models}
    issues = [
        _of_problem(problem, "." if model is None else paths[model.path], ordinals)
        for model, problem in problems(report)
    ]
    issues += [
        _of_finding(model, finding, paths[model.path], ordinals)
        for model, finding in in_models(report)
    ]
    return json.dumps(issues, ensure_ascii=True, indent=1) + "\n"


def _of_finding(
    model: ModelReport, finding: Finding, path: str, ordinals: Ordinals
) -> dict[str, Any]:
    text = f"{place(finding)}: {sentence(finding, model)} {safe(finding.help, 600)}"
    name = f"{finding.code} {finding.name}"
    key = f"{path}\0{finding.code}\0{finding.fingerprint}"
    return _issue(text, name, key, _SEVERITIES[finding.severity], path, ordinals)


def _of_problem(problem: Problem, path: str, ordinals: Ordinals) -> dict[str, Any]:
    text = ": ".join(problem_lines(problem))
    return _issue(text, "error", f"{path}\0error\0{text}", "blocker", path, ordinals)


def _issue(
    description: str, name: str, key: str, severity: str, path: str, ordinals: Ordinals
) -> dict[str, Any]:
    """An issue; GitLab drops all but the first of those that share a fingerprint."""
    return {
        "description": description,
        "check_name": safe(name),
        "fingerprint": hashlib.sha256(ordinals.unique(key).encode("utf-8", "replace")).hexdigest(),
        "severity": severity,
        "location": {"path": path, "lines": {"begin": 1}},
    }
