"""The table of all nodes: its frame, and the data from which the page fills it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphlint.report.html.markup import section
from graphlint.report.html.measures import category_class, spell_seconds
from graphlint.report.html.strip import Block
from graphlint.report.text import safe
from graphlint.results import ModelReport, NodeReport, Totals
from graphlint.units import format_bytes, format_count

_COLUMNS = (
    ("order", "#", "num"),
    ("path", "node", "text"),
    ("operator", "operator", "text"),
    ("category", "category", "text"),
    ("memory", "memory access", "num"),
    ("madds", "multiply-adds", "num"),
    ("params", "parameters", "num"),
    ("time", "time", "num"),
    ("spread", "spread", "num"),
    ("findings", "findings", "text"),
    ("how", "how", "text"),
    ("kernel", "kernel", "text"),
)
_ONLY_MEASURED = {"time", "spread", "how", "kernel"}


@dataclass(slots=True)
class _Words:
    """Words that occur often, each kept once; rows hold their numbers."""

    places: dict[str, int] = field(default_factory=dict)

    def __call__(self, word: str) -> int:
        return self.places.setdefault(safe(word), len(self.places))


def table(model: ModelReport, number: int) -> str:
    """The section: filters, the table's head, and where the details of a node go."""
    measured = model.times is not None
    columns = [column for column in _COLUMNS if measured or column[0] not in _ONLY_MEASURED]
    body = [*_filters(model, number), *_frame(columns, measured, number)]
    return section(f"m{number}-nodes", "Nodes", "", body)


def _filters(model: ModelReport, number: int) -> Iterator[str]:
    categories = sorted({str(node.cost.category) for node in model.nodes})
    options = "".join(f'<option value="{name}">{name}</option>' for name in categories)
    yield '<div class="filters">'
    yield (
        f'<label class="grow" for="m{number}-words"><span>Filter</span>'
        f'<input type="search" id="m{number}-words" autocomplete="off" spellcheck="false" '
        'placeholder="node, operator, kernel, finding"></label>'
    )
    yield (
        f'<label for="m{number}-category"><span>Category</span>'
        f'<select id="m{number}-category"><option value="">all</option>{options}</select></label>'
    )
    yield (
        f'<label class="check" for="m{number}-only"><input type="checkbox" id="m{number}-only">'
        "<span>with findings</span></label>"
    )
    yield '<button type="button" class="chip" hidden></button>'
    yield "</div>"
    yield '<p class="shown" role="status"></p>'


def _frame(columns: Sequence[tuple[str, str, str]], measured: bool, number: int) -> Iterator[str]:
    yield f'<div class="scroll{" timed" if measured else ""}">'
    yield f'<table class="nodes" role="grid" aria-labelledby="m{number}-nodes-h"><colgroup>'
    yield "".join(f'<col class="col-{key}">' for key, _, _ in columns)
    yield "</colgroup><thead><tr>"
    for key, title, kind in columns:
        yield (
            f'<th scope="col" class="{kind}" data-key="{key}" aria-sort="none">'
            f'<button type="button">{title}</button></th>'
        )
    yield "</tr></thead><tbody></tbody></table></div>"
    yield '<div class="details" role="region" aria-label="Details of a node" hidden></div>'
    yield "<noscript><p>The table needs JavaScript; it runs from this file alone.</p></noscript>"


def payload(model: ModelReport, totals: Totals, drawn: Sequence[Block]) -> dict[str, Any]:
    """What the page's script needs of a model. A row's fields are named in `fields`."""
    operators, kernels, reasons = _Words(), _Words(), _Words()
    categories, hows = _Words(), _Words()
    block_of = {place: number for number, block in enumerate(drawn) for place in block.places}
    findings_of = _findings_by_path(model)
    rows = [
        [
            safe(node.path),
            operators(node.operator),
            categories(str(node.cost.category)),
            block_of[place],
            *_costs(node, reasons),
            *_times(node, hows, kernels),
            findings_of.get(node.path, []),
        ]
        for place, node in enumerate(model.nodes)
    ]
    return {
        "fields": (
            "path operator category block memory memoryText madds maddsText params paramsText "
            "unknown time timeText spread how kernel findings"
        ).split(),
        "rows": rows,
        "operators": list(operators.places),
        "categories": [[name, category_class(name)] for name in categories.places],
        "hows": list(hows.places),
        "kernels": list(kernels.places),
        "reasons": list(reasons.places),
        "blocks": [safe(block.label) for block in drawn],
        "findings": _findings(model),
        "totals": {
            "memory": totals.memory_access_bytes,
            "madds": totals.multiply_adds,
            "params": totals.parameters,
            "time": None if model.times is None else model.times.kernel_seconds,
        },
    }


def _costs(node: NodeReport, reasons: _Words) -> list[Any]:
    cost = node.cost
    if cost.unknown is not None:
        return [None, "unknown", None, "unknown", None, "unknown", reasons(cost.unknown)]
    return [
        cost.memory_access_bytes,
        format_bytes(cost.memory_access_bytes),
        cost.multiply_adds,
        format_count(cost.multiply_adds),
        cost.parameters,
        format_count(cost.parameters),
        None,
    ]


def _times(node: NodeReport, hows: _Words, kernels: _Words) -> list[Any]:
    time = node.time
    if time is None:
        return [None, "", None, None, None]
    return [
        time.seconds,
        spell_seconds(time.seconds),
        time.spread if time.kernel else None,
        hows(time.how),
        kernels(time.kernel) if time.kernel else None,
    ]


def _findings_by_path(model: ModelReport) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for number, finding in enumerate(model.findings):
        for path in finding.nodes:
            places.setdefault(path, []).append(number)
    return places


def _findings(model: ModelReport) -> list[dict[str, str]]:
    return [
        {
            "code": safe(finding.code),
            "name": safe(finding.name),
            "severity": str(finding.severity),
            "message": safe(finding.message, 600),
            "help": safe(finding.help, 600),
        }
        for finding in model.findings
    ]
