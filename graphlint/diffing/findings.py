"""Findings of two models, place by place: what is new, worse, fixed, better.

Both models are checked without the floor of `min-excess`, and the floor is applied here: else a
finding would come or go because the total that it is a share of has changed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from graphlint.diffing.results import SiteChange, SiteKind
from graphlint.findings import Finding, FoundSite, Severity
from graphlint.results import ModelReport


@dataclass(frozen=True, slots=True)
class _Place:
    """A site of a finding, and the indices of its nodes, the first in front.

    `shown`: `check` would show it, for its rule's excess reaches the floor.
    """

    finding: Finding
    site: FoundSite
    nodes: tuple[int, ...]
    shown: bool

    @property
    def rank(self) -> tuple[Severity, int]:
        """How bad it is."""
        return self.finding.severity, self.site.excess_bytes or 0


def finding_changes(
    old: ModelReport, new: ModelReport, partners: Mapping[int, int], min_excess: float
) -> tuple[SiteChange, ...]:
    """The places that differ, the worst first.

    A place is the same in both models where the rule is and one of its nodes is, the first nodes
    before the others.
    """
    pairs, gone, come = _matched(
        list(_places(old, min_excess)), list(_places(new, min_excess)), partners
    )
    found = [change for a, b in pairs if (change := _compared(a, b)) is not None]
    found += [_change("fixed", place, None) for place in gone if place.shown]
    found += [_change("new", None, place) for place in come if place.shown]
    return tuple(sorted(found, key=_order))


def _places(report: ModelReport, min_excess: float) -> Iterator[_Place]:
    assert report.totals is not None
    floor = min_excess * report.totals.memory_access_bytes
    sums: dict[tuple[str, Severity], int] = {}
    for finding in report.findings:
        key = finding.code, finding.severity
        sums[key] = sums.get(key, 0) + (finding.excess_bytes or 0)
    indices = {node.path: node.index for node in report.nodes}
    for finding in report.findings:
        counted = finding.excess_bytes is not None
        shown = not counted or sums[finding.code, finding.severity] >= floor
        for site in finding.sites:
            nodes = tuple(indices[path] for path in site.location.nodes if path in indices)
            yield _Place(finding, site, nodes, shown)


def _matched(
    old: list[_Place], new: list[_Place], partners: Mapping[int, int]
) -> tuple[list[tuple[_Place, _Place]], list[_Place], list[_Place]]:
    """Pairs, and what is left on either side: by the first nodes, by any, and by the rule alone
    where there are no nodes, as of the whole model."""
    pairs: list[tuple[_Place, _Place]] = []
    for most in (1, None, 0):
        waiting: dict[tuple[str, int | None], deque[int]] = {}
        for number, place in enumerate(new):
            for node in _keys(place, most):
                waiting.setdefault((place.finding.code, node), deque()).append(number)
        taken: set[int] = set()
        left: list[_Place] = []
        for place in old:
            keys = (
                (place.finding.code, None if node is None else partners.get(node, -1))
                for node in _keys(place, most)
            )
            free = (_next_free(waiting[key], taken) for key in keys if key in waiting)
            found = next((number for number in free if number is not None), None)
            if found is not None:
                taken.add(found)
                pairs.append((place, new[found]))
            else:
                left.append(place)
        old = left
        new = [place for number, place in enumerate(new) if number not in taken]
    return pairs, old, new


def _next_free(waiting: deque[int], taken: Container[int]) -> int | None:
    """The first that is not taken; those before it are dropped, so that none is met twice."""
    while waiting and waiting[0] in taken:
        waiting.popleft()
    return waiting[0] if waiting else None


def _keys(place: _Place, most: int | None) -> tuple[int | None, ...]:
    return place.nodes[:most] if most != 0 or place.nodes else (None,)


def _compared(a: _Place, b: _Place) -> SiteChange | None:
    """How a place that both models have differs; one that is not shown counts as not there."""
    if a.rank == b.rank or not (a.shown or b.shown):
        return None
    worse = b.rank > a.rank
    if a.shown and b.shown:
        return _change("worse" if worse else "better", a, b)
    if worse != b.shown:  # it is over the floor on one side for the sake of the others
        return None
    return _change("new", None, b) if worse else _change("fixed", a, None)


def _change(kind: SiteKind, a: _Place | None, b: _Place | None) -> SiteChange:
    place = b or a
    assert place is not None
    nodes = place.site.location.nodes
    return SiteChange(
        kind=kind,
        code=place.finding.code,
        name=place.finding.name,
        severity=place.finding.severity,
        message=place.finding.message,
        place=nodes[0] if nodes else "",
        old_excess=None if a is None else a.site.excess_bytes,
        new_excess=None if b is None else b.site.excess_bytes,
    )


_RANKS = {"new": 0, "worse": 1, "fixed": 2, "better": 3}


def _order(change: SiteChange) -> tuple[int, int, int, str, str]:
    rank = _RANKS[change.kind]
    return (rank, -change.severity, -abs(change.delta), change.code, change.place)
