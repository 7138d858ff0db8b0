"""The per-node table, and its summaries by operator, category and region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from graphlint.costs.totals import add
from graphlint.report.text import Style, columns, safe
from graphlint.results import NodeReport, Totals
from graphlint.units import format_bytes, format_count, format_share

Grouping = Literal["node", "op", "category", "region"]


@dataclass(frozen=True, slots=True)
class Row:
    """A node, or a group of them, with its summed costs.

    `uncosted` nodes are left out of the sums; `unknown` is the reason, for a single node.
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

    @property
    def intensity(self) -> float | None:
        """Arithmetic intensity: multiply-adds per byte of memory access."""
        return self.multiply_adds / self.memory_access_bytes if self.memory_access_bytes else None


def rows(nodes: Sequence[NodeReport], by: Grouping) -> list[Row]:
    """The table's rows, those that move the most first; nodes of unknown cost come last."""
    if by == "node":
        table = [_row(node.path, node.operator, [node]) for node in nodes]
    else:
        groups: dict[str, list[NodeReport]] = {}
        for node in nodes:
            groups.setdefault(_label(node, by), []).append(node)
        table = [_row(label, _kinds(group, by), group) for label, group in groups.items()]
    return sorted(
        table,
        key=lambda row: (row.uncosted == row.nodes, -row.memory_access_bytes, -row.multiply_adds),
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
    )


def node_table(nodes: Sequence[NodeReport], totals: Totals, style: Style) -> Iterator[str]:
    """Every node, for `check --nodes`."""
    yield from table_lines(rows(nodes, "node"), "node", totals, style)


def table_lines(
    table: Sequence[Row], by: Grouping, totals: Totals, style: Style, more: int = 0
) -> Iterator[str]:
    """The rows as aligned columns, with a line for the `more` that are not shown."""
    head = ("memory access", "of total", "multiply-adds", "of total", "params", "madds/byte")
    detail = {"node": "operator", "op": "category"}.get(by, "operators")
    body = [_cells(row, by, totals) for row in table]
    lines = columns(
        [(by, detail, *(() if by == "node" else ("nodes",)), *head), *body], _aligns(by)
    )
    yield style.bold(lines[0])
    yield from lines[1:]
    if more:
        yield style.dim(f"… and {more} more: --top 0 shows all")


def _aligns(by: Grouping) -> str:
    return "<<>>>>>>" if by == "node" else "<<>>>>>>>"


def _cells(row: Row, by: Grouping, totals: Totals) -> tuple[str, ...]:
    lead = (safe(row.label, 80), safe(row.detail, 60), *(() if by == "node" else (str(row.nodes),)))
    if row.uncosted == row.nodes:
        return (*lead, "unknown", "", "unknown", "", "", "")
    mark = "+" if row.uncosted else ""
    return (
        *lead,
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
