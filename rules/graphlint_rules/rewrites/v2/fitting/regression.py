"""Least squares on sampled columns: features (features, samples), targets (targets, samples)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from graphlint.rewrites import CannotFit
from graphlint_rules.rewrites.v1.units import Activation
from graphlint_rules.rewrites.v2.fitting.arrays import Array, Indices
from graphlint_rules.rewrites.v2.fitting.nonlinear import nonlinear

RIDGE = 1e-3
"""The penalty on weights, as a share of the features' mean variance."""

_ROUNDS = 5


@dataclass(frozen=True)
class Linear:
    """targets ≈ `weight` @ features + `bias`."""

    weight: Array
    bias: Array

    def __call__(self, features: Array) -> Array:
        """The prediction."""
        predicted: Array = self.weight @ features + self.bias[:, None]
        return predicted


def solver(features: Array, ridge: float = RIDGE) -> Callable[[Array], Linear]:
    """Ridge regression on these features: a function of the targets.

    Raises:
        CannotFit: the features, or their products, are no finite numbers.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean = features.mean(axis=1, dtype=np.float64)
        gram = (features @ features.T).astype(np.float64) / features.shape[1] - np.outer(mean, mean)
    if not np.isfinite(gram).all():
        raise CannotFit("what layers compute from the calibration data overflows")
    penalty = ridge * max(np.trace(gram) / len(gram), 1e-12)
    inverse = np.linalg.pinv(gram + penalty * np.eye(len(gram)), hermitian=True)

    def solve(targets: Array) -> Linear:
        centre = targets.mean(axis=1, dtype=np.float64)
        cross = (targets @ features.T).astype(np.float64) / features.shape[1]
        weight = (cross - np.outer(centre, mean)) @ inverse
        bias = centre - weight @ mean
        return Linear(weight.astype(np.float32), bias.astype(np.float32))

    return solve


def through_activation(
    features: Array, targets: Array, activation: Activation, slope: Array | None = None
) -> Linear:
    """act(weight @ features + bias) ≈ targets.

    What an activation hides is filled in from the fit before it: where the target is at a
    rectifier's bound, a prediction beyond the bound is as good as one at it.
    """
    solve = solver(features)
    fitted = solve(targets)
    if not activation:
        return fitted
    for _ in range(_ROUNDS):
        fitted = solve(_before_activation(fitted(features), targets, activation, slope))
    return fitted


def _before_activation(
    predicted: Array, targets: Array, activation: Activation, slope: Array | None
) -> Array:
    if activation.op == "Relu":
        return np.where(targets > 0, targets, np.minimum(predicted, 0))
    if activation.op == "Clip":
        low, high = activation.bounds or (None, None)
        wanted = targets
        if low is not None:
            wanted = np.where(targets > low, wanted, np.minimum(predicted, low))
        if high is not None:
            wanted = np.where(targets < high, wanted, np.maximum(predicted, high))
        return wanted
    activated, _ = nonlinear(activation, slope)(predicted.copy())
    return predicted + targets - activated


def leading_directions(features: Array, known: Array, targets: Array, rank: int) -> Array:
    """The `rank` linear maps of the features that tell most of the targets beside what is known.

    Reduced-rank regression (Izenman, "Reduced-rank regression for the multivariate linear model",
    1975) on what is left of the features when `known`, (n, samples), is taken out of them. The
    result, (rank, features), gives values with a variance of 1.
    """
    rest, aim = features - features.mean(axis=1, keepdims=True), targets
    if len(known):
        explained = solver(known)
        rest, aim = features - explained(features)(known), targets - explained(targets)(known)
    weight = solver(rest)(aim).weight.astype(np.float64)
    covariance = (rest @ rest.T).astype(np.float64) / rest.shape[1]
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 1e-6 * max(values[-1], 1e-12))
    root = (vectors * np.sqrt(values)) @ vectors.T
    inverse_root = (vectors / np.sqrt(values)) @ vectors.T
    _, _, right = np.linalg.svd(weight @ root, full_matrices=True)
    maps: Array = (right[:rank] @ inverse_root).astype(np.float32)
    return maps


def most_telling(covariance: Array, quotas: Sequence[tuple[Indices, int]]) -> Indices:
    """Channels that tell the most of all: pivoted Cholesky, so many of each group at most.

    `quotas`: groups of channels, and how many of each are wanted. The order is that of choice.
    """
    rest = covariance.astype(np.float64)
    open_ = np.zeros(len(rest), bool)
    left = {place: count for place, (_, count) in enumerate(quotas)}
    group = np.full(len(rest), -1)
    for place, (members, count) in enumerate(quotas):
        group[members] = place
        open_[members] = count > 0
    chosen: list[int] = []
    while sum(left.values()) and open_.any():
        gains = np.where(open_, (rest**2).sum(axis=1) / np.maximum(np.diag(rest), 1e-12), -1)
        best = int(gains.argmax())
        chosen.append(best)
        open_[best] = False
        left[int(group[best])] -= 1
        if not left[int(group[best])]:
            open_[group == group[best]] = False
        if rest[best, best] > 1e-12:
            rest = rest - np.outer(rest[best], rest[best]) / rest[best, best]
    return np.array(chosen, np.intp)
