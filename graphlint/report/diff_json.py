"""`graphlint diff` as JSON, schema 1: fields may be added, never change meaning.

Bytes and counts are integers; every `delta` is new less old.
"""

from __future__ import annotations

import json
from typing import Any

from graphlint.diffing.results import Change, Diff, Figures, ModelDiff, NodeChange, NodeSide
from graphlint.report.diff_words import status
from graphlint.report.json import SCHEMA, document, node_values, problem_values
from graphlint.results import ModelReport, Report


def render(diff: Diff) -> str:
    """The diff as one JSON document."""
    value = {
        "schema": SCHEMA,
        "version": diff.version,
        "old": diff.old,
        "new": diff.new,
        "threshold": diff.threshold,
        "models": [_model(model) for model in diff.models],
        "notes": list(diff.notes),
    }
    return json.dumps(value, ensure_ascii=True, indent=1) + "\n"


def _model(model: ModelDiff) -> dict[str, Any]:
    value: dict[str, Any] = {
        "path": model.path,
        "old_path": model.old.path if model.old is not None else None,
        "status": status(model),
        "old": _side(model.old),
        "new": _side(model.new),
        "regressions": [{"what": found.what, "share": found.share} for found in model.regressions],
        "notes": list(model.notes),
        "errors": [
            problem_values(problem)
            for report in (model.old, model.new)
            if report is not None
            for problem in report.errors
        ],
    }
    if model.change is not None:
        value |= {"delta": _figures(model.delta), **_change(model.change)}
    if model.comparison is not None:
        value["comparison"] = document(Report("", comparison=model.comparison))["comparison"]
    return value


def _side(report: ModelReport | None) -> dict[str, Any] | None:
    if report is None or report.totals is None:
        return None
    totals = report.totals
    return {
        "opset": report.opset,
        "inputs": list(report.inputs),
        "notes": list(report.notes),
        "totals": {
            **_figures(Figures.of(totals)),
            "nodes": totals.nodes,
            "uncosted_nodes": totals.uncosted_nodes,
        },
    }


def _figures(figures: Figures) -> dict[str, int]:
    return {
        "memory_access_bytes": figures.memory_access_bytes,
        "multiply_adds": figures.multiply_adds,
        "parameters": figures.parameters,
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "unchanged_nodes": change.unchanged,
        "free_nodes": {"old": change.free[0], "new": change.free[1]},
        "shared_parameters": change.shared_parameters,
        "outputs_rewired": change.outputs_rewired,
        "weights_differ": change.weights_differ,
        "weights_unread": change.weights_unread,
        "nodes": [_node(node) for node in change.nodes],
        "findings": [
            {
                "kind": site.kind,
                "code": site.code,
                "name": site.name,
                "severity": str(site.severity),
                "message": site.message,
                "place": site.place,
                "old_excess_bytes": site.old_excess,
                "new_excess_bytes": site.new_excess,
            }
            for site in change.findings
        ],
    }


def _node(node: NodeChange) -> dict[str, Any]:
    return {
        "kind": node.kind,
        "old": _node_side(node.old),
        "new": _node_side(node.new),
        "delta": _figures(node.delta),
        "facts": [{"name": f.name, "old": f.old, "new": f.new} for f in node.facts],
        "rewired": node.rewired,
        "weights_differ": node.weights_differ,
    }


def _node_side(side: NodeSide | None) -> dict[str, Any] | None:
    return None if side is None else {"title": side.title, **node_values(side.report)}
