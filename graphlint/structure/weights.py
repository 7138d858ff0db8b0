"""Digests of weights, by which two models' numbers are compared: read in pieces, never held."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint.costs.totals import Handles
from graphlint.external_data import external_file
from graphlint.graph import GraphView, Node
from graphlint.model import Model
from graphlint.structure.facts import is_commutative

if TYPE_CHECKING:
    from onnx import TensorProto

_PIECE = 1 << 20
_LARGEST = 1 << 45


class Digests:
    """The digest of each node's weights; a weight that nodes share is read once."""

    def __init__(self, model: Model, view: GraphView, handles: Handles) -> None:
        self._model = model
        self._view = view
        self._handles = handles
        self._known: dict[str, bytes | None] = {}

    @property
    def weight_bytes(self) -> int:
        """About how many bytes there are to read."""
        return min(8 * sum(each.elements for each in self._view.constants.values()), _LARGEST)

    def __call__(self, node: Node) -> str | None:
        """The digest; empty where there are no weights, None where some can't be read."""
        handle = self._handles.get((node.domain, node.op))
        settings = handle.control if handle is not None else frozenset()
        parts = [
            self._tensor(key)
            for position, key in enumerate(node.inputs)
            if key in self._view.constants and position not in settings
        ]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        whole = b"".join(sorted(known) if is_commutative(node) else known)
        return hashlib.blake2b(whole, digest_size=8).hexdigest() if known else ""

    def _tensor(self, key: str) -> bytes | None:
        if key not in self._known:
            try:
                self._known[key] = self._read(self._view.constants[key].proto)
            except (OSError, ValueError, TypeError):
                self._known[key] = None
        return self._known[key]

    def _read(self, proto: TensorProto) -> bytes | None:
        if not hasattr(proto, "data_location"):  # a sparse tensor
            return None
        if proto.data_location != proto.EXTERNAL:
            from onnx import numpy_helper

            return hashlib.blake2b(numpy_helper.to_array(proto).tobytes()).digest()
        place = {entry.key: entry.value for entry in proto.external_data}
        if place.get("location") == "":  # a payload that the reader left where it is
            if int(place.get("field", 0)) <= 0:
                return None
            return _digest(self._model.file, int(place["offset"]), int(place["length"]))
        location = place.get("location", "")
        file = external_file(self._model.path, self._model.file, location)
        if file is None:
            return None
        return _digest(file, int(place.get("offset") or 0), int(place.get("length") or -1))


def _digest(file: Path, offset: int, length: int) -> bytes | None:
    """The digest of a part of a file, to its end where `length` is negative."""
    found = hashlib.blake2b()
    with file.open("rb") as stream:
        stream.seek(offset)
        while length:
            piece = stream.read(_PIECE if length < 0 else min(_PIECE, length))
            if not piece:
                return found.digest() if length < 0 else None
            found.update(piece)
            length -= len(piece) if length > 0 else 0
    return found.digest()
