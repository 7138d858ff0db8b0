"""What reports of models measured in turn have in common: two models, or one at several batches."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from graphlint.report import full
from graphlint.report.json import document
from graphlint.report.nodes import Across, Grouping, Row, across
from graphlint.report.text import csv_cell
from graphlint.results import ModelReport, Report, Totals
from graphlint.times import ComparedTimes, NotMeasured, Ratio
from graphlint.units import format_bytes, format_count, format_seconds

UNKNOWN = "unknown"
_TOTAL = "(total)"


def outcomes(report: Report) -> tuple[ComparedTimes | None, ...]:
    """Each model's times from the runs in turn, None where there are none."""
    if report.comparison is None:
        return (None,) * len(report.models)
    return tuple(
        found if isinstance(found, ComparedTimes) else None for found in report.comparison.models
    )


def shown(report: Report, by: Grouping, top: int) -> list[Across]:
    """The groups that are shown: the `top` that cost the most; 0 for all."""
    found = across(report.models, by)
    return found[:top] if top else found


def not_shown(report: Report, by: Grouping, top: int) -> Iterator[str]:
    """A remark on the groups that are left out, where there are any."""
    left = len(across(report.models, by)) - top
    if top and left > 0:
        yield f"… and {left} more: --top 0 shows all"


def times_as(ratio: Ratio, words: str) -> str:
    """`1.32× as fast as A (95 % interval 1.28–1.35)`, where `words` are `as fast as A`."""
    return f"{ratio.value:.{_digits(ratio)}f}× {words} (95 % interval {bounds(ratio)})"


def bounds(ratio: Ratio) -> str:
    """`1.28–1.35`."""
    return f"{ratio.low:.{_digits(ratio)}f}–{ratio.high:.{_digits(ratio)}f}"


def _digits(ratio: Ratio) -> int:
    """As many as tell both ends apart from 1."""
    return 2 if min(abs(ratio.low - 1), abs(ratio.high - 1)) >= 0.02 else 3


def why_not(report: Report, names: Sequence[str]) -> str:
    """Why latency could not be compared; empty where it was."""
    if report.comparison is None:
        return "latency was not measured, so only static costs are compared"
    for name, outcome in zip(names, report.comparison.models, strict=True):
        if isinstance(outcome, NotMeasured):
            reason = f"{name} was not measured: {outcome.reason}"
            return f"{reason} ({outcome.hint})" if outcome.hint else reason
    return ""


def remarks(report: Report, names: Sequence[str]) -> Iterator[str]:
    """How it was measured, and what is to be known of each model."""
    comparison = report.comparison
    if comparison is not None and comparison.rounds:
        yield (
            f"latency: {comparison.rounds} rounds in turn, {full.device(comparison)}; times of "
            "nodes are of each model measured on its own"
        )
        yield from comparison.notes
    for name, model in zip(names, report.models, strict=True):
        yield from (f"{name}: {note}" for note in model.notes)
        if model.totals is not None and model.totals.uncosted_nodes:
            yield (
                f"{name}: {model.totals.uncosted_nodes} of {model.totals.nodes} nodes are not "
                "counted; their cost is unknown"
            )


def seconds_cell(row: Row | None) -> str:
    """A group's time."""
    if row is None:
        return "-"
    return UNKNOWN if row.seconds is None else format_seconds(row.seconds)


def memory_cell(row: Row | None) -> str:
    """A group's memory access; a `+` where nodes are left out of it."""
    return "-" if row is None else _cost(row, format_bytes(row.memory_access_bytes))


def multiply_adds_cell(row: Row | None) -> str:
    """A group's multiply-adds; a `+` where nodes are left out of them."""
    return "-" if row is None else _cost(row, format_count(row.multiply_adds))


def _cost(row: Row, spelt: str) -> str:
    if row.uncosted == row.nodes:
        return UNKNOWN
    return spelt + ("+" if row.uncosted else "")


def known(model: ModelReport) -> Totals:
    """The totals of a model that could be read."""
    assert model.totals is not None
    return model.totals


def mark(totals: Totals) -> str:
    """The `+` behind sums that leave nodes out."""
    return "+" if totals.uncosted_nodes else ""


def is_timed(report: Report) -> bool:
    """Whether nodes of any model have times."""
    return any(model.times is not None for model in report.models)


def as_json(report: Report, by: Grouping, top: int) -> str:
    """The report's JSON (schema 1), with the rows of all models side by side as `summary`."""
    value = document(report)
    value["by"] = by
    value["summary"] = [
        {"label": group.label, "models": [None if r is None else _figures(r) for r in group.rows]}
        for group in shown(report, by, top)
    ]
    return json.dumps(value, ensure_ascii=True, indent=1) + "\n"


def as_csv(report: Report, by: Grouping, top: int, suffixes: Sequence[str]) -> str:
    """A line a group, figures of each model under its suffix; totals in the first line.

    The totals' seconds are those of the runs in turn; of the groups, of each model on its own.
    """
    stream = io.StringIO()
    lines = [(_TOTAL, [*map(_total, report.models, outcomes(report))])]
    for group in shown(report, by, top):
        lines.append(
            (csv_cell(group.label), [{} if r is None else _figures(r) for r in group.rows])
        )
    names = list(lines[0][1][0])
    head = [by, *(f"{name}_{suffix}" for name in names for suffix in suffixes)]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    for label, models in lines:
        writer.writerow([label, *(figures.get(name) for name in names for figures in models)])
    return stream.getvalue()


def _figures(row: Row) -> dict[str, Any]:
    known = row.uncosted < row.nodes
    return {
        "seconds": row.seconds,
        "memory_access_bytes": row.memory_access_bytes if known else None,
        "multiply_adds": row.multiply_adds if known else None,
        "parameters": row.parameters if known else None,
        "nodes": row.nodes,
    }


def _total(model: ModelReport, times: ComparedTimes | None) -> dict[str, Any]:
    totals = known(model)
    ratio = times.speed_up if times is not None else None
    return {
        "seconds": times.seconds if times is not None else None,
        "memory_access_bytes": totals.memory_access_bytes,
        "multiply_adds": totals.multiply_adds,
        "parameters": totals.parameters,
        "nodes": totals.nodes,
        "speed_up": None if ratio is None else ratio.value,
        "speed_up_low": None if ratio is None else ratio.low,
        "speed_up_high": None if ratio is None else ratio.high,
    }
