"""A model can crash, hang or fill its child process; the report survives."""

import io
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graphlint.config import Settings
from graphlint.engine import Request
from graphlint.isolation import Child, check_all, read_frame, write_frame
from graphlint.results import ModelReport
from tests.misbehaving import folder_for

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
MODEL = str(FIXTURES / "shufflenet_v1.onnx")

posix_limits = pytest.mark.skipif(
    sys.platform == "win32", reason="limits of time and memory are POSIX resource limits"
)


def request(path: str = MODEL) -> Request:
    return Request(path, Settings())


def ask_in_trap(monkeypatch: pytest.MonkeyPatch, folder: Path, path: str = MODEL) -> ModelReport:
    monkeypatch.setenv("PYTHONPATH", str(folder))
    (report,) = check_all([request(path)], jobs=1)
    return report


def test_a_crash_of_shape_inference_leaves_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ask_in_trap(monkeypatch, folder_for(tmp_path, "crash", "shapes", "infer"))
    assert report.totals is not None  # what is declared can still be counted
    assert report.totals.uncosted_nodes > 0
    assert "shape inference failed" in report.errors[0].message
    assert "SIGSEGV" in report.errors[0].cause
    assert report.uncosted[0].reason == report.errors[0].cause


@posix_limits
def test_a_hang_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = time.monotonic()
    report = ask_in_trap(monkeypatch, folder_for(tmp_path, "spin", "shapes", "infer"))
    assert "time" in report.errors[0].cause or "too long" in report.errors[0].cause
    assert report.totals is not None
    assert time.monotonic() - start < 60


@posix_limits
def test_a_flood_of_memory_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = ask_in_trap(monkeypatch, folder_for(tmp_path, "devour", "engine", "build"))
    assert report.totals is None
    assert "out of memory" in report.errors[0].message


def test_an_early_exit_elsewhere_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ask_in_trap(monkeypatch, folder_for(tmp_path, "exit", "engine", "node_costs"))
    assert report.totals is None
    assert "exit code 7" in report.errors[0].cause


def test_the_next_model_gets_a_new_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trap = folder_for(tmp_path, "exit", "engine", "build")
    text = (
        (trap / "sitecustomize.py")
        .read_text()
        .replace("os._exit(7)", "'mobilenet' in arguments[0].path and os._exit(7)")
    )
    (trap / "sitecustomize.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(trap))
    paths = [MODEL, str(FIXTURES / "mobilenet_v1_block.onnx"), MODEL]
    reports = list(check_all([request(path) for path in paths], jobs=1))
    assert [bool(report.errors) for report in reports] == [False, True, False]


def test_a_child_answers_many_requests() -> None:
    child = Child()
    try:
        first, second = child.ask(request()), child.ask(request("missing.onnx"))
    finally:
        child.close()
    assert first.totals is not None
    assert second.errors[0].message == "missing.onnx: no such file"


def test_a_module_beside_the_models_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "onnx.py").write_text("raise SystemExit('hijacked')")
    (tmp_path / "m.onnx").write_bytes(Path(MODEL).read_bytes())
    done = subprocess.run(
        [sys.executable, "-P", "-m", "graphlint", "check", "--no-latency", "--exit-zero", "m.onnx"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_frames_round_trip_and_refuse_foreign_values() -> None:
    stream = io.BytesIO()
    write_frame(stream, request())
    stream.seek(0)
    assert read_frame(stream) == request()
    stream = io.BytesIO()
    write_frame(stream, os.system)
    stream.seek(0)
    with pytest.raises(pickle.UnpicklingError):
        read_frame(stream)
    with pytest.raises(EOFError):
        read_frame(io.BytesIO(b"\x09\x00\x00\x00abc"))
