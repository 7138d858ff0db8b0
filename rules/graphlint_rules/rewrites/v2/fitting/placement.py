"""Which of the teacher's channels each place of a student's tensor stands for.

An *order* is an array: place j of the student's value holds the teacher's channel order[j]. A V2
unit passes part of its channels through unchanged, and its shuffle moves them; a channel that is
passed on for several units misses what the teacher does to it meanwhile. So those that the teacher
changes least go where they are passed on longest.

Where a value is seen by others than the student's units, its order is the teacher's, and channels
go where they come out at the place of their own number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphlint_rules.rewrites.v2.fitting.arrays import Array, Indices
from graphlint_rules.rewrites.v2.fitting.student import places
from graphlint_rules.rewrites.v2.units import UnitPlan

Order = Indices


@dataclass(frozen=True)
class Fates:
    """What becomes of each place of a unit's output in the stride-1 units that follow.

    `spans`: how many of them pass it on before one reads it and writes it anew. `ends`: where it
    comes to stand at the end, −1 where it is written anew on the way.
    """

    spans: Order
    ends: Order


def fates(following: Sequence[UnitPlan], width: int) -> Fates:
    """The fates of `width` places in the `following` units."""
    spans = np.zeros(width, np.intp)
    where = np.arange(width)
    for plan in following:
        # A place that was written anew is at −1, and stays there.
        passes = (where >= 0) & (where < plan.passed)
        spans += passes
        moved = places(plan)[0]
        where = np.where(passes, moved[np.where(passes, where, 0)], -1)
    return Fates(spans, where)


def placed(channels: Order, changes: Array, spans: Order) -> Order:
    """The channels in an order that puts those with the least `changes` on the longest `spans`.

    `changes`: of every channel of the teacher; `spans`: of every place to fill.
    """
    result = np.empty(len(spans), np.intp)
    least = channels[np.argsort(changes[channels], kind="stable")]
    result[np.argsort(-spans, kind="stable")] = least
    return result


def placed_for_end(channels: Order, ends: Order) -> Order:
    """The channels in an order that brings as many as possible to the places of their own numbers.

    `ends`: where each place to fill comes to stand, −1 where that doesn't matter.
    """
    result = np.where(np.isin(ends, channels), ends, -1)
    result[result < 0] = np.setdiff1d(channels, result)[: (result < 0).sum()]
    return result


def moved(plans: Sequence[UnitPlan], orders: Sequence[Order]) -> dict[str, tuple[int, ...]]:
    """The values of these units that hold all of the teacher's channels, but in another order.

    `orders` are those of the first unit's input and of every unit's output.
    """
    keys = [plans[0].unit.input, *(plan.unit.output for plan in plans)]
    widths = [plans[0].unit.width_in, *(plan.unit.width_out for plan in plans)]
    return {
        key: tuple(int(channel) for channel in order)
        for key, width, order in zip(keys, widths, orders, strict=True)
        if sorted(order) == list(range(width)) and not np.array_equal(order, np.arange(width))
    }


def after_unit(plan: UnitPlan, before: Order, written: Order) -> Order:
    """The order of a stride-1 unit's output, where the branch writes the channels `written`."""
    order = np.empty(plan.width_out, np.intp)
    passed, branch = places(plan)
    order[passed] = before[: plan.passed]
    order[branch] = written
    return order
