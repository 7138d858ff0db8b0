"""The child process of `graphlint.alternatives.isolated`: one request, one answer."""

from __future__ import annotations

import os
import signal

from graphlint.alternatives.run import run
from graphlint.errors import GraphlintError
from graphlint.isolation import read_frame, write_frame
from graphlint.rewriting.request import Progress


def main() -> None:
    """Answer the request on standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not get between the frames

    def tell(progress: Progress) -> None:
        write_frame(answers, progress)

    try:
        write_frame(answers, run(read_frame(requests), tell))
    except GraphlintError as error:
        write_frame(answers, error)


if __name__ == "__main__":
    main()
