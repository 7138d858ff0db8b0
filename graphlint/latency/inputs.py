"""What a model is fed while it is measured.

From a file (`.npz`, an array an input), or made: floats from a seeded generator; integers that
index a table (Gather, embeddings) within its rows; masks of ones; lengths as long as the sequence.
What can't be told from the graph or the name is 1, which is a valid index, size and mask.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from graphlint.graph import ABSENT, GraphView, Node, TensorType
from graphlint.latency.session import LatencyError, LatencyUsageError
from graphlint.regular_file import open_regular

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Feed = Mapping[str, Array]

SEED = 20180730
MAX_ELEMENTS = 1 << 28
"""The largest input that is made; larger ones are a mistake in a shape, or need a file."""

MAX_FILE_BYTES = 4 << 30
"""The most that the arrays of a file may take unpacked."""

# What zipfile, its decompressor and numpy's reader of headers raise for files that are broken.
_BROKEN = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    SyntaxError,
    TypeError,
    zipfile.BadZipFile,
    zlib.error,
)

# Operators that hand their input on as it is, as far as its role is concerned.
_TRANSPARENT = frozenset(
    "Cast Identity Reshape Unsqueeze Squeeze Flatten Transpose Expand Slice Concat".split()
)
# Table and index inputs, by operator: where the index is, where the table, and the table's axis.
_LOOKUPS: Mapping[tuple[str, str], tuple[tuple[int, int], ...]] = {
    ("", "Gather"): ((1, 0),),
    ("com.microsoft", "EmbedLayerNormalization"): ((0, 2), (1, 4)),
    ("com.microsoft", "GatherBlockQuantized"): ((1, 0),),
}
_MAX_DEPTH = 8


def load(path: Path) -> Feed:
    """The arrays of a `.npz` file.

    Raises:
        LatencyUsageError: it is no such file, or it holds objects.
    """
    import numpy as np

    try:
        os.close(open_regular(path))  # never wait on a pipe
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds one array without a name")
        with archive:
            _refuse_bomb(archive)
            return {name: archive[name] for name in archive.files}
    except (*_BROKEN, MemoryError) as error:
        raise LatencyUsageError(
            f"--input-data {path}: can't be read",
            cause=str(error).splitlines()[0] if str(error) else type(error).__name__,
            hint="write it with numpy.savez(path, name=array, …), an array an input",
        ) from error


def _refuse_bomb(archive: np.lib.npyio.NpzFile) -> None:
    """Nothing is unpacked yet; what is, is never more than the archive says."""
    assert archive.zip is not None
    size = sum(member.file_size for member in archive.zip.infolist())
    if size > MAX_FILE_BYTES:
        raise ValueError(f"its arrays take {size:,} bytes; {MAX_FILE_BYTES:,} is the limit")


def check(feed: Feed, view: GraphView) -> None:
    """Compare given arrays with the inputs that the model declares.

    Raises:
        LatencyUsageError: a name, shape or type is not the declared one; both are told.
    """
    missing = [key for key in view.inputs if key not in feed]
    unknown = [name for name in feed if name not in view.inputs]
    if missing or unknown:
        wrong = f"{unknown[0]!r} is no input" if unknown else f"{missing[0]!r} is missing"
        raise LatencyUsageError(
            f"--input-data: {wrong}",
            cause=f"the model has {_names(view.inputs)}; the file has {_names(feed)}",
            hint="give one array for every input, under its name",
        )
    for key in view.inputs:
        type_ = view.type(key)
        if isinstance(type_, TensorType):
            _check_one(key, feed[key], type_)


def _names(names: Any) -> str:
    return ", ".join(repr(name) for name in names) or "none"


def _check_one(name: str, array: Array, type_: TensorType) -> None:
    dtype = _dtype(name, type_)
    if array.dtype != dtype and not (dtype.kind == "O" and array.dtype.kind in "US"):
        raise LatencyUsageError(
            f"--input-data: {name!r} has the wrong type",
            cause=f"the model expects {dtype.name}; the file has {array.dtype.name}",
            hint="convert the array with .astype",
        )
    if type_.shape is None:
        return
    fits = len(type_.shape) == array.ndim and all(
        not isinstance(dim, int) or dim == size
        for dim, size in zip(type_.shape, array.shape, strict=True)
    )
    if not fits:
        expected = "x".join("?" if dim is None else str(dim) for dim in type_.shape) or "a scalar"
        given = "x".join(map(str, array.shape)) or "a scalar"
        raise LatencyUsageError(
            f"--input-data: {name!r} has the wrong shape",
            cause=f"the model expects {expected}; the file has {given}",
            hint="a dimension that the model fixes can't be changed",
        )


def make(view: GraphView) -> Feed:
    """An array for every input of a view with bound shapes.

    Raises:
        LatencyError: an input is no tensor, or its shape or type is not known.
    """
    return {key: _make_one(view, key, _generator(key)) for key in view.inputs}


def _generator(key: str) -> np.random.Generator:
    """One for every name: models that are compared get the same data for the same input."""
    import numpy as np

    return np.random.default_rng([SEED, crc32(key.encode("utf-8", "surrogatepass"))])


def _make_one(view: GraphView, key: str, generator: np.random.Generator) -> Array:
    import numpy as np

    type_ = view.type(key)
    if not isinstance(type_, TensorType):
        raise LatencyError(
            f"the input {key!r} can't be made",
            cause="it is no tensor" if type_ is not None else "its type is not declared",
            hint="only models whose inputs are tensors are measured",
        )
    shape = view.shape(key)
    if shape is None:
        raise LatencyError(
            f"the input {key!r} can't be made",
            cause="its shape is not known",
            hint=f"give it with --input-shape {key}:… or --dim, or pass --input-data",
        )
    if int(np.prod(shape, dtype=np.float64)) > MAX_ELEMENTS:
        raise LatencyError(
            f"the input {key!r} can't be made",
            cause=f"it has more than {MAX_ELEMENTS} elements",
            hint="give smaller dimensions with --input-shape or --dim",
        )
    dtype = _dtype(key, type_)
    if dtype.kind == "O":
        return np.full(shape, "a", dtype=object)
    if dtype.kind == "b":
        return np.ones(shape, dtype)
    if dtype.kind in "iu":
        return _integers(view, key, shape, dtype, generator)
    numbers = generator.standard_normal(shape, dtype=np.float32)
    return np.asarray(numbers).astype(dtype)


def _integers(
    view: GraphView,
    key: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    generator: np.random.Generator,
) -> Array:
    import numpy as np

    rows = _rows(view, key, _MAX_DEPTH)
    if rows is not None:
        top = min(rows, int(np.iinfo(dtype).max) + 1)
        return generator.integers(0, max(1, top), size=shape).astype(dtype)
    name = key.lower()
    if "mask" in name:
        return np.ones(shape, dtype)
    if "len" in name and len(shape) <= 1:
        return np.full(shape, _longest(view), dtype)
    if dtype.itemsize == 1 and len(shape) > 2:  # a picture, or something quantised
        limits = np.iinfo(dtype)
        return generator.integers(limits.min, limits.max + 1, size=shape).astype(dtype)
    return np.ones(shape, dtype)


def _rows(view: GraphView, key: str, depth: int) -> int | None:
    """The smallest number of rows among the tables that the value indexes."""
    found = []
    for reader in view.readers(key):
        rows = _rows_read(view, reader, key)
        if rows is None and depth and reader.op in _TRANSPARENT and reader.domain == "":
            first = reader.outputs[0] if reader.outputs else ABSENT
            rows = _rows(view, first, depth - 1) if first != ABSENT else None
        if rows is not None:
            found.append(rows)
    return min(found, default=None)


def _rows_read(view: GraphView, reader: Node, key: str) -> int | None:
    for index, table in _LOOKUPS.get((reader.domain, reader.op), ()):
        if reader.input(index) != key:
            continue
        shape = view.shape(reader.input(table))
        if not shape:
            return None
        axis = reader.attribute("axis", 0) if reader.op == "Gather" else 0
        return shape[axis] if -len(shape) <= axis < len(shape) else None
    return None


def _longest(view: GraphView) -> int:
    """The length of the longest sequence among the inputs: the second axis, where there is one."""
    shapes = [view.shape(key) for key in view.inputs]
    return max((shape[1] for shape in shapes if shape and len(shape) > 1), default=1)


def _dtype(key: str, type_: TensorType) -> np.dtype[Any]:
    """The array type in which the runtime takes an input.

    Raises:
        LatencyError: it takes none.
    """
    import numpy as np
    from onnx import helper

    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(type_.dtype))
    except (KeyError, TypeError, ValueError):
        dtype = np.dtype("V")
    if dtype.kind not in "biufO":
        raise LatencyError(
            f"the input {key!r} can't be made",
            cause=f"numpy has no type for element type {type_.dtype}",
            hint="models with such inputs are not measured",
        )
    return dtype
