"""Units that are fitted in one go: one feeds the next, and nobody else."""

from __future__ import annotations

from collections.abc import Sequence

from graphlint.rewrites import Subject
from graphlint_rules.rewrites.v1.nodes import seen_outside
from graphlint_rules.rewrites.v2.units import UnitPlan


def chains(subject: Subject, plans: Sequence[UnitPlan]) -> list[list[int]]:
    """The places of the units of each chain, in order."""
    found: list[list[int]] = []
    for place, plan in enumerate(plans):
        before = next((chain for chain in found if _feeds(subject, plans[chain[-1]], plan)), None)
        if before is None:
            found.append([place])
        else:
            before.append(place)
    return found


def _feeds(subject: Subject, one: UnitPlan, other: UnitPlan) -> bool:
    inside = {node.index for node in other.unit.nodes}
    return (
        one.unit.output == other.unit.input
        and seen_outside(subject.view, one.unit.output, inside) is None
    )
