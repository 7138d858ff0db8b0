"""Generated images: the same for a seed, varied, and in the range that is asked for."""

from collections.abc import Callable

import numpy as np
import pytest

from graphlint.rewriting.compositions import compositions
from graphlint.rewriting.dead_leaves import dead_leaves
from graphlint.rewriting.drawings import drawings
from graphlint.rewriting.generated import PHOTOGRAPHS, fractal_noise, generated

KINDS = (compositions, dead_leaves, drawings, fractal_noise)
SHAPES = [(3, 32, 32), (1, 8, 8), (3, 20, 64), (1, 64, 12), (4, 16, 16), (3, 1, 1), (1, 2, 40)]


def pictures(count: int, shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return generated(count, shape, seed, mean=(0.0,), std=(1.0,))


def test_a_seed_says_which_images_come() -> None:
    one, again, other = (pictures(40, (3, 16, 16), seed) for seed in (1, 1, 2))
    assert one.dtype == np.float32
    assert one.tobytes() == again.tobytes()
    assert not np.array_equal(one, other)


def test_whole_chunks_stay_the_same_when_more_are_wanted() -> None:
    assert np.array_equal(pictures(32, (1, 16, 16)), pictures(70, (1, 16, 16))[:32])


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_can_be_had(shape: tuple[int, int, int]) -> None:
    images = pictures(33, shape)
    assert images.shape == (33, *shape)
    assert images.min() >= 0
    assert images.max() <= 1
    assert len(np.unique(images.reshape(33, -1), axis=0)) == 33


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_every_shape(
    kind: Callable[..., np.ndarray], shape: tuple[int, int, int]
) -> None:
    images = kind(np.random.default_rng(0), 5, shape)
    assert images.shape == (5, *shape)
    assert images.dtype == np.float32
    assert np.isfinite(images).all()


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_a_kind_differ_and_are_no_plain_areas(kind: Callable[..., np.ndarray]) -> None:
    images = kind(np.random.default_rng(0), 32, (3, 24, 24))
    assert len(np.unique(images.reshape(32, -1), axis=0)) == 32
    assert np.median(images.std(axis=(1, 2, 3))) > 0.03


def test_compositions_have_fine_patterns_and_coarse_ones() -> None:
    images = compositions(np.random.default_rng(0), 200, (1, 32, 32))
    steps = np.abs(np.diff(images, axis=3)).mean(axis=(1, 2, 3)) / images.std(axis=(1, 2, 3))
    low, high = np.quantile(steps, [0.1, 0.9])
    assert high > 3 * low


def test_drawings_are_strokes_on_a_ground() -> None:
    images = drawings(np.random.default_rng(0), 64, (1, 32, 32))
    ground = np.median(images, axis=(1, 2, 3), keepdims=True)
    is_ground = np.abs(images - ground) < 1e-6
    assert 0.5 < is_ground.mean() < 0.98
    assert (~is_ground).any(axis=(1, 2, 3)).all()


def test_all_kinds_come_in_turn() -> None:
    """A drawing's ground is of one colour: half of the values of such a picture are alike."""
    images = pictures(320, (1, 32, 32))
    spread = np.subtract(*np.quantile(images, [0.7, 0.3], axis=(1, 2, 3)))
    plain = (spread < 0.1).reshape(10, 32).mean(axis=1)
    assert set(np.argsort(-plain)[:2]) == {3, 9}


def test_none_are_none() -> None:
    assert pictures(0, (3, 8, 8)).shape == (0, 3, 8, 8)


def test_values_are_about_what_networks_are_trained_on() -> None:
    images = generated(320, (3, 32, 32), 0)
    assert np.abs(images.mean(axis=(0, 2, 3))).max() < 0.5
    assert np.abs(images.std(axis=(0, 2, 3)) - 1).max() < 0.3
    grey = generated(320, (1, 32, 32), 0)
    assert abs(grey.mean()) < 0.3
    assert 0.7 < grey.std() < 1.4


def test_mean_and_deviation_are_those_asked_for() -> None:
    plain = pictures(8, (3, 16, 16))
    normalised = generated(8, (3, 16, 16), 0)
    mean, std = (np.array(values).reshape(3, 1, 1) for values in PHOTOGRAPHS)
    np.testing.assert_allclose(normalised, (plain - mean) / std, atol=1e-5)


def test_neighbours_are_alike_as_in_photographs_and_colours_go_together() -> None:
    images = pictures(320, (3, 32, 32))
    centred = images - images.mean(axis=(2, 3), keepdims=True)
    alike = np.corrcoef(centred[..., :-1].ravel(), centred[..., 1:].ravel())[0, 1]
    together = np.corrcoef(centred[:, 0].ravel(), centred[:, 1].ravel())[0, 1]
    assert alike > 0.6
    assert together > 0.5


def test_pictures_differ_in_contrast() -> None:
    contrast = pictures(320, (3, 32, 32)).std(axis=(1, 2, 3))
    low, high = np.quantile(contrast, [0.1, 0.9])
    assert high > 2 * low
