"""Writing files all or nothing: written where nobody sees them, then given their name.

On Linux such a file has no name until then, so that nothing is left of it however the process ends.
Where a file system can't do that, it has a hidden name, which is removed unless the process is
killed outright. So is what takes the place of another file, in the instant in which it does.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from graphlint.errors import UsageError

CHUNK_BYTES = 8 * 1024 * 1024
"""The most that is held in memory of what is copied."""

_UNSUPPORTED = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.ENOSYS)
_CANT_COPY = (errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)


def check_target(path: Path) -> None:
    """Look whether `path` can be written to, before any work is done for it.

    Raises:
        UsageError: `path` is a folder or a device, its folder does not exist, or can't be written
            to.
    """
    if path.is_dir():
        raise UsageError(f"{path}: a folder", cause="the report goes to a file", hint="name a file")
    if path.exists() and not path.is_file():
        raise UsageError(
            f"{path}: no regular file",
            cause="the report is written beside it and takes its place",
            hint="name a file, or send standard output there",
        )
    if not path.parent.is_dir():
        cause, hint = f"there is no folder {path.parent}", "make the folder first"
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        cause, hint = f"the folder {path.parent} may not be written to", "check its rights"
    else:
        return
    raise UsageError(f"{path}: can't be written", cause=cause, hint=hint)


def write_text(path: Path, text: str) -> None:
    """Write `text` (UTF-8, as is) to `path`, in place of what is there.

    Raises:
        UsageError: `path` is a folder, its folder does not exist, or can't be written to.
    """
    check_target(path)
    data = text.encode("utf-8")
    try:
        with NewFile(path.parent) as file:
            file.write(data, 0)
            file.finish(len(data))
            file.publish(path, replace=True)
    except OSError as error:
        raise UsageError(
            f"{path}: can't be written", cause=error.strerror or str(error), hint="check its folder"
        ) from error


class NewFile:
    """A file of a folder that has no name there yet; it is gone at the end of the `with` block.

    Unless `publish` gave it one before.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hidden: Path | None = None
        self._status: os.stat_result | None = None
        self._descriptor = self._open()

    def __enter__(self) -> NewFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._hidden is not None:  # a name that may stand for this file still
            self.remove(self._hidden)
        self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            self._status = os.fstat(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> int:
        if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):
            try:
                return os.open(self._folder, os.O_TMPFILE | os.O_RDWR, 0o666)
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
        self._hidden = self._hidden_name()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        return os.open(self._hidden, flags, 0o666)

    def _hidden_name(self) -> Path:
        return self._folder / f".graphlint-{os.urandom(8).hex()}.tmp"

    def write(self, data: bytes | memoryview, offset: int) -> None:
        """Write all of `data` at `offset`, in bytes."""
        view = memoryview(data)
        while view:
            written = _write_at(self._descriptor, view[:CHUNK_BYTES], offset)
            view, offset = view[written:], offset + written

    def copy(self, source: int, start: int, length: int, offset: int) -> None:
        """Copy `length` bytes of the file `source` from `start` to `offset`; holes stay holes.

        Raises:
            EOFError: the source ends before.
        """
        if os.fstat(source).st_size < start + length:
            raise EOFError
        for begin, end in _filled(source, start, start + length):
            _copy(source, begin, self._descriptor, offset + begin - start, end - begin)

    def finish(self, size: int) -> None:
        """Let the file have `size` bytes, all of them on the disk."""
        os.ftruncate(self._descriptor, size)
        os.fsync(self._descriptor)
        if self._hidden is not None:  # some systems rename no open file
            self._close()

    def publish(self, path: Path, *, replace: bool) -> None:
        """Give the file its name in the folder, in one step.

        Raises:
            FileExistsError: there is something, and it is not to be replaced.
        """
        if self._hidden is None and replace:
            self._hidden = self._hidden_name()
            self._link(self._hidden)
        if replace:
            assert self._hidden is not None
            os.replace(self._hidden, path)
        elif self._hidden is None:
            self._link(path)
        else:
            _rename_new(self._hidden, path)

    def _link(self, path: Path) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            # With a folder's descriptor, the link is made to the file behind the one in /proc.
            name = f"/proc/self/fd/{self._descriptor}"
            os.link(name, path.name, dst_dir_fd=folder, follow_symlinks=True)
        finally:
            os.close(folder)

    def stands_at(self, path: Path) -> bool:
        """Whether `path` is this file."""
        try:
            own = self._status or os.fstat(self._descriptor)
            return os.path.samestat(os.lstat(path), own)
        except OSError:
            return False

    def remove(self, path: Path) -> None:
        """Remove `path` if it is this file."""
        if self.stands_at(path):
            with suppress(OSError):
                os.unlink(path)


def sync_folder(folder: Path) -> None:
    """Let the names in a folder be on the disk, where the system has a way to."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def cleaned_up_when_terminated() -> Iterator[None]:
    """Let the signals that end a process end the block by an exception, so that it cleans up.

    Only in the main thread, and where nobody else handles them.
    """
    signals = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    if threading.current_thread() is not threading.main_thread():
        signals = []
    ours = [number for number in signals if signal.getsignal(number) is signal.SIG_DFL]

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    try:
        for number in ours:
            signal.signal(number, end)
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _rename_new(hidden: Path, path: Path) -> None:
    """Rename, but never onto something that exists."""
    try:
        os.link(hidden, path)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.rename(hidden, path)
    else:
        os.unlink(hidden)


def _filled(source: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts between `start` and `end` that are no holes, as far as the system can tell."""
    if not hasattr(os, "SEEK_DATA"):
        yield start, end
        return
    while start < end:
        try:
            begin = os.lseek(source, start, os.SEEK_DATA)
            stop = min(os.lseek(source, begin, os.SEEK_HOLE), end) if begin < end else end
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the file's end
                return
            begin, stop = start, end
        if begin < end:
            yield begin, stop
        start = stop


def _copy(source: int, start: int, target: int, offset: int, length: int) -> None:
    """Copy within the system where it can, else by way of memory, a chunk at a time."""
    in_system = hasattr(os, "copy_file_range")
    while length:
        copied = 0
        if in_system:
            try:
                copied = os.copy_file_range(source, target, length, start, offset)
            except OSError as error:
                if error.errno not in _CANT_COPY:
                    raise
            in_system = copied > 0
        if not in_system:
            chunk = _read_at(source, min(length, CHUNK_BYTES), start)
            if not chunk:
                raise EOFError
            copied = _write_at(target, chunk, offset)
        start, offset, length = start + copied, offset + copied, length - copied


def _read_at(descriptor: int, length: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, length, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, length)


def _write_at(descriptor: int, data: bytes | memoryview, offset: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, data, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.write(descriptor, data)
