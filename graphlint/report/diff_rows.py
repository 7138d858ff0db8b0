"""What a diff says of two models, as sentences and rows: for a terminal and for Markdown alike.

Nothing is escaped here; names from models are in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from graphlint.diffing.results import Change, Figures, ModelDiff, NodeChange, SiteChange
from graphlint.findings import Severity
from graphlint.report.diff_words import share, signed, status, times_of, title, totals_of
from graphlint.report.places import summarise
from graphlint.report.turns import bounds
from graphlint.report.wording import counted
from graphlint.units import format_bytes, format_count, format_seconds

WORSE, BETTER = "▲", "▼"

Row = tuple[str, ...]


# Totals

TOTALS_HEAD = ("", "old", "new", "", "change", "")


def totals_rows(model: ModelDiff) -> list[Row]:
    """Costs, nodes and latency of both sides, a mark at what got worse or better."""
    old, new = totals_of(model.old), totals_of(model.new)
    before, after = Figures.of(old), Figures.of(new)
    rows = [
        _figure(name, a, b, spell, plus=(old.uncosted_nodes > 0, new.uncosted_nodes > 0))
        for name, a, b, spell in (
            (
                "memory access",
                before.memory_access_bytes,
                after.memory_access_bytes,
                format_bytes,
            ),
            ("multiply-adds", before.multiply_adds, after.multiply_adds, format_count),
            ("parameters", before.parameters, after.parameters, format_count),
        )
    ]
    rows.append(("nodes", str(old.nodes), str(new.nodes), "", signed(new.nodes - old.nodes), ""))
    if old.uncosted_nodes or new.uncosted_nodes:
        rows.append(_figure("uncosted nodes", old.uncosted_nodes, new.uncosted_nodes, str))
    if (times := _latency(model)) is not None:
        rows.append(times)
    return rows


def _figure(
    name: str,
    old: int,
    new: int,
    spell: Callable[[int], str],
    plus: tuple[bool, bool] = (False, False),
) -> Row:
    """A figure on both sides; a `+` behind a sum that leaves nodes out."""
    marks = ["+" if each else "" for each in plus]
    mark = "" if old == new else WORSE if new > old else BETTER
    delta = new - old
    return (
        name,
        spell(old) + marks[0],
        spell(new) + marks[1],
        mark,
        signed(delta, spell),
        share(delta, old),
    )


def _latency(model: ModelDiff) -> Row | None:
    times = times_of(model)
    if times is None:
        return None
    old, new = times
    ratio = new.speed_up
    assert ratio is not None
    mark = (WORSE if ratio.value < 1 else BETTER) if ratio.is_told_from_one else ""
    return (
        "latency",
        format_seconds(old.seconds),
        format_seconds(new.seconds),
        mark,
        f"{ratio.value:.2f}× as fast ({bounds(ratio)})",
        "",
    )


# Findings

FINDINGS_HEAD = ("", "rule", "places", "excess", "first")


def findings_rows(change: Change) -> list[Row]:
    """Places of findings by what became of them, the worst first; alike ones in one row."""
    groups: dict[tuple[str, str, Severity], list[SiteChange]] = {}
    for site in change.findings:
        groups.setdefault((site.kind, site.code, site.severity), []).append(site)
    return [
        (
            kind,
            f"{code} {sites[0].name}" + (" (info)" if severity is Severity.INFO else ""),
            str(len(sites)),
            _excess(sites),
            sites[0].place,
        )
        for (kind, code, severity), sites in groups.items()
    ]


def _excess(sites: Sequence[SiteChange]) -> str:
    stated = [s for s in sites if s.old_excess is not None or s.new_excess is not None]
    return signed(sum(site.delta for site in stated), format_bytes) if stated else "-"


# Nodes

NODES_HEAD = ("memory access", "multiply-adds", "params", "nodes", "")


@dataclass(frozen=True, slots=True)
class Group:
    """Nodes to which the same happened."""

    text: str
    nodes: tuple[NodeChange, ...]
    delta: Figures


def groups(change: Change) -> list[Group]:
    """The changed nodes, alike ones together; the largest change of cost first."""
    alike: dict[str, list[NodeChange]] = {}
    for node in change.nodes:
        alike.setdefault(_alike(node), []).append(node)
    found = [
        Group(
            _single(nodes[0]) if len(nodes) == 1 else f"{len(nodes)} × {text}",
            tuple(nodes),
            Figures.sum(node.delta for node in nodes),
        )
        for text, nodes in alike.items()
    ]
    return sorted(
        found,
        key=lambda group: (
            -abs(group.delta.memory_access_bytes),
            -abs(group.delta.multiply_adds),
            -abs(group.delta.parameters),
        ),
    )


def node_row(group: Group) -> Row:
    """A group's costs, what happened, and where."""
    delta = group.delta
    paths = [(node.new or node.old).report.path for node in group.nodes]  # type: ignore[union-attr]
    unknown = any(
        side is not None and side.report.cost.unknown is not None
        for node in group.nodes
        for side in (node.old, node.new)
    )
    mark = "?" if unknown else ""
    return (
        signed(delta.memory_access_bytes, format_bytes) + mark,
        signed(delta.multiply_adds) + mark,
        signed(delta.parameters) + mark,
        group.text,
        summarise(paths) or f"{paths[0]} …",
    )


def nodes_line(change: Change) -> str:
    """`11 nodes unchanged, 3 changed, 2 added, 1 removed`."""
    counts = dict.fromkeys(("changed", "added", "removed"), 0)
    for node in change.nodes:
        counts[node.kind] += 1
    told = [f"{count} {kind}" for kind, count in counts.items() if count]
    return ", ".join([f"{counted(change.unchanged, 'node')} unchanged", *told])


def _alike(node: NodeChange) -> str:
    """What happened to a node, so that it reads the same of all nodes to fold."""
    if node.old is None or node.new is None:
        side = node.new or node.old
        assert side is not None
        return f"{side.title} {node.kind}"
    if node.old.title != node.new.title:
        return f"{node.old.title} → {node.new.title}"
    return f"{node.new.report.operator}: {', '.join(_said(node, short=True)) or 'other costs'}"


def _single(node: NodeChange) -> str:
    if node.old is None or node.new is None or node.old.title != node.new.title:
        return _alike(node)
    return f"{node.new.title}: {', '.join(_said(node, short=False)) or 'other costs'}"


_SHAPES = ("input", "output", "weight")


def _said(node: NodeChange, *, short: bool) -> Iterator[str]:
    """What differs in a node, in a few words; `short` leaves shapes out."""
    resized = []
    for fact in node.facts:
        if fact.name.startswith(_SHAPES) and fact.old and fact.new:
            resized.append(fact)
        elif fact.name.startswith(_SHAPES):
            yield f"{'with' if fact.new else 'without'} {fact.name}"
        else:
            yield f"{fact.name} {fact.old or 'default'} → {fact.new or 'default'}"
    if resized and short:
        yield "other shapes"
    elif resized:
        last = resized[-1]
        yield f"{last.name} {last.old} → {last.new}"
    if node.rewired:
        yield "other inputs"
    if node.weights_differ:
        yield "other weights"


# Several models

MODELS_HEAD = ("model", "", "memory access", "multiply-adds", "parameters", "findings")


def models_rows(models: Iterable[ModelDiff]) -> list[Row]:
    """A row a model that differs, the largest change first."""
    differing = [model for model in models if not model.is_empty or model.renamed]
    return [
        _model_row(model)
        for model in sorted(
            differing, key=lambda m: (not m.regressions, -abs(m.delta.memory_access_bytes), m.path)
        )
    ]


def _model_row(model: ModelDiff) -> Row:
    word = status(model)
    if word == "unreadable":
        return (title(model), word, "-", "-", "-", "-")
    known = model.old is not None and model.old.totals is not None
    base = Figures.of(totals_of(model.old)) if known else Figures()
    delta = model.delta

    def cell(more: int, whole: int, spell: Callable[[int], str]) -> str:
        return f"{signed(more, spell)} {share(more, whole)}".strip()

    return (
        title(model),
        word,
        cell(delta.memory_access_bytes, base.memory_access_bytes, format_bytes),
        cell(delta.multiply_adds, base.multiply_adds, format_count),
        cell(delta.parameters, base.parameters, format_count),
        _counts(model),
    )


def _counts(model: ModelDiff) -> str:
    """`+2 −11`: places of warnings and errors that came, and that went."""
    if model.change is None:
        return "-"
    counts = {"new": 0, "worse": 0, "fixed": 0, "better": 0}
    for site in model.change.findings:
        if site.severity > Severity.INFO:
            counts[site.kind] += 1
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "0"
