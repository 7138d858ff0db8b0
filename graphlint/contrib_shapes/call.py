"""What a shape rule sees, and arithmetic on sizes that may be symbolic or unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphlint.graph import Dim, Node, TensorType

if TYPE_CHECKING:
    import numpy as np

Shape = tuple[Dim, ...]
Outputs = list[TensorType | None]

# Numbers of `TensorProto.DataType`.
FLOAT, UINT8, INT8, INT32, INT64, BOOL, UINT32 = 1, 2, 3, 6, 7, 9, 12


class UnshapedError(Exception):
    """A shape that the output depends on is not known."""


@dataclass(frozen=True, slots=True)
class Call:
    """A node with what is known of its inputs."""

    node: Node
    inputs: Sequence[TensorType | None]
    data: Sequence[np.ndarray[Any, Any] | None]

    def type(self, position: int) -> TensorType:
        given = self.inputs[position] if position < len(self.inputs) else None
        if given is None:
            raise UnshapedError
        return given

    def given(self, position: int) -> bool:
        return self.node.input(position) != ""

    def shape(self, position: int, rank: int | None = None) -> Shape:
        shape = self.type(position).shape
        if shape is None or (rank is not None and len(shape) != rank):
            raise UnshapedError
        return shape

    def dtype(self, position: int, default: int = 0) -> int:
        """The element type of an input, `default` where it is left out."""
        if position >= len(self.inputs) or self.inputs[position] is None:
            return default
        return self.type(position).dtype

    def numbers(self, position: int) -> list[int] | None:
        """The integers of a small known input."""
        known = self.data[position] if position < len(self.data) else None
        return None if known is None else [int(number) for number in known.reshape(-1)]

    def integer(self, name: str, default: int = 0) -> int:
        return int(self.node.attribute(name, default))


def plus(left: Dim, right: Dim) -> Dim:
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    return right if left == 0 else left if right == 0 else None


def times(dim: Dim, factor: int) -> Dim:
    return dim * factor if isinstance(dim, int) else dim if factor == 1 else None


def over(dim: Dim, divisor: int) -> Dim:
    return dim // divisor if isinstance(dim, int) and divisor else None


def broadcast(*shapes: Shape) -> Shape:
    rank = max(map(len, shapes), default=0)
    return tuple(
        _broadcast_dim([shape[place] for shape in shapes if len(shape) >= -place])
        for place in range(-rank, 0)
    )


def _broadcast_dim(dims: list[Dim]) -> Dim:
    wide = [dim for dim in dims if dim != 1]
    if not wide:
        return 1
    known = [dim for dim in wide if isinstance(dim, int)]
    if known:
        return known[0]
    return wide[0] if all(dim == wide[0] for dim in wide) else None
