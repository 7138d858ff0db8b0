"""The per-node table, and its summaries by operator, category and region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from graphlint.costs.totals import add
from graphlint.report.text import Style, columns, safe
from graphlint.results import ModelReport, NodeReport, Totals
from graphlint.times import ModelTimes
from graphlint.units import format_bytes, format_count, format_seconds, format_share

Grouping = Literal["node", "op", "category", "region"]


@dataclass(frozen=True, slots=True)
class Row:
    """A node, or a group of them, with its summed costs.

    `uncosted` nodes are left out of the sums; `unknown` is the reason, for a single node. `seconds`
    is the measured time of all nodes whose time is known; `spread` and `how` are a single node's.
    `predicted` is what a device profile foretells, in seconds, of the nodes of which it can.
    """

    label: str
    detail: str
    nodes: int
    uncosted: int
    multiply_adds: int
    memory_access_elements: int
    memory_access_bytes: int
    parameters: int
    unknown: str | None = None
    seconds: float | None = None
    spread: float | None = None
    how: str = ""
    predicted: float | None = None

    @property
    def intensity(self) -> float | None:
        """Arithmetic intensity: multiply-adds per byte of memory access."""
        return self.multiply_adds / self.memory_access_bytes if self.memory_access_bytes else None


def rows(nodes: Sequence[NodeReport], by: Grouping) -> list[Row]:
    """The table's rows: by time, measured or else predicted, then by memory access, most first.

    Nodes of unknown cost come last.
    """
    if by == "node":
        table = [_row(node.path, node.operator, [node]) for node in nodes]
    else:
        groups: dict[str, list[NodeReport]] = {}
        for node in nodes:
            groups.setdefault(_label(node, by), []).append(node)
        table = [_row(label, _kinds(group, by), group) for label, group in groups.items()]
    return sorted(
        table,
        key=lambda row: (
            row.uncosted == row.nodes and row.seconds is None,
            -(row.seconds or 0.0),
            -(row.predicted or 0.0),
            -row.memory_access_bytes,
            -row.multiply_adds,
        ),
    )


@dataclass(frozen=True, slots=True)
class Across:
    """The rows of several models under one label; None where a model has none."""

    label: str
    detail: str
    rows: tuple[Row | None, ...]


def across(models: Sequence[ModelReport], by: Grouping) -> list[Across]:
    """The rows of all models side by side, in the order in which the dearest would stand."""
    tables = [{row.label: row for row in rows(model.nodes, by)} for model in models]
    found = []
    for label in dict.fromkeys(label for table in tables for label in table):
        side_by_side = tuple(table.get(label) for table in tables)
        details = dict.fromkeys(row.detail for row in side_by_side if row is not None)
        found.append(Across(label, " / ".join(details), side_by_side))
    return sorted(found, key=_dearest)


def _dearest(group: Across) -> tuple[float, int, int]:
    known = [row for row in group.rows if row is not None]
    return (
        -max(row.seconds or 0.0 for row in known),
        -max(row.memory_access_bytes for row in known),
        -max(row.multiply_adds for row in known),
    )


def _label(node: NodeReport, by: Grouping) -> str:
    if by == "op":
        return node.operator
    if by == "category":
        return str(node.cost.category)
    return node.region or "(outside any region)"


def _kinds(group: Sequence[NodeReport], by: Grouping) -> str:
    """What stands in a group: its operators, the most frequent first."""
    if by == "op":
        return str(group[0].cost.category)
    counts: dict[str, int] = {}
    for node in group:
        counts[node.operator] = counts.get(node.operator, 0) + 1
    names = sorted(counts, key=lambda name: (-counts[name], name))
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "")


def _row(label: str, detail: str, nodes: Sequence[NodeReport]) -> Row:
    total = add(node.cost for node in nodes)
    return Row(
        label,
        detail,
        len(nodes),
        sum(node.cost.unknown is not None for node in nodes),
        total.multiply_adds,
        total.memory_access_elements,
        total.memory_access_bytes,
        total.parameters,
        nodes[0].cost.unknown if len(nodes) == 1 else None,
        *_time(nodes),
        _predicted(nodes),
    )


def _predicted(nodes: Sequence[NodeReport]) -> float | None:
    told = [node.predicted_seconds for node in nodes if node.predicted_seconds is not None]
    return sum(told) if told else None


def _time(nodes: Sequence[NodeReport]) -> tuple[float | None, float | None, str]:
    """Seconds, spread and how they are known; the last two of a single node only."""
    times = [node.time for node in nodes if node.time is not None]
    if not times:
        return None, None, ""
    seconds = sum(time.seconds for time in times)
    return (seconds, times[0].spread, times[0].how) if len(nodes) == 1 else (seconds, None, "")


def node_table(
    nodes: Sequence[NodeReport], totals: Totals, style: Style, times: ModelTimes | None
) -> Iterator[str]:
    """Every node, for `check --nodes`."""
    yield from table_lines(rows(nodes, "node"), "node", totals, style, times=times)


def table_lines(
    table: Sequence[Row],
    by: Grouping,
    totals: Totals,
    style: Style,
    more: int = 0,
    times: ModelTimes | None = None,
) -> Iterator[str]:
    """The rows as aligned columns, with a line for the `more` that are not shown."""
    detail = {"node": "operator", "op": "category"}.get(by, "operators")
    lead = (by, detail, *(() if by == "node" else ("nodes",)))
    foretold = ("predicted",) if any(row.predicted is not None for row in table) else ()
    head = (*lead, *_time_head(by, times), *foretold, *_COST_HEAD)
    body = [
        (
            *_lead(row, by),
            *_time_cells(row, by, times),
            *("-" if row.predicted is None else format_seconds(row.predicted) for _ in foretold),
            *_cells(row, totals),
        )
        for row in table
    ]
    lines = columns([head, *body], "<<" + ">" * (len(head) - 2))
    yield style.bold(lines[0])
    yield from lines[1:]
    if more:
        yield style.dim(f"… and {more} more: --top 0 shows all")


_COST_HEAD = ("memory access", "of total", "multiply-adds", "of total", "params", "madds/byte")


def _lead(row: Row, by: Grouping) -> tuple[str, ...]:
    return (safe(row.label, 80), safe(row.detail, 60), *(() if by == "node" else (str(row.nodes),)))


def _time_head(by: Grouping, times: ModelTimes | None) -> tuple[str, ...]:
    if times is None:
        return ()
    return ("time", "of total", "spread", "how") if by == "node" else ("time", "of total")


def _time_cells(row: Row, by: Grouping, times: ModelTimes | None) -> tuple[str, ...]:
    """The row's time and its share of all kernels'; of a node, its spread and how it is known."""
    if times is None:
        return ()
    blank = ("",) * (len(_time_head(by, times)) - 2)
    if row.seconds is None:
        return ("unknown", "", *blank)
    share = f"{row.seconds / times.kernel_seconds:.1%}" if times.kernel_seconds else "-"
    known = (f"{row.spread:.0%}" if row.spread is not None else "", row.how)
    return (format_seconds(row.seconds), share, *(known if by == "node" else ()))


def _cells(row: Row, totals: Totals) -> tuple[str, ...]:
    if row.uncosted == row.nodes:
        return ("unknown", "", "unknown", "", "", "")
    mark = "+" if row.uncosted else ""
    return (
        format_bytes(row.memory_access_bytes) + mark,
        format_share(row.memory_access_bytes, totals.memory_access_bytes),
        format_count(row.multiply_adds) + mark,
        format_share(row.multiply_adds, totals.multiply_adds),
        format_count(row.parameters),
        "-" if row.intensity is None else f"{row.intensity:.2f}",
    )


def uncosted_lines(nodes: Iterable[Row], style: Style) -> Iterator[str]:
    """Why nodes in the table are unknown, each reason once."""
    reasons = dict.fromkeys(row.unknown for row in nodes if row.unknown is not None)
    for reason in reasons:
        yield style.dim(f"unknown: {safe(reason, 300)}")
