"""Fitting units whose network is unknown: to put out what the teacher's units do."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from graphlint.rewrites import Fitted
from graphlint_rules.rewrites.v2.fitting.augmentation import Augmentation
from graphlint_rules.rewrites.v2.fitting.budget import Deadline
from graphlint_rules.rewrites.v2.fitting.chains import chains
from graphlint_rules.rewrites.v2.fitting.closed_form import Chain
from graphlint_rules.rewrites.v2.fitting.lessons import Values
from graphlint_rules.rewrites.v2.fitting.placement import Order, moved
from graphlint_rules.rewrites.v2.fitting.statistics import observed, with_moments
from graphlint_rules.rewrites.v2.fitting.student import Chain as Units
from graphlint_rules.rewrites.v2.fitting.training import train
from graphlint_rules.rewrites.v2.fitting.work import Work
from graphlint_rules.rewrites.v2.units import UnitWeights

_PLAIN = Augmentation(())


def fit_units_alone(work: Work) -> Fitted:
    """The units' weights, chain by chain; nobody knows what an answer is."""
    plans, weights = work.details.units, list(work.start.units)
    differences: list[float | None] = [None] * len(plans)
    orders: dict[str, tuple[int, ...]] = {}
    notes: list[str] = []
    open_ = [
        members
        for members in chains(work.subject, plans)
        if not all(plans[place].exact for place in members)
    ]
    for number, members in enumerate(open_):
        found = _fitted(work, members, _share(work, number, len(open_)))
        for place, own, error in zip(members, found.weights, found.errors, strict=True):
            weights[place] = own
            differences[place] = None if plans[place].exact else error
        orders |= moved([plans[place] for place in members], found.orders)
        notes.extend(note for note in found.notes if note not in notes)
    units = replace(work.start, units=tuple(weights))
    return Fitted(units, None, tuple(differences), tuple(notes), orders)


@dataclass(frozen=True)
class _Found:
    """What came of one chain."""

    weights: list[UnitWeights]
    errors: list[float]
    orders: list[Order]
    notes: list[str]


def _share(work: Work, number: int, chains: int) -> Deadline:
    """The deadline of one chain of several: they share what time is left."""
    # A clock may jump to infinity, to say that time is over.
    now, end = min(work.deadline.clock(), work.deadline.end), work.deadline.end
    return replace(work.deadline, end=now + (end - now) / (chains - number))


def _fitted(work: Work, members: list[int], deadline: Deadline) -> _Found:
    plans = [work.details.units[place] for place in members]
    start = [work.start.units[place] for place in members]
    chain = Chain(plans, start, np.arange(plans[0].width_in), ends_free=False)
    samples = work.samples(plans)
    (x,) = work.source.gathered(work.closed_on, [chain.reads], work.sizes.batch)
    closed = work.closed_form(chain, samples, x)
    notes = [work.closed_said(closed.left_out)]
    units = work.built(plans, closed.weights)
    own = Units(units, [plan.exact for plan in plans])
    lesson = Values(own, work.source, closed.orders, work.sizes.batch)
    if not work.request.closed_form:
        trained = train(
            lesson,
            work.run(_PLAIN, deadline),
            lambda done, _: work.request.progress("units", done, None),
        )
        notes.append(work.said(trained, "training on the units' outputs", _PLAIN))
    weights = [
        given if plan.exact else unit.weights()
        for plan, given, unit in zip(plans, closed.weights, units, strict=True)
    ]
    batches = work.source.batches(work.described_on, [plans[0].unit.input], work.sizes.batch)
    moments = observed(units, None, (x for _, (x,) in batches))
    described = [
        with_moments(moments, place, unit, given)
        for place, (unit, given) in enumerate(zip(units, weights, strict=True))
    ]
    errors = [float(error) for error in lesson.errors(work.compared_on)]
    return _Found(described, errors, closed.orders, notes)
