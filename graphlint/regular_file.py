"""Reading files that a stranger may have laid there: never a pipe or a device, never too much."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


class NotRegularError(OSError):
    """A file that is no regular one; `mode` says what it is."""

    def __init__(self, mode: int) -> None:
        super().__init__(errno.EINVAL, "it is no regular file")
        self.mode = mode


def open_regular(file: Path) -> int:
    """A descriptor of `file` for reading, without ever waiting on a pipe or a device.

    Raises:
        NotRegularError: it is a folder, a pipe, a device or a socket.
        OSError: it can't be opened.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    kind = os.stat(file)
    if not stat.S_ISREG(kind.st_mode):
        raise NotRegularError(kind.st_mode)
    descriptor = os.open(file, flags)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):  # it was swapped between the two calls
        os.close(descriptor)
        raise NotRegularError(mode)
    return descriptor


def read_small(file: Path, limit_bytes: int) -> bytes:
    """All of a file of at most `limit_bytes`.

    Raises:
        OSError: it is larger, no regular file, or can't be read.
    """
    with os.fdopen(open_regular(file), "rb") as stream:
        data = stream.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {limit_bytes:,} bytes")
    return data
