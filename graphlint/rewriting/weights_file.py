"""One file beside a model that holds its external data, whatever files they came from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint.atomic import NewFile
from graphlint.errors import ModelError
from graphlint.rewriting.repeated import Undo

if TYPE_CHECKING:
    from onnx import TensorProto

PAGE_BYTES = 4096
SMALL_ALIGNMENT_BYTES = 64
MIN_INLINE_BYTES = 1024
"""Smaller tensors stay in the model, as onnx itself has it: shapes must be there to be inferred."""


class WeightsFile:
    """Takes the payloads of tensors one after the other, in chunks.

    A payload of a page or more begins at a page, so that it can be mapped; a smaller one at 64
    bytes. What several tensors share is written once. `undo` says how the tensors get back to
    where their payloads were.
    """

    def __init__(self, file: NewFile, name: str, folder: Path) -> None:
        self._file = file
        self._name = name
        self._folder = folder
        self._end = 0
        self._places: dict[tuple[Path, int, int], int] = {}
        self._sources: dict[Path, int] = {}
        self._open = ExitStack()
        self.undo: list[Undo] = []

    def add_external(self, tensors: Iterable[TensorProto]) -> None:
        """Take over tensors whose payload lies in files of the model's folder.

        Raises:
            ModelError: a payload is not there, or no longer.
            OSError: it can't be read, or this file not be written.
        """
        with self._open:
            for tensor in tensors:
                self._take_over(tensor)

    def _take_over(self, tensor: TensorProto) -> None:
        place = {entry.key: entry.value for entry in tensor.external_data}
        path = Path(os.path.realpath(self._folder / place["location"]))
        source = self._source(path)
        start = int(place.get("offset") or 0)
        length = _length(tensor, place, os.fstat(source).st_size - start)
        key = path, start, length
        if key not in self._places:
            offset = self._places[key] = self._reserve(length)
            try:
                self._file.copy(source, start, length, offset)
            except EOFError as error:
                raise ModelError(
                    f"{path}: changed while it was read",
                    cause=f"it no longer holds all of {tensor.name!r}",
                    hint="run graphlint again once the file is written",
                ) from error
        self._point(tensor, self._places[key], length)

    def _source(self, path: Path) -> int:
        if path not in self._sources:
            flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
            self._sources[path] = os.open(path, flags)
            self._open.callback(os.close, self._sources[path])
        return self._sources[path]

    def add_inline(self, tensors: Iterable[TensorProto]) -> None:
        """Take payloads out of the model itself, but those of small tensors."""
        for tensor in tensors:
            payload = tensor.raw_data
            if len(payload) >= MIN_INLINE_BYTES:
                offset = self._reserve(len(payload))
                self._file.write(payload, offset)
                self._point(tensor, offset, len(payload))

    def finish(self) -> None:
        """Let all be on the disk."""
        self._file.finish(self._end)

    def _reserve(self, length: int) -> int:
        alignment = PAGE_BYTES if length >= PAGE_BYTES else SMALL_ALIGNMENT_BYTES
        offset = -(-self._end // alignment) * alignment
        self._end = offset + length
        return offset

    def _point(self, tensor: TensorProto, offset: int, length: int) -> None:
        """Let the tensor lie here. A checksum of its old file goes, other entries stay."""
        before = type(tensor)()
        before.CopyFrom(tensor)
        self.undo.append(lambda: tensor.CopyFrom(before))
        replaced = ("location", "offset", "length", "checksum")
        others = [(e.key, e.value) for e in tensor.external_data if e.key not in replaced]
        here = [("location", self._name), ("offset", str(offset)), ("length", str(length))]
        tensor.ClearField("raw_data")
        tensor.data_location = tensor.EXTERNAL
        del tensor.external_data[:]
        for key, value in (*here, *others):
            tensor.external_data.add(key=key, value=value)


def _length(tensor: TensorProto, place: dict[str, str], rest: int) -> int:
    """The payload's size in bytes: as given, or else what its type and shape make of it."""
    from graphlint.costs import UnknownCost, element_bits

    if given := int(place.get("length") or 0):
        return given
    try:
        bits = element_bits(tensor.data_type)
    except UnknownCost:
        return rest
    for dim in tensor.dims:
        bits *= dim
    return min(-(-bits // 8), rest)
