"""Progress of many models, on a terminal and nowhere else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="no pseudo-terminals on this system")

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures/shufflenet_v2.onnx"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("many")
    for number in range(60):
        shutil.copy(FIXTURE, made / f"{number}.onnx")
    return made


def on_a_terminal(folder: Path, **variables: str) -> tuple[str, str]:
    """Stdout through a pipe, and what a terminal at stderr is sent."""
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "PRE_COMMIT"} | variables
    with subprocess.Popen(
        [sys.executable, "-m", "graphlint", "check", "--no-latency", "--isolated", folder],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment,
        text=True,
    ) as process:
        os.close(theirs)
        told = b""
        try:
            while chunk := os.read(ours, 4096):
                told += chunk
        except OSError:  # Linux ends a terminal so
            pass
        os.close(ours)
        assert process.stdout is not None
        return process.stdout.read(), told.decode()


def test_rate_and_end_are_told_and_wiped(folder: Path) -> None:
    out, told = on_a_terminal(folder)
    assert re.search(r"\r\d+ of 60 models, \d+ a second, \d+ s left\x1b\[K", told)
    assert told.endswith("\r\x1b[K")
    assert "60 models" in out
    assert "a second" not in out


def test_nothing_in_a_hook(folder: Path) -> None:
    assert on_a_terminal(folder, PRE_COMMIT="1")[1] == ""
