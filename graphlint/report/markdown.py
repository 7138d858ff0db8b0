"""Markdown for a comment on a pull request: short, folded, and never more than GitHub takes.

What comes from a model stands in code, where GitHub looks for no mentions, links or references; or
it is escaped (`markdown_text`).
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from graphlint.findings import Finding
from graphlint.report.sheet import markdown_line
from graphlint.report.text import markdown_text, safe
from graphlint.report.wording import (
    baseline_tally,
    counted,
    growth,
    price,
    problem_lines,
    problems,
    tally,
)
from graphlint.results import ModelReport, Report, Totals
from graphlint.units import format_bytes, format_count, format_seconds, format_share

MAX_BYTES = 60_000
"""GitHub takes 65,536 characters a comment; the rest is for what a bot puts around it."""

_CLOSING = 400  # bytes kept for lines that say how much more there is
_ERRORS = 20
_MODELS = 50  # rows of the models' table
_FINDINGS = 20  # rows of a model's table
_NAME = 100


class _Page:
    """Text that takes no more than there is room for."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._parts: list[str] = []

    def add(self, text: str, reserve: int = _CLOSING) -> bool:
        """Add `text` if it fits and leaves `reserve` bytes; says whether it did."""
        size = len(text.encode())
        if size + reserve > self.room:
            return False
        self.room -= size
        self._parts.append(text)
        return True

    def add_each(self, texts: Iterable[str], most: int) -> int:
        """Add the first `most` of them, or as many as fit; says how many."""
        count = 0
        for text in texts:
            if count == most or not self.add(text):
                break
            count += 1
        return count

    def __str__(self) -> str:
        return "".join(self._parts)


def render(report: Report) -> str:
    """The report as a comment, ending in a line break."""
    page = _Page(MAX_BYTES)
    models = counted(len(report.models), "model")
    found = tally(report.findings)
    if report.baseline is not None:
        found = found if report.findings else "no new findings"
        models += f"\n\n{baseline_tally(report.baseline)}"
    page.add(f"### graphlint: {found} in {models}\n")
    _add_errors(page, report)
    _add_models(page, report)
    left = sum(len(model.findings) for model in report.models if not _add_section(page, model))
    if left:
        page.add(f"\n… and {counted(left, 'finding')} more: see the report in full.\n", 0)
    return str(page)


def _add_errors(page: _Page, report: Report) -> None:
    found = [problem for _, problem in problems(report)]
    if not found:
        return
    page.add(f"\n**{counted(len(found), 'error')}**\n\n")
    shown = page.add_each(
        (
            f"- {'<br>'.join(markdown_text(line, 300) for line in problem_lines(problem))}\n"
            for problem in found
        ),
        _ERRORS,
    )
    if shown < len(found):
        page.add(f"- … and {counted(len(found) - shown, 'error')} more\n", 0)


def _add_models(page: _Page, report: Report) -> None:
    """A table of the models that could be read: what each costs, and how much was found."""
    rows = [(model, model.totals) for model in report.models if model.totals is not None]
    if not rows:
        return
    timed = any(model.times is not None for model, _ in rows)
    figures = ["multiply-adds", "memory access", "parameters", *(["latency"] if timed else [])]
    if not page.add(f"\n{_head(['model'], figures, ['findings'])}"):
        return
    shown = page.add_each(
        (markdown_line(_model_cells(*row, timed)) + "\n" for row in rows), _MODELS
    )
    if shown < len(rows):
        page.add(f"\n… and {counted(len(rows) - shown, 'model')} more.\n", 0)


def _model_cells(model: ModelReport, totals: Totals, timed: bool) -> list[str]:
    mark = "+" if totals.uncosted_nodes else ""  # what could not be counted comes on top
    cells = [
        code(model.path),
        format_count(totals.multiply_adds) + mark,
        format_bytes(totals.memory_access_bytes) + mark,
        format_count(totals.parameters) + mark,
    ]
    if timed:
        cells.append("-" if model.times is None else format_seconds(model.times.wall_seconds))
    return [*cells, tally(model.findings)]


def _add_section(page: _Page, model: ModelReport) -> bool:
    """A model's findings, folded; False where there is no room for any of them."""
    if not model.findings or model.totals is None:
        return True
    inner = _Page(page.room)
    name = html.escape(safe(model.path, _NAME))
    opening = f"\n<details><summary><code>{name}</code>: {tally(model.findings)}</summary>\n\n"
    if not inner.add(
        opening + _head(["rule", "severity", "place", "what"], ["excess", "of total"])
    ):
        return False
    totals = model.totals
    rows = (markdown_line(_finding_cells(finding, totals)) + "\n" for finding in model.findings)
    shown = inner.add_each(rows, _FINDINGS)
    left = len(model.findings) - shown
    if left:
        inner.add(f"\n… and {counted(left, 'finding')} more.\n", 0)
    inner.add("\n", 0)
    inner.add_each(_advice(model.findings[:shown]), _FINDINGS)
    inner.add("\n</details>\n", 0)
    return shown > 0 and page.add(str(inner), 0)


def _advice(findings: Iterable[Finding]) -> Iterable[str]:
    """What to do, once for each rule that says the same."""
    said = dict.fromkeys((finding.code, finding.help) for finding in findings if finding.help)
    return [f"- **{markdown_text(code)}**: {markdown_text(advice, 400)}\n" for code, advice in said]


def _finding_cells(finding: Finding, totals: Totals) -> list[str]:
    more = len(finding.sites) - 1
    location = finding.location
    where = code(location.nodes[0] if location.nodes else location.model)
    excess = finding.excess_bytes
    worse, saving = growth(finding), price(finding.predicted)
    return [
        markdown_text(f"{finding.code} {finding.name}"),
        str(finding.severity),
        f"{where} and {more:,} more" if more else where,
        markdown_text(finding.message, 300)
        + (f" **To save**: {saving}." if saving else "")
        + (f" **Worse**: {worse}." if worse else ""),
        "-" if excess is None else f"+{format_bytes(excess)}",
        "-" if excess is None else format_share(excess, totals.memory_access_bytes),
    ]


def code(name: str) -> str:
    """A name as code in a table's cell; what would end the code or the cell is spelt out."""
    shown = safe(name, _NAME).replace("`", "\\x60").replace("|", "\\x7c")
    return f"`{shown}`" if shown.strip() else "(no name)"


def _head(words: Sequence[str], figures: Sequence[str], more: Sequence[str] = ()) -> str:
    """A table's first two lines."""
    rule = ["---"] * len(words) + ["---:"] * len(figures) + ["---"] * len(more)
    return f"{markdown_line([*words, *figures, *more])}\n{markdown_line(rule)}\n"
