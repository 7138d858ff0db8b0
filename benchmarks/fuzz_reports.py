"""Fuzzing the reporters: any report in any format is well formed, and nothing in it is alive."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.fuzz_checks import FIGURES
from benchmarks.fuzz_choices import Choices
from graphlint import registry
from graphlint.costs.contract import Category, NodeCost
from graphlint.costs.totals import add
from graphlint.findings import Finding, FoundSite, Known, Location, Predicted, Severity
from graphlint.problem import Problem
from graphlint.report import concise, full, github, gitlab, json_lines, junit, markdown, sarif
from graphlint.report import json as as_json
from graphlint.report.profile import FORMATS
from graphlint.report.text import Style
from graphlint.results import (
    BaselineSummary,
    IgnoreUse,
    ModelReport,
    NodeReport,
    Report,
    Totals,
    Uncosted,
)
from graphlint.times import How, Kernel, ModelTimes, NodeTime, NotMeasured
from graphlint.timing import with_times

_HOW: tuple[How, ...] = ("own", "fused", "folded", "eliminated", "inexact")
_SIZES = (0, 1, 1023, 1024, 10**6, 2**40, 2**63 - 1)
_SECONDS = (0.0, 1e-12, 3.4e-5, 0.1, 1e4)
_MARKDOWN_CELL = re.compile(r"(?<!\\)\|")


def reports(data: bytes) -> None:
    """A random report in every format."""
    choices = Choices(data)
    report = _report(choices)
    for name, render in _renderers().items():
        text = render(report)
        _no_raw_characters(name, text)
        if name in _WELL_FORMED:
            _WELL_FORMED[name](text)


# Random reports


def _report(choices: Choices) -> Report:
    models = tuple(_model(choices, number) for number in range(choices.number(0, 3)))
    baseline = BaselineSummary(*(choices.number(0, 3) for _ in range(4)))
    return Report(
        "1.2.3",
        models,
        _problems(choices),
        notes=tuple(choices.text() for _ in range(choices.number(0, 2))),
        baseline=baseline if choices.chance(2) else None,
    )


def _problems(choices: Choices) -> tuple[Problem, ...]:
    return tuple(
        Problem(choices.text(), choices.text(), choices.text()) for _ in range(choices.number(0, 2))
    )


def _model(choices: Choices, number: int) -> ModelReport:
    # Paths are unique in a run, have no zeros, and odd bytes as `os.fsdecode` spells them.
    path = f"{number}{choices.text()}".replace("\0", "").replace("\ud800", "\udcff")
    if choices.chance(5):
        return ModelReport(path, errors=_problems(choices) or (Problem("m", "c", "h"),))
    nodes = tuple(_node(choices, index) for index in range(choices.number(0, 6)))
    total = add(node.cost for node in nodes)
    unknown = [node for node in nodes if node.cost.unknown is not None]
    report = ModelReport(
        path,
        choices.one((17, 1, None)),
        inputs=(choices.text(),),
        notes=(choices.text(),),
        totals=Totals(
            len(nodes),
            len(unknown),
            total.multiply_adds,
            total.element_operations,
            total.memory_access_elements,
            total.memory_access_bytes,
            total.parameters,
        ),
        uncosted=tuple(Uncosted(str(node.cost.unknown), 1, node.path) for node in unknown),
        findings=tuple(_finding(choices, path) for _ in range(choices.number(0, 3))),
        nodes=nodes,
        errors=_problems(choices),
        batch=choices.one((None, 1, 8)),
        rules=("G1", "G4"),
        ignores=(IgnoreUse(choices.text(), "G1", choices.one((True, False, None))),),
    )
    if nodes and choices.chance(2):
        return with_times(report, _times(choices, report))
    if choices.chance(3):
        unmeasured = NotMeasured(choices.text(), choices.text())
        return ModelReport(path, totals=report.totals, nodes=nodes, not_measured=unmeasured)
    return report


def _node(choices: Choices, index: int) -> NodeReport:
    category = choices.one(tuple(Category))
    figures: dict[str, Any] = {name: choices.one(_SIZES) for name in FIGURES}
    cost = (
        NodeCost(category, unknown=choices.text() or "unknown")
        if choices.chance(4)
        else replace(NodeCost(category), **figures)
    )
    return NodeReport(
        index,
        f"{choices.text()}{index}",  # paths are unique
        choices.text(),
        choices.text(),
        choices.text(),
        cost,
        choices.text(),
        predicted_seconds=choices.one((None, *_SECONDS)),
    )


def _times(choices: Choices, report: ModelReport) -> ModelTimes:
    kernels = tuple(
        Kernel(f"{choices.text()}{node.index}", (choices.text(),), seconds, 0.01, (node.index,))
        for node in report.nodes
        if (seconds := choices.one(_SECONDS)) is not None
    )
    nodes = tuple(
        NodeTime(kernel.seconds, 0.01, kernel.name, choices.one(_HOW)) for kernel in kernels
    )
    wall = choices.one(_SECONDS)
    return ModelTimes(
        nodes, kernels, wall, wall, 3, 9, 1.0, "cpu", 1, "all", notes=(choices.text(),)
    )


def _finding(choices: Choices, path: str) -> Finding:
    excess = choices.one((None, *_SIZES))
    sites = tuple(
        FoundSite(
            Location(path, tuple(choices.text() for _ in range(choices.number(0, 3)))),
            excess,
            f"{choices.number(0, 255):032x}",
        )
        for _ in range(choices.number(1, 3))
    )
    return Finding(
        choices.one(("G1", "G4", "X9")),
        "elementwise-traffic",
        choices.one(tuple(Severity)),
        choices.text(),
        choices.text(),
        sites,
        None if excess is None else excess * len(sites),
        f"{choices.number(0, 255):032x}",
        fixable=choices.chance(2),
        known=Known(1, excess) if choices.chance(4) else None,
        predicted=Predicted(choices.one((None, *_SECONDS)), 0.1, 1, choices.text())
        if choices.chance(4)
        else None,
    )


# What holds of every format


def _renderers() -> Mapping[str, Callable[[Report], str]]:
    rules = registry.rules()
    root = Path("/nowhere")
    style = Style()
    checks: dict[str, Callable[[Report], str]] = {
        "full": lambda report: full.render(report, style, nodes=True),
        "concise": lambda report: concise.render(report, style),
        "json": as_json.render,
        "jsonl": json_lines.render,
        "sarif": lambda report: sarif.render(report, rules, root),
        "github": lambda report: github.render(report, root),
        "gitlab": lambda report: gitlab.render(report, root),
        "junit": lambda report: junit.render(report, rules, Severity.WARNING),
        "markdown": markdown.render,
    }
    checks |= {f"profile {form}": partial(_profile, form) for form in FORMATS}
    return checks


def _profile(form: str, report: Report) -> str:
    return FORMATS[form](report, "node", 25, Style())


def _no_raw_characters(name: str, text: str) -> None:
    text.encode()  # a lone surrogate is no text
    raw = {
        char
        for char in set(text)
        if char != "\n" and (unicodedata.category(char)[0] == "C" or char in "\u2028\u2029")
    }
    assert not raw, f"{name} holds the raw characters {raw!r}"


def _is_json(text: str) -> None:
    json.loads(text)


def _is_json_lines(text: str) -> None:
    for line in text.splitlines():
        json.loads(line)


def _is_xml(text: str) -> None:
    ElementTree.fromstring(text)


def _is_commands(text: str) -> None:
    for line in text.splitlines():
        assert re.match(r"::(error|warning|notice) (file=[^,:]*,)?title=[^,:]*::", line), line


def _is_table(text: str) -> None:
    """The rows of a table have the cells of its head, and no tag stands outside code."""
    cells = 0
    for line in text.splitlines():
        if not line.startswith("|"):
            cells = 0
            continue
        count = len(_MARKDOWN_CELL.findall(line))
        assert cells in (0, count), f"a row of another width: {line!r}"
        cells = count
    assert "<img" not in re.sub(r"`[^`\n]*`", "", text)


def _is_csv(text: str) -> None:
    rows = list(csv.reader(io.StringIO(text)))
    assert len({len(row) for row in rows}) <= 1
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)


def _is_page(text: str) -> None:
    assert "<img" not in text
    assert "<script>alert" not in text


_WELL_FORMED: Mapping[str, Callable[[str], None]] = {
    "json": _is_json,
    "jsonl": _is_json_lines,
    "sarif": _is_json,
    "gitlab": _is_json,
    "github": _is_commands,
    "junit": _is_xml,
    "markdown": _is_table,
    "profile json": _is_json,
    "profile csv": _is_csv,
    "profile markdown": _is_table,
    "profile html": _is_page,
}
