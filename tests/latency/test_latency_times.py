"""The arithmetic of measuring, without a runtime."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphlint.costs import Category, NodeCost
from graphlint.latency.attribution import Attribution, Fate, Group
from graphlint.latency.engines import cover
from graphlint.latency.measure import scaled
from graphlint.latency.prepared import name_of, parse_name
from graphlint.latency.profiles import read_profile
from graphlint.latency.protocol import SessionTimes, Timings
from graphlint.latency.quantiles import FEW, lower_quartile, relative_spread
from graphlint.latency.request import PlainTimes
from graphlint.latency.shares import node_times, split
from graphlint.times import Kernel, ModelTimes


def test_the_lower_quartile_is_in_the_middle_of_its_tick() -> None:
    assert lower_quartile([7] * 100) == 7.5
    assert lower_quartile([1] * 20 + [5] * 80) == 5.5
    assert lower_quartile([1] * 30 + [5] * 70) == 1.5


def test_few_runs_give_their_minimum() -> None:
    assert lower_quartile([9] * (FEW - 2) + [3]) == 3.5
    assert lower_quartile([9] * (FEW - 1) + [3]) == 9.5


@given(st.lists(st.integers(0, 10_000), min_size=1))
def test_the_lower_quartile_is_one_of_the_readings(ticks: list[int]) -> None:
    assert lower_quartile(ticks) - 0.5 in ticks


@given(
    st.floats(0, 1e3), st.lists(st.floats(0, 1e9, allow_subnormal=False), min_size=1, max_size=9)
)
def test_shares_sum_to_the_kernel(seconds: float, weights: list[float]) -> None:
    parts = split(seconds, weights)
    assert sum(parts) == pytest.approx(seconds, rel=1e-9, abs=1e-12)
    assert all(part >= 0 for part in parts)


def test_spread_is_relative() -> None:
    assert relative_spread([1.0, 1.1, 1.2]) == pytest.approx(0.2 / 1.1)
    assert relative_spread([0.0, 0.0, 0.0]) == 0.0


def test_names_round_trip() -> None:
    assert parse_name(name_of(12)) == (12, False)
    assert parse_name(name_of(12) + ".body.3") == (12, True)
    assert parse_name("conv1") is None


def event(name: str, dur: int, op: str = "Relu") -> dict[str, object]:
    return {
        "cat": "Node",
        "name": f"{name}_kernel_time",
        "dur": dur,
        "args": {"op_name": op},
    }


def test_a_profile_is_read_run_by_run(tmp_path: Path) -> None:
    end = {"cat": "Session", "name": "model_run", "dur": 99}
    warm = [event(name_of(0), 500), event(name_of(1), 500), end]
    first = [
        event(name_of(0), 3),
        event(name_of(1) + ".body.0", 2),
        event(name_of(1) + ".body.0", 2),
        event(name_of(1), 8),
        event("Memcpy_1", 4, "MemcpyToHost"),
        end,
    ]
    second = [event(name_of(0), 5), event(name_of(1), 9), end]
    path = tmp_path / "profile.json"
    path.write_text(json.dumps([*warm, *first, *second]))
    profile = read_profile(path, 2, skip=1)
    assert profile.kernels == ((3, 5), (8, 9))
    assert profile.inner == (0.0, 1.0)
    assert profile.other == {"MemcpyToHost": (4,)}
    assert profile.runs == 2
    assert not profile.is_full


COSTS = (
    NodeCost(Category.CONVOLUTION, multiply_adds=400, read_bytes=150, write_bytes=50),
    NodeCost(Category.ELEMENTWISE, read_bytes=50, write_bytes=50),
    NodeCost(Category.VIEW),
)


def test_a_share_is_by_memory_access_and_multiply_adds() -> None:
    kernels = (Kernel("Conv", ("Conv",), 4.0, 0.05, (0, 1)),)
    times = node_times(("fused", "fused", "folded"), kernels, COSTS)
    assert [time.seconds for time in times] == pytest.approx([3.0, 1.0, 0.0])
    assert [time.kernel for time in times] == ["Conv", "Conv", ""]
    assert [time.how for time in times] == ["fused", "fused", "folded"]


def test_the_median_of_the_sessions_is_what_counts() -> None:
    from graphlint.latency.shares import kernels

    def session(seconds: float) -> SessionTimes:
        return SessionTimes((seconds, 1.0), {}, 9.0, 9.0, 30, 0.0, False)

    class Graph:
        op, name = "Conv", "c"

    timings = Timings(tuple(map(session, (2.0, 50.0, 3.0))), ())
    attribution = Attribution(
        (Fate("own", (0,)), Fate("own", (1,))), (Group((0,), (0,)), Group((1,), (1,)))
    )
    found = kernels(attribution, timings, (Graph, Graph))  # type: ignore[arg-type]
    assert [kernel.seconds for kernel in found] == [3.0, 1.0]
    assert found[0].spread == pytest.approx(16.0)
    assert [kernel.name for kernel in found] == ["Conv c", "Conv c #2"]


def test_times_of_a_device_are_scaled_to_runs_that_wait_for_nothing() -> None:
    times = ModelTimes(
        nodes=node_times(("own",), (Kernel("k", ("Conv",), 4.0, 0.0, (0,)),), COSTS[:1]),
        kernels=(Kernel("k", ("Conv",), 4.0, 0.0, (0,)),),
        wall_seconds=9.0,
        cpu_seconds=9.0,
        sessions=3,
        runs=90,
        busy_factor=1.0,
        provider="cuda",
        threads=1,
        optimization="all",
    )
    brought = scaled(times, PlainTimes((1.0, 2.0, 3.0)))
    assert brought.wall_seconds == 2.0
    assert brought.kernel_seconds == pytest.approx(2.0)
    assert brought.nodes[0] is not None
    assert brought.nodes[0].seconds == pytest.approx(2.0)
    assert "scaled" in brought.notes[-1]


def test_an_engine_covers_what_runs_nowhere_else() -> None:
    from graphlint.graph_builder import build
    from graphlint.model import load

    fixture = Path(__file__).resolve().parents[2] / "fixtures" / "shufflenet_v1_unit_stride1.onnx"
    view = build(load(str(fixture)))
    covered = cover(view, ["TRTKernel_graph_0", "Transpose"])
    by_op = {node.path: fate for node, fate in zip(view.nodes, covered.fates, strict=True)}
    assert set(by_op.values()) == {"fused", "inexact", "folded"}
    together = sorted((*covered.nodes["TRTKernel_graph_0"], *covered.nodes["Transpose"]))
    assert together == [i for i, fate in enumerate(covered.fates) if fate != "folded"]
