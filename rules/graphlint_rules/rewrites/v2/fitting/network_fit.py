"""Fitting a whole network: its answers are known, so the student can learn them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from graphlint.rewrites import CannotFit, Fitted
from graphlint_rules.rewrites.v1.networks import Network
from graphlint_rules.rewrites.v2.fitting.agreement import agreement
from graphlint_rules.rewrites.v2.fitting.arrays import Array, flat
from graphlint_rules.rewrites.v2.fitting.augmentation import every, sensible
from graphlint_rules.rewrites.v2.fitting.closed_form import Chain
from graphlint_rules.rewrites.v2.fitting.heads import fit_head
from graphlint_rules.rewrites.v2.fitting.lessons import Answers, Values
from graphlint_rules.rewrites.v2.fitting.placement import Order, moved
from graphlint_rules.rewrites.v2.fitting.regression import most_telling
from graphlint_rules.rewrites.v2.fitting.statistics import HEAD, Moments, observed, with_moments
from graphlint_rules.rewrites.v2.fitting.student import Chain as Units
from graphlint_rules.rewrites.v2.fitting.student import Head, Student, conv_weights
from graphlint_rules.rewrites.v2.fitting.training import train
from graphlint_rules.rewrites.v2.fitting.work import Work
from graphlint_rules.rewrites.v2.network import ClassifierWeights, V2Weights
from graphlint_rules.rewrites.v2.units import ConvWeights, UnitWeights

_CHECKED = 8
_SAME = 0.02
"""Half floats differ by less, another head by more."""


def fit_network(work: Work, network: Network) -> Fitted:
    """The weights of the whole network, and how often it answers as the teacher does."""
    _check_head(work, network)
    closed, left_out = _closed_form(work, network)
    lesson = _lesson(work, network, closed)
    notes = [work.closed_said(left_out)]
    if not work.request.closed_form:
        notes.append(_distilled(work, network, lesson))
    states = work.parts.state
    found = agreement(lesson.same(states), len(states))
    work.request.progress("agreement", 1.0, found.share)
    units = _unit_weights(work, closed, lesson)
    weights = _described(work, network, closed.orders[0], units, lesson.student.head)
    differences = _differences(work, closed.orders, units)
    orders = moved(work.details.units, closed.orders)
    return Fitted(weights, found, differences, tuple(notes), orders)


def _check_head(work: Work, network: Network) -> None:
    """The student's head averages what the last unit puts out, and classifies that."""
    head = network.head
    x, outputs = work.source.run(
        work.source.of(work.parts.choose[:_CHECKED]), [head.input, head.output]
    )
    found = head.weight @ x.mean(axis=(1, 2)) + head.bias[:, None]
    if np.abs(found - flat(outputs)).max() > _SAME * np.abs(outputs).max():
        raise CannotFit(f"the head does more than average {head.input} and classify that")


@dataclass(frozen=True)
class _Closed:
    """Units, orders of all values from the first unit's input on, and the head."""

    weights: list[UnitWeights]
    orders: list[Order]
    head: Head
    begin: int


def _closed_form(work: Work, network: Network) -> tuple[_Closed, int]:
    """The closed form, and how many units there was no time for."""
    details = work.details
    samples = work.samples(details.units)
    order = _stem_order(details.stem_width, samples.columns[network.stem_output])
    chain = Chain(details.units, work.start.units, order, ends_free=True)
    x, outputs = work.source.gathered(
        work.closed_on, [chain.reads, network.head.output], work.sizes.batch
    )
    found = work.closed_form(chain, samples, x)
    head = fit_head(
        found.x,
        samples.of(found.x),
        samples.columns[network.head.input],
        flat(outputs),
        (network.head.weight, network.head.bias),
        details.final_width,
        details.final_activation,
    )
    return _Closed(found.weights, found.orders, head, chain.begin), found.left_out


def _stem_order(width: int | None, seen: Array) -> Order:
    """The channels of the stem that stay: those that tell most of the rest; some twice if wider."""
    if width is None or width == len(seen):
        return np.arange(len(seen))
    chosen = most_telling(np.cov(seen), [(np.arange(len(seen)), min(width, len(seen)))])
    return np.resize(chosen, width)


def _lesson(work: Work, network: Network, closed: _Closed) -> Answers:
    units = work.built(work.details.units, closed.weights)[closed.begin :]
    student = Student(Units(units, [unit.plan.exact for unit in units]), closed.head)
    return Answers(
        student,
        work.source,
        units[0].plan.unit.input,
        closed.orders[closed.begin],
        network.head.output,
        work.sizes.batch,
    )


def _distilled(work: Work, network: Network, lesson: Answers) -> str:
    if work.request.made_up:
        augmentation = every(work.source.images)
    else:
        augmentation = sensible(work.source, work.parts.fit, network.head.output, work.request.seed)
    trained = train(
        lesson,
        work.run(augmentation, work.deadline),
        lambda done, agreed: work.request.progress("distillation", done, agreed),
    )
    return work.said(trained, "distillation", augmentation)


def _unit_weights(work: Work, closed: _Closed, lesson: Answers) -> list[UnitWeights]:
    """Of all units: what was trained as it is now, all else as it came in closed form."""
    weights = list(closed.weights)
    chain = lesson.student.chain
    for place, (unit, frozen) in enumerate(
        zip(chain.units, chain.frozen, strict=True), start=closed.begin
    ):
        if not frozen:
            weights[place] = unit.weights()
    return weights


def _described(
    work: Work, network: Network, order: Order, weights: list[UnitWeights], head: Head
) -> V2Weights:
    """All weights, with the statistics of every convolution's output."""
    units = work.built(work.details.units, weights)

    def batches() -> Iterator[Array]:
        keys = [network.stem_output]
        for _, (x,) in work.source.batches(work.described_on, keys, work.sizes.batch):
            yield x[order]

    moments = observed(units, head, batches())
    final = None
    if head.final is not None:
        bias = head.final.bias
        final = moments.filled(HEAD, "final", conv_weights(head.final), bias)
    classifier = head.classifier
    return V2Weights(
        tuple(
            with_moments(moments, place, unit, own)
            for place, (unit, own) in enumerate(zip(units, weights, strict=True))
        ),
        stem=_stem(work, network, order),
        final=final,
        classifier=ClassifierWeights(
            np.array(classifier.weight, np.float32), np.array(classifier.bias, np.float32)
        ),
    )


def _stem(work: Work, network: Network, order: Order) -> ConvWeights | None:
    """The stem's convolution with the channels that stay; None where all do."""
    stem = network.stem
    if work.details.stem_width is None or stem is None:
        return None
    key = stem.result
    if stem.activation:
        key = next(node for node in stem.nodes if key in node.outputs).input(0)
    members = work.described_on[: work.sizes.batch]
    (z,) = work.source.run(work.source.images[members], [key])
    moments = Moments()
    moments.add(HEAD, "stem", flat(z)[order])
    weights = ConvWeights(stem.conv.weight[order], stem.conv.bias[order])
    return moments.filled(HEAD, "stem", weights, weights.bias)


def _differences(
    work: Work, orders: list[Order], weights: list[UnitWeights]
) -> tuple[float | None, ...]:
    plans = work.details.units
    units = work.built(plans, weights)
    lesson = Values(Units(units, [True] * len(units)), work.source, orders, work.sizes.batch)
    return tuple(
        None if plan.exact else float(error)
        for plan, error in zip(plans, lesson.errors(work.compared_on), strict=True)
    )
