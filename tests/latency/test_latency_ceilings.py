"""A device's ceilings: what the probes do, and what is left of them when they can't."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from graphlint import registry, shapes
from graphlint.bindings import Bindings
from graphlint.costs.totals import node_costs
from graphlint.graph_builder import build
from graphlint.latency.ceilings import measure_ceilings
from graphlint.latency.children import Limits
from graphlint.latency.probing import Probe, Sizes, addition, convolution, product
from graphlint.latency.session import Setup, open_session
from graphlint.model import load
from graphlint.times import Ceilings, NotMeasured

needs_runtime = pytest.mark.skipif(
    find_spec("onnxruntime") is None, reason="measuring needs ONNX Runtime"
)
SIZES = Sizes(16, 8, 4)


def probes(folder: Path) -> list[Probe]:
    return [addition(folder, 64), product(folder, SIZES), convolution(folder, SIZES)]


def test_a_probe_counts_its_work_as_graphlint_counts_nodes(tmp_path: Path) -> None:
    for probe, counted in zip(
        probes(tmp_path), ("memory_access_bytes", "multiply_adds", "multiply_adds"), strict=True
    ):
        model = load(str(probe.path))
        view, _ = shapes.infer(build(model), Bindings(), model.payload)
        first = node_costs(view, registry.handles()).nodes[0]
        assert getattr(first, counted) == probe.work


@needs_runtime
def test_a_probe_does_what_it_says(tmp_path: Path) -> None:
    added, multiplied, convolved = (
        open_session(probe.path, Setup()).run(None, dict(probe.feed)) for probe in probes(tmp_path)
    )
    assert added[0] == 2.0
    assert multiplied[0] == pytest.approx(np.full((16, 16), 0.016))
    assert convolved[0].shape == (1, 8, 4, 4)


@needs_runtime
def test_the_ceilings_are_in_proportion() -> None:
    ceilings = measure_ceilings("cpu", 1, 0.2)
    assert isinstance(ceilings, Ceilings)
    # A core multiplies more than once for a hundred bytes that it can move; with wide vectors and a
    # busy memory some ten times a byte. Bytes taken for elements, or seconds for runs, are far off.
    ratio = ceilings.multiply_adds_per_second / ceilings.bandwidth_bytes_per_second
    assert 0.01 < ratio < 300
    assert "128 MiB" in ceilings.how


@needs_runtime
def test_a_provider_that_is_not_there_gives_no_ceilings() -> None:
    answer = measure_ceilings("abacus", 1, 0.1)
    assert isinstance(answer, NotMeasured)
    assert "abacus" in answer.reason


@needs_runtime
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_a_probe_stays_within_its_memory() -> None:
    answer = measure_ceilings("cpu", 1, 5.0, Limits(memory_bytes=200 << 20))
    assert isinstance(answer, NotMeasured)
    assert "of memory" in answer.reason


def test_without_a_runtime_there_are_no_ceilings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphlint.latency.ceilings.is_installed", lambda: False)
    answer = measure_ceilings("cpu", 1, 0.1)
    assert isinstance(answer, NotMeasured)
    assert "no runtime" in answer.reason
