"""`graphlint profile --what-if`: what the alternatives of findings would save, measured."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from graphlint.report import sheet
from graphlint.report.sheet import Sheet, Summary
from graphlint.report.text import Style
from graphlint.report.wording import counted
from graphlint.times import ComparedTimes, NotMeasured
from graphlint.units import format_seconds
from graphlint.what_if.results import Change, Saving, WhatIfReport

_CHANGED = (
    "An alternative computes something else: a saving is for a network that is trained anew, and "
    "nothing is said of what it would predict."
)
_ALONE = (
    "alone: one of the sites in a chain of its like, times their number; the layers around it, "
    "whose widths would change too, are not counted."
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


FORMATS = {"table": as_table, "json": as_json, "markdown": as_markdown}
"""Reporters by the names of their formats."""


def document(report: WhatIfReport) -> dict[str, Any]:
    """The report as JSON has it."""
    changes = [{**asdict(each), "saving": _outcome(each.saving)} for each in report.changes]
    return {
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
        remarks=tuple(_remarks(report)),
    )


def _answer(report: WhatIfReport) -> str:
    if isinstance(report.model, NotMeasured):
        return f"{report.path}: not measured: {report.model.reason}."
    run = f"{report.path}: a run takes {format_seconds(report.model.seconds)}."
    told = [
        each for each in report.changes if isinstance(each.saving, Saving) and each.saving.is_told
    ]
    if not report.changes:
        return f"{run} No finding has an alternative that could be measured."
    if not told or not isinstance(told[0].saving, Saving) or told[0].saving.seconds <= 0:
        return f"{run} No alternative is told to save time."
    best, saving = told[0], told[0].saving
    share = 100 * saving.seconds / report.model.seconds
    sites = counted(best.sites, "site")
    return (
        f"{run} The most is saved by {best.code} at {sites} ({best.becomes}): "
        f"measured {_signed(-saving.seconds)} (−{share:.1f} %)."
    )


def _row(change: Change, model: ComparedTimes | NotMeasured) -> tuple[str, ...]:
    finding = change.message.partition(":")[0]
    front = (change.code, finding, change.becomes, change.where, str(change.sites))
    saving = change.saving
    if isinstance(saving, NotMeasured):
        return (*front, f"not measured: {saving.reason}", "", "")
    share = (
        f"{100 * saving.seconds / model.seconds:.1f}%" if isinstance(model, ComparedTimes) else "-"
    )
    bounds = f"{_signed(saving.low)} … {_signed(saving.high)}"
    return (*front, _signed(saving.seconds) + ("" if saving.is_told else " ?"), bounds, share)


def _signed(seconds: float) -> str:
    return f"−{format_seconds(-seconds)}" if seconds < 0 else format_seconds(seconds)


def _remarks(report: WhatIfReport) -> Iterator[str]:
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
