"""JSON, schema 1 (`docs/report.schema.json`): fields may be added, never change meaning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from graphlint.findings import Finding, Predicted
from graphlint.problem import Problem
from graphlint.results import ModelReport, NodeReport, Report, Totals
from graphlint.times import ComparedTimes, Comparison, ModelTimes, NotMeasured

SCHEMA = 1


def render(report: Report) -> str:
    """The report as one JSON document."""
    return json.dumps(document(report), ensure_ascii=True, indent=1) + "\n"


def document(report: Report) -> dict[str, Any]:
    """The report as JSON values: bytes and counts are integers, unknown is null."""
    value: dict[str, Any] = {
        "schema": SCHEMA,
        "version": report.version,
        "models": [model_values(model) for model in report.models],
        "errors": [problem_values(problem) for problem in report.errors],
    }
    if report.notes:
        value["notes"] = list(report.notes)
    if report.baseline is not None:
        value["baseline"] = asdict(report.baseline)
    if report.comparison is not None:
        value["comparison"] = _comparison(report.comparison)
    return value


def _comparison(comparison: Comparison) -> dict[str, Any]:
    """The models measured in turn, in the order of `models`."""
    return {
        "models": [_compared(outcome) for outcome in comparison.models],
        "rounds": comparison.rounds,
        "clock": comparison.clock,
        "busy_factor": comparison.busy_factor,
        "provider": comparison.provider,
        "threads": comparison.threads,
        "optimization": comparison.optimization,
        "notes": list(comparison.notes),
    }


def _compared(outcome: ComparedTimes | NotMeasured) -> dict[str, Any]:
    if isinstance(outcome, NotMeasured):
        return {"not_measured": outcome.reason, "hint": outcome.hint}
    ratio = outcome.speed_up
    return {
        "seconds": outcome.seconds,
        "spread": outcome.spread,
        "speed_up": None
        if ratio is None
        else {"value": ratio.value, "low": ratio.low, "high": ratio.high},
    }


def model_values(model: ModelReport) -> dict[str, Any]:
    """A model as JSON values."""
    value: dict[str, Any] = {"path": model.path}
    if model.batch is not None:
        value["batch"] = model.batch
    if model.totals is not None:
        value |= {
            "opset": model.opset,
            "inputs": list(model.inputs),
            "notes": list(model.notes),
            "totals": _totals(model.totals, model.times),
            "latency": _latency(model),
            "prediction": _prediction(model),
            "uncosted": [
                {"reason": row.reason, "nodes": row.nodes, "first": row.first}
                for row in model.uncosted
            ],
            "findings": [_finding(finding) for finding in model.findings],
            "nodes": [node_values(node) for node in model.nodes],
        }
    value["errors"] = [problem_values(problem) for problem in model.errors]
    return value


def _totals(totals: Totals, times: ModelTimes | None) -> dict[str, Any]:
    return {
        "nodes": totals.nodes,
        "uncosted_nodes": totals.uncosted_nodes,
        "multiply_adds": totals.multiply_adds,
        "element_operations": totals.element_operations,
        "memory_access_elements": totals.memory_access_elements,
        "memory_access_bytes": totals.memory_access_bytes,
        "parameters": totals.parameters,
        "latency_seconds": times.wall_seconds if times else None,
        "cpu_seconds": times.cpu_seconds if times else None,
    }


def _latency(model: ModelReport) -> dict[str, Any] | None:
    """How the times were taken, or why there are none; null where nobody asked."""
    if model.not_measured is not None:
        return {"not_measured": model.not_measured.reason, "hint": model.not_measured.hint}
    if model.times is None:
        return None
    times = model.times
    return {
        "provider": times.provider,
        "threads": times.threads,
        "optimization": times.optimization,
        "sessions": times.sessions,
        "runs": times.runs,
        "busy_factor": times.busy_factor,
        "notes": list(times.notes),
        "kernels": [
            {
                "name": kernel.name,
                "ops": list(kernel.ops),
                "seconds": kernel.seconds,
                "spread": kernel.spread,
                "nodes": list(kernel.nodes),
            }
            for kernel in times.kernels
        ],
    }


def _prediction(model: ModelReport) -> dict[str, Any] | None:
    """One run on the device whose profile was given; null without one."""
    if model.predicted is None or model.device is None:
        return None
    return {"device": asdict(model.device), **_price(model.predicted)}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": str(finding.severity),
        "message": finding.message,
        "help": finding.help,
        "sites": [
            {
                "location": str(site.location),
                "nodes": list(site.location.nodes),
                "excess_bytes": site.excess_bytes,
            }
            for site in finding.sites
        ],
        "nodes": list(finding.nodes),
        "excess_bytes": finding.excess_bytes,
        "seconds": finding.seconds,
        **_price(finding.predicted),
        "fingerprint": finding.fingerprint,
        "fixable": finding.fixable,
        "known": None if finding.known is None else asdict(finding.known),
    }


def _price(predicted: Predicted | None) -> dict[str, Any]:
    """What a device profile foretells; no keys where none was given."""
    if predicted is None:
        return {}
    return {
        "predicted_seconds": predicted.seconds,
        "predicted_plus_minus_seconds": None if predicted.seconds is None else predicted.plus_minus,
        "predicted_left_out": predicted.left_out,
        "predicted_reason": predicted.reason or None,
    }


def node_values(node: NodeReport) -> Mapping[str, Any]:
    """A node as JSON values; the figures of an uncosted node are null."""
    cost = node.cost
    known = cost.unknown is None
    figures = {
        "multiply_adds": cost.multiply_adds,
        "element_operations": cost.element_operations,
        "read_bytes": cost.read_bytes,
        "write_bytes": cost.write_bytes,
        "weight_bytes": cost.weight_bytes,
        "memory_access_elements": cost.memory_access_elements,
        "memory_access_bytes": cost.memory_access_bytes,
        "parameters": cost.parameters,
    }
    return {
        "index": node.index,
        "name": node.name,
        "path": node.path,
        "op": node.op,
        "domain": node.domain,
        **{name: value if known else None for name, value in figures.items()},
        "category": str(cost.category),
        "seconds": node.time.seconds if node.time else None,
        "spread": node.time.spread if node.time else None,
        "how": node.time.how if node.time else None,
        "kernel": node.time.kernel if node.time else None,
        "predicted_seconds": node.predicted_seconds,
        "unknown": cost.unknown,
    }


def problem_values(problem: Problem) -> dict[str, str]:
    """An error as JSON values."""
    return {"message": problem.message, "cause": problem.cause, "hint": problem.hint}
