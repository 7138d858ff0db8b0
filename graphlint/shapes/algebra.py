"""What becomes of types when values are merged, joined, stacked and sliced."""

from __future__ import annotations

from graphlint.graph import Dim, TensorType, ValueType


def merged(inferred: ValueType | None, declared: ValueType | None) -> ValueType | None:
    """What is inferred, with what it leaves open filled in from what the model declares."""
    if inferred is None or declared is None:
        return inferred if declared is None else declared
    if not (isinstance(inferred, TensorType) and isinstance(declared, TensorType)):
        return inferred
    dtype = inferred.dtype or declared.dtype
    if inferred.shape is None or declared.shape is None:
        return TensorType(dtype, declared.shape if inferred.shape is None else inferred.shape)
    if len(inferred.shape) != len(declared.shape):
        return TensorType(dtype, inferred.shape)
    pairs = zip(inferred.shape, declared.shape, strict=True)
    return TensorType(
        dtype, tuple(b if isinstance(b, int) and not isinstance(a, int) else a for a, b in pairs)
    )


def joined(a: ValueType | None, b: ValueType | None) -> ValueType | None:
    """What two types have in common: the type of a value that may be either."""
    if a == b or not (isinstance(a, TensorType) and isinstance(b, TensorType)):
        return a if a == b else None
    dtype = a.dtype if a.dtype == b.dtype else 0
    if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return TensorType(dtype, None)
    dims = tuple(x if x == y else None for x, y in zip(a.shape, b.shape, strict=True))
    return TensorType(dtype, dims)


def stacked(type_: ValueType | None, size: Dim, axis: int) -> ValueType | None:
    """The type of `size` such values along a new axis."""
    if not isinstance(type_, TensorType) or type_.shape is None:
        return type_
    axis += len(type_.shape) + 1 if axis < 0 else 0
    return TensorType(type_.dtype, (*type_.shape[:axis], size, *type_.shape[axis:]))


def without_axis(type_: ValueType | None, axis: int) -> ValueType | None:
    """The type of one slice along an axis."""
    if not isinstance(type_, TensorType) or not type_.shape:
        return type_
    axis %= len(type_.shape)
    return TensorType(type_.dtype, type_.shape[:axis] + type_.shape[axis + 1 :])
