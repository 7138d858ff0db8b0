"""A whole check in this process, and what holds of its report whatever the model is."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from onnx import ModelProto

from graphlint.config import Settings
from graphlint.costs.contract import NodeCost
from graphlint.costs.totals import add
from graphlint.engine import check
from graphlint.request import Request
from graphlint.results import ModelReport, Totals

FIGURES = (
    "multiply_adds",
    "element_operations",
    "read_elements",
    "write_elements",
    "weight_elements",
    "read_bytes",
    "write_bytes",
    "weight_bytes",
    "parameters",
)


@cache
def model_file() -> Path:
    """A file for models, in memory where the system has such a place; gone when this process is."""
    home = Path("/dev/shm")
    folder = tempfile.mkdtemp(dir=home if home.is_dir() else None)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder, "model.onnx")


def checked(model: ModelProto) -> ModelReport:
    """The report on a model, held against itself."""
    path = model_file()
    path.write_bytes(model.SerializeToString())
    request = Request(str(path), Settings(select=("ALL",)), want_nodes=True, want_regions=True)
    report = check(request)
    for error in report.errors:
        assert error.message
        assert error.cause
        assert "out of memory" not in error.message
        assert " failed" not in error.message, f"{error.message}: {error.cause}"
    if report.totals is not None:
        _costs_add_up(report, report.totals)
        _findings_fit(report)
    return report


def _costs_add_up(report: ModelReport, totals: Totals) -> None:
    costs = [node.cost for node in report.nodes]
    for cost in costs:
        _cost_is_sound(cost)
    unknown = sum(cost.unknown is not None for cost in costs)
    total = add(costs)
    assert totals.nodes == len(costs)
    assert totals.uncosted_nodes == unknown == sum(row.nodes for row in report.uncosted)
    assert totals.multiply_adds == total.multiply_adds
    assert totals.element_operations == total.element_operations
    assert totals.memory_access_bytes == total.memory_access_bytes
    assert totals.memory_access_elements == total.memory_access_elements
    if not unknown:  # weights count even where it can't be told how often a node runs
        assert totals.parameters <= total.parameters  # and once, however many nodes share them


def _cost_is_sound(cost: NodeCost) -> None:
    figures = [getattr(cost, name) for name in FIGURES]
    assert all(type(figure) is int for figure in figures), f"no whole number: {cost}"
    assert min(figures) >= 0, f"a negative cost: {cost}"
    if cost.unknown is not None:
        assert cost.unknown, "unknown without a reason"
        assert max(figures) == 0, f"unknown, and yet figures: {cost}"


def _findings_fit(report: ModelReport) -> None:
    paths = {node.path for node in report.nodes}
    assert len(paths) == len(report.nodes)
    for finding in report.findings:
        assert set(finding.nodes) <= paths
        assert finding.message
        assert finding.sites
        counted = [s.excess_bytes for s in finding.sites if s.excess_bytes is not None]
        assert finding.excess_bytes == (sum(counted) if counted else None)
        assert min(counted, default=0) >= 0, f"a negative excess: {finding}"
