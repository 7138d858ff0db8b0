"""Work and memory grow with the model, not faster: counted, so that no clock has a say in it."""

import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import ModelProto

from benchmarks import scale_models
from graphlint.bindings import Bindings
from graphlint.config import Settings
from graphlint.diffing.changes import change
from graphlint.engine import check
from graphlint.graph_builder import build
from graphlint.model import Model
from graphlint.regions import find_regions
from graphlint.request import Request
from graphlint.results import ModelReport
from graphlint.shapes import declared_only

TIMES = 4
SLACK = 1.2
NETWORKS = (
    scale_models.chain,
    scale_models.branches,
    scale_models.residual,
    scale_models.v1_units,
    scale_models.inputs,
)


def checked(folder: Path, model: ModelProto, **wanted: Any) -> ModelReport:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    report = check(Request(str(path), Settings(), strict_shapes=False, **wanted))
    assert report.errors == ()
    return report


def calls(work: Callable[[], object]) -> int:
    """How many functions the work calls."""
    count = 0

    def event(frame: object, kind: str, argument: object) -> None:
        nonlocal count
        count += kind in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(event)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("network", NETWORKS, ids=lambda make: make.__name__)
def test_calls_of_a_check_grow_with_the_nodes(
    network: Callable[[int], ModelProto], tmp_path: Path
) -> None:
    checked(tmp_path, network(50), want_nodes=True, want_regions=True)  # everything is imported
    small, large = (
        calls(lambda n=n: checked(tmp_path, network(n), want_nodes=True, want_regions=True))
        for n in (250, 250 * TIMES)
    )
    assert large < TIMES * SLACK * small


@pytest.mark.parametrize("other", NETWORKS[:3], ids=lambda make: make.__name__)
def test_calls_of_a_diff_grow_with_the_nodes(
    other: Callable[[int], ModelProto], tmp_path: Path
) -> None:
    def compared(nodes: int) -> int:
        wanted = {"want_nodes": True, "want_structure": True}
        old = checked(tmp_path, scale_models.residual(nodes), **wanted)
        new = checked(tmp_path, other(nodes + 70), **wanted)
        return calls(lambda: change(old, new))

    # Small models are aligned as well as can be, in more steps: compare above that.
    assert compared(1000 * TIMES) < TIMES * SLACK * compared(1000)


def test_memory_of_regions_grows_with_the_nodes() -> None:
    def needed(nodes: int) -> int:
        model = scale_models.branches(nodes)
        view = declared_only(build(Model("m", Path("m"), model, 1, 1)), Bindings(), "")[0]
        return peak_bytes(lambda: find_regions(view))

    needed(8)  # networkx is imported
    assert needed(2000 * TIMES) < TIMES * SLACK * needed(2000)


def test_external_data_are_not_read(tmp_path: Path) -> None:
    path = scale_models.write_external(tmp_path, scale_models.external, 10_000)
    assert (tmp_path / "weights.bin").stat().st_size == 10**10

    def work() -> None:
        report = check(Request(str(path), Settings()))
        assert report.errors == ()
        assert report.totals is not None
        assert report.totals.parameters == 10**10 // 4

    work()
    assert peak_bytes(work) < 4 << 20


def test_so_many_findings_are_all_there(tmp_path: Path) -> None:
    path = scale_models.write_external(tmp_path, scale_models.findings, 300)
    assert len(check(Request(str(path), Settings(min_excess=0))).findings) == 300


def test_subgraphs_as_deep_as_protobuf_allows(tmp_path: Path) -> None:
    assert checked(tmp_path, scale_models.nested(30)).totals is not None


def test_deeper_subgraphs_are_told(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(scale_models.nested(32).SerializeToString())
    (error,) = check(Request(str(path), Settings())).errors
    assert "deeper than 100" in error.cause
