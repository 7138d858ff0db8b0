"""Models in turn: what is told of one against another, and what one that fails leaves of it."""

from __future__ import annotations

import itertools
import math
import random
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphlint.latency.children import Limits
from graphlint.latency.compare import compare
from graphlint.latency.comparing import compared, interval_depth, speed_up
from graphlint.latency.request import MeasureRequest
from graphlint.times import ComparedTimes, Comparison, NotMeasured, Ratio

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MODEL = str(FIXTURES / "shufflenet_v1.onnx")

# The arithmetic, without a runtime


@pytest.mark.parametrize("readings", range(1, 40))
def test_the_interval_holds_the_median_in_95_of_100_cases(readings: int) -> None:
    def outside(depth: int) -> float:
        ways = sum(math.comb(readings, below) for below in range(depth + 1))
        return ways / 2**readings

    depth = interval_depth(readings)
    assert outside(depth + 1) > 0.025
    assert depth == 0 or outside(depth) <= 0.025


def test_the_interval_of_many_readings_is_found_at_once() -> None:
    assert interval_depth(600) == 275
    assert 4900 < interval_depth(10_000) < 5000


def test_a_speed_up_is_paired_by_round() -> None:
    weather = [1.0, 5.0, 2.0, 9.0, 1.5, 7.0, 3.0, 1.0]  # the whole machine is slow and quick
    first = [[3.0 * slow for slow in weather]] * 3
    this = [[2.0 * slow for slow in weather]] * 3
    assert speed_up(first, this) == Ratio(1.5, 1.5, 1.5)
    assert speed_up(this, first).value == pytest.approx(1 / 1.5)


def test_the_interval_is_widened_to_every_session() -> None:
    ones = [1.0] * 50
    ratio = speed_up([[1.1] * 50, ones, ones], [ones, ones, ones])
    assert (ratio.value, ratio.low, ratio.high) == (1.0, 1.0, 1.1)
    assert not ratio.is_told_from_one


def test_an_interval_covers_what_it_should() -> None:
    draws = random.Random(7)

    def session(middle: float) -> list[float]:
        return [middle * math.exp(draws.gauss(0, 0.05)) for _ in range(60)]

    held = 0
    for _ in range(200):
        first = [session(1.2) for _ in range(3)]
        ratio = speed_up(first, [session(1.0) for _ in range(3)])
        held += ratio.low <= 1.2 <= ratio.high
    assert held >= 185


def test_a_difference_is_told_only_where_the_interval_leaves_out_one() -> None:
    assert Ratio(1.3, 1.2, 1.4).is_told_from_one
    assert Ratio(0.8, 0.7, 0.9).is_told_from_one
    assert not Ratio(1.1, 0.99, 1.2).is_told_from_one


def test_without_the_first_there_is_no_ratio() -> None:
    assert compared([[2.0, 4.0, 6.0]] * 3, None) == ComparedTimes(4.0, 0.0, None)


def test_models_measured_in_different_ways_are_not_compared() -> None:
    with pytest.raises(ValueError, match="one provider"):
        compare([MeasureRequest(MODEL), MeasureRequest(MODEL, threads=2)])
    with pytest.raises(ValueError, match="no model"):
        compare([])


# Real children

_TRAP = """
import sys

if "graphlint.latency.child" in sys.orig_argv:
    import os
    import signal
    import time

    import graphlint.latency.comparing as module

    original = module.open_session

    def misbehave(file, *arguments, **options):
        if file.name == "bad.onnx":
            {deed}
        return original(file, *arguments, **options)

    module.open_session = misbehave
"""

needs_runtime = pytest.mark.skipif(
    find_spec("onnxruntime") is None,
    reason="measuring needs ONNX Runtime",
)
Trap = Callable[[str], str]


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trap:
    """Makes children do a deed when they open a model, whose path is given."""

    def lay(deed: str) -> str:
        text = _TRAP.format(deed=deed)
        (tmp_path / "sitecustomize.py").write_text(text, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        bad = tmp_path / "bad.onnx"
        bad.write_bytes(Path(MODEL).read_bytes())
        return str(bad)

    return lay


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which temporary files are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def raced(*paths: str, limits: Limits | None = None, **options: object) -> Comparison:
    requests = [
        MeasureRequest(path, **{"time_budget": 0.5, **options})  # type: ignore[arg-type]
        for path in paths
    ]
    return compare(requests, limits) if limits else compare(requests)


def times(comparison: Comparison, place: int) -> ComparedTimes:
    found = comparison.models[place]
    assert isinstance(found, ComparedTimes), found
    return found


def ratio(comparison: Comparison, place: int) -> Ratio:
    found = times(comparison, place).speed_up
    assert found is not None
    return found


def reason(comparison: Comparison, place: int) -> str:
    found = comparison.models[place]
    assert isinstance(found, NotMeasured), found
    return found.reason


def products(folder: Path, count: int) -> str:
    """A chain of `count` matrix products."""
    weight = numpy_helper.from_array(np.eye(96, dtype=np.float32), "w")
    nodes = [
        helper.make_node("MatMul", [f"x{i}" if i else "x", "w"], [f"x{i + 1}"])
        for i in range(count)
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [96, 96])],
        [helper.make_tensor_value_info(f"x{count}", TensorProto.FLOAT, None)],
        [weight],
    )
    path = folder / f"{count}.onnx"
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))
    return str(path)


@needs_runtime
def test_three_models_keep_their_order_and_the_work_shows(tmp_path: Path, scratch: Path) -> None:
    paths = [products(tmp_path, count) for count in (8, 32, 2)]
    comparison = raced(*paths, time_budget=1.0)
    assert ratio(comparison, 0) == Ratio(1.0, 1.0, 1.0)
    assert 0.15 < ratio(comparison, 1).value < 0.5
    assert ratio(comparison, 1).high < 1 < ratio(comparison, 2).low
    for place, other in itertools.permutations(range(3), 2):
        by_seconds = times(comparison, place).seconds / times(comparison, other).seconds
        by_ratio = ratio(comparison, other).value / ratio(comparison, place).value
        assert by_seconds == pytest.approx(by_ratio, rel=0.5)
    assert comparison.rounds >= 15
    assert (comparison.provider, comparison.threads) == ("cpu", 1)
    assert list(scratch.iterdir()) == []


@needs_runtime
@pytest.mark.parametrize(
    ("deed", "told"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed (signal 11, SIGSEGV)"),
        ("os._exit(7)", "exit code 7"),
        ("raise MemoryError", "out of memory"),
    ],
    ids=["crash", "exit", "memory"],
)
def test_a_model_that_fails_takes_no_other_down(
    deed: str, told: str, trap: Trap, scratch: Path
) -> None:
    bad = trap(deed)
    comparison = raced(MODEL, bad, MODEL)
    assert told in reason(comparison, 1)
    assert ratio(comparison, 2).low > 0
    assert list(scratch.iterdir()) == []


@needs_runtime
def test_a_hang_is_ended_and_the_others_are_measured(trap: Trap) -> None:
    bad = trap("time.sleep(3600)")
    comparison = raced(bad, MODEL, limits=Limits(stage_seconds=6))
    assert "took longer than 6 s" in reason(comparison, 0)
    assert times(comparison, 1).speed_up is None  # there is nothing to compare it with


def misfit(folder: Path) -> str:
    """A model whose runs fail: inputs that are made do not fit each other."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, [4]), value("shape", TensorProto.INT64, [2])],
        [value("y", TensorProto.FLOAT, None)],
    )
    path = folder / "misfit.onnx"
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))
    return str(path)


@needs_runtime
def test_what_cannot_be_read_or_run_is_told_of_that_model(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07garbage")
    missing = str(tmp_path / "missing.onnx")
    comparison = raced(MODEL, str(tmp_path / "broken.onnx"), missing, misfit(tmp_path))
    assert times(comparison, 0).seconds > 0
    assert "broken.onnx" in reason(comparison, 1)
    assert "missing.onnx" in reason(comparison, 2)
    assert "could not run the model" in reason(comparison, 3)


@needs_runtime
def test_an_option_that_cannot_be_met_is_a_usage_error() -> None:
    comparison = raced(MODEL, MODEL, provider="abacus")
    assert comparison.rounds == 0
    assert [isinstance(m, NotMeasured) and m.is_usage for m in comparison.models] == [True, True]


def test_without_a_runtime_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphlint.latency.compare.is_installed", lambda: False)
    comparison = raced(MODEL, MODEL)
    assert "no runtime" in reason(comparison, 0)
    assert "no runtime" in reason(comparison, 1)
