"""The child process of `graphlint.isolation`: reads requests, answers with reports."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time

from graphlint.engine import check
from graphlint.errors import GraphlintError
from graphlint.isolation import StageEntered, cpu_seconds, read_frame, write_frame

MEMORY_BYTES = 1 << 30
"""Private memory that a child may take for a small model; more structure may take more."""

MEMORY_PER_STRUCTURE_BYTE = 400

_COLLECT_AFTER = 500_000
"""New objects between two searches for cycles: what a model is read into lives on, and has none."""


def main() -> None:
    """Answer requests from standard input until it ends."""
    gc.set_threshold(_COLLECT_AFTER)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get between the frames

    def enter(stage: str, size: int) -> None:
        seconds = cpu_seconds(size)
        write_frame(answers, StageEntered(stage, seconds))
        _limit(seconds, MEMORY_BYTES + MEMORY_PER_STRUCTURE_BYTE * size)

    while True:
        try:
            request = read_frame(requests)
        except EOFError:
            return
        try:
            write_frame(answers, check(request, enter))
        except GraphlintError as error:  # of the settings or the packs, not of the model
            write_frame(answers, error)


def _limit(seconds: int, memory_bytes: int) -> None:
    """Let the system end this process at its limits; where it can't, the parent's clock does."""
    if sys.platform == "win32":
        return
    import resource

    used = int(time.process_time()) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, hard))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, hard))


if __name__ == "__main__":
    main()
