"""What-if as one HTML file that loads nothing: the answer, a bar a finding, the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphlint.alternatives.results import Change, Saving, Untried, WhatIfReport
from graphlint.report.html.frame import page
from graphlint.report.html.markup import count, section, text
from graphlint.report.html.savings import savings
from graphlint.report.html.sheets import table
from graphlint.report.html.summary import file_name
from graphlint.report.sheet import Sheet
from graphlint.report.what_if import best, remarks, share, signed, spelt
from graphlint.times import ComparedTimes, NotMeasured
from graphlint.units import format_count, format_seconds

_SENTENCE = 600
_NUMBERS = ("sites", "multiply-adds of a site", "saves", "from … to", "of the run")


def render(report: WhatIfReport) -> str:
    """The page."""
    title = f"{file_name(report.path)} · graphlint profile --what-if"
    return page(title, ("what_if.css",), _main(report), report.version)


def _main(report: WhatIfReport) -> Iterator[str]:
    yield '<header class="model">'
    yield '<p class="eyebrow">graphlint profile · What if</p>'
    yield f"<h1>{text(_headline(report), _SENTENCE)}</h1>"
    yield from (f"<p>{text(sentence, _SENTENCE)}</p>" for sentence in _by_what(report))
    yield f'<p class="path">{text(report.path, 400)}</p>'
    yield f'<p class="measured">{text(_measured(report), _SENTENCE)}</p>'
    yield "</header>"
    known = [(each, each.saving) for each in report.changes if isinstance(each.saving, Saving)]
    if known:
        yield savings(known, report.model)
    if report.changes:
        yield section("figures", "Figures", "", list(_figures(report)))
    if report.untried:
        yield from _untried(report.untried)
    yield '<ul class="remarks">'
    yield from (f"<li>{text(remark, _SENTENCE)}</li>" for remark in remarks(report))
    yield "</ul>"


def _headline(report: WhatIfReport) -> str:
    if isinstance(report.model, NotMeasured):
        return f"Not measured: {report.model.reason}"
    if not report.changes:
        return "No finding has an alternative that could be measured"
    found = best(report)
    if found is None:
        return f"No alternative is told to save time on {report.device}"
    saved, run = found[1].seconds, report.model.seconds
    part = share(saved, run).replace("%", " %")
    return (
        f"One change would save at most {format_seconds(saved)} of a run’s {format_seconds(run)} "
        f"({part}) on {report.device}"
    )


def _by_what(report: WhatIfReport) -> Iterator[str]:
    found = best(report)
    if found is not None:
        change = found[0]
        yield f"That is {change.code} at {count(change.sites, 'site')}: {spelt(change)}."


def _measured(report: WhatIfReport) -> str:
    threads = count(report.threads, "thread")
    return (
        f"Measured on {report.device}: {report.provider.upper()}, {threads}, optimisation "
        f"{report.optimization}."
    )


def _figures(report: WhatIfReport) -> Iterator[str]:
    yield '<div class="fit"><table class="sheet figures-of"><thead><tr>'
    yield "".join(f'<th scope="col">{name}</th>' for name in ("rule", "finding", "instead"))
    yield "".join(f'<th scope="col" class="num">{name}</th>' for name in _NUMBERS)
    yield "</tr></thead><tbody>"
    for change in report.changes:
        cells = [_with_below(change.message, change.place, "path"), _instead(change)]
        numbers = (str(change.sites), _work(change), *_saved(change, report.model))
        cells += [f'<td class="num">{text(number)}</td>' for number in numbers]
        yield f'<tr><th scope="row" class="code">{text(change.code)}</th>{"".join(cells)}</tr>'
    yield "</tbody></table></div>"


def _instead(change: Change) -> str:
    where = f"measured {change.where}"
    return _with_below(change.becomes, where, "quiet")


def _with_below(words: str, below: str, kind: str) -> str:
    return f'<td>{text(words)}<div class="{kind}">{text(below)}</div></td>'


def _saved(change: Change, run: ComparedTimes | NotMeasured) -> tuple[str, ...]:
    """What is saved, the interval, the share of a run; or why that is not known."""
    saving = change.saving
    if isinstance(saving, NotMeasured):
        return f"not measured: {saving.reason}", "", ""
    return (
        signed(saving.seconds) + ("" if saving.is_told else " ?"),
        f"{signed(saving.low)} … {signed(saving.high)}",
        share(saving.seconds, run.seconds) if isinstance(run, ComparedTimes) else "-",
    )


def _work(change: Change) -> str:
    """The multiply-adds of a site, and whether the alternative has as many."""
    now, instead = change.multiply_adds, change.multiply_adds_instead
    if now is None or instead is None:
        return "not known"
    if now == instead:
        return f"{format_count(now)}, equal" if now else "none, equal"
    if not now:
        return f"none, then {format_count(instead)}"
    return f"{format_count(now)}, {(instead - now) / now:+.1%}".replace("-", "−")


def _untried(found: Sequence[Untried]) -> Iterator[str]:
    rows = tuple(
        (each.code, each.message, each.reason, each.place, str(each.sites)) for each in found
    )
    were = "was" if len(found) == 1 else "were"
    yield '<details class="untried">'
    yield f"<summary>{count(len(found), 'finding')} {were} not tried</summary>"
    yield from table(Sheet(("rule", "finding", "reason", "first node", "sites"), rows, names=4))
    yield "</details>"
