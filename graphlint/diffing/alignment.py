"""Two sequences with what they have in common, as pairs that rise in both, in n log n."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

_ROUNDS = 4
MOST_CELLS = 250_000
"""Sequences up to this product of lengths are aligned as well as can be."""

Scores = Mapping[tuple[int, int], float]
"""How well two items go together; 0 where they do not."""

Pairs = list[tuple[int, int]]
"""Positions in the first and in the second sequence."""


def align(first: Sequence[int], second: Sequence[int], score: Scores) -> Pairs:
    """Rising pairs of items that have a score; of short sequences, those that sum to the most.

    Of long ones, the k-th of equal items is paired with the k-th, and of these pairs the most that
    rise are kept; then the gaps between them are aligned.
    """
    found: Pairs = []
    gaps = [(range(len(first)), range(len(second)))]
    for _ in range(_ROUNDS):
        later: list[tuple[range, range]] = []
        for one, other in gaps:
            if len(one) * len(other) <= MOST_CELLS:
                found += _best(first, second, one, other, score)
            elif pairs := rising(_by_occurrence(first, second, one, other)):
                found += pairs
                later += _gaps(pairs, one, other)
        gaps = later
    return sorted(found)


def rising(pairs: Pairs) -> Pairs:
    """The most of `pairs`, which rise in their first positions, that rise in the second too."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int | None] = []
    for number, (_, position) in enumerate(pairs):
        place = bisect_left(ends, position)
        before.append(last[place - 1] if place else None)
        if place == len(ends):
            ends.append(position)
            last.append(number)
        else:
            ends[place] = position
            last[place] = number
    kept: Pairs = []
    at: int | None = last[-1] if last else None
    while at is not None:
        kept.append(pairs[at])
        at = before[at]
    return kept[::-1]


def _best(
    first: Sequence[int], second: Sequence[int], one: range, other: range, score: Scores
) -> Pairs:
    """The pairs with the largest sum of scores, by dynamic programming."""
    rows = [[0.0] * (len(other) + 1)]
    for i in one:
        item, above, row = first[i], rows[-1], [0.0]
        best = 0.0
        for column, j in enumerate(other):
            own = score[item, second[j]]
            if above[column + 1] > best:
                best = above[column + 1]
            if own and above[column] + own > best:
                best = above[column] + own
            row.append(best)
        rows.append(row)
    found: Pairs = []
    i, j = len(one), len(other)
    while i and j:
        own = score[first[one[i - 1]], second[other[j - 1]]]
        if own and rows[i][j] == rows[i - 1][j - 1] + own:
            i, j = i - 1, j - 1
            found.append((one[i], other[j]))
        elif rows[i][j] == rows[i - 1][j]:
            i -= 1
        else:
            j -= 1
    return found


def _by_occurrence(first: Sequence[int], second: Sequence[int], one: range, other: range) -> Pairs:
    places: dict[int, list[int]] = {}
    for position in reversed(other):
        places.setdefault(second[position], []).append(position)
    pairs = []
    for position in one:
        if waiting := places.get(first[position]):
            pairs.append((position, waiting.pop()))
    return pairs


def _gaps(pairs: Pairs, one: range, other: range) -> Iterator[tuple[range, range]]:
    """What lies before, between and after the pairs, where it holds something on both sides."""
    start = (one.start, other.start)
    for end in (*pairs, (one.stop, other.stop)):
        gap = (range(start[0], end[0]), range(start[1], end[1]))
        if gap[0] and gap[1]:
            yield gap
        start = (end[0] + 1, end[1] + 1)
