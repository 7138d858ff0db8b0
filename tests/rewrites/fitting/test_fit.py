"""Fits of small networks, whose teacher is numpy too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest

from graphlint.rewrites import CannotFit, Fitted
from graphlint_rules.rewrites.v2.fitting import fit
from graphlint_rules.rewrites.v2.fitting.arrays import flat, to_front
from graphlint_rules.rewrites.v2.fitting.parameters import Pointwise
from graphlint_rules.rewrites.v2.fitting.student import Chain, Head, Student, Unit
from graphlint_rules.rewrites.v2.weights import exact_weights
from tests.rewrites.fitting.made_networks import (
    SIZE,
    MadeTeacher,
    plan_for,
    request,
    smooth_images,
    start_for,
    teacher,
)
from tests.rewrites.fitting.made_units import v1_unit

Array = np.ndarray[Any, Any]

IMAGES = smooth_images(600, seed=1)
TEST = smooth_images(600, seed=2)
MADE = teacher()


def fitted(made: MadeTeacher = MADE, exact: bool = True, **given: Any) -> Fitted:
    plan = plan_for(made, exact=exact)
    return fit(made.subject, plan, start_for(plan), made, request(IMAGES, **given))


def student(found: Fitted, made: MadeTeacher, exact: bool = True) -> Student:
    """The network that the weights make."""
    units, area = [], (SIZE, SIZE)
    plans = plan_for(made, exact=exact).details.units
    for plan, weights in zip(plans, found.weights.units, strict=True):
        units.append(Unit(plan, weights, area))
        area = units[-1].out_area
    classifier = found.weights.classifier
    head = Head(Pointwise(classifier.weight, classifier.bias))
    return Student(Chain(units, [True] * len(units)), head)


def agreement(found: Fitted, made: MadeTeacher = MADE, exact: bool = True) -> float:
    (outputs,) = made.run({"x0": TEST}, ["logits"])
    answers = student(found, made, exact).forward(to_front(TEST)).argmax(axis=0)
    return float((answers == outputs.argmax(axis=1)).mean())


def arrays(found: Fitted) -> Iterator[Array]:
    for unit in found.weights.units:
        for conv in (unit.first, unit.depthwise, unit.last):
            yield from (conv.weight, conv.bias, conv.mean, conv.variance)
    yield from (found.weights.classifier.weight, found.weights.classifier.bias)


def test_the_closed_form_carries_most_over_and_distillation_more() -> None:
    closed, distilled = fitted(closed_form=True), fitted(steps=300)
    assert agreement(closed) > 0.6
    assert agreement(distilled) > agreement(closed)


def test_widths_that_change_are_fitted_too() -> None:
    assert agreement(fitted(exact=False, steps=100), exact=False) > 0.6


def test_the_same_arguments_give_the_same_weights() -> None:
    one, other = fitted(steps=12), fitted(steps=12)
    assert one.agreement == other.agreement
    for first, second in zip(arrays(one), arrays(other), strict=True):
        assert first.tobytes() == second.tobytes()


def test_another_seed_gives_other_weights() -> None:
    one, other = fitted(steps=12), fitted(steps=12, seed=1)
    assert not np.array_equal(
        one.weights.units[1].first.weight, other.weights.units[1].first.weight
    )


def test_exact_units_stay_exact_but_for_the_order_of_channels() -> None:
    found = fitted(steps=5)
    assert found.differences[0] is None
    unit = student(found, MADE).chain.units[0]
    (expected,) = MADE.run({"x0": TEST}, ["x1"])
    result = flat(unit.forward(to_front(TEST)))
    wanted = flat(to_front(expected))
    distances = np.abs(result[:, None] - wanted[None]).max(axis=-1)
    assert distances.min(axis=1).max() < 1e-5
    assert tuple(distances.argmin(axis=1)) == found.orders["x1"]


def test_orders_are_told_of_values_between_units() -> None:
    found = fitted(closed_form=True)
    assert set(found.orders) <= {"x1", "x2", "x3"}
    assert all(sorted(order) == list(range(16)) for order in found.orders.values())


def test_differences_are_normalised_errors() -> None:
    found = fitted(closed_form=True)
    assert found.differences[0] is None
    assert all(each is not None and 0 < each < 1 for each in found.differences[1:])


def test_statistics_are_those_of_the_convolutions_outputs() -> None:
    found = fitted(closed_form=True)
    first = found.weights.units[0].first
    assert first.mean is not None
    z = first.weight[:, :, 0, 0] @ flat(to_front(IMAGES))
    np.testing.assert_allclose(first.mean, z.mean(axis=1), atol=0.1)
    np.testing.assert_allclose(first.variance, z.var(axis=1), rtol=0.2)


def test_a_model_with_a_fixed_batch() -> None:
    fixed = teacher(batch=1)
    plan = plan_for(fixed)
    subject = fixed.subject
    found = fit(subject, plan, start_for(plan), fixed, request(IMAGES[:60], closed_form=True))
    assert found.agreement is not None
    assert found.agreement.samples == 10


def test_time_is_kept_by_the_clock() -> None:
    ticks = count()
    stages: list[tuple[str, float]] = []
    plan = plan_for(MADE)
    found = fit(
        MADE.subject,
        plan,
        start_for(plan),
        MADE,
        request(
            IMAGES,
            seconds=200,
            progress=lambda stage, done, _: stages.append((stage, done)),
            clock=lambda: float(next(ticks)),
        ),
    )
    assert next(ticks) < 220
    assert "steps of distillation, as many as 200 s allowed" in found.notes[1]
    shares = [done for stage, done in stages if stage == "distillation"]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_run_that_is_cut_says_so() -> None:
    ticks = count()
    plan = plan_for(MADE)
    given = request(IMAGES, seconds=30, steps=1000, clock=lambda: float(next(ticks)))
    found = fit(MADE.subject, plan, start_for(plan), MADE, given)
    assert "of 1,000: the 30 s were over" in found.notes[1]


def test_a_clock_that_jumps_to_infinity_ends_the_run() -> None:
    for alone in (False, True):
        ticks = iter([*map(float, range(30)), *[float("inf")] * 10_000])
        plan = plan_for(MADE, alone=alone)
        given = request(IMAGES, steps=10_000, clock=lambda ticks=ticks: next(ticks))
        found = fit(MADE.subject, plan, start_for(plan), MADE, given)
        assert "s were over" in found.notes[1]


def test_no_time_at_all_still_gives_a_network() -> None:
    found = fitted(seconds=0, closed_form=True)
    assert "no time for 2 units" in found.notes[0]
    assert all(np.isfinite(each).all() for each in arrays(found))


def test_agreement_is_stated_on_images_that_nothing_else_saw() -> None:
    found = fitted(steps=30)
    assert found.agreement is not None
    assert found.agreement.samples == 100
    assert found.agreement.low <= found.agreement.share <= found.agreement.high


def test_several_inputs_and_too_few_images_are_refused() -> None:
    plan = plan_for(MADE)
    with pytest.raises(CannotFit, match="2 inputs"):
        fit(MADE.subject, plan, start_for(plan), replace(MADE, inputs=("x0", "y")), request(IMAGES))
    with pytest.raises(CannotFit, match="10 images are too few"):
        fit(MADE.subject, plan, start_for(plan), MADE, request(IMAGES[:10]))


def test_a_head_that_does_more_is_refused() -> None:
    plan = plan_for(MADE)
    weight, bias = MADE.classifier
    other = replace(MADE, classifier=(weight, bias + 1))
    with pytest.raises(CannotFit, match="the head does more"):
        fit(MADE.subject, plan, start_for(plan), other, request(IMAGES))


def test_units_alone_learn_the_values_of_the_teacher() -> None:
    plan = plan_for(MADE, alone=True)
    errors = {}
    for steps in (0, 150):
        found = fit(MADE.subject, plan, start_for(plan), MADE, request(IMAGES, steps=steps))
        assert found.agreement is None
        assert found.differences[0] is None
        errors[steps] = sum(each for each in found.differences if each is not None)
    assert errors[150] < 0.9 * errors[0]


def test_units_alone_keep_the_order_of_a_value_that_others_see() -> None:
    plan = plan_for(MADE, alone=True)
    found = fit(MADE.subject, plan, start_for(plan), MADE, request(IMAGES, closed_form=True))
    wanted, x = MADE.run({"x0": TEST}, ["x3", "x0"])
    y = to_front(x)
    area: tuple[int, int] = (SIZE, SIZE)
    for each, weights in zip(plan.details.units, found.weights.units, strict=True):
        unit = Unit(each, weights, area)
        y, area = unit.forward(y), unit.out_area
    centred = to_front(wanted)
    correlations = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(y, centred, strict=True)
    ]
    assert np.median(correlations) > 0.6


def test_a_unit_between_strangers_is_better_without_a_shuffle() -> None:
    lone = MadeTeacher([v1_unit(np.random.default_rng(7), 16, 16, key=0)], MADE.classifier)
    images = smooth_images(300, seed=1, channels=16)
    errors = {}
    for shuffled in (True, False):
        plan = plan_for(lone, alone=True)
        units = tuple(replace(unit, shuffled=shuffled) for unit in plan.details.units)
        plan = replace(plan, details=replace(plan.details, units=units))
        given = request(images, closed_form=True)
        found = fit(lone.subject, plan, start_for(plan), lone, given)
        (errors[shuffled],) = found.differences
    assert errors[False] is not None
    assert errors[True] is not None
    assert errors[False] < 0.8 * errors[True]


def test_an_exact_unit_alone_is_left_as_it_is() -> None:
    alone = MadeTeacher(MADE.units[:1], MADE.classifier)
    plan = plan_for(alone, alone=True)
    found = fit(alone.subject, plan, start_for(plan), alone, request(IMAGES))
    expected = exact_weights(plan.details.units[0])
    np.testing.assert_array_equal(found.weights.units[0].first.weight, expected.first.weight)
    assert found.differences == (None,)


def test_fitting_is_fast_enough_to_test() -> None:
    started = time.process_time()
    fitted(steps=20)
    assert time.process_time() - started < 5
