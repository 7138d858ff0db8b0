"""External data: located, its bounds checked, never read, and never outside the model's folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from graphlint.errors import GraphlintError, ModelError

if TYPE_CHECKING:
    import onnx


MOST_TOLD = 10
"""Problems of one model that are told one by one."""


def external_problems(path: str, file: Path, proto: onnx.ModelProto) -> Iterator[GraphlintError]:
    """One problem a file: a thousand tensors in one missing file are one line.

    Of more than `MOST_TOLD`, the last says how many more there are.
    """
    found: dict[str, GraphlintError] = {}
    for location, problem in _problems(path, file, proto):
        found.setdefault(location, problem)
    yield from islice(found.values(), MOST_TOLD)
    if len(found) > MOST_TOLD:
        yield ModelError(
            f"{path}: external data with more such problems",
            cause=f"{len(found) - MOST_TOLD} other files",
        )


def _problems(
    path: str, file: Path, proto: onnx.ModelProto
) -> Iterator[tuple[str, GraphlintError]]:
    """What is wrong with each tensor, by its location."""
    sizes: dict[str, int | GraphlintError] = {}
    for tensor in external_tensors(proto):
        place = {entry.key: entry.value for entry in tensor.external_data}
        location = place.get("location", "")
        if len(place) < len(tensor.external_data):
            yield location, _two_places(path, tensor.name)
            continue
        if location == "" and "field" in place:
            continue  # a payload of this very file that the reader left out
        if location not in sizes:
            sizes[location] = _external_size(path, file, location)
        size = sizes[location]
        if isinstance(size, GraphlintError):
            yield location, size
        elif (problem := _out_of_bounds(path, tensor.name, place, size)) is not None:
            yield location, problem


def _two_places(path: str, name: str) -> GraphlintError:
    """Readers differ in which one they take: one may be checked, and the other opened."""
    return ModelError(
        f"{path}: a tensor in two places",
        cause=f"{name!r} names more than one, or has its numbers in the model besides",
        hint="save the model again",
    )


def external_tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor whose payload lies in another file."""
    return (tensor for tensor in _tensors(proto) if tensor.data_location == tensor.EXTERNAL)


def external_file(path: str, file: Path, location: str) -> Path | None:
    """The file of external data at a location, None where it is missing or may not be opened."""
    size = _external_size(path, file, location)
    return None if isinstance(size, GraphlintError) else file.parent / location


def external_locations(proto: onnx.ModelProto) -> Iterator[str]:
    """The locations of external data as the model spells them, nothing of them checked."""
    for tensor in external_tensors(proto):
        for entry in tensor.external_data:
            if entry.key == "location" and entry.value:
                yield entry.value


def _tensors(proto: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor that is stored in the model, those in bodies and functions among them."""
    graphs = [proto.graph]
    nodes = [node for function in proto.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes.extend(graph.node)
        while nodes:
            for attribute in nodes.pop().attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                if attribute.HasField("sparse_tensor"):
                    yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
                if attribute.HasField("g"):
                    graphs.append(attribute.g)
                yield from attribute.tensors
                graphs.extend(attribute.graphs)


_IN_MEMORY = "*/_ORT_"  # ONNX Runtime's mark of a tensor in its own memory, in several spellings


def _external_size(path: str, file: Path, location: str) -> int | GraphlintError:
    """The size of the external file in bytes, or what is wrong with its location."""
    hint = "keep external data beside the model, with a relative path"
    posix, windows = PurePosixPath(location), PureWindowsPath(location)
    if not location or "\x00" in location:
        return ModelError(
            f"{path}: external data without a location",
            cause="the name of its file is empty or broken",
        )
    if location.startswith(_IN_MEMORY):
        return ModelError(
            f"{path}: external data that was never written",
            cause=f"{location!r} stands for the memory of the process that made the model",
            hint="save the model again with ONNX Runtime's or onnx's own save functions",
        )
    if (
        posix.is_absolute()
        or windows.drive
        or windows.root
        or ".." in (*posix.parts, *windows.parts)
    ):
        return ModelError(
            f"{path}: external data outside the model's folder",
            cause=f"the location {location!r} leaves it; it was not opened",
            hint=hint,
        )
    folder = file.parent.resolve()
    try:
        target = Path(os.path.realpath(folder / location))
        # A download cache is a folder of links; the model and its data lie elsewhere, together.
        if not any(target.is_relative_to(home) for home in (folder, file.resolve().parent)):
            return ModelError(
                f"{path}: external data outside the model's folder",
                cause=f"{location!r} is a link that leaves it; it was not opened",
                hint=hint,
            )
        status = target.stat()
    except FileNotFoundError:
        return ModelError(
            f"{path}: external data is missing",
            cause=f"there is no file {location!r} beside the model",
            hint="copy it there, or run `git lfs pull`; costs and findings do not need it",
        )
    except (OSError, ValueError, RuntimeError) as error:
        return ModelError(f"{path}: external data can't be located", cause=f"{location!r}: {error}")
    if not stat.S_ISREG(status.st_mode):
        return ModelError(
            f"{path}: external data is no regular file",
            cause=f"{location!r} is not; it was not opened",
        )
    return status.st_size


def _out_of_bounds(path: str, name: str, place: dict[str, str], size: int) -> GraphlintError | None:
    try:
        offset = int(place.get("offset") or 0)
        length = int(place.get("length") or 0)
    except ValueError:
        offset = length = -1
    if offset < 0 or length < 0:
        return ModelError(
            f"{path}: external data with a broken place",
            cause=f"offset or length of {name!r} is no number of bytes",
        )
    if offset + length > size:
        return ModelError(
            f"{path}: external data is too short",
            cause=f"{name!r} lies at bytes {offset} to {offset + length} of {place['location']!r}, "
            f"which has {size}",
            hint="copy it again, or run `git lfs pull` if it is a Git LFS pointer",
        )
    return None
