"""SARIF 2.1.0, as GitHub's code scanning takes it (`docs/formats.md`).

A finding is a result: its first site is the location, its other sites are related locations. A
model has no lines, so every region is line 1 and the node is a logical location. GitHub shows the
text of a message and no logical locations, so the text names the node too.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from graphlint.findings import Finding, FoundSite, Severity
from graphlint.report.repository import relative
from graphlint.report.text import safe
from graphlint.report.wording import (
    Ordinals,
    counted,
    in_models,
    place,
    problem_lines,
    problems,
    sentence,
    worst_first,
)
from graphlint.results import ModelReport, Report
from graphlint.rule import Rule

SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"
MAX_RESULTS = 25_000
"""More results in a run, or a larger upload, and GitHub refuses the file."""
MAX_COMPRESSED_BYTES = 10_000_000
_RELATED = 20  # a finding of thousands of places stays readable; JSON has them all
_NAME = 1_000  # characters of a node's name: a model may hold one of a megabyte
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_URGENCY = {"error": "error", "warning": "warning", "note": "recommendation"}

Found = Sequence[tuple[ModelReport, Finding]]


def render(report: Report, rules: Mapping[str, Rule], root: Path) -> str:
    """The report with paths relative to `root`; the worst findings where there are too many."""
    kept = worst_first(in_models(report))[:MAX_RESULTS]
    while True:
        text = json.dumps(_log(report, kept, rules, root), ensure_ascii=True, indent=1) + "\n"
        if not kept or _fits(text):
            return text
        kept = kept[: len(kept) // 2]


def _fits(text: str) -> bool:
    if len(text) <= MAX_COMPRESSED_BYTES:
        return True
    return len(gzip.compress(text.encode("ascii"), 6)) <= MAX_COMPRESSED_BYTES


def _log(report: Report, kept: Found, rules: Mapping[str, Rule], root: Path) -> dict[str, Any]:
    descriptors = _descriptors(report, rules)
    uris = {model.path: _uri(relative(model.path, root)) for model in report.models}
    artifacts = {uri: index for index, uri in enumerate(dict.fromkeys(uris.values()))}
    places = {path: {"uri": uri, "index": artifacts[uri]} for path, uri in uris.items()}
    indices = {descriptor["id"]: index for index, descriptor in enumerate(descriptors)}
    ordinals = Ordinals()
    run = {
        "tool": {"driver": {"name": "graphlint", "version": report.version, "rules": descriptors}},
        "invocations": [_invocation(report, len(kept), places)],
        "artifacts": _artifacts(report, uris),
        "results": [
            _result(model, finding, indices[finding.code], places[model.path], ordinals)
            for model, finding in kept
        ],
    }
    return {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}


def _uri(path: str) -> str:
    """A path from the root as a relative reference, an absolute one as a `file:` URI."""
    return Path(path).as_uri() if os.path.isabs(path) else quote(os.fsencode(path))


# Rules


def _descriptors(report: Report, rules: Mapping[str, Rule]) -> list[dict[str, Any]]:
    """All rules of the packs, and what else was found: a budget is no rule of a pack."""
    others = {f.code: f for f in report.findings if f.code not in rules}
    known = [_of_rule(rule) for rule in rules.values()]
    return known + [_of_finding(others[code]) for code in sorted(others)]


def _of_rule(rule: Rule) -> dict[str, Any]:
    page = f"# {rule.name} ({rule.code})\n\n{rule.page.strip()}\n"
    return {
        **_descriptor(rule.code, rule.name, rule.summary, rule.severity),
        "help": {"text": page, "markdown": page},
    }


def _of_finding(finding: Finding) -> dict[str, Any]:
    described = _descriptor(finding.code, finding.name, f"{finding.name}.", finding.severity)
    return {**described, "help": {"text": safe(finding.help, 600) or finding.name}}


def _descriptor(code: str, name: str, summary: str, severity: Severity) -> dict[str, Any]:
    level = _LEVELS[severity]
    return {
        "id": code,
        "name": name,
        "shortDescription": {"text": summary},
        "fullDescription": {"text": summary},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["performance"], "problem.severity": _URGENCY[level]},
    }


# Results


def _result(
    model: ModelReport,
    finding: Finding,
    rule_index: int,
    artifact: Mapping[str, Any],
    ordinals: Ordinals,
) -> dict[str, Any]:
    first, *others = finding.sites
    text = f"{place(finding)}: {sentence(finding, model)} {safe(finding.help, 600)}"
    key = ordinals.unique(f"{model.path}\0{finding.code}\0{finding.fingerprint}")
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "message": {"text": _literal(text)},
        "locations": [_location(first, artifact)],
        "partialFingerprints": {"primaryLocationLineHash": key.rpartition("\0")[2]},
        "properties": {
            "excess_bytes": finding.excess_bytes,
            "seconds": finding.seconds,
            "predicted_seconds": None if finding.predicted is None else finding.predicted.seconds,
            "sites": len(finding.sites),
            "nodes": len(finding.nodes),
            "fixable": finding.fixable,
        },
    }
    if others:
        shown = dict.fromkeys(others[:_RELATED])  # what a list in SARIF may hold once only
        result["relatedLocations"] = [_location(site, artifact) for site in shown]
    return result


def _location(site: FoundSite, artifact: Mapping[str, Any]) -> dict[str, Any]:
    names = dict.fromkeys(safe(node, _NAME) for node in site.location.nodes[:_RELATED])
    return {
        "physicalLocation": _physical(artifact),
        "logicalLocations": [{"fullyQualifiedName": name, "kind": "node"} for name in names],
        "properties": {"excess_bytes": site.excess_bytes},
    }


def _physical(artifact: Mapping[str, Any]) -> dict[str, Any]:
    return {"artifactLocation": dict(artifact), "region": {"startLine": 1}}


def _literal(text: str) -> str:
    """`text` as a message: brackets would be links, braces placeholders."""
    escaped = "".join(f"\\{char}" if char in "\\[]" else char for char in text)
    return escaped.replace("{", "{{").replace("}", "}}")


def _artifacts(report: Report, uris: Mapping[str, str]) -> list[dict[str, Any]]:
    """The models, each with its costs."""
    models = {uris[model.path]: model for model in reversed(report.models)}
    return [_artifact(uri, models[uri]) for uri in dict.fromkeys(uris.values())]


def _artifact(uri: str, model: ModelReport) -> dict[str, Any]:
    value: dict[str, Any] = {"location": {"uri": uri}}
    if model.totals is not None:
        value["properties"] = {
            "nodes": model.totals.nodes,
            "uncosted_nodes": model.totals.uncosted_nodes,
            "multiply_adds": model.totals.multiply_adds,
            "memory_access_bytes": model.totals.memory_access_bytes,
            "parameters": model.totals.parameters,
        }
    return value


# Errors


def _invocation(
    report: Report, kept: int, places: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    told = []
    for model, problem in problems(report):
        notification = _notification("error", problem_lines(problem))
        if model is not None:
            notification["locations"] = [{"physicalLocation": _physical(places[model.path])}]
        told.append(notification)
    left = len(report.findings) - kept
    if left:
        told.append(
            _notification(
                "warning",
                [f"{counted(left, 'finding')} left out: GitHub takes no more than {kept:,} here"],
            )
        )
    return {"executionSuccessful": not report.problems, "toolExecutionNotifications": told}


def _notification(level: str, lines: Iterable[str]) -> dict[str, Any]:
    return {"level": level, "message": {"text": _literal("\n".join(lines))}}
