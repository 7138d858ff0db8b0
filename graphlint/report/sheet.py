"""A short report of tables: the answer first, the tables, the remarks; as text and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphlint.report.text import Style, columns, markdown_text, safe

_CELL = 60
_SENTENCE = 600


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: the first `names` columns hold words, the others figures. Nothing is escaped."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1


@dataclass(frozen=True, slots=True)
class Summary:
    """What a short report says: sentences and tables, in which nothing is escaped."""

    title: str
    answer: str
    sheets: tuple[Sheet, ...]
    remarks: tuple[str, ...]


def as_text(summary: Summary, style: Style) -> str:
    """For a terminal."""
    lines = [style.bold(safe(summary.answer, _SENTENCE))]
    for sheet in summary.sheets:
        lines += ["", *_aligned(sheet, style)]
    if summary.remarks:
        lines.append("")
        lines += [style.dim(safe(remark, _SENTENCE)) for remark in summary.remarks]
    return style.final("\n".join(lines) + "\n")


def _aligned(sheet: Sheet, style: Style) -> Iterator[str]:
    cells = [[safe(cell, _CELL) for cell in row] for row in (sheet.head, *sheet.rows)]
    aligns = "<" * sheet.names + ">" * (len(sheet.head) - sheet.names)
    head, *body = columns(cells, aligns)
    yield style.bold(head)
    yield from body


def as_markdown(summary: Summary) -> str:
    """For a comment or a page."""
    lines = [f"**{markdown_text(summary.answer, _SENTENCE)}**"]
    for sheet in summary.sheets:
        rule = ["---"] * sheet.names + ["---:"] * (len(sheet.head) - sheet.names)
        lines += ["", markdown_line(list(map(markdown_text, sheet.head))), markdown_line(rule)]
        lines += [markdown_line(list(map(markdown_text, row))) for row in sheet.rows]
    if summary.remarks:
        lines.append("")
        lines += [f"- {markdown_text(remark, _SENTENCE)}" for remark in summary.remarks]
    return "\n".join(lines) + "\n"


def markdown_line(cells: Sequence[str]) -> str:
    """A row of a Markdown table, of cells that are escaped already."""
    return f"| {' | '.join(cells)} |"
