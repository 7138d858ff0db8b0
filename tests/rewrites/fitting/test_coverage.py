"""Of generated images, those are drawn that cover all of the teacher's answers."""

from dataclasses import replace

import numpy as np

from graphlint_rules.rewrites.v2.fitting import fit
from graphlint_rules.rewrites.v2.fitting.coverage import covering, drawn
from graphlint_rules.rewrites.v2.fitting.teaching import Source
from tests.rewrites.fitting.made_networks import (
    plan_for,
    request,
    smooth_images,
    start_for,
    teacher,
)


def lopsided(count: int) -> np.ndarray:
    """Sure answers: nineteen of twenty images are the first class, the others two more."""
    answers = np.where(np.arange(count) % 20, 0, 1 + np.arange(count) // 20 % 2)
    outputs: np.ndarray = 8.0 * (np.arange(3)[:, None] == answers)
    return outputs


def test_rare_answers_are_drawn_as_often_as_common_ones() -> None:
    outputs = lopsided(4000)
    members = drawn(outputs, 240, np.random.default_rng(0))
    assert len(members) == len(set(members)) == 240
    counts = np.bincount(outputs[:, members].argmax(axis=0), minlength=3)
    assert counts.min() > 60


def test_a_class_that_nothing_looks_like_is_made_up_for() -> None:
    outputs = np.concatenate([lopsided(400), np.full((1, 400), -50.0)])
    members = drawn(outputs, 100, np.random.default_rng(0))
    assert len(set(members)) == 100


def test_doubtful_images_are_drawn_too() -> None:
    random = np.random.default_rng(1)
    outputs = random.normal(0, 3, (4, 2000))
    members = drawn(outputs, 400, random)
    top = np.sort(outputs[:, members], axis=0)
    assert (top[-1] - top[-2]).min() < 1


def test_a_seed_says_which_are_drawn_and_their_order_is_random() -> None:
    outputs = lopsided(500)
    one, again = (drawn(outputs, 50, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, np.sort(one))


def test_a_quarter_is_kept_of_many_and_more_of_few() -> None:
    made = teacher()
    images = smooth_images(2400, seed=1)
    for given, kept in ((2400, 600), (1000, 512), (40, 40)):
        source = Source(made.subject, made, images[:given])
        assert len(covering(source, made.outputs[0], 0).members) == kept


def test_only_generated_images_are_chosen_among() -> None:
    made, images = teacher(), smooth_images(700, seed=1)
    plan = plan_for(made)
    given = request(images, steps=2)
    real = fit(made.subject, plan, start_for(plan), made, given)
    made_up = fit(made.subject, plan, start_for(plan), made, replace(given, made_up=True))
    assert real.agreement is not None
    assert made_up.agreement is not None
    assert (real.agreement.samples, made_up.agreement.samples) == (700 // 6, 512 // 6)
    assert made_up.notes[0].startswith("512 of 700 generated images")
    assert "mirrored" in made_up.notes[-1]


def test_without_known_answers_any_generated_images_are_taken() -> None:
    made, images = teacher(), smooth_images(100, seed=1)
    plan = plan_for(made, alone=True)
    given = replace(request(images, closed_form=True), made_up=True)
    found = fit(made.subject, plan, start_for(plan), made, given)
    assert not any("generated" in note for note in found.notes)
