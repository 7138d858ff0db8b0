"""The head in closed form: the 1×1 convolution before the pooling, and the classifier."""

from __future__ import annotations

import numpy as np

from graphlint_rules.rewrites.v1.units import Activation
from graphlint_rules.rewrites.v2.fitting.arrays import Array, flat
from graphlint_rules.rewrites.v2.fitting.parameters import Pointwise
from graphlint_rules.rewrites.v2.fitting.regression import most_telling, solver, through_activation
from graphlint_rules.rewrites.v2.fitting.student import Head

RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
_SHARE_TO_CHOOSE_ON = 5


def fit_head(
    x: Array,
    seen: Array,
    targets: Array,
    outputs: Array,
    classifier: tuple[Array, Array],
    final_width: int | None,
    final_activation: Activation,
) -> Head:
    """A head for the last unit's output `x`, (channels, height, width, batch).

    `seen` and `targets` are samples of x and of the teacher's value in its place, `outputs` what
    the teacher's classifier makes of each image, (classes, batch), `classifier` its weight and
    bias. First the classifier reads the teacher's channels as far as x tells them linearly; then
    ridge regression corrects what it puts out.
    """
    final = None
    if final_width is not None:
        chosen = most_telling(np.cov(targets), [(np.arange(len(targets)), final_width)])
        fitted = through_activation(seen, targets[np.resize(chosen, final_width)], final_activation)
        final = Pointwise(fitted.weight, fitted.bias)
    head = Head(Pointwise(*_composed(seen, targets, classifier)), final, final_activation)
    if final is not None:
        sampled = _samples_of(head, seen)
        head.classifier = Pointwise(*_composed(sampled, targets, classifier))
    features = head.features(x)
    head.classifier = _corrected(head.classifier, features, outputs)
    return head


def _samples_of(head: Head, seen: Array) -> Array:
    """What the pooling would see of samples: each as an image of one pixel."""
    return head.features(seen.reshape(len(seen), 1, 1, -1))


def _composed(seen: Array, targets: Array, classifier: tuple[Array, Array]) -> tuple[Array, Array]:
    """The teacher's classifier behind a linear map to the channels that it reads."""
    to_teacher = solver(flat(seen))(targets)
    weight, bias = classifier
    return weight @ to_teacher.weight, bias + weight @ to_teacher.bias


def _corrected(classifier: Pointwise, features: Array, outputs: Array) -> Pointwise:
    """The classifier with a ridge correction, as strong as helps on images left out of it."""
    kept_out = np.arange(features.shape[1]) % _SHARE_TO_CHOOSE_ON == 0
    wanted = outputs - outputs.mean(axis=0)
    rest = wanted - _centred(classifier.forward(features))

    def error(ridge: float) -> float:
        fitted = solver(features[:, ~kept_out], ridge)(rest[:, ~kept_out])
        return float(np.square(rest[:, kept_out] - fitted(features[:, kept_out])).mean())

    errors = {ridge: error(ridge) for ridge in RIDGES}
    best = min(errors, key=lambda ridge: errors[ridge])
    if errors[best] >= float(np.square(rest[:, kept_out]).mean()):
        return classifier
    correction = solver(features, best)(rest)
    return Pointwise(classifier.weight + correction.weight, classifier.bias + correction.bias)


def _centred(outputs: Array) -> Array:
    centred: Array = outputs - outputs.mean(axis=0)
    return centred
