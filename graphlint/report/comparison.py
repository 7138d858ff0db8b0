"""`graphlint profile A.onnx --compare B.onnx`: what two models cost, side by side."""

from __future__ import annotations

from collections.abc import Callable

from graphlint.report import sheet, turns
from graphlint.report.nodes import Across, Grouping
from graphlint.report.sheet import Sheet, Summary
from graphlint.report.text import Style
from graphlint.results import ModelReport, Report, Totals
from graphlint.units import format_bytes, format_count, format_seconds

_NAMES = ("A", "B")
_MOST_INPUTS = 3


def as_table(report: Report, by: Grouping, top: int, style: Style) -> str:
    """For people: the answer, the totals, the groups side by side."""
    return sheet.as_text(summary(report, by, top), style)


def as_markdown(report: Report, by: Grouping, top: int, style: Style) -> str:
    """The same for a comment or a page."""
    return sheet.as_markdown(summary(report, by, top))


def as_json(report: Report, by: Grouping, top: int, style: Style) -> str:
    """The report's JSON with both models, `comparison`, and `summary`."""
    return turns.as_json(report, by, top)


def as_csv(report: Report, by: Grouping, top: int, style: Style) -> str:
    """A line a group; columns of A and of B."""
    return turns.as_csv(report, by, top, [name.lower() for name in _NAMES])


def as_html(report: Report, by: Grouping, top: int, style: Style) -> str:
    """A page: the comparison, then both models."""
    from graphlint.report import html

    return html.render(report, report.ceilings, summary(report, by, top))


FORMATS = {
    "table": as_table,
    "json": as_json,
    "csv": as_csv,
    "markdown": as_markdown,
    "html": as_html,
}
"""Reporters by the names of their formats."""


def summary(report: Report, by: Grouping, top: int) -> Summary:
    """The comparison of the report's two models, both of which could be read."""
    remarks = [*turns.not_shown(report, by, top), *turns.remarks(report, _NAMES)]
    if report.models[0].inputs != report.models[1].inputs:
        remarks.append("the inputs differ: so do the work and the time that they ask for")
    return Summary(
        title="Comparison",
        answer=answer(report),
        sheets=(_totals(report), _groups(report, by, top)),
        remarks=tuple(remarks),
    )


def answer(report: Report) -> str:
    """Which model is faster, by how much, and how sure that is."""
    reason = turns.why_not(report, _NAMES)
    if reason:
        return f"Which is faster can't be told: {reason}."
    times = turns.outcomes(report)[1]
    assert times is not None
    assert times.speed_up is not None
    ratio = times.speed_up
    if not ratio.is_told_from_one:
        return (
            "No difference in latency can be told: B is "
            f"{turns.bounds(ratio)} times as fast as A (95 % interval)."
        )
    kind = "" if ratio.value > 1 else "slower: "
    return f"B is {kind}{turns.times_as(ratio, 'as fast as A')}."


def _totals(report: Report) -> Sheet:
    first, second = report.models
    rows: list[tuple[str, ...]] = [("inputs", _inputs(first), _inputs(second), "")]
    times = turns.outcomes(report)
    if any(times):
        spelt = [turns.UNKNOWN if t is None else format_seconds(t.seconds) for t in times]
        ratio = times[1].speed_up if times[1] is not None else None
        rows.append(("latency", *spelt, "" if ratio is None else f"{1 / ratio.value:.2f}"))
    a, b = turns.known(first), turns.known(second)
    rows += [
        _figure("multiply-adds", (a, a.multiply_adds), (b, b.multiply_adds), format_count),
        _figure(
            "memory access", (a, a.memory_access_bytes), (b, b.memory_access_bytes), format_bytes
        ),
        _figure("parameters", (a, a.parameters), (b, b.parameters), format_count),
        ("nodes", str(a.nodes), str(b.nodes), ""),
        ("multiply-adds per byte", _intensity(a), _intensity(b), ""),
    ]
    head = ("", *(f"{name}: {m.path}" for name, m in zip(_NAMES, report.models, strict=True)))
    return Sheet((*head, "B / A"), tuple(rows))


def _inputs(model: ModelReport) -> str:
    more = " …" if len(model.inputs) > _MOST_INPUTS else ""
    return ", ".join(model.inputs[:_MOST_INPUTS]) + more


def _figure(
    name: str, first: tuple[Totals, int], second: tuple[Totals, int], spell: Callable[[int], str]
) -> tuple[str, ...]:
    """A sum over the nodes of both models; no ratio where a sum leaves nodes out."""
    cells = [spell(count) + turns.mark(totals) for totals, count in (first, second)]
    whole = not any(turns.mark(totals) for totals, _ in (first, second))
    ratio = f"{second[1] / first[1]:.2f}" if whole and first[1] else "-"
    return (name, *cells, ratio)


def _intensity(totals: Totals) -> str:
    moved = totals.memory_access_bytes
    return f"{totals.multiply_adds / moved:.2f}" if moved else "-"


def _groups(report: Report, by: Grouping, top: int) -> Sheet:
    timed = turns.is_timed(report)
    figures = (*(("time",) if timed else ()), "memory access", "multiply-adds")
    head = (by, *(f"{figure} {name}" for figure in figures for name in _NAMES))
    rows = tuple(_group(group, timed) for group in turns.shown(report, by, top))
    return Sheet(head, rows)


def _group(group: Across, timed: bool) -> tuple[str, ...]:
    times = map(turns.seconds_cell, group.rows if timed else ())
    memory = map(turns.memory_cell, group.rows)
    return (group.label, *times, *memory, *map(turns.multiply_adds_cell, group.rows))
