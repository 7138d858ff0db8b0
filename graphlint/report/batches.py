"""`graphlint profile --batch 1,4,16`: what one model costs at several batches, a column each."""

from __future__ import annotations

from dataclasses import replace

from graphlint.report import sheet, turns
from graphlint.report.nodes import Grouping
from graphlint.report.sheet import Sheet, Summary
from graphlint.report.text import Style
from graphlint.results import Report
from graphlint.times import ComparedTimes, Ratio
from graphlint.units import format_bytes, format_count, format_seconds


def as_table(report: Report, by: Grouping, top: int, style: Style) -> str:
    """For people: the answer, a column for each batch, the groups."""
    return sheet.as_text(summary(report, by, top), style)


def as_markdown(report: Report, by: Grouping, top: int, style: Style) -> str:
    """The same for a comment or a page."""
    return sheet.as_markdown(summary(report, by, top))


def as_json(report: Report, by: Grouping, top: int, style: Style) -> str:
    """The report's JSON with a model for each batch, `comparison`, and `summary`."""
    return turns.as_json(report, by, top)


def as_csv(report: Report, by: Grouping, top: int, style: Style) -> str:
    """A line a group; columns of each batch."""
    return turns.as_csv(report, by, top, [f"batch_{batch}" for batch in _batches(report)])


def as_html(report: Report, by: Grouping, top: int, style: Style) -> str:
    """A page: the batches side by side, then the model at the first of them."""
    from graphlint.report import html

    told = summary(report, by, top)
    remark = f"what follows the tables is {_names(report)[0]} alone"
    told = replace(told, remarks=(*told.remarks, remark))
    return html.render(replace(report, models=report.models[:1]), report.ceilings, told)


FORMATS = {
    "table": as_table,
    "json": as_json,
    "csv": as_csv,
    "markdown": as_markdown,
    "html": as_html,
}
"""Reporters by the names of their formats."""


def summary(report: Report, by: Grouping, top: int) -> Summary:
    """The report's models, which are one at several batches; all of them could be read."""
    return Summary(
        title="Batches",
        answer=answer(report),
        sheets=(_totals(report), _groups(report, by, top)),
        remarks=(*turns.not_shown(report, by, top), *turns.remarks(report, _names(report))),
    )


def answer(report: Report) -> str:
    """At which batch most images run a second, and how sure that is."""
    reason = turns.why_not(report, _names(report))
    if reason:
        return f"Which batch is quickest can't be told: {reason}."
    batches, times = _batches(report), [t for t in turns.outcomes(report) if t is not None]
    first, *others = batches
    if not others:
        return f"Batch {first} takes {_each(times[0], first)} an image."
    ratios = [_of_images(t, batch / first) for t, batch in zip(times[1:], others, strict=True)]
    best, batch = max(zip(ratios, others, strict=True), key=lambda pair: pair[0].value)
    than = f"as many images a second as batch {first}"
    if not best.is_told_from_one:
        return (
            f"No gain in images a second can be told: batch {batch} runs "
            f"{turns.bounds(best)} times {than} (95 % interval)."
        )
    lead = "B" if best.value > 1 else "No batch runs more images a second: b"
    return f"{lead}atch {batch} runs {turns.times_as(best, than)}."


def _batches(report: Report) -> list[int]:
    return [model.batch or 1 for model in report.models]


def _names(report: Report) -> list[str]:
    return [f"batch {batch}" for batch in _batches(report)]


def _of_images(times: ComparedTimes, images: float) -> Ratio:
    """The speed-up for each image, where a run has so many times the first's."""
    ratio = times.speed_up
    assert ratio is not None
    return Ratio(ratio.value * images, ratio.low * images, ratio.high * images)


def _totals(report: Report) -> Sheet:
    batches, times = _batches(report), turns.outcomes(report)
    totals = [turns.known(model) for model in report.models]
    rows: list[tuple[str, ...]] = []
    if any(times):
        each = [_each(t, batch) for t, batch in zip(times, batches, strict=True)]
        rows += [("latency", *(_each(t, 1) for t in times)), ("latency an image", *each)]
    per_image = [
        round(total.memory_access_bytes / batch)
        for total, batch in zip(totals, batches, strict=True)
    ]
    marks = [turns.mark(total) for total in totals]
    for name, cells in (
        ("memory access", [format_bytes(total.memory_access_bytes) for total in totals]),
        ("memory access an image", [format_bytes(count) for count in per_image]),
        ("multiply-adds", [format_count(total.multiply_adds) for total in totals]),
    ):
        rows.append((name, *map(str.__add__, cells, marks)))
    return Sheet((report.models[0].path, *_names(report)), tuple(rows))


def _each(times: ComparedTimes | None, images: int) -> str:
    return turns.UNKNOWN if times is None else format_seconds(times.seconds / images)


def _groups(report: Report, by: Grouping, top: int) -> Sheet:
    timed = turns.is_timed(report)
    figure, cell = ("time", turns.seconds_cell) if timed else ("memory", turns.memory_cell)
    detail = {"node": "operator", "op": "category"}.get(by, "operators")
    head = (by, detail, *(f"{figure}, {name}" for name in _names(report)))
    groups = turns.shown(report, by, top)
    rows = tuple((group.label, group.detail, *map(cell, group.rows)) for group in groups)
    return Sheet(head, rows, names=2)
