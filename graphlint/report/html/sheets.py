"""What stands above the models where several were measured in turn: the answer and its tables."""

from __future__ import annotations

from collections.abc import Iterator

from graphlint.report.html.markup import text
from graphlint.report.sheet import Sheet, Summary


def summary_article(summary: Summary) -> Iterator[str]:
    """The answer as a heading, the tables, the remarks."""
    yield '<article id="summary" class="report">'
    yield '<header class="model">'
    yield f'<p class="eyebrow">graphlint profile · {text(summary.title)}</p>'
    yield f"<h1>{text(summary.answer, 600)}</h1>"
    yield "</header>"
    for sheet in summary.sheets:
        yield from table(sheet)
    if summary.remarks:
        yield '<ul class="remarks">'
        yield from (f"<li>{text(remark, 600)}</li>" for remark in summary.remarks)
        yield "</ul>"
    yield "</article>"


def table(sheet: Sheet) -> Iterator[str]:
    """A table that may be wider than the page."""
    yield '<div class="fit"><table class="sheet"><thead><tr>'
    for place, cell in enumerate(sheet.head):
        yield f'<th scope="col"{_kind(sheet, place)}>{text(cell)}</th>'
    yield "</tr></thead><tbody>"
    for first, *others in sheet.rows:
        cells = "".join(
            f"<td{_kind(sheet, place)}>{text(cell)}</td>" for place, cell in enumerate(others, 1)
        )
        yield f'<tr><th scope="row">{text(first)}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _kind(sheet: Sheet, place: int) -> str:
    return "" if place < sheet.names else ' class="num"'
