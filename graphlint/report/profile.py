"""The formats of `graphlint profile`: table, JSON, CSV, Markdown, HTML."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from graphlint.report import full
from graphlint.report.json import document
from graphlint.report.nodes import Grouping, Row, rows, table_lines, uncosted_lines
from graphlint.report.sheet import markdown_line
from graphlint.report.text import Style, csv_cell, markdown_text
from graphlint.results import ModelReport, Report, Totals
from graphlint.units import format_bytes, format_count, format_seconds, format_share


def as_table(report: Report, by: Grouping, top: int, style: Style) -> str:
    """For people: the model's line, then the rows that move the most."""
    lines: list[str] = []
    for model, totals in _readable(report):
        table = rows(model.nodes, by)
        shown = table[:top] if top else table
        lines += full.model_head(model, totals, style)
        lines.append("")
        more = len(table) - len(shown)
        lines += table_lines(shown, by, totals, style, more, model.times)
        lines += uncosted_lines(shown, style)
    return style.final("\n".join(lines) + "\n")


def as_json(report: Report, by: Grouping, top: int, style: Style) -> str:
    """The report's JSON (schema 1), with the rows as `summary`."""
    value = document(report)
    for model, (readable, totals) in zip(
        (m for m in value["models"] if "totals" in m), _readable(report), strict=True
    ):
        table = rows(readable.nodes, by)
        model["by"] = by
        model["summary"] = [_values(row, totals) for row in (table[:top] if top else table)]
    return json.dumps(value, ensure_ascii=True, indent=1) + "\n"


def as_csv(report: Report, by: Grouping, top: int, style: Style) -> str:
    """One line a row, with a header; all rows unless `top` is given."""
    stream = io.StringIO()
    writer = None
    for model, totals in _readable(report):
        table = rows(model.nodes, by)
        for row in table[:top] if top else table:
            values = {by: csv_cell(row.label), **_values(row, totals)}
            del values["label"]
            values["detail"] = csv_cell(row.detail)
            values["unknown"] = None if row.unknown is None else csv_cell(row.unknown)
            if writer is None:
                writer = csv.DictWriter(stream, list(values), lineterminator="\n")
                writer.writeheader()
            writer.writerow(values)
    return stream.getvalue()


def as_markdown(report: Report, by: Grouping, top: int, style: Style) -> str:
    """A table for a comment or a page."""
    lines: list[str] = []
    for model, totals in _readable(report):
        table = rows(model.nodes, by)
        facts = [
            f"**{markdown_text(model.path)}**: {format_count(totals.multiply_adds)} multiply-adds",
            f"{format_bytes(totals.memory_access_bytes)} memory access",
            f"{format_count(totals.parameters)} parameters",
            *((full.latency(model.times),) if model.times is not None else ()),
        ]
        timed = ("time",) if model.times is not None else ()
        head = (by, "", "nodes", *timed, *_MARKDOWN_HEAD)
        lines += [", ".join(facts), ""]
        lines += [markdown_line(head), markdown_line(("---", "---", *["---:"] * (len(head) - 2)))]
        for row in table[:top] if top else table:
            time = (_markdown_time(row),) if timed else ()
            lead = (markdown_text(row.label), markdown_text(row.detail), str(row.nodes))
            lines.append(markdown_line((*lead, *time, *_markdown_cells(row, totals))))
    return "\n".join(lines) + "\n"


def as_html(report: Report, by: Grouping, top: int, style: Style) -> str:
    """A page, with every node in it."""
    from graphlint.report import html

    return html.render(report, report.ceilings)


FORMATS = {
    "table": as_table,
    "json": as_json,
    "csv": as_csv,
    "markdown": as_markdown,
    "html": as_html,
}
"""Reporters by the names of their formats."""

_MARKDOWN_HEAD = ("memory access", "of total", "multiply-adds", "of total", "parameters")


def _markdown_time(row: Row) -> str:
    return "unknown" if row.seconds is None else format_seconds(row.seconds)


def _readable(report: Report) -> list[tuple[ModelReport, Totals]]:
    return [(model, model.totals) for model in report.models if model.totals is not None]


def _values(row: Row, totals: Totals) -> dict[str, Any]:
    known = row.uncosted < row.nodes
    figures: Mapping[str, Any] = {
        "memory_access_bytes": row.memory_access_bytes,
        "memory_access_elements": row.memory_access_elements,
        "memory_access_share": _share(row.memory_access_bytes, totals.memory_access_bytes),
        "multiply_adds": row.multiply_adds,
        "multiply_adds_share": _share(row.multiply_adds, totals.multiply_adds),
        "parameters": row.parameters,
        "multiply_adds_per_byte": None if row.intensity is None else round(row.intensity, 6),
    }
    return {
        "label": row.label,
        "detail": row.detail,
        "nodes": row.nodes,
        "uncosted_nodes": row.uncosted,
        **{name: value if known else None for name, value in figures.items()},
        "seconds": row.seconds,
        "spread": row.spread,
        "how": row.how or None,
        "unknown": row.unknown,
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def _markdown_cells(row: Row, totals: Totals) -> tuple[str, ...]:
    if row.uncosted == row.nodes:
        return ("unknown", "", "unknown", "", "")
    return (
        format_bytes(row.memory_access_bytes),
        format_share(row.memory_access_bytes, totals.memory_access_bytes),
        format_count(row.multiply_adds),
        format_share(row.multiply_adds, totals.multiply_adds),
        format_count(row.parameters),
    )
