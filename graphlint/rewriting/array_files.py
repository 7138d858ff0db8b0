"""Samples in `.npy` and `.npz` files: headers are read at once, numbers where they are wanted.

Files are untrusted. No object is ever unpickled, and what a header claims is held against the size
of the file before memory is taken for it.
"""

from __future__ import annotations

import lzma
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

MAX_MEMBER_BYTES = 16 << 30
"""The largest array in a `.npz` file: what is compressed must be unpacked up to the last sample."""

MAX_WHOLE_BYTES = 4 << 30
"""The largest array in Fortran's order, which has the samples' numbers mixed: it is read whole."""

ARRAY_SUFFIXES = frozenset({".npy", ".npz"})
_MAGIC = b"\x93NUMPY"
_ZIP = b"PK"
_LFS = b"version https://git-lfs"

# What zipfile, its decompressors and numpy's reader of headers raise for files that are broken.
_BROKEN = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    SyntaxError,
    TypeError,
    MemoryError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


Opened = Callable[[], AbstractContextManager[IO[bytes]]]


class UnusableFile(Exception):
    """Why a file can't be used, a clause, and what to do."""

    def __init__(self, cause: str, hint: str) -> None:
        super().__init__(cause)
        self.cause, self.hint = cause, hint


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """An array of numbers in a file that opens at its first byte."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    _data: Opened

    @property
    def count(self) -> int:
        """How many samples there are."""
        return self.shape[0]

    def samples(self, chosen: Array) -> Iterator[Array]:
        """The samples with these numbers, which rise.

        Raises:
            UnusableFile: it is broken.
        """
        try:
            with self._data() as stream:
                if self.fortran:
                    yield from self._values(stream, self.shape)[chosen]
                    return
                size, at = _bytes(self.shape[1:], self.dtype), 0
                for index in map(int, chosen):
                    stream.seek((index - at) * size, 1)
                    yield self._values(stream, self.shape[1:])
                    at = index + 1
        except _BROKEN as error:
            raise _broken(error) from error

    def _values(self, stream: IO[bytes], shape: tuple[int, ...]) -> Array:
        size = _bytes(shape, self.dtype)
        data = stream.read(size)
        if len(data) < size:
            raise EOFError("it is truncated")
        order: Literal["F", "C"] = "F" if self.fortran else "C"
        return np.frombuffer(data, self.dtype).reshape(shape, order=order)


def open_array(path: Path, name: str) -> ArrayFile:
    """The array of a `.npy` file; of a `.npz` file its only one, or the one called `name`.

    Raises:
        UnusableFile: it is no such file, is broken, or holds no numbers.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(len(_LFS))
        if head.startswith(_MAGIC):
            return _array(path, partial(_whole, path), path.stat().st_size)
        if head.startswith(_ZIP):
            return _member(path, name)
    except _BROKEN as error:
        raise _broken(error) from error
    cause = "it is neither a .npy nor a .npz file"
    if not head:
        cause = "it is empty"
    elif head == _LFS:
        raise UnusableFile("it is a Git LFS pointer", "run `git lfs pull`")
    raise UnusableFile(cause, "write it with numpy.save or numpy.savez")


def _member(path: Path, name: str) -> ArrayFile:
    with zipfile.ZipFile(path) as archive:
        members = {
            info.filename.removesuffix(".npy"): info
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }
    if name not in members and len(members) != 1:
        names = ", ".join(map(repr, sorted(members))) or "none"
        raise UnusableFile(
            f"it holds {len(members)} arrays, and none is called {name!r}: {names}",
            f"keep one, or call the images {name!r}, as the model's input is called",
        )
    info = members.get(name) or next(iter(members.values()))
    if info.file_size > MAX_MEMBER_BYTES:
        raise UnusableFile(
            f"its array takes {info.file_size:,} bytes unpacked; {MAX_MEMBER_BYTES:,} is the limit",
            "save fewer samples, or a .npy file, which has no limit",
        )
    return _array(path, partial(_unpacked, path, info), info.file_size)


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as stream:
        yield stream


@contextmanager
def _unpacked(path: Path, info: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive, archive.open(info) as stream:
        yield stream


def _array(path: Path, opened: Opened, size: int) -> ArrayFile:
    """The array whose `size` bytes, header and all, `opened` gives."""
    with opened() as stream:
        shape, fortran, dtype = _header(stream)
        start = stream.tell()
    if dtype.hasobject:
        raise UnusableFile(
            "it holds Python objects, which are not read: they could run code",
            "save an array of numbers",
        )
    if min(shape, default=0) < 0:
        raise UnusableFile(f"its shape makes no sense: {shape}", "write it again")
    if fortran and _bytes(shape, dtype) > MAX_WHOLE_BYTES:
        raise UnusableFile(
            f"it is in Fortran's order, and larger than {MAX_WHOLE_BYTES:,} bytes",
            "save it with numpy.ascontiguousarray: samples can then be read one by one",
        )
    needed = start + _bytes(shape, dtype)
    if size < needed:
        raise UnusableFile(
            f"it is truncated: {shape} {dtype.name} takes {needed:,} bytes, and {size:,} are there",
            "write it again",
        )
    return ArrayFile(path, shape, dtype, fortran, partial(_from, opened, start))


@contextmanager
def _from(opened: Opened, start: int) -> Iterator[IO[bytes]]:
    with opened() as stream:
        stream.seek(start)
        yield stream


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran's order, and type."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f"version {version} of the format is not for plain numbers")


def _bytes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    return math.prod(shape) * dtype.itemsize


def _broken(error: BaseException) -> UnusableFile:
    lines = str(error).splitlines()
    return UnusableFile(
        f"it can't be read: {lines[0] if lines else type(error).__name__}", "write it again"
    )
