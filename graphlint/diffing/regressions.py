"""What got worse by more than a threshold: what `--fail-on regression` fails on.

Measured times are no part of it: they differ from run to run.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphlint.diffing.results import Figures, Regression, SiteChange
from graphlint.findings import Severity
from graphlint.results import Totals


def regressions(
    old: Totals, new: Totals, findings: tuple[SiteChange, ...], threshold: float
) -> tuple[Regression, ...]:
    """The costs that grew, and the rules whose places together did, by more than `threshold`.

    A rule's excess is held against the old model's memory access, as everywhere; of a rule that
    states none, one more place is worse. Only warnings and errors count.
    """
    return (*_costs(old, new, threshold), *_rules(old, findings, threshold))


def _costs(old: Totals, new: Totals, threshold: float) -> Iterator[Regression]:
    before, delta = Figures.of(old), Figures.of(new) - Figures.of(old)
    for what, base, more in (
        ("memory access", before.memory_access_bytes, delta.memory_access_bytes),
        ("multiply-adds", before.multiply_adds, delta.multiply_adds),
        ("parameters", before.parameters, delta.parameters),
    ):
        if more > threshold * base:
            yield Regression(what, more / base if base else None)


def _rules(old: Totals, findings: tuple[SiteChange, ...], threshold: float) -> Iterator[Regression]:
    excess: dict[str, int] = {}
    places: dict[str, int] = {}
    for change in findings:
        if change.severity < Severity.WARNING:
            continue
        stated = change.new_excess is not None or change.old_excess is not None
        excess[change.code] = excess.get(change.code, 0) + change.delta
        more = 0 if stated else 1 if change.kind in ("new", "worse") else -1
        places[change.code] = places.get(change.code, 0) + more
    base = old.memory_access_bytes
    for code in sorted(excess):
        if excess[code] > threshold * base:
            yield Regression(f"{code} findings", excess[code] / base if base else None)
        elif places[code] > 0:
            yield Regression(f"{code} findings", None)
