"""Writing files all or nothing."""

from __future__ import annotations

import os
from pathlib import Path

from graphlint.errors import UsageError


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
    """Write `text` (UTF-8, as is) to `path` by way of a temporary file beside it.

    Raises:
        UsageError: `path` is a folder, its folder does not exist, or can't be written to.
    """
    import tempfile

    check_target(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise UsageError(
            f"{path}: can't be written", cause=error.strerror or str(error), hint="check its folder"
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
