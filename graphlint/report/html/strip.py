"""The graph as a sequence of blocks, in the order of execution: regions and layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphlint.costs.contract import Category
from graphlint.report.html.markup import count, section, text
from graphlint.report.html.measures import (
    MEMORY,
    MULTIPLY_ADDS,
    TIME,
    Measure,
    category_class,
    dominant,
    format_part,
    measures,
)
from graphlint.results import ModelReport, NodeReport

_MOST_BLOCKS = 320
"""More would be thinner than a line; neighbours are drawn as one then."""
_LAYER = {Category.CONVOLUTION, Category.MATMUL, Category.RECURRENT}


@dataclass(frozen=True, slots=True)
class Block:
    """Nodes that are drawn as one. `places` are their positions in the report."""

    label: str
    places: tuple[int, ...]


def blocks(nodes: Sequence[NodeReport]) -> tuple[Block, ...]:
    """The nodes as blocks: a region each, and between regions one for each layer.

    A region stands where its first node does. A layer begins with a convolution, a matrix product
    or a recurrent operator. What weighs nothing begins no block of its own.
    """
    found: list[list[int]] = []
    by_region: dict[str, list[int]] = {}
    current: list[int] | None = None
    in_region = False
    for place, node in enumerate(nodes):
        if node.region:
            if node.region not in by_region:
                found.append(by_region.setdefault(node.region, []))
            current, in_region = by_region[node.region], True
        elif current is None or (
            not _is_idle(node) and (in_region or node.cost.category in _LAYER)
        ):
            current, in_region = [], False
            found.append(current)
        current.append(place)
    return tuple(Block(_label(nodes, places), tuple(places)) for places in _merged(found))


def _is_idle(node: NodeReport) -> bool:
    return not any(measure.of(node) for measure in (MEMORY, MULTIPLY_ADDS, TIME))


def _merged(found: list[list[int]]) -> list[list[int]]:
    step = -(-len(found) // _MOST_BLOCKS)
    if step <= 1:
        return found
    return [
        [place for block in found[start : start + step] for place in block]
        for start in range(0, len(found), step)
    ]


def _label(nodes: Sequence[NodeReport], places: Sequence[int]) -> str:
    """The place in the network that the nodes share, or the first of them."""
    heavy = [place for place in places if not _is_idle(nodes[place])] or list(places)
    paths = [nodes[place].path for place in heavy]
    if len(paths) == 1:
        return paths[0]
    pairs = zip(min(paths), max(paths), strict=False)
    shared = next((i for i, (a, b) in enumerate(pairs) if a != b), len(min(paths)))
    return paths[0][: paths[0].rfind("/", 0, shared) + 1].strip("/") or f"{paths[0]} …"


def strip(model: ModelReport, drawn: Sequence[Block], number: int) -> str:
    """A row of blocks a measure: as wide as their share, divided by category."""
    indices = {node.path: place for place, node in enumerate(model.nodes)}
    marked = {indices[path] for found in model.findings for path in found.nodes if path in indices}
    with_findings = {
        place for place, block in enumerate(drawn) if not marked.isdisjoint(block.places)
    }
    shown = [m for m in measures(model) if any(m.of(node) for node in model.nodes)]
    body = [line for m in shown for line in _row(model, drawn, m, with_findings, number)]
    body.append(f'<p class="caption" id="m{number}-caption" aria-live="polite"></p>')
    lead = (
        f"{count(len(drawn), 'block')} in the order of execution: fork-join regions, and the "
        "layers between them. A block is as wide as its share and divided by category; a bar "
        "above it marks findings. Choose one to see its nodes in the table."
    )
    return section(f"m{number}-graph", "Along the graph", lead, body)


def _row(
    model: ModelReport, drawn: Sequence[Block], measure: Measure, marked: set[int], number: int
) -> Iterator[str]:
    whole = sum(measure.of(node) for node in model.nodes)
    yield f'<div class="bar-name">{measure.title}</div>'
    yield (
        f'<div class="strip" role="group" aria-describedby="m{number}-caption" '
        f'aria-label="Blocks by {measure.title.lower()}">'
    )
    for place, block in enumerate(drawn):
        nodes = [model.nodes[i] for i in block.places]
        if weight := sum(measure.of(node) for node in nodes):
            told = f"{count(len(nodes), 'node')}, {measure.spell(weight)}"
            yield _block(
                {"model": str(number), "block": str(place)},
                f"{text(block.label)}: {told}, {format_part(weight, whole)} of the "
                f"{measure.title.lower()}{', with findings' if place in marked else ''}",
                weight / whole,
                [(str(c), part / weight) for c, part in dominant(nodes, measure)],
                text(block.label),
                place in marked,
            )
    yield "</div>"


def _block(
    data: Mapping[str, str],
    told: str,
    share: float,
    parts: Sequence[tuple[str, float]],
    label: str,
    marked: bool,
) -> str:
    attributes = "".join(f' data-{name}="{value}"' for name, value in data.items())
    stack = "".join(
        f'<i class="{category_class(name)}" style="flex-grow:{part:.4f}"></i>'
        for name, part in parts
    )
    return (
        f'<button type="button" class="block{" marked" if marked else ""}"{attributes} '
        f'style="flex-grow:{share:.6f}" aria-label="{told}" aria-pressed="false">'
        f'<span class="label">{label}</span><span class="stack">{stack}</span></button>'
    )
