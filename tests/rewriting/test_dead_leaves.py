"""Generated images: the same for a seed, varied, and in the range that is asked for."""

import numpy as np
import pytest

from graphlint.rewriting.dead_leaves import PHOTOGRAPHS, dead_leaves


def pictures(count: int, shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return dead_leaves(count, shape, seed, mean=(0.0,), std=(1.0,))


def test_a_seed_says_which_images_come() -> None:
    one, again, other = (pictures(40, (3, 16, 16), seed) for seed in (1, 1, 2))
    assert one.dtype == np.float32
    assert one.tobytes() == again.tobytes()
    assert not np.array_equal(one, other)


def test_whole_chunks_stay_the_same_when_more_are_wanted() -> None:
    assert np.array_equal(pictures(32, (1, 16, 16)), pictures(70, (1, 16, 16))[:32])


@pytest.mark.parametrize(
    "shape", [(3, 32, 32), (1, 8, 8), (3, 20, 64), (1, 64, 12), (4, 16, 16), (3, 1, 1), (1, 2, 40)]
)
def test_every_shape_can_be_had(shape: tuple[int, int, int]) -> None:
    images = pictures(33, shape)
    assert images.shape == (33, *shape)
    assert images.min() >= 0
    assert images.max() <= 1
    assert len(np.unique(images.reshape(33, -1), axis=0)) == 33


def test_none_are_none() -> None:
    assert pictures(0, (3, 8, 8)).shape == (0, 3, 8, 8)


def test_values_are_about_what_networks_are_trained_on() -> None:
    images = dead_leaves(256, (3, 32, 32), 0)
    assert np.abs(images.mean(axis=(0, 2, 3))).max() < 0.3
    assert np.abs(images.std(axis=(0, 2, 3)) - 1).max() < 0.3
    grey = dead_leaves(256, (1, 32, 32), 0)
    assert abs(grey.mean()) < 0.3
    assert 0.7 < grey.std() < 1.4


def test_mean_and_deviation_are_those_asked_for() -> None:
    plain = pictures(8, (3, 16, 16))
    normalised = dead_leaves(8, (3, 16, 16), 0)
    mean, std = (np.array(values).reshape(3, 1, 1) for values in PHOTOGRAPHS)
    np.testing.assert_allclose(normalised, (plain - mean) / std, atol=1e-5)


def test_neighbours_are_alike_as_in_photographs_and_colours_go_together() -> None:
    images = pictures(256, (3, 32, 32))
    centred = images - images.mean(axis=(2, 3), keepdims=True)
    alike = np.corrcoef(centred[..., :-1].ravel(), centred[..., 1:].ravel())[0, 1]
    together = np.corrcoef(centred[:, 0].ravel(), centred[:, 1].ravel())[0, 1]
    assert alike > 0.6
    assert together > 0.5


def test_pictures_differ_in_contrast() -> None:
    contrast = pictures(256, (3, 32, 32)).std(axis=(1, 2, 3))
    low, high = np.quantile(contrast, [0.1, 0.9])
    assert high > 2 * low
