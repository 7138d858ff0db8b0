"""What the user says of a model's input shapes.

`--input-shape NAME:1x3x224x224`, `--dim N=8`, `--batch 1,4,16`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from graphlint.errors import ShapeError, UsageError
from graphlint.graph import Dim, GraphView, TensorType, ValueType

_SHAPE = re.compile(r"(?P<name>.+):(?P<open>\[)?(?P<dims>\d+(?:[x,]\s*\d+)*|)(?(open)\])")
_DIM = re.compile(r"(?P<name>.+?)=(?P<size>\d+)")
_MAX_SIZE = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Bindings:
    """Shapes of inputs by name, and sizes of symbolic dimensions by name.

    `strict`: a name that the model does not have is an error; not so where one set of options
    serves many models. `batch` is the size of a symbolic batch: 1 where nobody gave it, and an
    error where it is given and there is none.
    """

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)
    strict: bool = True
    batch: int | None = None

    @classmethod
    def parse(
        cls,
        shapes: Iterable[str] = (),
        dims: Iterable[str] = (),
        *,
        strict: bool = True,
        batch: int | None = None,
    ) -> Bindings:
        """From the command line's spellings.

        Raises:
            UsageError: one of them is no shape or no dimension.
        """
        return cls(dict(map(_parse_shape, shapes)), dict(map(_parse_dim, dims)), strict, batch)


def parse_batches(text: str) -> tuple[int, ...]:
    """`1,4,16` as sizes, in that order.

    Raises:
        UsageError: one of them is no size of a batch, or is given twice.
    """
    sizes = []
    for part in text.split(","):
        if not re.fullmatch(r"\s*[0-9]+\s*", part) or int(part) == 0:
            raise UsageError(
                f"--batch {text}: {part.strip() or 'nothing'!r} is no batch size",
                cause="a batch is a whole number from 1 on",
                hint="give sizes with commas between them: --batch 1,4,16",
            )
        sizes.append(int(part))
    _check_sizes(f"--batch {text}", tuple(sizes))
    for size in sizes:
        if sizes.count(size) > 1:
            raise UsageError(
                f"--batch {text}: {size} is given twice",
                cause="each size is a column",
                hint="give it once",
            )
    return tuple(sizes)


def _parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"--input-shape {text}: not a shape",
            cause="a shape is NAME:1x3x224x224 or NAME:[1,3,224,224]",
            hint="give a number for every dimension",
        )
    sizes = tuple(int(size) for size in re.split(r"[x,]\s*", match["dims"]) if size)
    _check_sizes(f"--input-shape {text}", sizes)
    return match["name"], sizes


def _parse_dim(text: str) -> tuple[str, int]:
    match = _DIM.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"--dim {text}: not a dimension", cause="a dimension is NAME=8", hint="give its size"
        )
    size = int(match["size"])
    _check_sizes(f"--dim {text}", (size,))
    return match["name"], size


def _check_sizes(option: str, sizes: tuple[int, ...]) -> None:
    if any(size > _MAX_SIZE for size in sizes):
        raise UsageError(
            f"{option}: too large", cause=f"a dimension is at most {_MAX_SIZE}", hint="check it"
        )


@dataclass(frozen=True, slots=True)
class BoundInputs:
    """Declared types with the sizes filled in, and what was assumed, in sentences."""

    types: Mapping[str, ValueType]
    notes: tuple[str, ...]


def bind(view: GraphView, bindings: Bindings) -> BoundInputs:
    """Fill in the sizes that the user gave, and that of the batch: 1 where nobody gave it.

    The batch is the first axis of an input of two or more dimensions, where it is symbolic and its
    symbol stands at no other place of any input.

    Raises:
        ShapeError: an unknown input or dimension, a shape that does not fit what is declared, or a
            batch where there is none to set.
    """
    sizes = dict(bindings.dims)
    for name, shape in bindings.shapes.items():
        if name not in view.inputs:
            if bindings.strict:
                raise _no_such("input", name, view.inputs)
            continue
        for dim, size in zip(_declared_shape(view, name, shape), shape, strict=True):
            if isinstance(dim, str) and sizes.setdefault(dim, size) != size:
                raise ShapeError(
                    f"dimension {dim!r} is given twice",
                    cause=f"as {sizes[dim]} and as {size}",
                    hint="give it once",
                )
    symbols = _symbols(view.types.values())
    if bindings.strict:
        for name in bindings.dims:
            if name not in symbols:
                raise _no_such("symbolic dimension", name, sorted(symbols))
    batches = _batches(view, sizes, bindings.shapes)
    if bindings.batch is not None and not batches:
        raise _no_batch(view, bindings)
    batch = bindings.batch or 1
    sizes |= {symbol: batch for symbol in batches if symbol is not None}
    types = {key: _with_sizes(type_, sizes) for key, type_ in view.types.items()}
    for key in view.inputs:
        type_ = types.get(key)
        if key in bindings.shapes and isinstance(type_, TensorType):
            types[key] = TensorType(type_.dtype, bindings.shapes[key])
        elif None in batches and isinstance(type_, TensorType) and _nameless_batch(type_):
            assert type_.shape is not None
            types[key] = TensorType(type_.dtype, (batch, *type_.shape[1:]))
    named = [repr(symbol) for symbol in batches if symbol is not None]
    notes = []
    if batches and bindings.batch is None:
        spelled = f" ({', '.join(named)})" if named else ""
        notes.append(f"batch size{spelled} taken as 1")
    return BoundInputs(types, tuple(notes))


def _no_such(kind: str, name: str, known: Iterable[str]) -> ShapeError:
    import difflib

    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    have = ", ".join(repr(item) for item in known[:8]) + (" …" if len(known) > 8 else "")
    return ShapeError(
        f"the model has no {kind} {name!r}",
        cause=f"it has {have}" if known else f"it has no {kind} at all",
        hint=f"did you mean {close[0]!r}?" if close else "see the names in the model",
    )


def _no_batch(view: GraphView, bindings: Bindings) -> ShapeError:
    """Why no batch can be set, and what to do about it."""
    for key in view.inputs:
        type_ = view.types.get(key)
        shape = type_.shape if isinstance(type_, TensorType) else None
        if shape is not None and len(shape) > 1 and isinstance(shape[0], int):
            return ShapeError(
                f"the batch is fixed to {shape[0]}",
                cause=f"input {key!r} is declared as {_spell(shape)}",
                hint="leave --batch out, or export the model again with a symbolic batch: "
                f"torch.onnx.export(…, dynamic_axes={{{key!r}: {{0: 'batch'}}}})",
            )
    if bindings.shapes or bindings.dims:
        return ShapeError(
            "there is no batch left to set",
            cause="--input-shape or --dim say what every first axis is",
            hint="leave the batch out of them, or leave --batch out",
        )
    return ShapeError(
        "the model has no batch to set",
        cause="no input begins with a symbolic axis of its own before others",
        hint="set symbolic dimensions by their names, with --dim",
    )


def _declared_shape(view: GraphView, name: str, given: tuple[int, ...]) -> tuple[Dim, ...]:
    type_ = view.types.get(name)
    if not isinstance(type_, TensorType):
        raise ShapeError(
            f"input {name!r} is no tensor", cause="only tensors have a shape", hint="leave it out"
        )
    declared = type_.shape
    if declared is None:
        return (None,) * len(given)
    fits = len(declared) == len(given) and all(
        not isinstance(dim, int) or dim == size for dim, size in zip(declared, given, strict=True)
    )
    if not fits:
        raise ShapeError(
            f"input {name!r} can't have the shape {_spell(given)}",
            cause=f"the model declares {_spell(declared)}",
            hint="keep its fixed dimensions, or export the model with dynamic ones",
        )
    return declared


def _spell(shape: tuple[Dim, ...]) -> str:
    return "x".join("?" if dim is None else str(dim) for dim in shape) or "a scalar"


def _symbols(types: Iterable[ValueType]) -> set[str]:
    return {
        dim
        for type_ in types
        if isinstance(type_, TensorType) and type_.shape is not None
        for dim in type_.shape
        if isinstance(dim, str)
    }


def _nameless_batch(type_: TensorType) -> bool:
    return type_.shape is not None and len(type_.shape) > 1 and type_.shape[0] is None


def _batches(
    view: GraphView, sizes: Mapping[str, int], shapes: Mapping[str, tuple[int, ...]]
) -> list[str | None]:
    """Symbols of batches that nobody gave, None standing for a nameless one; sorted."""
    first: set[str | None] = set()
    elsewhere: set[Dim] = set()
    for key in view.inputs:
        type_ = view.types.get(key)
        if not isinstance(type_, TensorType) or not type_.shape or key in shapes:
            continue
        elsewhere.update(type_.shape[1:])
        if len(type_.shape) > 1 and not isinstance(type_.shape[0], int):
            first.add(type_.shape[0])
    batches = {dim for dim in first if dim is None or (dim not in elsewhere and dim not in sizes)}
    return sorted(batches, key=lambda dim: (dim is None, dim or ""))


def _with_sizes(type_: ValueType, sizes: Mapping[str, int]) -> ValueType:
    if not isinstance(type_, TensorType) or type_.shape is None or not sizes:
        return type_
    if not any(isinstance(dim, str) for dim in type_.shape):
        return type_
    shape = tuple(sizes.get(dim, dim) if isinstance(dim, str) else dim for dim in type_.shape)
    return TensorType(type_.dtype, shape)
