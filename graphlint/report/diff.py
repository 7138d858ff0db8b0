"""`graphlint diff`: for people. The answer, the totals, findings, then the nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from graphlint.diffing.results import Change, Diff, ModelDiff
from graphlint.report import diff_json, diff_markdown
from graphlint.report import diff_rows as rows
from graphlint.report import diff_words as words
from graphlint.report.text import Style, columns, problem_lines, safe
from graphlint.report.wording import counted

_CELL = 80
_SENTENCE = 600
_SHOWN = 20
"""Models that are shown in full."""


def as_table(diff: Diff, top: int, style: Style) -> str:
    """For a terminal; of nodes and models, the `top` with the largest changes, 0 for all."""
    lines: list[str] = []
    if len(diff.models) == 1:
        lines += _model(diff.models[0], diff.threshold, top, style, alone=True)
    else:
        lines += _overview(diff, style)
        for model in shown(diff, top):
            lines += ["", *_model(model, diff.threshold, top, style)]
    for note in diff.notes:
        lines.append(style.dim(safe(note, _SENTENCE)))
    text = "\n".join(lines) + "\n"
    if style.ascii:
        text = text.replace(rows.WORSE, "^").replace(rows.BETTER, "v")
    return style.final(text)


def shown(diff: Diff, top: int) -> list[ModelDiff]:
    """The models to show in full."""
    differing = [model for model in diff.models if not model.is_empty]
    return differing[: _SHOWN if top else None]


def _overview(diff: Diff, style: Style) -> Iterator[str]:
    same = sum(model.is_empty and not model.renamed for model in diff.models)
    differing = len(diff.models) - same
    head = f"{safe(diff.old, 200)} → {safe(diff.new, 200)}"
    yield style.bold(f"{head}   {counted(differing, 'model')} changed, {same} the same")
    table = rows.models_rows(diff.models)
    if table:
        yield ""
        yield from _aligned(rows.MODELS_HEAD, table, "<<>>>>", style)


def _model(
    model: ModelDiff, threshold: float, top: int, style: Style, *, alone: bool = False
) -> Iterator[str]:
    title = style.bold(safe(words.title(model, both=alone), 400))
    yield f"{title}   {safe(words.answer(model, threshold), _SENTENCE)}"
    change = model.change
    if change is not None:
        yield ""
        yield from _aligned(rows.TOTALS_HEAD, rows.totals_rows(model), "<>><>>", style)
        if change.findings:
            yield ""
            yield from _aligned(rows.FINDINGS_HEAD, rows.findings_rows(change), "<<>><", style)
        if change.nodes:
            yield ""
            yield from _nodes(change, top, style)
    remarks = list(words.remarks(model))
    if remarks:
        yield ""
        yield from (style.dim(safe(remark, _SENTENCE)) for remark in remarks)
    for report in (model.old, model.new):
        for problem in report.errors if report is not None else ():
            yield ""
            yield from problem_lines(problem, style)


def _nodes(change: Change, top: int, style: Style) -> Iterator[str]:
    groups = rows.groups(change)
    kept = groups[:top] if top else groups
    head = (*rows.NODES_HEAD[:3], rows.nodes_line(change), "")
    yield from _aligned(head, [rows.node_row(group) for group in kept], ">>><<", style)
    if len(groups) > len(kept):
        yield style.dim(f"… and {len(groups) - len(kept)} more: --top 0 shows all")


def _aligned(
    head: Sequence[str], table: Sequence[Sequence[str]], aligns: str, style: Style
) -> Iterator[str]:
    cells = [[safe(cell, _CELL) for cell in row] for row in (head, *table)]
    first, *body = columns(cells, aligns)
    yield style.bold(first)
    yield from body


FORMATS: dict[str, Callable[[Diff, int, Style], str]] = {
    "table": as_table,
    "markdown": lambda diff, top, style: diff_markdown.render(diff, top),
    "json": lambda diff, top, style: diff_json.render(diff),
}
"""Reporters by the names of their formats."""
