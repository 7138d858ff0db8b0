"""`graphlint diff` for a comment on a pull request: the answer and totals, the rest folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphlint.diffing.results import Diff, ModelDiff
from graphlint.report import diff_rows as rows
from graphlint.report import diff_words as words
from graphlint.report.sheet import markdown_line
from graphlint.report.text import markdown_text
from graphlint.report.wording import counted, problem_lines

MAX_BYTES = 60_000
"""GitHub takes 65,536 characters a comment; the rest is for what a bot puts around it."""

_SENTENCE = 600
_CELL = 120


def render(diff: Diff, top: int) -> str:
    """The diff as Markdown; no more than a comment may hold."""
    parts = [part for part in _parts(diff, top) if part]
    kept: list[str] = []
    room = MAX_BYTES
    for number, part in enumerate(parts):
        room -= len(part.encode()) + 2
        if room < 0:
            more = counted(len(parts) - number, "section")
            kept.append(f"… and {more} more: a comment holds no more. See `--output-format json`.")
            break
        kept.append(part)
    return "\n\n".join(kept) + "\n"


def _parts(diff: Diff, top: int) -> Iterator[str]:
    if len(diff.models) == 1:
        yield from _model(diff.models[0], diff.threshold, top, folded=False)
    else:
        differing = [model for model in diff.models if not model.is_empty]
        same = len(diff.models) - len(differing)
        told = f"{counted(len(differing), 'model')} changed, {same} the same"
        yield f"**{_text(diff.old)} → {_text(diff.new)}: {told}**"
        if table := rows.models_rows(diff.models):
            yield _table(rows.MODELS_HEAD, table, "<<>>>>")
        for model in differing:
            yield from _model(model, diff.threshold, top, folded=True)
    yield _listed(diff.notes)


def _model(model: ModelDiff, threshold: float, top: int, *, folded: bool) -> Iterator[str]:
    heading = f"<b>{_text(words.title(model))}</b>: {_text(words.answer(model, threshold))}"
    if not folded:
        yield f"**{_text(words.title(model, both=True))}**: {_text(words.answer(model, threshold))}"
        yield from _body(model, top)
        return
    body = "\n\n".join(part for part in _body(model, top) if part)
    yield f"<details><summary>{heading}</summary>\n\n{body}\n\n</details>"


def _body(model: ModelDiff, top: int) -> Iterator[str]:
    change = model.change
    if change is not None:
        yield _table(rows.TOTALS_HEAD, rows.totals_rows(model), "<>><>>")
        if change.findings:
            yield _table(rows.FINDINGS_HEAD, rows.findings_rows(change), "<<>><")
        if change.nodes:
            groups = rows.groups(change)
            kept = groups[:top] if top else groups
            table = [rows.node_row(group) for group in kept]
            more = f"… and {len(groups) - len(kept)} more" if len(groups) > len(kept) else ""
            head = (*rows.NODES_HEAD[:3], "what", "where")
            yield _fold(rows.nodes_line(change), [_table(head, table, ">>><<"), more])
    yield _listed(tuple(words.remarks(model)))
    for report in (model.old, model.new):
        for problem in report.errors if report is not None else ():
            yield "error: " + "<br>".join(_text(line) for line in problem_lines(problem))


def _fold(summary: str, parts: Sequence[str]) -> str:
    body = "\n\n".join(part for part in parts if part)
    return f"<details><summary>{_text(summary)}</summary>\n\n{body}\n\n</details>"


def _listed(remarks: Sequence[str]) -> str:
    return "\n".join(f"- {_text(remark)}" for remark in remarks)


def _table(head: Sequence[str], table: Sequence[Sequence[str]], aligns: str) -> str:
    rule = ["---:" if align == ">" else "---" for align in aligns]
    lines = [markdown_line([_cell(cell) for cell in head]), markdown_line(rule)]
    return "\n".join([*lines, *(markdown_line([_cell(cell) for cell in row]) for row in table)])


def _text(text: str) -> str:
    return markdown_text(text, _SENTENCE)


def _cell(text: str) -> str:
    return markdown_text(text, _CELL)
