"""Models are untrusted: each is read and inferred in a child process with limits.

A child (`graphlint.worker`) takes one request after the other. It tells every stage that it enters
and how much work it will be; the parent waits no longer than that allows. A child that crashes,
hangs or takes too much memory is gone; the model is asked once more without shape inference, which
is what hangs or crashes in practice, and the report says so.

Parent and child speak in frames: four bytes of length, then a pickle that may hold graphlint's own
values only.
"""

from __future__ import annotations

import gc
import io
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any

from graphlint.errors import GraphlintError, WorkerError
from graphlint.problem import Problem
from graphlint.request import Request
from graphlint.results import ModelReport

_HEADER = struct.Struct("<I")
WALL_FACTOR = 6
"""A child may take this many times its CPU seconds by the clock: machines are shared."""


def cpu_seconds(structure_bytes: int) -> int:
    """The CPU seconds that a stage may take for a model with so much structure."""
    return 4 + structure_bytes // 150_000


@dataclass(frozen=True, slots=True)
class StageEntered:
    """A child's message: the stage that begins, and the CPU seconds that it is given."""

    name: str
    cpu_seconds: int


def write_frame(stream: IO[bytes], value: object) -> None:
    """Send one value."""
    data = pickle.dumps(value, protocol=5)
    stream.write(_HEADER.pack(len(data)) + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Any:
    """Receive one value.

    Raises:
        EOFError: the other side is gone.
    """
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise EOFError
    (length,) = _HEADER.unpack(header)
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    with no_collection():
        return _Unpickler(io.BytesIO(data)).load()


@contextmanager
def no_collection() -> Iterator[None]:
    """Without the search for cycles: it walks all values over and over as they come, in vain."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Unpickler(pickle.Unpickler):
    """Only graphlint's own values, and the few of the standard library that they hold."""

    _standard = frozenset(
        {("pathlib", "PosixPath"), ("pathlib", "WindowsPath"), ("pathlib", "Path")}
    )
    # Where Python 3.13 and later keep the classes of pathlib.
    _local = frozenset({("pathlib._local", "PosixPath"), ("pathlib._local", "WindowsPath")})

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("graphlint.") or (module, name) in self._standard | self._local:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no value of graphlint")


class Child:
    """One child process. Not shared between threads."""

    def __init__(self) -> None:
        # -P: a file called onnx.py beside the models must not be imported.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "graphlint.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # No product is computed; starting its threads would be a tenth of a small check.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )

    def ask(self, request: Request) -> ModelReport:
        """The child's report.

        Raises:
            WorkerError: the child crashed, hung or ran out of memory; `cause` says which and where.
            UsageError: the settings name no rule, or an option that a rule does not have.
            PluginError: a rule pack can't be loaded.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        stage = "start"
        timer = self._deadline(60)
        try:
            write_frame(self._process.stdin, request)
            while isinstance(answer := read_frame(self._process.stdout), StageEntered):
                timer.cancel()
                stage = answer.name
                timer = self._deadline(answer.cpu_seconds * WALL_FACTOR)
        except (EOFError, BrokenPipeError, OSError):
            raise WorkerError(
                f"{request.path}: {_STAGES.get(stage, stage)} failed", cause=self._last_words()
            ) from None
        finally:
            timer.cancel()
        if isinstance(answer, GraphlintError):
            raise answer
        assert isinstance(answer, ModelReport)
        return answer

    def _deadline(self, seconds: int) -> threading.Timer:
        timer = threading.Timer(seconds, self._process.kill)
        timer.daemon = True
        timer.start()
        return timer

    def _last_words(self) -> str:
        code = self._process.wait()
        if code == -getattr(signal, "SIGXCPU", 0):
            return "it did not end in the time that a model of this size is given"
        if code == -getattr(signal, "SIGKILL", 0):
            return "it was stopped: it took too long or too much memory"
        if code == -getattr(signal, "SIGBUS", 0):
            return "it crashed (SIGBUS): the file became shorter while it was read"
        if code < 0:
            return f"it crashed ({signal.Signals(-code).name})"
        return f"it ended early (exit code {code})"

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


_STAGES = {
    "start": "starting to read it",
    "read": "reading the file",
    "graph": "laying the graph open",
    "shapes": "shape inference",
    "rules": "counting and checking",
    "weights": "reading the weights",
}


class _Seat:
    """A thread's child, replaced when it dies."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._stopped = False

    def check(self, request: Request) -> ModelReport:
        """The report on one model, whatever becomes of the child."""
        try:
            return self._ask(request)
        except WorkerError as error:
            problem = Problem(error.message, error.cause, _HINT)
            if not request.infer_shapes or "shape inference" not in error.message:
                return ModelReport(request.path, errors=(problem,))
        try:
            return self._ask(replace(request, infer_shapes=False, why=problem))
        except WorkerError as error:
            return ModelReport(
                request.path, errors=(problem, Problem(error.message, error.cause, _HINT))
            )

    def _ask(self, request: Request) -> ModelReport:
        if self._stopped:
            raise WorkerError(f"{request.path}: not checked", cause="graphlint was stopped")
        if self._child is None:
            self._child = Child()
        try:
            return self._child.ask(request)
        except BaseException:
            self._child.close()
            self._child = None
            raise

    def stop(self) -> None:
        """End the child, whatever it is doing, and start no other."""
        self._stopped = True
        if self._child is not None:
            self._child.close()


_HINT = "the model may be broken, or hostile; `python -m onnx.checker MODEL` may tell more"


def check_all(
    requests: Sequence[Request],
    jobs: int,
    done: Callable[[ModelReport], None] = lambda report: None,
) -> Iterator[ModelReport]:
    """Reports in the order of `requests`, by `jobs` children side by side.

    `done` is called, maybe from other threads, once for each report as it comes.
    """
    local = threading.local()
    seats: list[_Seat] = []

    def run(request: Request) -> ModelReport:
        if not hasattr(local, "seat"):
            local.seat = _Seat()
            seats.append(local.seat)
        report: ModelReport = local.seat.check(request)
        done(report)
        return report

    if jobs <= 1:
        with _closing(seats):
            yield from map(run, requests)
        return
    from concurrent.futures import ThreadPoolExecutor

    with _closing(seats), ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            yield from pool.map(run, requests)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for seat in seats:  # their threads wait for them
                seat.stop()
            raise


@contextmanager
def _closing(seats: list[_Seat]) -> Iterator[None]:
    try:
        yield
    finally:
        for seat in seats:
            seat.stop()
