"""`graphlint profile --what-if`: what the alternatives of findings would save, measured."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from graphlint.alternatives.results import Change, Saving, WhatIfReport
from graphlint.report import sheet
from graphlint.report.sheet import Sheet, Summary
from graphlint.report.text import Style
from graphlint.report.wording import counted
from graphlint.times import ComparedTimes, NotMeasured
from graphlint.units import format_seconds

SCHEMA = 1

_CHANGED = (
    "An alternative computes something else: a saving is for a network that is trained anew, and "
    "nothing is said of what it would predict."
)
_ALONE = (
    "alone: a site of each structure in a chain of its like, times their number; the layers around "
    "it, whose widths would change too, are not counted."
)


def as_table(report: WhatIfReport, style: Style) -> str:
    """For people: the largest saving, all of them, and what was not tried."""
    return sheet.as_text(summary(report), style)


def as_markdown(report: WhatIfReport, style: Style) -> str:
    """The same for a comment or a page."""
    return sheet.as_markdown(summary(report))


def as_json(report: WhatIfReport, style: Style) -> str:
    """One JSON document: seconds, null for what is not known, with the reason."""
    return json.dumps(document(report), ensure_ascii=True, indent=1) + "\n"


def as_html(report: WhatIfReport, style: Style) -> str:
    """A page of its own: the answer, a bar a finding, the tables."""
    from graphlint.report.html.what_if import render

    return render(report)


FORMATS = {"table": as_table, "json": as_json, "markdown": as_markdown, "html": as_html}
"""Reporters by the names of their formats."""


def document(report: WhatIfReport) -> dict[str, Any]:
    """The report as JSON has it: `docs/what-if.schema.json`."""
    changes = [{**asdict(each), "saving": _outcome(each.saving)} for each in report.changes]
    return {
        "schema": SCHEMA,
        **asdict(report),
        "model": _outcome(report.model),
        "changes": changes,
    }


def _outcome(outcome: Saving | ComparedTimes | NotMeasured) -> dict[str, Any]:
    if isinstance(outcome, NotMeasured):
        return {"seconds": None, "reason": outcome.reason}
    if isinstance(outcome, ComparedTimes):
        return {"seconds": outcome.seconds, "spread": outcome.spread}
    return asdict(outcome)


def summary(report: WhatIfReport) -> Summary:
    """The report as a table with an answer in front and remarks behind."""
    rows = tuple(_row(change, report.model) for change in report.changes)
    head = ("rule", "finding", "instead", "measured", "sites", "saves", "from … to", "of the run")
    return Summary(
        title="What if",
        answer=_answer(report),
        sheets=(Sheet(head, rows, names=4),) if rows else (),
        remarks=tuple(remarks(report)),
    )


def best(report: WhatIfReport) -> tuple[Change, Saving] | None:
    """The change that saves the most of those that are told to save time."""
    for change in report.changes:
        saving = change.saving
        if isinstance(saving, Saving) and saving.is_told and saving.seconds > 0:
            return change, saving
    return None


def _answer(report: WhatIfReport) -> str:
    if isinstance(report.model, NotMeasured):
        return f"{report.path}: not measured: {report.model.reason}."
    run = f"{report.path}: a run takes {format_seconds(report.model.seconds)}."
    if not report.changes:
        return f"{run} No finding has an alternative that could be measured."
    found = best(report)
    if found is None:
        return f"{run} No alternative is told to save time."
    change, saving = found
    part = 100 * saving.seconds / report.model.seconds
    return (
        f"{run} The most is saved by {change.code} at {counted(change.sites, 'site')} "
        f"({change.becomes}): measured {signed(-saving.seconds)} (−{part:.1f} %)."
    )


def spelt(change: Change) -> str:
    """`240→60, groups 3, 14×14 → 139→35`: a finding without its figures, and what is instead."""
    return f"{_finding(change)} → {change.becomes}"


def _finding(change: Change) -> str:
    return change.message.partition(":")[0]


def _row(change: Change, model: ComparedTimes | NotMeasured) -> tuple[str, ...]:
    front = (change.code, _finding(change), change.becomes, change.where, str(change.sites))
    saving = change.saving
    if isinstance(saving, NotMeasured):
        return (*front, f"not measured: {saving.reason}", "", "")
    part = share(saving.seconds, model.seconds) if isinstance(model, ComparedTimes) else "-"
    bounds = f"{signed(saving.low)} … {signed(saving.high)}"
    return (*front, signed(saving.seconds) + ("" if saving.is_told else " ?"), bounds, part)


def signed(seconds: float) -> str:
    """`5.32 µs`, or `−5.32 µs`; never a nothing with a sign."""
    figure = format_seconds(abs(seconds))
    return f"−{figure}" if seconds < 0 and figure != format_seconds(0.0) else figure


def share(seconds: float, run: float) -> str:
    """`6.9%` of a run, or `−6.9%`; never a nothing with a sign."""
    figure = f"{100 * abs(seconds) / run:.1f}%"
    return f"−{figure}" if seconds < 0 and figure != "0.0%" else figure


def remarks(report: WhatIfReport) -> Iterator[str]:
    """What is to be known of the savings, and of what was not tried."""
    if report.changes:
        yield _CHANGED
    if any(change.where == "alone" for change in report.changes):
        yield _ALONE
    if any(isinstance(each.saving, Saving) and not each.saving.is_told for each in report.changes):
        yield "?: the interval (95 %) holds 0, so a saving can't be told."
    reasons = Counter(each.reason for each in report.untried)
    for reason, findings in reasons.most_common():
        yield f"not tried: {counted(findings, 'finding')}: {reason}."
    yield from report.notes
