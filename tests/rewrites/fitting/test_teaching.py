"""What is asked of the teacher, and on which images."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlint_rules.rewrites.v2.fitting.arrays import flat, to_front
from graphlint_rules.rewrites.v2.fitting.augmentation import CHANGES, Augmentation, sensible
from graphlint_rules.rewrites.v2.fitting.teaching import Source, sampled
from tests.rewrites.fitting.made_networks import MadeTeacher, smooth_images, teacher

Array = np.ndarray[Any, Any]

IMAGES = smooth_images(50, seed=1)


def source(batch: int | None = None) -> Source:
    made = teacher(batch=batch)
    return Source(made.subject, made, IMAGES)


def test_a_fixed_batch_is_filled_up() -> None:
    (free,), (fixed,) = (source(batch).run(IMAGES[:3], ["logits"]) for batch in (None, 1))
    assert free.shape == (5, 3)
    np.testing.assert_allclose(free, fixed, atol=1e-5)


def test_samples_are_the_same_positions_of_teacher_and_student() -> None:
    members = np.arange(30)[::-1].copy()
    samples = sampled(source(), members, ["x1", "x2"], 100, seed=0, batch=7)
    (whole,) = source().run(IMAGES[members], ["x2"])
    np.testing.assert_allclose(samples.of(whole), samples.columns["x2"], rtol=1e-5)
    assert samples.columns["x1"].shape == samples.columns["x2"].shape == (16, 90)


def test_few_positions_are_all_sampled() -> None:
    samples = sampled(source(), np.arange(4), ["x1"], 10_000, seed=0, batch=3)
    (whole,) = source().run(IMAGES[:4], ["x1"])
    assert samples.columns["x1"].shape == flat(whole).shape


def test_gathered_values_are_those_of_the_images() -> None:
    members = np.array([9, 2, 30, 4])
    (found,) = source().gathered(members, ["x0"], size=3)
    np.testing.assert_array_equal(found, to_front(IMAGES[members]))


class LeftOrRight(MadeTeacher):
    """Says whether the left half is brighter than the right."""

    def run(self, feeds: Any, keys: Any) -> list[Array]:
        images = feeds["x0"]
        left = images[..., :4].mean(axis=(1, 2, 3)) - images[..., 4:].mean(axis=(1, 2, 3))
        return [np.stack([left, -left], axis=1)]


def test_changes_that_the_teacher_minds_are_left_out() -> None:
    made = teacher()
    images = smooth_images(200, seed=3)
    minding = Source(made.subject, LeftOrRight(made.units, made.classifier), images)
    found = sensible(minding, np.arange(200), "logits", seed=0)
    assert "mirrored" not in found.names
    assert "upside down" in found.names


def test_changed_images_have_the_same_shape_and_type() -> None:
    random = np.random.default_rng(0)
    changed = Augmentation(tuple(CHANGES))(IMAGES, random)
    assert changed.shape == IMAGES.shape
    assert changed.dtype == np.float32
    assert not np.array_equal(changed, IMAGES)


def test_a_shift_repeats_the_border() -> None:
    ramp = np.broadcast_to(np.arange(16.0), (1, 1, 16, 16)).astype(np.float32)
    changed = CHANGES["shifted"](ramp, np.random.default_rng(1))
    assert set(np.diff(changed[0, 0, 0])) <= {0.0, 1.0}


def test_it_says_what_it_does() -> None:
    assert str(Augmentation(("mirrored", "turned"))) == "mirrored, turned"
    assert str(Augmentation(())) == "as they are"
