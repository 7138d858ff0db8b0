"""Measured latency on the command line: what it adds, and what it must never change."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest

from graphlint.units import format_seconds

ROOT = Path(__file__).resolve().parent.parent
V1 = ROOT / "fixtures" / "shufflenet_v1.onnx"
FAST = ("--time-budget", "0.3")

needs_runtime = pytest.mark.skipif(
    find_spec("onnxruntime") is None, reason="onnxruntime is not installed: nothing to measure with"
)


def graphlint(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command, not as a hook."""
    clean = {name: value for name, value in os.environ.items() if name != "PRE_COMMIT"}
    return subprocess.run(
        [sys.executable, "-m", "graphlint", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**clean, "PYTHONIOENCODING": "utf-8", **environment},
        check=False,
    )


@needs_runtime
def test_a_single_model_is_measured() -> None:
    done = graphlint("check", V1, *FAST)
    assert done.returncode == 1
    assert re.search(r"\d (µs|ms|s) \(CPU, 1 thread, ONNX Runtime all\)", done.stdout)
    assert "time in nodes" in done.stdout


@needs_runtime
def test_times_change_no_finding_and_no_exit_code() -> None:
    static = graphlint("check", V1, "--no-latency", "--output-format", "json")
    timed = graphlint("check", V1, *FAST, "--output-format", "json")
    assert static.returncode == timed.returncode
    reports = [json.loads(done.stdout)["models"][0] for done in (static, timed)]
    for report in reports:
        for finding in report["findings"]:
            seconds = finding.pop("seconds")
            assert (seconds is not None) is (report is reports[1])
    assert reports[0]["findings"] == reports[1]["findings"]


@needs_runtime
def test_shares_sum_to_the_kernels() -> None:
    done = graphlint("profile", V1, *FAST, "--output-format", "json")
    model = json.loads(done.stdout)["models"][0]
    of_nodes = sum(node["seconds"] for node in model["nodes"] if node["seconds"] is not None)
    of_kernels = sum(kernel["seconds"] for kernel in model["latency"]["kernels"])
    assert of_nodes == pytest.approx(of_kernels, rel=0.02)
    assert {node["how"] for node in model["nodes"]} <= {"own", "fused", "folded", "eliminated"}
    assert model["totals"]["latency_seconds"] > 0


@needs_runtime
def test_nothing_is_measured_in_a_hook_or_for_several_models() -> None:
    assert "ONNX Runtime" not in graphlint("check", V1, PRE_COMMIT="1").stdout
    other = ROOT / "fixtures" / "shufflenet_v2.onnx"
    assert "ONNX Runtime" not in graphlint("check", V1, other).stdout


@needs_runtime
def test_a_provider_that_is_not_there_is_an_error() -> None:
    done = graphlint("check", V1, "--provider", "no_such_provider")
    assert done.returncode == 2
    assert "no_such_provider" in done.stderr
    assert done.stdout == ""


@needs_runtime
def test_input_data_of_a_wrong_shape_says_both(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, input=np.zeros((1, 3, 8, 8), np.float32))
    done = graphlint("check", V1, "--input-data", path)
    assert done.returncode == 2
    assert "8" in done.stderr
    assert "64" in done.stderr


@needs_runtime
def test_a_model_that_cannot_run_keeps_its_static_report() -> None:
    done = graphlint("check", ROOT / "fixtures" / "shufflenet_v1_dynamic_size.onnx", *FAST)
    assert "latency is not measured" in done.stdout
    assert done.returncode == 0


def test_without_a_runtime_one_line_says_how(tmp_path: Path) -> None:
    # A module that can't be imported stands before the installed one.
    code = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from importlib import util; find = util.find_spec\n"
        "util.find_spec = lambda name, *a: None if name == 'onnxruntime' else find(name, *a)\n"
        f"sys.argv = ['graphlint', 'check', '--exit-zero', {str(V1)!r}]\n"
        "from graphlint.__main__ import main; main()"
    )
    clean = {name: value for name, value in os.environ.items() if name != "PRE_COMMIT"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**clean, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "latency is not measured: no runtime is installed" in done.stdout
    assert "onnx-graphlint" in done.stdout


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.00000085, "0.85 µs"), (0.000412, "412 µs"), (0.00643, "6.43 ms"), (1.2, "1.20 s")],
)
def test_seconds_read_well(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


@needs_runtime
def test_a_page_a_trace_and_an_annotated_model(tmp_path: Path) -> None:
    page, trace, out = tmp_path / "page.html", tmp_path / "trace.json", tmp_path / "out.onnx"
    done = graphlint(
        *("profile", V1, *FAST, "--output-format", "html", "--output-file", page),
        *("--trace", trace, "--annotate", out),
    )
    assert done.returncode == 0, done.stderr
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    nodes = onnx.load(out).graph.node
    assert any(p.key.startswith("graphlint.") for node in nodes for p in node.metadata_props)


def test_no_trace_without_times(tmp_path: Path) -> None:
    done = graphlint("profile", V1, "--no-latency", "--trace", tmp_path / "trace.json")
    assert done.returncode == 2
    assert "the model was not measured" in done.stderr
    assert not list(tmp_path.iterdir())
