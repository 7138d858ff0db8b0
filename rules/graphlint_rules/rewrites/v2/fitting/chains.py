"""Units that are fitted in one go: one feeds the next, and nobody else."""

from __future__ import annotations

from collections.abc import Sequence

from graphlint.rewrites import Subject
from graphlint_rules.rewrites.v1.nodes import seen_outside
from graphlint_rules.rewrites.v2.units import UnitPlan


def chains(subject: Subject, plans: Sequence[UnitPlan]) -> list[list[int]]:
    """The places of the units of each chain, in order."""
    found: list[list[int]] = []
    ending: dict[str, list[int]] = {}  # by the output of its last unit
    for place, plan in enumerate(plans):
        chain = ending.pop(plan.unit.input, None)
        if chain is None or not _reads_alone(subject, plan):
            chain = []
            found.append(chain)
        chain.append(place)
        ending[plan.unit.output] = chain
    return found


def _reads_alone(subject: Subject, plan: UnitPlan) -> bool:
    """Whether nobody else sees what the unit reads."""
    inside = {node.index for node in plan.unit.nodes}
    return seen_outside(subject.view, plan.unit.input, inside) is None
