"""Which files calibration data lie in, and errors that name them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphlint.errors import UsageError
from graphlint.rewriting.array_files import ARRAY_SUFFIXES, UnusableFile
from graphlint.rewriting.image_folder import IMAGE_FORMATS
from graphlint.rewriting.preprocessing import counted


def calib_error(path: Path, what: str, cause: str = "", hint: str = "") -> UsageError:
    """What is wrong with the calibration data in `path`."""
    return UsageError(f"--calib {path}: {what}", cause=cause, hint=hint)


@contextmanager
def named(path: Path, file: Path) -> Iterator[None]:
    """Name the file that can't be used.

    Raises:
        UsageError: for `UnusableFile`.
    """
    try:
        yield
    except UnusableFile as error:
        inside = "" if file == path else f"{file.relative_to(path)} "
        raise calib_error(path, f"{inside}can't be used", error.cause, error.hint) from error


def find(path: Path) -> tuple[list[Path], bool]:
    """The files that hold samples, in order, and whether they are images.

    Raises:
        UsageError: there are none, or of both kinds.
    """
    if path.is_file():
        if path.suffix.lower() in IMAGE_FORMATS:
            raise calib_error(path, "a single image", hint="give the folder of images")
        return [path], False
    if not path.is_dir():
        raise calib_error(
            path,
            "no such file or folder" if not path.exists() else "neither a file nor a folder",
            hint="give a .npy or .npz file, a folder of them, or a folder of images",
        )
    files = list(_walk(path))
    arrays = [file for file in files if file.suffix.lower() in ARRAY_SUFFIXES]
    images = [file for file in files if file.suffix.lower() in IMAGE_FORMATS]
    if arrays and images:
        raise calib_error(
            path,
            "it holds both arrays and images",
            f"{arrays[0].relative_to(path)}, {images[0].relative_to(path)}",
            "keep them in two folders, and give one",
        )
    if not arrays and not images:
        raise calib_error(
            path,
            "it holds nothing to calibrate with",
            f"none of its {counted(len(files), 'file')} is an array or an image" if files else "",
            f"files must end in one of {', '.join((*sorted(ARRAY_SUFFIXES), *IMAGE_FORMATS))}",
        )
    return arrays or images, not arrays


def _walk(path: Path) -> Iterator[Path]:
    """The regular files of a folder and those in it, sorted, without hidden ones."""

    def refuse(error: OSError) -> None:
        raise calib_error(path, "can't be read", error.strerror or type(error).__name__) from error

    for folder, folders, names in os.walk(path, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if not name.startswith(".") and file.is_file():
                yield file
