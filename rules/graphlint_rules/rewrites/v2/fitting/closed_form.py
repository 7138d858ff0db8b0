"""The weights of a whole V2 network in closed form, unit after unit, each fed by the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from graphlint_rules.rewrites.v2.fitting.arrays import Array
from graphlint_rules.rewrites.v2.fitting.carried import branch_weights, permuted, shortcut_weights
from graphlint_rules.rewrites.v2.fitting.placement import (
    Fates,
    Order,
    after_unit,
    fates,
    placed,
    placed_for_end,
)
from graphlint_rules.rewrites.v2.fitting.regression import most_telling
from graphlint_rules.rewrites.v2.fitting.student import Unit, output_slopes, places
from graphlint_rules.rewrites.v2.fitting.teaching import Samples
from graphlint_rules.rewrites.v2.units import UnitPlan, UnitWeights


@dataclass(frozen=True)
class StageChannels:
    """The teacher's channels that a stage of the student keeps, in slots.

    `channels`: the teacher's channel of each slot. `changes[i]`: how much each slot's channel
    changes between the output of the stage's unit i and the end of the stage.
    """

    channels: Order
    changes: Sequence[Array]


def stage_channels(plans: Sequence[UnitPlan], samples: Samples) -> StageChannels:
    """Which of the teacher's channels the student's stage keeps: those that tell most of the rest.

    As many as it has places of each of its first unit's parts: pooled ones for the shortcut, the
    others for the branch. All of them where the widths are the same.
    """
    opening, width = plans[0], plans[0].width_out
    end = samples.columns[plans[-1].unit.output]
    if width == len(end):
        channels: Order = np.arange(width)
    else:
        pooled = pooled_channels(opening)
        others = np.setdiff1d(np.arange(len(end)), pooled)
        passed = min(opening.passed, len(pooled))
        quotas = [(pooled, passed), (others, min(width - passed, len(others)))]
        # Where the student is wider than the teacher, channels stand twice.
        channels = np.resize(most_telling(np.cov(end), quotas), width)
    changes = [
        np.square(samples.columns[plan.unit.output] - end).mean(axis=1)[channels] for plan in plans
    ]
    return StageChannels(channels, changes)


def pooled_channels(plan: UnitPlan) -> Order:
    """The channels of a V1 unit's output that its pooling makes."""
    unit = plan.unit
    return np.arange(unit.width_in) + (0 if unit.pool_first else unit.width_branch)


def stages(plans: Sequence[UnitPlan]) -> list[list[int]]:
    """The places of the units of each stage: one with stride 2 opens a stage."""
    found: list[list[int]] = []
    for place, plan in enumerate(plans):
        if plan.stride == 2 or not found:
            found.append([])
        found[-1].append(place)
    return found


@dataclass
class ChainInClosedForm:
    """The units' weights; `orders` have the teacher's channel at each place of every value.

    `orders[i]` is that of the input of unit i, and the last that of the last output. `x` is the
    last output for the images, (channels, height, width, batch). `left_out` counts the units for
    which there was no time: they have the weights that they were given.
    """

    weights: list[UnitWeights]
    orders: list[Order]
    x: Array
    left_out: int = 0


@dataclass(frozen=True)
class Chain:
    """V2 units in a row, with the weights that they start from.

    `order`: the teacher's channel at each place of the first unit's input. `ends_free`: the last
    output's order is nobody's business but the student's.
    """

    plans: Sequence[UnitPlan]
    start: Sequence[UnitWeights]
    order: Order
    ends_free: bool

    @property
    def begin(self) -> int:
        """The first unit that is not exact: what it reads, the teacher says."""
        return next((i for i, plan in enumerate(self.plans) if not plan.exact), 0)

    @property
    def reads(self) -> str:
        """The value that unit `begin` reads."""
        return self.plans[self.begin].unit.input


def fit_chain(
    chain: Chain,
    samples: Samples,
    x: Array,
    told: Callable[[float], None],
    over: Callable[[], bool],
) -> ChainInClosedForm:
    """Fit the units that are not exact, as long as time is not `over`.

    x: the value `chain.reads` for the images, channels as the teacher has them.
    """
    plans = chain.plans
    result = ChainInClosedForm(list(chain.start), [chain.order], x)
    groups = stages(plans)
    for members in groups:
        pinned = members is groups[-1] and not chain.ends_free
        stage = stage_channels([plans[place] for place in members], samples)
        slots = chain.order
        for number, place in enumerate(members):
            plan, order_in = plans[place], result.orders[-1]
            if place == chain.begin:
                result.x = result.x[order_in]
            fate = fates([plans[later] for later in members[number + 1 :]], plan.width_out)
            changes = None if pinned else stage.changes[number]
            slots = _slots(plan, stage, slots, fate, changes)
            order_out = stage.channels[slots]
            if plan.exact:
                result.weights[place] = _exact(plan, chain.start[place], order_in, order_out)
            elif over():
                result.left_out += 1
            else:
                start = chain.start[place]
                result.weights[place] = _fitted(plan, start, result.x, samples, order_out)
            if place >= chain.begin:
                unit = Unit(plan, result.weights[place], result.x.shape[1:3])
                result.x = unit.forward(result.x)
            result.orders.append(order_out)
            told((place + 1) / len(plans))
    if not chain.ends_free:
        result.orders[-1] = np.arange(plans[-1].width_out)
    return result


def _slots(
    plan: UnitPlan, stage: StageChannels, before: Order, fate: Fates, changes: Array | None
) -> Order:
    """The slot at each place of a unit's output; `before` are those of its input with stride 1.

    `changes` are those of the slots from here to the end of the stage; None where the end of the
    stage has the teacher's order.
    """
    if plan.exact and not _may_permute(plan):
        return np.arange(plan.width_out)
    passed, branch = places(plan)

    def ordered(slots: Order, part: Order) -> Order:
        if changes is None:
            return placed_for_end(slots, fate.ends[part])
        return placed(slots, changes, fate.spans[part])

    if plan.stride == 1:
        written = before[plan.passed :]
        if changes is None:
            written = _wanted_at_end(plan, before, fate.ends[branch])
        return after_unit(plan, before, ordered(written, branch))
    is_pooled = np.isin(stage.channels, pooled_channels(plan))
    by_part = np.argsort(~is_pooled, kind="stable")
    slots = np.empty(plan.width_out, np.intp)
    slots[passed] = ordered(by_part[: len(passed)], passed)
    slots[branch] = ordered(by_part[len(passed) :], branch)
    return slots


def _wanted_at_end(plan: UnitPlan, before: Order, ends: Order) -> Order:
    """What a branch writes where the end has the teacher's order: what the end wants of it.

    The rest of its places are for channels that nobody holds; they are written anew later.
    """
    needed = ends[ends >= 0]
    missing = np.setdiff1d(np.arange(plan.width_out), np.union1d(needed, before[: plan.passed]))
    rest = np.concatenate([missing, np.setdiff1d(before[plan.passed :], missing)])
    spare = rest[~np.isin(rest, needed)]
    return np.concatenate([needed, spare[: len(ends) - len(needed)]])


def _may_permute(plan: UnitPlan) -> bool:
    """Whether an exact unit's output channels may be stored in another order.

    Not where each has a PRelu slope of its own: the graph takes those from V1 as they are.
    """
    slope = plan.unit.output_activation.slope
    return slope is None or slope.size == 1


def _exact(plan: UnitPlan, start: UnitWeights, order_in: Order, order_out: Order) -> UnitWeights:
    passed, branch = places(plan)
    first_passed, first_branch = pooled_channels(plan).min(), 0
    if plan.unit.pool_first:
        first_branch = plan.unit.width_in
    return permuted(
        start, order_in, order_out[passed] - first_passed, order_out[branch] - first_branch
    )


def _fitted(
    plan: UnitPlan, start: UnitWeights, x: Array, samples: Samples, order_out: Order
) -> UnitWeights:
    passed, branch = places(plan)
    slopes = output_slopes(plan)
    read = x[plan.passed :] if plan.stride == 1 else x
    fitted = branch_weights(plan, read, samples, order_out[branch], slopes[1])
    if plan.stride == 1:
        return fitted
    depthwise, pointwise = shortcut_weights(plan, x, samples, order_out[passed], slopes[0])
    return replace(fitted, shortcut_depthwise=depthwise, shortcut_pointwise=pointwise)
