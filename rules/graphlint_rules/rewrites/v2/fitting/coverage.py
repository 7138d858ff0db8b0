"""Choosing among generated images: those that bring forth all of the teacher's answers.

Generated images mostly look to a classifier like a few of its classes, and a student that is fitted
on them learns nothing of the others. So each class draws as many of the images as any other, at
random by the probability that the teacher gives it: what is drawn covers all answers about evenly,
the sure ones and the doubtful. Nothing is asked of the teacher but its answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphlint_rules.rewrites.v2.fitting.arrays import Array, Indices, flat
from graphlint_rules.rewrites.v2.fitting.teaching import Source

_SHARE = 4
"""One of so many images is chosen."""

_ENOUGH = 512
"""Of few images more are kept: about so many."""

_BATCH = 256


@dataclass(frozen=True)
class Covering:
    """Numbers of the images that were chosen, in random order, and what they are, in a line."""

    members: Indices
    said: str


def covering(source: Source, key: str, seed: int) -> Covering:
    """Those of the source's images that cover the teacher's answers, the value `key`."""
    count = len(source.images)
    wanted = max(count // _SHARE, min(count, _ENOUGH))
    everything = np.arange(count, dtype=np.intp)
    batches = source.batches(everything, [key], _BATCH)
    outputs = np.concatenate([flat(values[0]) for _, values in batches], axis=1)
    members = drawn(outputs, wanted, np.random.default_rng(seed))
    answers = len(np.unique(outputs[:, members].argmax(axis=0)))
    return Covering(
        members,
        f"{wanted:,} of {count:,} generated images, drawn by the original's answers: "
        f"{answers:,} of its {len(outputs):,} answers occur",
    )


def drawn(outputs: Array, wanted: int, random: np.random.Generator) -> Indices:
    """Numbers of `wanted` images, drawn by all classes alike; outputs: (classes, images).

    Each class draws without replacement by the softmax of the outputs, the rarest class first.
    """
    shifted = outputs - outputs.max(axis=0)
    chances = shifted - np.log(np.exp(shifted).sum(axis=0))
    # The largest of log-probabilities with Gumbel noise are a draw without replacement.
    keys = chances + random.gumbel(size=chances.shape)
    left = np.ones(outputs.shape[1], bool)
    rarest = np.argsort(np.exp(chances).sum(axis=1), kind="stable")
    for number, place in enumerate(rarest):
        missing = wanted - int((~left).sum())
        share = missing // (len(rarest) - number)
        ranked = np.argsort(np.where(left, -keys[place], np.inf), kind="stable")
        left[ranked[:share]] = False
    return random.permutation(np.flatnonzero(~left))
