"""What the page measures nodes by, and how it spells and colours it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphlint.costs.contract import Category
from graphlint.results import ModelReport, NodeReport
from graphlint.units import format_bytes, format_count, format_seconds

RUNTIME = "runtime"
"""The class of time that belongs to no node of the model."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of a node: its key, its title, how it is read and spelt."""

    key: str
    title: str
    of: Callable[[NodeReport], float]
    spell: Callable[[float], str]


def measures(model: ModelReport) -> tuple[Measure, ...]:
    """Time first where it was measured; then memory access and multiply-adds."""
    return (TIME, MEMORY, MULTIPLY_ADDS) if model.times is not None else (MEMORY, MULTIPLY_ADDS)


def spell_seconds(seconds: float) -> str:
    """The time; what takes none is `0`, not a small time."""
    return format_seconds(seconds) if seconds > 0 else "0"


def format_part(part: float, whole: float) -> str:
    """`9.8%`; a dash where there is no whole."""
    return f"{100 * part / whole:.1f}%" if whole > 0 else "–"


def category_class(category: str) -> str:
    """The CSS class of a category: `c-element-wise`."""
    return f"c-{category.replace(' ', '-')}"


def dominant(nodes: Sequence[NodeReport], measure: Measure) -> list[tuple[Category, float]]:
    """The categories of `nodes` with what they weigh, in the palette's order; none that is 0."""
    sums: dict[Category, float] = dict.fromkeys(Category, 0.0)
    for node in nodes:
        sums[node.cost.category] += measure.of(node)
    return [(category, weight) for category, weight in sums.items() if weight > 0]


def _seconds(node: NodeReport) -> float:
    return node.time.seconds if node.time is not None else 0.0


TIME = Measure("time", "Time", _seconds, spell_seconds)
MEMORY = Measure(
    "memory",
    "Memory access",
    lambda node: node.cost.memory_access_bytes,
    lambda value: format_bytes(round(value)),
)
MULTIPLY_ADDS = Measure(
    "multiply-adds",
    "Multiply-adds",
    lambda node: node.cost.multiply_adds,
    lambda value: format_count(round(value)),
)
