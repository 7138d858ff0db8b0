"""From a path to a `Model`: the safe reader, which leaves the weights where they are.

A file is memory-mapped and walked (`graphlint.wire`); only its structure is parsed. What is no ONNX
model is named for what it is. External data is located and its bounds are checked, never read, and
no location may lead out of the model's folder.
"""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint.errors import GraphlintError, ModelError
from graphlint.external_data import external_problems
from graphlint.regular_file import NotRegularError, open_regular
from graphlint.wire import MAX_DEPTH, WireError, length_delimited, strip

if TYPE_CHECKING:
    import onnx

STANDARD_INPUT = "-"
MAX_READ_BYTES = 64 * 1024 * 1024
"""The largest payload that is read on demand: shapes and permutations, never whole weights."""


_DROP_AFTER_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Model:
    """A model's structure.

    `path` is as the user gave it and as reports show it; `file` is where its bytes lie. `proto` has
    no payloads over `wire.KEEP_BYTES` (see there for how they are marked). `problems` are what is
    wrong with it beside the structure: external data that is missing, cut short, or outside.
    """

    path: str
    file: Path
    proto: onnx.ModelProto
    structure_bytes: int
    file_bytes: int
    problems: tuple[GraphlintError, ...] = ()
    modified_ns: int = 0

    def payload(self, tensor: onnx.TensorProto) -> onnx.TensorProto | None:
        """A copy of `tensor` with its numbers, or None where they can't be had.

        They can't where they lie in an external file, are larger than `MAX_READ_BYTES`, are stored
        in pieces or are broken.

        Raises:
            ModelError: the file is not what it was when the model was read.
        """
        from google.protobuf.message import DecodeError

        if tensor.data_location != tensor.EXTERNAL:
            return tensor
        place = {entry.key: entry.value for entry in tensor.external_data}
        if place.get("location") != "":
            return None
        try:
            offset, length, field = (int(place[key]) for key in ("offset", "length", "field"))
        except (KeyError, ValueError):
            return None
        if field <= 0 or not 0 <= length <= MAX_READ_BYTES:
            return None
        if not 0 <= offset <= self.file_bytes - length:
            return None
        try:
            with os.fdopen(open_regular(self.file), "rb") as stream:
                status = os.fstat(stream.fileno())
                stream.seek(offset)
                data = stream.read(length)
        except OSError:
            return None
        if (status.st_size, status.st_mtime_ns) != (self.file_bytes, self.modified_ns):
            raise _changed(self.path)
        copy = type(tensor)()
        copy.CopyFrom(tensor)
        copy.ClearField("external_data")
        copy.ClearField("data_location")
        # The payload's bytes as they stood on the wire, parsed as the field they belong to.
        try:
            copy.MergeFromString(length_delimited(field, data))
        except DecodeError:
            return None
        return copy


def find(path: str) -> Iterator[str]:
    """The models at `path`: itself, or every `.onnx` file below it in sorted order.

    Folders are walked without following links, and hidden folders are left out.

    Raises:
        ModelError: `path` is a folder without models.
    """
    if path == STANDARD_INPUT or not os.path.isdir(path):
        yield path
        return
    found = False
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(".onnx"):
                found = True
                yield os.path.join(folder, name)
    if not found:
        raise ModelError(
            f"{path}: a folder without models",
            cause="no file below it ends with .onnx",
            hint="give the model's path, or another folder",
        )


def load(path: str, *, file: Path | None = None) -> Model:
    """Read the structure of the model at `path` (its bytes at `file`, where they lie elsewhere).

    Raises:
        ModelError: there is no such file, it is no regular file, or it is no ONNX model.
    """
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    source = file if file is not None else Path(path)
    descriptor = _open_regular(path, source)
    with os.fdopen(descriptor, "rb") as stream:
        before = os.fstat(descriptor)
        if before.st_size == 0:
            raise ModelError(
                f"{path}: an empty file",
                cause="it has 0 bytes",
                hint="export or download the model again",
            )
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as mapped:
            _refuse_other_formats(path, bytes(mapped[:512]))
            view = memoryview(mapped)
            try:
                structure = strip(view, _page_dropper(mapped)).data
            except WireError as error:
                # Its traceback holds views of the file, which could then not be closed.
                error.__traceback__ = None
                raise _not_a_model(path, error, before.st_size, view) from error
            finally:
                view.release()
        after = os.fstat(stream.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise _changed(path)
    proto = ModelProto()
    try:
        proto.ParseFromString(structure)
    except DecodeError as error:
        cause = f"its structure is broken, or messages nest deeper than {MAX_DEPTH} in it"
        raise _garbage(path, cause) from error
    if not proto.HasField("graph"):
        raise _garbage(path, "it holds no graph")
    _refuse_broken_names(path, proto)
    _refuse_impossible_opsets(path, proto)
    problems = tuple(external_problems(path, source, proto)) if file is None else ()
    size, modified = before.st_size, before.st_mtime_ns
    return Model(path, source, proto, len(structure), size, problems, modified)


def _page_dropper(mapped: mmap.mmap) -> Callable[[int], None]:
    """Told of payloads that were passed over, drops the pages around them from memory.

    A system may map megabytes at the touch of a byte, and so the weights after all.
    """
    passed = 0

    def skipped(payload_bytes: int) -> None:
        nonlocal passed
        passed += payload_bytes
        if passed >= _DROP_AFTER_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)
            passed = 0

    return skipped


def _open_regular(path: str, file: Path) -> int:
    """Open `file` for reading, without ever waiting on a pipe or a device."""
    try:
        return open_regular(file)
    except NotRegularError as error:
        raise _not_regular(path, error.mode) from error
    except FileNotFoundError as error:
        raise ModelError(
            f"{path}: no such file", cause="nothing is there", hint="check the path"
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelError(
            f"{path}: can't be opened", cause=reason, hint="check the path and its permissions"
        ) from error


def _not_regular(path: str, mode: int) -> ModelError:
    kinds = (
        (stat.S_ISDIR, "a folder", "give it to `graphlint check`, which looks for models in it"),
        (stat.S_ISFIFO, "a pipe", "pass `-` and send the model to standard input"),
        (stat.S_ISCHR, "a device", "give the path of a file"),
        (stat.S_ISBLK, "a device", "give the path of a file"),
        (stat.S_ISSOCK, "a socket", "give the path of a file"),
    )
    for test, name, hint in kinds:
        if test(mode):
            return ModelError(
                f"{path}: {name}, not a file", cause="only regular files are read", hint=hint
            )
    return ModelError(f"{path}: not a regular file", cause="only regular files are read")


_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (
        0,
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the model",
        "run `git lfs pull`",
    ),
    (4, b"ORTM", "an ONNX Runtime .ort file", "check the .onnx file that it was made from"),
    (4, b"TFL3", "a TensorFlow Lite model", "convert it to ONNX first (tf2onnx)"),
    (
        0,
        b"PK\x03\x04",
        "a zip archive (a PyTorch checkpoint is one)",
        "unpack it, or export the model to ONNX",
    ),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (0, b"BZh", "a bzip2 archive", "unpack it first"),
    (0, b"\xfd7zXZ\x00", "an xz archive", "unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first"),
    (0, b"\x89HDF\r\n", "an HDF5 file (Keras)", "export the model to ONNX first"),
    (0, b"GGUF", "a GGUF file", "check the ONNX model that it was made from"),
    *(
        (0, bytes([0x80, protocol]), "a Python pickle (PyTorch)", "export the model to ONNX first")
        for protocol in (2, 3, 4, 5)
    ),
)


def _refuse_other_formats(path: str, head: bytes) -> None:
    for offset, magic, name, hint in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            raise ModelError(f"{path}: {name}", cause="its first bytes say so", hint=hint)
    if not head.strip(b"\x00"):
        raise ModelError(
            f"{path}: no ONNX model",
            cause="it begins with nothing but zero bytes",
            hint="the download or copy was likely cut short: fetch it again",
        )
    if _is_text(head):
        textual = head.lstrip().startswith(b"<") and b"ir_version" in head
        raise ModelError(
            f"{path}: " + ("a model in ONNX's text form" if textual else "text, not an ONNX model"),
            cause="a model is binary (protobuf)",
            hint="convert it with onnx.parser.parse_model and onnx.save"
            if textual
            else "check that the download or checkout gave the model itself",
        )


def _is_text(head: bytes) -> bool:
    """Whether the bytes are printable text; a model's first bytes are control characters."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        text = head[: error.start].decode("utf-8") if error.start > len(head) - 4 else ""
    return len(text) > 0 and all(char.isprintable() or char in "\t\r\n\f" for char in text)


def _not_a_model(path: str, error: WireError, size: int, view: memoryview) -> ModelError:
    looks_like_model = bytes(view[:1]) in (b"\x08", b"\x12", b"\x1a", b"\x3a", b"\x42")
    if error.truncated and looks_like_model:
        return ModelError(
            f"{path}: a truncated model",
            cause=f"it ends at byte {size}: {error.reason} (byte {error.offset})",
            hint="copy or download it again",
        )
    return _garbage(path, f"{error.reason} (byte {error.offset})")


def _changed(path: str) -> ModelError:
    return ModelError(
        f"{path}: changed while it was read",
        cause="its size or time of modification is not what it was at the start",
        hint="run graphlint again once the file is written",
    )


def _garbage(path: str, cause: str) -> ModelError:
    return ModelError(
        f"{path}: no ONNX model", cause=cause, hint="check that the file is an ONNX model"
    )


def _refuse_broken_names(path: str, proto: onnx.ModelProto) -> None:
    """Refuse names that are no UTF-8, which protobuf hands out as bytes."""
    names = _names(proto)
    try:
        "".join(names)
    except TypeError:
        broken = next(name for name in names if not isinstance(name, str))
        raise ModelError(
            f"{path}: a name that is no text",
            cause=f"{broken!r} is not UTF-8",
            hint="export the model again with names that are",
        ) from None


def _refuse_impossible_opsets(path: str, proto: onnx.ModelProto) -> None:
    """Refuse versions that no reader of models could hold: they are 32-bit numbers there."""
    imports = [*proto.opset_import, *(o for f in proto.functions for o in f.opset_import)]
    for entry in imports:
        if not -(2**31) <= entry.version < 2**31:
            raise ModelError(
                f"{path}: an opset that does not exist",
                cause=f"it is said to be of version {entry.version}",
                hint="export the model again",
            )


def _names(proto: onnx.ModelProto) -> list[str]:
    """All names in the model."""
    names = [entry.domain for entry in proto.opset_import]
    names += (text for entry in proto.metadata_props for text in (entry.key, entry.value))
    graphs = [proto.graph]
    nodes: list[onnx.NodeProto] = []
    for function in proto.functions:
        names += (function.name, function.domain, function.overload)
        names += (*function.input, *function.output, *function.attribute)
        names += (entry.domain for entry in function.opset_import)
        names += (attribute.name for attribute in function.attribute_proto)
        names += (info.name for info in function.value_info)
        nodes += function.node
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            names += (tensor.name for tensor in graph.initializer)
            names += (sparse.values.name for sparse in graph.sparse_initializer)
            names += (info.name for info in (*graph.input, *graph.output, *graph.value_info))
            nodes += graph.node
        while nodes:
            node = nodes.pop()
            names += (node.name, node.op_type, node.domain, node.overload)
            names += node.input[:]
            names += node.output[:]
            if metadata := node.metadata_props:
                names += (text for entry in metadata for text in (entry.key, entry.value))
            if attributes := node.attribute:
                names += (attribute.name for attribute in attributes)
                names += (attribute.ref_attr_name for attribute in attributes)
                graphs += (attribute.g for attribute in attributes if attribute.HasField("g"))
                graphs += (body for attribute in attributes for body in attribute.graphs)
    return names
