"""Child processes that run models: whatever becomes of the runtime, the caller gets a value.

Runtimes crash, hang, refuse and run out of memory on models that they do not know. The child tells
every stage that it enters; a stage that takes too long, or a process whose resident memory grows
past the limit, is ended. Memory is watched from outside, since a limit on the address space breaks
CUDA. Temporary files lie in one folder, which is gone at the end, Ctrl-C included.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from graphlint.isolation import read_frame, write_frame
from graphlint.latency.request import STAGES, ChildRequest, StageBegins
from graphlint.times import NotMeasured

STAGE_SECONDS = 60.0
"""How long a stage may take: making a session, or one run of the model."""

HINT = "the rest of the report does not depend on it"

NO_RUNTIME = NotMeasured(
    "no runtime is installed",
    "install the extra `gpu` (or `cpu`) of onnx-graphlint to measure latency",
)

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take: seconds a stage, and bytes of resident memory."""

    stage_seconds: float = STAGE_SECONDS
    memory_bytes: int | None = None

    def memory(self) -> int:
        """The limit in bytes: three quarters of the machine's memory unless it is given."""
        if self.memory_bytes is not None:
            return self.memory_bytes
        return _physical_bytes() * 3 // 4


DEFAULT_LIMITS = Limits()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for the temporary files of children; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="graphlint-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


class Child:
    """A process that answers one request; it ends with the `with` block, whatever it is doing."""

    def __init__(self, limits: Limits, environment: Mapping[str, str]) -> None:
        self._limits = limits
        # -P: a file called onnx.py beside the models must not be imported.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "graphlint.latency.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "ORT_DISABLE_TELEMETRY": "1", **environment},
        )
        self._stage = StageBegins("start")
        self._stage_ends = time.monotonic() + limits.stage_seconds
        self._ended_for = ""
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    @property
    def subject(self) -> int | None:
        """Which of several models the child was at, as far as it said."""
        return self._stage.subject

    def ask(self, request: ChildRequest) -> object:
        """The child's answer, or what became of it: `NotMeasured`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            write_frame(self._process.stdin, request)
            answer: Any = read_frame(self._process.stdout)
            while isinstance(answer, StageBegins):
                self._stage = answer
                self._stage_ends = time.monotonic() + self._limits.stage_seconds
                answer = read_frame(self._process.stdout)
        except (EOFError, OSError):
            return self._last_words()
        return answer

    def _watch(self) -> None:
        """End the child when a stage takes too long or its memory grows too large."""
        most = self._limits.memory()
        while not self._done.wait(_POLL_SECONDS):
            if time.monotonic() > self._stage_ends:
                self._ended_for = f"took longer than {self._limits.stage_seconds:g} s"
            elif resident_bytes(self._process.pid) > most:
                self._ended_for = f"took more than {most / 2**30:.1f} GiB of memory"
            if self._ended_for:
                self._process.kill()
                return

    def _last_words(self) -> NotMeasured:
        code = self._process.wait()
        stage = STAGES.get(self._stage.name, self._stage.name)
        if self._ended_for:
            hint = "give smaller shapes with --input-shape or --dim"
            return NotMeasured(f"{stage} {self._ended_for}, and was stopped", hint)
        if code < 0:
            return NotMeasured(
                f"the runtime crashed ({_signal(-code)}) while {_doing(stage)}", HINT
            )
        return NotMeasured(
            f"the measuring process ended early (exit code {code}) while {_doing(stage)}", HINT
        )


def _doing(stage: str) -> str:
    return "in " + stage if stage.startswith("a ") else stage


def _signal(number: int) -> str:
    try:
        return f"signal {number}, {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"


def resident_bytes(pid: int) -> int:
    """The resident memory of a process; 0 where it can't be told."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        pass
    if sys.platform != "darwin":
        return 0
    done = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    text = done.stdout.strip()
    return int(text) * 1024 if text.isdigit() else 0


def _physical_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 16 << 30
