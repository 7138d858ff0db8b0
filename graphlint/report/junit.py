"""JUnit's XML, for CI systems that show test reports: a suite a model, a test case a rule.

Viewers tell test cases apart by class and name and drop what is there twice, so the findings of a
rule are one case. A rule that found nothing is a case that passes: a viewer then shows what was
mended. A case fails where its findings would fail the check (`--fail-on`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from graphlint.findings import Finding, Severity
from graphlint.problem import Problem
from graphlint.report.text import safe
from graphlint.report.wording import Ordinals, place, problem_lines, sentence, tally
from graphlint.results import ModelReport, Report
from graphlint.rule import Rule

READABLE = "can be checked"
"""The case that a model's errors are in."""

_PATH = 1_000
_SHOWN = 200  # findings spelt out in a case; viewers cut long texts


@dataclass(frozen=True, slots=True)
class Case:
    """A test case: how it went (`passed`, `failure`, `error`), in one line and in full."""

    name: str
    outcome: str = "passed"
    message: str = ""
    text: str = ""


def render(report: Report, rules: Mapping[str, Rule], fail_on: Severity | None) -> str:
    """The report as XML; findings of severity `fail_on` and above are failures, None for none."""
    ordinals = Ordinals()
    root = ET.Element("testsuites", name="graphlint")
    for model in report.models:
        cases = [_readable(model.errors), *_cases(model, rules, fail_on)]
        _add_suite(root, ordinals.unique(safe(model.path, _PATH)), cases)
    if report.errors:
        _add_suite(root, ordinals.unique("graphlint"), [_readable(report.errors)])
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _readable(problems: Sequence[Problem]) -> Case:
    if not problems:
        return Case(READABLE)
    texts = ["\n".join(problem_lines(problem)) for problem in problems]
    return Case(READABLE, "error", safe(problems[0].message, 400), "\n\n".join(texts))


def _cases(
    model: ModelReport, rules: Mapping[str, Rule], fail_on: Severity | None
) -> Iterable[Case]:
    """A case for each rule that was run or has findings, by code."""
    names = {code: rules[code].name for code in model.rules if code in rules}
    names |= {finding.code: finding.name for finding in model.findings}
    for code in sorted(names):
        found = [finding for finding in model.findings if finding.code == code]
        yield _case(f"{code} {safe(names[code])}", model, found, fail_on)


def _case(
    name: str, model: ModelReport, found: Sequence[Finding], fail_on: Severity | None
) -> Case:
    if not found:
        return Case(name)
    lines = [
        f"{finding.severity}: {place(finding)}: {sentence(finding, model)}\n"
        f"  help: {safe(finding.help, 600)}"
        for finding in found[:_SHOWN]
    ]
    if len(found) > _SHOWN:
        lines.append(f"… and {len(found) - _SHOWN:,} more")
    fails = fail_on is not None and any(finding.severity >= fail_on for finding in found)
    return Case(name, "failure" if fails else "passed", tally(found), "\n".join(lines))


def _add_suite(root: ET.Element, name: str, cases: Sequence[Case]) -> None:
    def count(outcome: str) -> str:
        return str(sum(case.outcome == outcome for case in cases))

    suite = ET.SubElement(
        root,
        "testsuite",
        name=name,
        tests=str(len(cases)),
        failures=count("failure"),
        errors=count("error"),
    )
    for case in cases:
        _add_case(suite, name, case)


def _add_case(suite: ET.Element, classname: str, case: Case) -> None:
    element = ET.SubElement(suite, "testcase", classname=classname, name=case.name, time="0")
    if case.outcome != "passed":
        outcome = ET.SubElement(element, case.outcome, message=case.message, type="graphlint")
        outcome.text = case.text
    elif case.text:
        ET.SubElement(element, "system-out").text = case.text
