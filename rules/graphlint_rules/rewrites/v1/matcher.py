"""Finds the units of ShuffleNet V1 in a model, by its data flow.

Every Add, Sum and Concat is followed backwards: the last 1×1 convolution, the depthwise one, the
first 1×1, with what stands between them. Each way is short, so that the whole is linear.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphlint.rewrites import Match, Matches, Refusal, Subject
from graphlint_rules.rewrites.v1.candidates import Candidate, candidates
from graphlint_rules.rewrites.v1.checks import checked
from graphlint_rules.rewrites.v1.foreign_forms import QUANTISED, foreign_refusals


def match_v1_units(subject: Subject) -> Matches:
    """All units of V1, and the near misses; see `V1Unit`."""
    kept = _shuffled_or_chained(tuple(candidates(subject)))
    results = [checked(subject, candidate) for candidate in kept]
    matches = tuple(result for result in results if isinstance(result, Match))
    refusals = [result for result in results if isinstance(result, Refusal)]
    done = frozenset(node.index for match in matches for node in match.nodes)
    return Matches(matches, tuple(_quantised_once((*refusals, *foreign_refusals(subject, done)))))


def _quantised_once(refusals: Iterable[Refusal]) -> Iterator[Refusal]:
    """All refusals, but a single one that says that the model is quantised."""
    said = False
    for refusal in refusals:
        if refusal.reason != QUANTISED or not said:
            yield refusal
        said = said or refusal.reason == QUANTISED


def _shuffled_or_chained(found: tuple[Candidate, ...]) -> Iterable[Candidate]:
    """Those with a shuffle, and those with stride 2 beside them: a stage's first may have none."""
    shuffled = [each for each in found if each.is_shuffled]
    read, made = {each.input for each in shuffled}, {each.output for each in shuffled}
    return (
        each
        for each in found
        if each.is_shuffled or (not each.is_sum and (each.output in read or each.input in made))
    )
