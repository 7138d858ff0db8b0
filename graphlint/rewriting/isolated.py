"""Rewriting in a child process with limits: models are untrusted, and runtimes crash."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from graphlint.errors import GraphlintError, WorkerError
from graphlint.isolation import read_frame, write_frame
from graphlint.latency.children import Limits, resident_bytes, scratch_folder
from graphlint.rewriting.request import Progress, RewriteRequest, Stop
from graphlint.rewriting.results import RewriteReport

_START_SECONDS = 60.0
_LIMITS = Limits()
_POLL_SECONDS = 0.05


class JobRequest(Protocol):
    """What a child is asked: about the model at `path`."""

    @property
    def path(self) -> str:
        """As the user spelt it."""
        ...


def rewrite(
    request: RewriteRequest,
    progress: Callable[[Progress], None] = lambda progress: None,
    limits: Limits = _LIMITS,
    *,
    keep_partial: bool = False,
) -> RewriteReport:
    """The report on a rewrite; whatever becomes of the child, files are whole or not there.

    With `keep_partial` an interrupt (Ctrl-C) ends the fitting of weights, and the best so far is
    checked and saved; a second one, or one without it, ends everything and writes nothing.

    Raises:
        WorkerError: the child crashed, hung or took too much memory; nothing was written.
        GraphlintError: what `graphlint.rewriting.run.rewrite` raises.
    """
    with (
        scratch_folder() as folder,
        JobChild("graphlint.rewriting.child", "not rewritten", limits) as child,
    ):
        answer = child.ask(replace(request, folder=folder), progress, keep_partial)
    assert isinstance(answer, RewriteReport)
    return answer


class JobChild:
    """A process that answers one request; it ends with the `with` block, whatever it is doing.

    `module` is what it runs, `failure` how its end is told ("not rewritten").
    """

    def __init__(self, module: str, failure: str, limits: Limits = _LIMITS) -> None:
        self._failure = failure
        self._most = limits.memory()
        # -P: a file called onnx.py beside the models must not be imported.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # One thread of products: the same seed gives the same weights, whatever else runs.
            env={**os.environ, "ORT_DISABLE_TELEMETRY": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self._stage = Progress("starting", seconds=_START_SECONDS)
        self._ends = time.monotonic() + _START_SECONDS
        self._ended_for = ""
        self._done = threading.Event()

    def __enter__(self) -> JobChild:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def ask(
        self,
        request: JobRequest,
        progress: Callable[[Progress], None],
        keep_partial: bool = False,
    ) -> object:
        """The child's answer.

        Raises:
            WorkerError: the child crashed, hung or took too much memory.
            GraphlintError: what the job raised.
        """
        assert self._process.stdin is not None
        try:
            write_frame(self._process.stdin, request)
            try:
                answer = self._answer(progress)
            except KeyboardInterrupt:
                if not keep_partial:
                    raise
                write_frame(self._process.stdin, Stop())
                answer = self._answer(progress)
        except (EOFError, OSError):
            raise WorkerError(
                f"{request.path}: {self._failure}, {self._stage.stage} failed",
                cause=self._last_words(),
                hint="nothing was written; `python -m onnx.checker MODEL` may tell more",
            ) from None
        if isinstance(answer, GraphlintError):
            raise answer
        return answer

    def _answer(self, progress: Callable[[Progress], None]) -> object:
        assert self._process.stdout is not None
        answer: Any = read_frame(self._process.stdout)
        while isinstance(answer, Progress):
            self._stage = answer
            self._ends = time.monotonic() + answer.seconds
            progress(answer)
            answer = read_frame(self._process.stdout)
        return answer

    def _watch(self) -> None:
        """End the child when a stage takes too long or its memory grows too large."""
        while not self._done.wait(_POLL_SECONDS):
            if time.monotonic() > self._ends:
                self._ended_for = f"it took longer than {self._stage.seconds:g} s, and was stopped"
            elif resident_bytes(self._process.pid) > self._most:
                self._ended_for = (
                    f"it took more than {self._most / 2**30:.1f} GiB of memory, and was stopped"
                )
            if self._ended_for:
                self._process.kill()
                return

    def _last_words(self) -> str:
        code = self._process.wait()
        if self._ended_for:
            return self._ended_for
        return f"it crashed (signal {-code})" if code < 0 else f"it ended early (exit code {code})"
