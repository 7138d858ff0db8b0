"""The child process of `graphlint.latency.children`: one request, one answer."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from pathlib import Path
from typing import IO

from graphlint.isolation import read_frame, write_frame
from graphlint.latency import comparing, measuring, probing
from graphlint.latency.request import ChildRequest, CompareRequest, ProbeRequest, StageBegins


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

    def tell(stage: str, subject: int | None = None) -> None:
        write_frame(answers, StageBegins(stage, subject))

    try:
        write_frame(answers, _answer(request, tell))
    except OSError:  # the parent is gone
        _vanish(request.folder)
    os._exit(0)  # a runtime's threads and destructors have hung and crashed before


def _answer(request: ChildRequest, tell: comparing.StageOf) -> object:
    if isinstance(request, CompareRequest):
        return comparing.run(request, tell)
    if isinstance(request, ProbeRequest):
        return probing.run(request, tell)
    return measuring.run(request, tell)


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
