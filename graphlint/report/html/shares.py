"""The paper's Figure 2: what share of the time and of the work each category has."""

from __future__ import annotations

from collections.abc import Iterator

from graphlint.report.html.markup import section
from graphlint.report.html.measures import (
    RUNTIME,
    TIME,
    Measure,
    category_class,
    dominant,
    format_part,
    measures,
)
from graphlint.results import ModelReport

_PADDING, _CHARACTER = 0.016, 0.0062  # of the bar's width


def shares(model: ModelReport, number: int) -> str:
    """A stacked bar a measure, and the table of the same figures, which is their legend."""
    parts = {measure.key: _parts(model, measure) for measure in measures(model)}
    body = ['<div class="bars">']
    for measure in measures(model):
        body += _bar(measure, parts[measure.key])
    body += ["</div>", *_legend(model, parts)]
    lead = "By kind of operator, as in Figure 2 of the ShuffleNet V2 paper."
    return section(f"m{number}-shares", "Where the cost goes", lead, body)


def _parts(model: ModelReport, measure: Measure) -> dict[str, float]:
    """What each category weighs; for time also what belongs to no node."""
    parts = {str(category): weight for category, weight in dominant(model.nodes, measure)}
    if measure is TIME and model.times is not None:
        left = model.times.kernel_seconds - sum(parts.values())
        if left > 1e-6 * model.times.kernel_seconds:
            parts[RUNTIME] = left
    return parts


def _bar(measure: Measure, parts: dict[str, float]) -> Iterator[str]:
    whole = sum(parts.values())
    yield '<div class="bar-row">'
    yield f'<div class="bar-name">{measure.title} <span>{measure.spell(whole)}</span></div>'
    told = ", ".join(f"{name} {format_part(part, whole)}" for name, part in parts.items())
    yield f'<div class="bar" role="img" aria-label="{measure.title}: {told or "none"}">'
    for name, part in parts.items():
        share = format_part(part, whole)
        yield (
            f'<span class="{category_class(name)}" style="flex-grow:{part / whole:.6f}" '
            f'title="{name}: {measure.spell(part)}, {share}">'
            f"{_label(name, share, part / whole)}</span>"
        )
    yield "</div></div>"


def _label(name: str, share: str, width: float) -> str:
    """The name and the share as far as there is room; the table has all of them."""
    if width >= _PADDING + _CHARACTER * (len(name) + len(share) + 1):
        return f"<em><b>{name}</b> {share}</em>"
    return f"<em>{share}</em>" if width >= _PADDING + _CHARACTER * len(share) else ""


def _legend(model: ModelReport, parts: dict[str, dict[str, float]]) -> Iterator[str]:
    used = measures(model)
    counts: dict[str, int] = {}
    for node in model.nodes:
        category = str(node.cost.category)
        counts[category] = counts.get(category, 0) + 1
    named = list(dict.fromkeys(name for part in parts.values() for name in part))
    named.sort(key=lambda name: -parts[used[0].key].get(name, 0.0))
    named += sorted(set(counts) - set(named))
    yield '<div class="fit"><table class="legend">'
    heads = "".join(f'<th scope="col" colspan="2">{measure.title}</th>' for measure in used)
    yield f'<thead><tr><th scope="col">Category</th><th scope="col">Nodes</th>{heads}</tr></thead>'
    yield "<tbody>"
    for name in named:
        cells = "".join(_cells(measure, parts[measure.key], name) for measure in used)
        shown = "no node (the runtime’s own)" if name == RUNTIME else name
        yield (
            f'<tr><th scope="row"><i class="swatch {category_class(name)}"></i>{shown}</th>'
            f"<td>{counts.get(name, '')}</td>{cells}</tr>"
        )
    yield "</tbody></table></div>"


def _cells(measure: Measure, parts: dict[str, float], name: str) -> str:
    if name not in parts:
        return '<td class="none">–</td><td></td>'
    share = format_part(parts[name], sum(parts.values()))
    return f"<td>{measure.spell(parts[name])}</td><td>{share}</td>"
