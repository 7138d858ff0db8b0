"""Findings place by place, and what counts as worse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphlint.costs.contract import NodeCost
from graphlint.diffing.findings import finding_changes
from graphlint.diffing.regressions import regressions
from graphlint.diffing.results import SiteChange
from graphlint.findings import Finding, FoundSite, Location, Severity
from graphlint.results import ModelReport, NodeReport, Totals
from tests.line_count import lines

SAME = {0: 0, 1: 1, 2: 2}


def totals(memory: int = 1000, madds: int = 100, parameters: int = 10) -> Totals:
    return Totals(3, 0, madds, 0, memory // 4, memory, parameters)


def report(
    *sites: tuple[str, int, int | None], severity: Severity = Severity.WARNING
) -> ModelReport:
    """A model of three nodes with findings: rule, node, excess."""
    nodes = tuple(NodeReport(i, f"n{i}", f"n{i}", "Conv", "", NodeCost()) for i in range(3))
    findings = tuple(
        Finding(
            code,
            "a-rule",
            severity,
            "message",
            "help",
            (FoundSite(Location("m.onnx", (f"n{node}",)), excess),),
            excess,
            "0" * 32,
        )
        for code, node, excess in sites
    )
    return ModelReport("m.onnx", totals=totals(), nodes=nodes, findings=findings)


def kinds(changes: tuple[SiteChange, ...]) -> list[tuple[str, str, int]]:
    return [(change.kind, change.place, change.delta) for change in changes]


def test_places_that_came_went_and_differ() -> None:
    old = report(("G1", 0, 100), ("G1", 1, 100), ("G2", 0, 50))
    new = report(("G1", 0, 150), ("G1", 1, 60), ("G1", 2, 80))
    assert kinds(finding_changes(old, new, SAME, 0.01)) == [
        ("new", "n2", 80), ("worse", "n0", 50), ("fixed", "n0", -50), ("better", "n1", -40),
    ]  # fmt: skip


def test_a_place_follows_its_node() -> None:
    old, new = report(("G1", 0, 100)), report(("G1", 2, 100))
    assert finding_changes(old, new, {0: 2}, 0.01) == ()
    assert [c.kind for c in finding_changes(old, new, SAME, 0.01)] == ["new", "fixed"]


def test_what_check_would_not_show_is_not_there() -> None:
    old, new = report(("G1", 0, 5), ("G1", 1, 4)), report(("G1", 0, 8), ("G1", 2, 1))
    assert finding_changes(old, new, SAME, 0.01) == ()
    assert kinds(finding_changes(report(("G1", 0, 5)), report(("G1", 0, 15)), SAME, 0.01)) == [
        ("new", "n0", 15)
    ]
    assert kinds(finding_changes(report(("G1", 0, 15)), report(("G1", 0, 5)), SAME, 0.01)) == [
        ("fixed", "n0", -15)
    ]


def test_a_finding_of_the_whole_model_has_no_nodes_to_go_by() -> None:
    site = FoundSite(Location("m.onnx", ()), 10)
    budget = Finding("B1", "b", Severity.ERROR, "m", "h", (site,), 10, "0" * 32)
    old = ModelReport("m.onnx", totals=totals(), findings=(budget,))
    assert finding_changes(old, old, {}, 0.0) == ()


@pytest.mark.parametrize(
    ("old", "new", "threshold", "worse"),
    [
        (totals(), totals(), 0.01, []),
        (totals(), totals(memory=1010), 0.01, []),
        (totals(), totals(memory=1011), 0.01, ["memory access"]),
        (totals(), totals(memory=1011), 0.05, []),
        (totals(), totals(madds=102, parameters=11), 0.01, ["multiply-adds", "parameters"]),
        (totals(parameters=0), totals(parameters=1), 0.01, ["parameters"]),
        (totals(), totals(1, 1, 1), 0.0, []),
    ],
)
def test_costs_that_grew(old: Totals, new: Totals, threshold: float, worse: list[str]) -> None:
    assert [found.what for found in regressions(old, new, (), threshold)] == worse


def test_rules_whose_places_grew() -> None:
    def worse(old: ModelReport, new: ModelReport) -> list[str]:
        changes = finding_changes(old, new, SAME, 0.0)
        return [found.what for found in regressions(totals(), totals(), changes, 0.01)]

    assert worse(report(), report(("G1", 0, 20))) == ["G1 findings"]
    assert worse(report(), report(("G1", 0, 9))) == []
    assert worse(report(("G1", 0, 20)), report(("G1", 1, 25))) == []
    assert worse(report(), report(("G3", 0, None))) == ["G3 findings"]
    assert worse(report(("G3", 1, None)), report(("G3", 0, None))) == []
    assert worse(report(), report(("G4", 0, 500), severity=Severity.INFO)) == []


def test_work_grows_with_the_places_that_share_a_node() -> None:
    """A place takes the next that is free: those taken before it are not looked at again."""

    def work(places: int) -> int:
        old, new = (
            _sharing([f"{side}{number}" for number in range(places)]) for side in ("old", "new")
        )
        changes = []
        count = lines(lambda: changes.extend(finding_changes(old, new, {0: 0}, 0.0)))
        assert changes == []  # all are the same places, by the node that they share
        return count

    assert work(400) < 4 * 1.3 * work(100)


def _sharing(firsts: list[str]) -> ModelReport:
    """Findings on two nodes each, of which the second is `n0`, and the first is in no partner."""
    (node, *_) = report().nodes
    own = tuple(replace(node, index=1 + i, path=path) for i, path in enumerate(firsts))
    (found,) = report(("G1", 0, 100)).findings
    sites = (FoundSite(Location("m.onnx", (path, "n0")), 100) for path in firsts)
    findings = tuple(replace(found, sites=(site,)) for site in sites)
    return replace(report(), nodes=(node, *own), findings=findings)
