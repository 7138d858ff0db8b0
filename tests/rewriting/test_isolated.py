"""Whatever becomes of the child that rewrites: files are whole or not there; errors are told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graphlint.config import Settings
from graphlint.errors import WorkerError
from graphlint.latency.children import Limits
from graphlint.rewriting.isolated import rewrite
from graphlint.rewriting.request import Progress, RewriteRequest
from tests.misbehaving import folder_for

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

MODEL = Path(__file__).parents[2] / "fixtures" / "shufflenet_v1.onnx"


def request_for(folder: Path) -> RewriteRequest:
    return RewriteRequest(
        str(MODEL), Settings(), out=folder / "out.onnx", plan="keep", weights="structure"
    )


def trap(
    folder: Path, monkeypatch: pytest.MonkeyPatch, deed: str, module: str, function: str
) -> None:
    child = "graphlint.rewriting.child"
    monkeypatch.setenv("PYTHONPATH", str(folder_for(folder, deed, module, function, child)))


def test_the_child_answers_and_tells_its_progress(tmp_path: Path) -> None:
    told: list[Progress] = []
    report = rewrite(request_for(tmp_path), told.append)
    assert report.plan == "keep"
    assert [progress.stage for progress in told][:2] == [
        "reading the model",
        "looking for what can be rewritten",
    ]


@pytest.mark.parametrize(
    ("deed", "words"), [("crash", "it crashed (signal 11)"), ("exit", "exit code 7")]
)
def test_a_child_that_dies_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str, words: str
) -> None:
    trap(tmp_path, monkeypatch, deed, "rewriting.verify", "verified")
    out = tmp_path / "written"
    out.mkdir()
    with pytest.raises(WorkerError, match="checking the new model failed") as raised:
        rewrite(request_for(out))
    assert words in raised.value.cause
    assert not list(out.iterdir())


def test_a_child_that_takes_too_much_memory_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap(tmp_path, monkeypatch, "devour", "rewriting.verify", "verified")
    out = tmp_path / "written"
    out.mkdir()
    with pytest.raises(WorkerError) as raised:
        rewrite(request_for(out), limits=Limits(memory_bytes=1 << 30))
    assert "1.0 GiB of memory" in raised.value.cause
    assert not list(out.iterdir())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_killing_the_command_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The child hangs while it checks; the command is killed; an old output must stay."""
    trap(tmp_path, monkeypatch, "spin", "rewriting.verify", "verified")
    out = tmp_path / "written"
    out.mkdir()
    (out / "out.onnx").write_bytes(b"precious")
    command = subprocess.Popen(
        [
            *(sys.executable, "-m", "graphlint", "rewrite", str(MODEL), "--plan", "keep"),
            *("-o", str(out / "out.onnx"), "--force", "--weights", "structure", "--no-latency"),
        ],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    (child,) = _waited_for(command.pid)
    time.sleep(1.0)
    command.send_signal(number)
    command.wait(timeout=30)
    assert command.returncode != 0
    assert (out / "out.onnx").read_bytes() == b"precious"
    assert [path.name for path in out.iterdir()] == ["out.onnx"]
    _gone(child)


def _waited_for(parent: int) -> list[int]:
    """The children of a process, when it has some."""
    for _ in range(300):
        path = Path(f"/proc/{parent}/task/{parent}/children")
        if not path.exists():
            pytest.skip("this system does not tell a process's children")
        found = [int(pid) for pid in path.read_text().split()]
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("the command started no child")


def _gone(pid: int) -> None:
    """Wait for the end of a process that nobody stops any more."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.05)
    raise AssertionError("the child goes on without its parent")
