"""The child process of `graphlint.latency.measure`: one request, one answer."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from pathlib import Path
from typing import IO

from graphlint.isolation import read_frame, write_frame
from graphlint.latency.measuring import run
from graphlint.latency.request import StageBegins


def main() -> None:
    """Answer the request on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get between the frames
    request = read_frame(requests)
    watcher = threading.Thread(
        target=_end_with_parent, args=(requests, request.folder), daemon=True
    )
    watcher.start()
    try:
        write_frame(answers, run(request, lambda name: write_frame(answers, StageBegins(name))))
    except OSError:  # the parent is gone
        _vanish(request.folder)
    os._exit(0)  # a runtime's threads and destructors have hung and crashed before


def _end_with_parent(requests: IO[bytes], folder: Path | None) -> None:
    """The parent holds this pipe open as long as it lives: when it is killed, nothing stays."""
    if requests.read(1) == b"":
        _vanish(folder)


def _vanish(folder: Path | None) -> None:
    for _ in range(10):  # the other thread may be writing into it
        if folder is not None and folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main()
