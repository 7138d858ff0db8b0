"""Closed forms against what they must find."""

from __future__ import annotations

import numpy as np
import pytest

from graphlint.rewrites import CannotFit
from graphlint_rules.rewrites.v1.units import Activation
from graphlint_rules.rewrites.v2.fitting.nonlinear import nonlinear
from graphlint_rules.rewrites.v2.fitting.regression import (
    leading_directions,
    most_telling,
    solver,
    through_activation,
)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_ridge_finds_a_linear_map(random: np.random.Generator) -> None:
    features = random.standard_normal((6, 500)).astype(np.float32) + 3
    weight, bias = random.standard_normal((2, 6)), random.standard_normal(2)
    found = solver(features, ridge=1e-8)(weight @ features + bias[:, None])
    np.testing.assert_allclose(found.weight, weight, atol=1e-3)
    np.testing.assert_allclose(found.bias, bias, atol=1e-2)


@pytest.mark.parametrize("value", [np.inf, np.nan, 1e30])
def test_features_that_overflow_are_refused(random: np.random.Generator, value: float) -> None:
    features = random.standard_normal((4, 50)).astype(np.float32)
    features[1, 7] = value
    with pytest.raises(CannotFit, match="overflow"):
        solver(features)


@pytest.mark.parametrize(
    "activation", [Activation("Relu"), Activation("Clip", bounds=(0.0, 1.0))], ids=lambda a: a.op
)
def test_a_rectifier_hides_less_than_plain_regression_believes(
    random: np.random.Generator, activation: Activation
) -> None:
    features = random.standard_normal((6, 4000)).astype(np.float32)
    weight = random.standard_normal((3, 6)).astype(np.float32)
    function = nonlinear(activation)
    targets, _ = function(weight @ features)
    plain = solver(features)(targets)
    aware = through_activation(features, targets, activation)

    def error(predicted: np.ndarray) -> float:  # type: ignore[type-arg]
        return float(np.square(function(predicted)[0] - targets).mean())

    assert error(aware(features)) < 0.55 * error(plain(features))


def test_a_leaky_activation_is_seen_through(random: np.random.Generator) -> None:
    features = random.standard_normal((6, 4000)).astype(np.float32)
    weight = random.standard_normal((3, 6)).astype(np.float32)
    activation = Activation("LeakyRelu", (("alpha", 0.5),))
    targets, _ = nonlinear(activation)(weight @ features)
    found = through_activation(features, targets, activation)
    np.testing.assert_allclose(found.weight, weight, atol=0.05)


def test_leading_directions_carry_what_is_not_known(random: np.random.Generator) -> None:
    features = random.standard_normal((8, 2000)).astype(np.float32)
    wanted = random.standard_normal((2, 8)).astype(np.float32)
    known = features[:3]
    targets = random.standard_normal((5, 2)) @ wanted @ features + 4 * known[:1]
    maps = leading_directions(features, known, targets.astype(np.float32), 2)
    both = np.concatenate([known, maps @ features])
    left = targets - solver(both, 1e-6)(targets)(both)
    assert np.square(left).mean() < 1e-3 * np.square(targets).mean()


def test_the_most_telling_channels_tell_the_others(random: np.random.Generator) -> None:
    sources = random.standard_normal((3, 1000))
    mixed = random.standard_normal((5, 3)) @ sources * 0.1
    covariance = np.cov(np.concatenate([mixed[:2], sources, mixed[2:]]))
    chosen = most_telling(covariance, [(np.arange(8), 3)])
    rest = np.delete(np.arange(8), chosen)
    told = covariance[np.ix_(rest, chosen)] @ np.linalg.pinv(covariance[np.ix_(chosen, chosen)])
    left = covariance[np.ix_(rest, rest)] - told @ covariance[np.ix_(chosen, rest)]
    assert np.trace(left) < 1e-6 * np.trace(covariance)


def test_quotas_are_kept(random: np.random.Generator) -> None:
    covariance = np.cov(random.standard_normal((9, 100)))
    chosen = most_telling(covariance, [(np.arange(4), 1), (np.arange(4, 9), 3)])
    assert sorted(chosen < 4) == [False, False, False, True]
