"""The child process of `graphlint.rewriting.isolated`: one request, one answer."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from pathlib import Path
from typing import IO

from graphlint.errors import GraphlintError
from graphlint.isolation import read_frame, write_frame
from graphlint.rewriting import transfer
from graphlint.rewriting.request import Progress, Stop
from graphlint.rewriting.run import rewrite


def main() -> None:
    """Answer the request on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get between the frames
    request = read_frame(requests)
    threading.Thread(target=_listen, args=(requests, request.folder), daemon=True).start()

    def tell(progress: Progress) -> None:
        write_frame(answers, progress)

    try:
        write_frame(answers, rewrite(request, tell))
    except GraphlintError as error:
        write_frame(answers, error)
    os._exit(0)  # a runtime's threads and destructors have hung and crashed before


def _listen(requests: IO[bytes], folder: Path) -> None:
    """Until the parent says stop, or is gone: it holds this pipe open as long as it lives."""
    try:
        while True:
            if isinstance(read_frame(requests), Stop):
                transfer.stop.set()
    except EOFError:
        if folder != Path():  # which would be the user's own
            for _ in range(10):  # the other thread may be writing into it
                shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)


if __name__ == "__main__":
    main()
