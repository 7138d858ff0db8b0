"""Real children: what they measure, and what is left of them when they misbehave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphlint.bindings import Bindings
from graphlint.graph import TensorType
from graphlint.graph_builder import build
from graphlint.latency.children import Limits
from graphlint.latency.measure import measure
from graphlint.latency.request import MeasureRequest
from graphlint.model import load
from graphlint.times import ModelTimes, NotMeasured

pytest.importorskip("onnxruntime", reason="measuring needs ONNX Runtime")

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MODEL = str(FIXTURES / "shufflenet_v1.onnx")

_TRAP = """
import sys

if "graphlint.latency.child" in sys.orig_argv:
    import os
    import signal
    import time

    import graphlint.latency.protocol as module

    original = module.open_session

    def misbehave(*arguments, **options):
        {deed}
        return original(*arguments, **options)

    module.open_session = misbehave
"""
DEEDS = {
    "crash": "os.kill(os.getpid(), signal.SIGSEGV)",
    "hang": "time.sleep(3600)",
    "exit": "os._exit(7)",
    "devour": "hoard = [bytearray(os.urandom(1 << 20) * 64) for _ in range(1 << 20)]",
}
Trap = Callable[[str], None]


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trap:
    """Makes children do a deed when they make the session that is measured."""

    def lay(deed: str) -> None:
        text = _TRAP.format(deed=DEEDS[deed])
        (tmp_path / "sitecustomize.py").write_text(text, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return lay


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which temporary files are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def request(path: str = MODEL, **options: object) -> MeasureRequest:
    return MeasureRequest(path, **{"time_budget": 0.5, **options})  # type: ignore[arg-type]


def measured(asked: MeasureRequest) -> ModelTimes:
    times = measure(asked)
    assert isinstance(times, ModelTimes), times
    return times


def test_every_node_of_the_view_has_its_time(scratch: Path) -> None:
    times = measured(request())
    view = build(load(MODEL))
    assert len(times.nodes) == len(view.nodes)
    assert times.provider == "cpu"
    assert times.threads == 1
    assert times.sessions == 3
    assert times.runs >= 15
    assert len({kernel.name for kernel in times.kernels}) == len(times.kernels)
    by_nodes = sum(node.seconds for node in times.nodes if node is not None)
    assert by_nodes == pytest.approx(times.kernel_seconds)
    for index, node in enumerate(times.nodes):
        assert node is not None
        holders = [kernel.name for kernel in times.kernels if index in kernel.nodes]
        assert node.kernel in (holders or [""])
        assert (node.seconds == 0) or holders
    assert list(scratch.iterdir()) == []


def convolutions(folder: Path, repeats: int) -> str:
    """`heavy` does 64 times the work of `light`, `repeats` times each."""
    heavy = np.full((128, 128, 3, 3), 1e-3, np.float32)
    light = np.full((16, 16, 3, 3), 1e-3, np.float32)
    nodes = []
    for i in range(repeats):
        for name in ("heavy", "light"):
            source = name if i == 0 else f"{name}{i - 1}"
            nodes.append(
                helper.make_node(
                    "Conv",
                    [source, f"w_{name}"],
                    [f"{name}{i}"],
                    f"{name}_{i}",
                    pads=[1, 1, 1, 1],
                )
            )
    shapes = {"heavy": [1, 128, 28, 28], "light": [1, 16, 28, 28]}
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        ],
        [
            helper.make_tensor_value_info(f"{name}{repeats - 1}", TensorProto.FLOAT, None)
            for name in shapes
        ],
        [numpy_helper.from_array(heavy, "w_heavy"), numpy_helper.from_array(light, "w_light")],
    )
    path = folder / "convolutions.onnx"
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))
    return str(path)


def test_what_works_more_takes_longer(tmp_path: Path) -> None:
    times = measured(request(convolutions(tmp_path, 3), time_budget=1.5))
    nodes = [node.seconds for node in times.nodes if node is not None]
    heavy, light = nodes[0::2], nodes[1::2]
    assert min(heavy) > 5 * max(light)
    assert 0.4 < times.kernel_seconds / times.cpu_seconds < 2.5


def test_options_reach_the_runtime(tmp_path: Path) -> None:
    path = str(FIXTURES / "shufflenet_v1_dynamic_batch.onnx")
    view = build(load(path))
    (name,) = view.inputs
    declared = view.types[name]
    assert isinstance(declared, TensorType)
    assert declared.shape is not None
    symbol, *rest = declared.shape
    given = tmp_path / "given.npz"
    np.savez(given, **{name: np.zeros((4, *rest), np.float32)})
    times = measured(request(path, input_data=given, threads=2, optimization="basic"))
    assert (times.threads, times.optimization) == (2, "basic")
    measured(request(path, bindings=Bindings(dims={str(symbol): 2})))


def test_input_data_that_does_not_fit_is_a_usage_error(tmp_path: Path) -> None:
    np.savez(tmp_path / "wrong.npz", nonsense=np.zeros(3))
    answer = measure(request(input_data=tmp_path / "wrong.npz"))
    assert isinstance(answer, NotMeasured)
    assert answer.is_usage
    assert "nonsense" in answer.reason


def test_a_missing_provider_is_a_usage_error() -> None:
    answer = measure(request(provider="abacus"))
    assert isinstance(answer, NotMeasured)
    assert answer.is_usage


def test_an_operator_without_a_kernel_is_not_measured(tmp_path: Path) -> None:
    node = helper.make_node("Nonsense", ["x"], ["y"], domain="nowhere")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node],
        "g",
        [value("x", TensorProto.FLOAT, [1])],
        [value("y", TensorProto.FLOAT, [1])],
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("nowhere", 1)]
    path = tmp_path / "custom.onnx"
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), str(path))
    answer = measure(request(str(path)))
    assert isinstance(answer, NotMeasured)
    assert "refused" in answer.reason
    assert not answer.is_usage


def test_a_crash_is_told(trap: Trap, scratch: Path) -> None:
    trap("crash")
    answer = measure(request())
    assert isinstance(answer, NotMeasured)
    assert "the runtime crashed (signal 11, SIGSEGV)" in answer.reason
    assert list(scratch.iterdir()) == []


def test_a_hang_is_ended(trap: Trap, scratch: Path) -> None:
    trap("hang")
    answer = measure(request(), Limits(stage_seconds=8))
    assert isinstance(answer, NotMeasured)
    assert "took longer than 8 s" in answer.reason
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_a_flood_of_memory_is_ended(trap: Trap, scratch: Path) -> None:
    trap("devour")
    answer = measure(request(), Limits(memory_bytes=1 << 30))
    assert isinstance(answer, NotMeasured)
    assert "took more than 1.0 GiB of memory" in answer.reason
    assert list(scratch.iterdir()) == []


def test_an_early_exit_is_told(trap: Trap) -> None:
    trap("exit")
    answer = measure(request())
    assert isinstance(answer, NotMeasured)
    assert "exit code 7" in answer.reason


def children_of(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_no_child_and_no_file_outlives_its_parent(ending: int, trap: Trap, scratch: Path) -> None:
    trap("hang")
    code = (
        "from graphlint.latency.measure import *; from graphlint.latency.request import *;"
        f"measure(MeasureRequest({MODEL!r}, time_budget=60), Limits(stage_seconds=600))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    try:
        assert wait_for(lambda: any(scratch.glob("graphlint-*/measured.onnx")))
        (child,) = children_of(parent.pid)
        os.kill(parent.pid, ending)
        parent.wait(timeout=20)
        assert wait_for(lambda: not is_running(child))
        assert wait_for(lambda: list(scratch.iterdir()) == [])
    finally:
        parent.kill()
        parent.wait()


def test_a_module_beside_the_model_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "onnx.py").write_text("raise SystemExit('hijacked')")
    (tmp_path / "m.onnx").write_bytes(Path(MODEL).read_bytes())
    monkeypatch.chdir(tmp_path)
    measured(request("m.onnx"))
