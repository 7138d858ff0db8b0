"""The child process of `graphlint.rewriting.isolated`: one request, one answer."""

from __future__ import annotations

import os
import signal
import threading
from typing import IO

from graphlint.errors import GraphlintError
from graphlint.isolation import read_frame, write_frame
from graphlint.rewriting.request import Progress
from graphlint.rewriting.run import rewrite


def main() -> None:
    """Answer the request on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get between the frames
    request = read_frame(requests)
    threading.Thread(target=_end_with_parent, args=(requests,), daemon=True).start()

    def tell(progress: Progress) -> None:
        write_frame(answers, progress)

    try:
        write_frame(answers, rewrite(request, tell))
    except GraphlintError as error:
        write_frame(answers, error)
    os._exit(0)  # a runtime's threads and destructors have hung and crashed before


def _end_with_parent(requests: IO[bytes]) -> None:
    """The parent holds this pipe open as long as it lives: when it is killed, this process ends."""
    if requests.read(1) == b"":
        os._exit(1)


if __name__ == "__main__":
    main()
