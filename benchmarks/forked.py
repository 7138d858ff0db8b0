"""A function on many arguments, each in a process of its own with limits; for Linux."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

_MARK = "GRAPHLINT_BENCHMARK"
_MEMORY_BYTES = 6 << 30
_CONTEXT = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Ending:
    """What a process came to: its answer, or why there is none; how many others it left behind."""

    answer: Any
    stopped: str
    left: int


def ask_all(
    function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]], jobs: int, seconds: float
) -> list[Ending]:
    """Call `function` with each of the arguments, `jobs` side by side, each for so many seconds.

    The parent has a single thread: a lock that another one holds would stay locked in a fork.
    """
    endings: dict[int, Ending] = {}
    running: dict[Connection, _Running] = {}
    waiting = list(enumerate(arguments))[::-1]
    while waiting or running:
        while waiting and len(running) < jobs:
            number, given = waiting.pop()
            child = _start(number, function, given, seconds)
            running[child.answers] = child
        nearest = min(child.ends for child in running.values())
        ready = wait(list(running), max(0.0, nearest - time.monotonic()))
        late = [each.answers for each in running.values() if each.ends <= time.monotonic()]
        for connection in {*ready, *late}:
            assert isinstance(connection, Connection)
            child = running.pop(connection)
            endings[child.number] = child.ending(answered=connection in ready)
            if len(endings) % 100 == 0:
                print(f"{len(endings)} of {len(arguments)}", file=sys.stderr)
    return [endings[number] for number in range(len(arguments))]


@dataclass(frozen=True)
class _Running:
    """A process at work, until `ends` on the monotonic clock."""

    number: int
    process: ForkProcess
    answers: Connection
    mark: str
    seconds: float
    ends: float

    def ending(self, *, answered: bool) -> Ending:
        """What became of it; it and all that it left behind are ended."""
        answer, stopped = None, f"it took longer than {self.seconds:g} s"
        if answered:
            try:
                answer, stopped = self.answers.recv(), ""
            except EOFError:
                self.process.join()
                stopped = f"it ended without an answer (exit code {self.process.exitcode})"
        self.process.join(2)
        self.process.kill()
        self.process.join()
        self.answers.close()
        left = _marked(self.mark)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return Ending(answer, stopped, len(left))


def _start(
    number: int, function: Callable[..., Any], arguments: tuple[Any, ...], seconds: float
) -> _Running:
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    mark = f"{os.getpid()}.{number}"
    process = _CONTEXT.Process(target=_run, args=(theirs, mark, function, arguments))
    process.start()
    theirs.close()
    return _Running(number, process, ours, mark, seconds, time.monotonic() + seconds)


def _run(
    answers: Connection, mark: str, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    os.environ[_MARK] = mark  # its children inherit it
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    answers.send(function(*arguments))
    answers.close()
    os._exit(0)  # a runtime's destructors have hung before


def _marked(mark: str) -> list[int]:
    """The processes that were started with this mark in their environment."""
    wanted = f"{_MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:  # it has ended, or is somebody else's
                continue
    return found
