"""Saving a model, all or nothing, its external data with it.

What becomes of files that exist: `out` itself is replaced if that was asked for, and no other file
ever is. External data go to `<out>.data`, or to the first of `<out>.1.data`, `<out>.2.data` … that
is free: so an old model keeps its own data until the new one has taken its place in one step, and
whatever happens before, it can still be read. Then the old data file goes. A process that is killed
between the two can leave a data file too many, whole and read by nobody.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint.atomic import NewFile, cleaned_up_when_terminated, sync_folder
from graphlint.errors import GraphlintError, ModelError, UsageError
from graphlint.external_data import external_problems, external_tensors
from graphlint.rewriting.weights_file import WeightsFile

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

LIMIT_BYTES = 2**31 - 2**20
"""The largest model in one file: protobuf's 2 GiB, less what readers add."""


def refuse_early(source: Path, out: Path, force: bool, proto: ModelProto | None = None) -> None:
    """Refuse an output that can't be written or must not be, before any work is done.

    `proto` is the model at `source`: with it, `out` is kept from being one of its data files too.

    Raises:
        UsageError: `out` is the model itself or its data (by whatever name or link), a folder, no
            regular file, exists without `force`, or its folder is missing or can't be written to.
    """
    try:
        _refuse(source, out, force, proto)
    except (OSError, ValueError) as error:
        raise _cant_write(out, error) from error


def input_files(source: Path, proto: ModelProto) -> tuple[Path, ...]:
    """The files of a model: itself, and those of its external data."""
    places = (entry for tensor in external_tensors(proto) for entry in tensor.external_data)
    names = dict.fromkeys(entry.value for entry in places if entry.key == "location")
    return (source, *(source.parent / name for name in names if name))


def save(
    proto: ModelProto,
    source: Path,
    out: Path,
    *,
    force: bool = False,
    new: Collection[str] = (),
    keep: Collection[Path] = (),
    limit_bytes: int = LIMIT_BYTES,
) -> tuple[Path, ...]:
    """Write `proto`, whose external data lie beside `source`, to `out`; return the files written.

    The model comes first, then its data file if it has one: where `proto` has external data, or
    would be larger than `limit_bytes`. All its external data move there, and those of the
    initializers `new` with them, but small ones. `proto` itself is left as it was.

    An existing `out` is replaced with `force`, even a link, whose target stays. The data file of
    the old model goes then, if it has the name that one written here has and is not among `keep`
    or read by `source`.

    Raises:
        UsageError: as `refuse_early`, or the disk is full or the like.
        ModelError: external data are missing or lie outside the model's folder, or the model is too
            large even without its weights.
    """
    refuse_early(source, out, force, proto)
    for problem in external_problems(str(source), source, proto):
        raise problem
    saving = _Saving(proto, source, out, limit_bytes)
    old = _own_data(out, (*keep, *input_files(source, proto))) if force else []
    try:
        with cleaned_up_when_terminated(), saving.stack:
            written = saving.run(set(new), force)
    except FileExistsError as error:
        raise _in_the_way(out, "it exists by now", "choose another name") from error
    except OSError as error:
        raise _cant_write(out, error) from error
    for path in old:
        with suppress(OSError):
            path.unlink()
    return written


class _Saving:
    """One save: its files, which vanish with `stack` unless the model has been published."""

    def __init__(self, proto: ModelProto, source: Path, out: Path, limit_bytes: int) -> None:
        self.proto = proto
        self.out = out
        self.limit_bytes = limit_bytes
        self.stack = ExitStack()
        self._folder = source.parent
        self._data: tuple[NewFile, Path, WeightsFile] | None = None

    def run(self, new: Collection[str], force: bool) -> tuple[Path, ...]:
        external = _with_payload(self.out, self.proto)
        if external:
            weights = self._weights()
            weights.add_external(external)
            weights.add_inline(t for t in self.proto.graph.initializer if t.name in new)
        data = self._serialized()
        if data is None:
            self._weights().add_inline(self.proto.graph.initializer)
            data = self._serialized()
        if data is None:
            raise ModelError(
                f"{self.out}: can't be written",
                cause="even without its weights the model is too large for protobuf",
            )
        model = self.stack.enter_context(NewFile(self.out.parent))
        model.write(data, 0)
        model.finish(len(data))
        return self._publish(model, force)

    def _publish(self, model: NewFile, force: bool) -> tuple[Path, ...]:
        """The data first, so that at no time a model stands there without them."""
        written = [self.out]
        if self._data is not None:
            file, path, weights = self._data
            weights.finish()

            def unpublish() -> None:
                if not model.stands_at(self.out):
                    file.remove(path)

            self.stack.callback(unpublish)
            file.publish(path, replace=False)
            sync_folder(self.out.parent)
            written.append(path)
        model.publish(self.out, replace=force)
        sync_folder(self.out.parent)
        return tuple(written)

    def _weights(self) -> WeightsFile:
        if self._data is None:
            path = next(path for path in _data_names(self.out) if not os.path.lexists(path))
            file = self.stack.enter_context(NewFile(self.out.parent))
            weights = WeightsFile(file, path.name, self._folder)
            self.stack.callback(lambda: [take_back() for take_back in reversed(weights.undo)])
            self._data = file, path, weights
        return self._data[2]

    def _serialized(self) -> bytes | None:
        """The model's bytes; None where they are too many."""
        from google.protobuf.message import EncodeError

        try:
            data = self.proto.SerializeToString()
        except (EncodeError, ValueError):
            return None
        return data if len(data) <= self.limit_bytes else None


def _with_payload(out: Path, proto: ModelProto) -> list[TensorProto]:
    external = list(external_tensors(proto))
    for tensor in external:
        if not any(entry.key == "location" and entry.value for entry in tensor.external_data):
            raise ModelError(
                f"{out}: can't be written",
                cause=f"the numbers of {tensor.name!r} were left out when the model was read",
            )
    return external


def _data_names(out: Path) -> Iterator[Path]:
    yield out.with_name(f"{out.name}.data")
    for number in count(1):
        yield out.with_name(f"{out.name}.{number}.data")


def _own_data(out: Path, keep: Collection[Path]) -> list[Path]:
    """The data files of an old model at `out` that go with it."""
    from graphlint import model

    if not out.is_file() or out.is_symlink():
        return []
    try:
        files = input_files(out, model.load(str(out)).proto)[1:]
    except GraphlintError:
        return []  # no model: whatever it is, it has no data that we know of
    names = {path.name for path, _ in zip(_data_names(out), range(100), strict=False)}
    return [
        path
        for path in files
        if path.parent == out.parent
        and path.name in names
        and path.is_file()
        and not any(_is_same(path, other) for other in keep)
    ]


# Refusing


def _refuse(source: Path, out: Path, force: bool, proto: ModelProto | None) -> None:
    if _is_same(source, out):
        raise _in_the_way(out, "it is the model itself", "choose another name")
    files = input_files(source, proto)[1:] if proto is not None else ()
    if any(_is_same(path, out) for path in files):
        raise _in_the_way(out, "it holds the model's external data", "choose another name")
    if out.is_dir():
        raise _in_the_way(out, "it is a folder", "name a file")
    if os.path.lexists(out):
        if not force:
            raise _in_the_way(out, "it exists", "choose another name, or give --force")
        if not out.is_symlink() and not stat.S_ISREG(os.lstat(out).st_mode):
            raise _in_the_way(out, "it is no regular file", "choose another name")
    folder = out.parent
    if not folder.is_dir():
        cause = "its folder is a file" if folder.exists() else "its folder does not exist"
        raise UsageError(f"{out}: can't be written", cause=cause, hint="make the folder first")
    with suppress(FileNotFoundError):
        os.lstat(next(_data_names(out)))  # its name may be too long
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"{out}: can't be written",
            cause=f"nothing can be written to {folder}",
            hint="choose another folder, or change its permissions",
        )


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except FileNotFoundError:
        return False


def _in_the_way(out: Path, cause: str, hint: str) -> UsageError:
    return UsageError(f"{out}: not written", cause=cause, hint=hint)


def _cant_write(out: Path, error: OSError | ValueError) -> UsageError:
    number = error.errno if isinstance(error, OSError) else None
    full = number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    hint = "make room, or choose another folder" if full else "check the name and its folder"
    return UsageError(f"{out}: can't be written", cause=cause, hint=hint)
