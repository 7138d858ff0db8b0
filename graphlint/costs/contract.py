"""What a cost handle is: a small pure function from an operation to the work that it does.

The counting convention is written once, in `docs/counting.md`; handles refer to it.

A handle sees an `Operation`: the node with the types (and, where they are known, the numbers) of
its inputs and outputs. It returns a `Work`: multiply-adds and element operations, and what differs
from the rule that every distinct input and every output is moved once, whole. When it needs a shape
that is not known, asking for it raises `UnknownCost` with the reason, and the node is reported as
unknown, never as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import prod
from typing import TYPE_CHECKING, Any

from graphlint.graph import Constant, Node, OtherType, TensorType, ValueType

if TYPE_CHECKING:
    import numpy as np


class UnknownCost(Exception):
    """A cost that can't be told; the message is the reason, as shown to the user."""


class Category(StrEnum):
    """What kind of work an operator does, after the paper's Figure 2."""

    CONVOLUTION = "convolution"
    MATMUL = "matmul"
    RECURRENT = "recurrent"
    ELEMENTWISE = "element-wise"
    NORMALISATION = "normalisation"
    POOLING = "pooling"
    REDUCTION = "reduction"
    MOVEMENT = "data movement"
    QUANTISATION = "quantisation"
    VIEW = "view"
    CONTROL = "control flow"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Operand:
    """An input or output of an operation.

    `key` identifies the value (the same tensor given twice has one key); `constant` is set where
    the value is stored in the model; `data` holds its numbers where they are small and known.
    `static` says that the value does not depend on the model's inputs' data: a constant, or
    something computed from constants and shapes alone.
    """

    key: str
    type: ValueType | None
    constant: Constant | None = None
    data: np.ndarray[Any, Any] | None = None
    static: bool = False
    reason: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """The static shape.

        Raises:
            UnknownCost: the rank or a dimension is unknown, or the value is no dense tensor.
        """
        if isinstance(self.type, TensorType) and (sizes := self.type.sizes) is not None:
            return sizes
        if isinstance(self.type, OtherType):
            kind = self.type.kind.replace("_", " ")
            raise UnknownCost(f"{self.key!r} is a {kind}, whose size is not known")
        raise UnknownCost(self.reason or f"the shape of {self.key!r} is unknown")

    @property
    def rank(self) -> int:
        """The number of dimensions; raises `UnknownCost` where it is not known."""
        if isinstance(self.type, TensorType) and self.type.shape is not None:
            return len(self.type.shape)
        return len(self.shape)

    @property
    def elements(self) -> int:
        """The number of elements; raises `UnknownCost` where the shape is not static."""
        return prod(self.shape)

    @property
    def dtype(self) -> int:
        """The element type as a `TensorProto.DataType`, 0 where it is unknown."""
        return self.type.dtype if isinstance(self.type, TensorType) else 0

    def numbers(self) -> np.ndarray[Any, Any]:
        """The value itself; raises `UnknownCost` where it is not known before the model runs."""
        if self.data is None:
            raise UnknownCost(f"the value of {self.key!r} is not known before the model runs")
        return self.data


@dataclass(frozen=True, slots=True)
class Operation:
    """A node with its operands; `None` stands for an optional operand that is left out."""

    node: Node
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand | None, ...]

    def has_input(self, position: int) -> bool:
        """Whether the optional input at `position` is given."""
        return position < len(self.inputs) and self.inputs[position] is not None

    def input(self, position: int) -> Operand:
        """The input at `position`; raises `UnknownCost` where it is left out."""
        operand = self.inputs[position] if position < len(self.inputs) else None
        if operand is None:
            raise UnknownCost(f"{self.node.op} lacks its input {position}")
        return operand

    def output(self, position: int = 0) -> Operand:
        """The output at `position`; raises `UnknownCost` where it is left out."""
        operand = self.outputs[position] if position < len(self.outputs) else None
        if operand is None:
            raise UnknownCost(f"{self.node.op} lacks its output {position}")
        return operand

    def attribute(self, name: str, default: Any = None) -> Any:
        """The node's attribute, or `default`."""
        return self.node.attributes.get(name, default)

    @property
    def output_elements(self) -> int:
        """Elements of all given outputs together."""
        return sum(operand.elements for operand in self.outputs if operand is not None)


@dataclass(frozen=True, slots=True)
class Work:
    """What an operation does.

    `multiply_adds` and `element_operations` are counts. `reads` and `writes` override, by position,
    how many elements of an input are read and of an output written (all of them by default).
    `parameters` overrides, by input position, how many parameters a stored constant counts for (its
    elements by default). `moves=False` marks what moves nothing: views, constants, shapes.
    """

    multiply_adds: int = 0
    element_operations: int = 0
    reads: Mapping[int, int] = field(default_factory=dict)
    writes: Mapping[int, int] = field(default_factory=dict)
    parameters: Mapping[int, int] = field(default_factory=dict)
    moves: bool = True


@dataclass(frozen=True, slots=True)
class Handle:
    """How one operator is counted.

    `work` is the counting function. `control` are the input positions that hold shapes, axes,
    indices or settings: where such an input is constant or shape arithmetic it is no weight and
    moves nothing.
    """

    work: Callable[[Operation], Work]
    category: Category
    control: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class NodeCost:
    """The cost of one node, exact integers, for all its executions in one run of the model.

    Memory access is what is read, what is written and the weights together (paper, section 2).
    `unknown` is the reason why the cost can't be told; every figure is then 0 and means nothing.
    """

    category: Category = Category.OTHER
    multiply_adds: int = 0
    element_operations: int = 0
    read_elements: int = 0
    write_elements: int = 0
    weight_elements: int = 0
    read_bytes: int = 0
    write_bytes: int = 0
    weight_bytes: int = 0
    parameters: int = 0
    unknown: str | None = None

    @property
    def memory_access_elements(self) -> int:
        """Elements read, written and weights."""
        return self.read_elements + self.write_elements + self.weight_elements

    @property
    def memory_access_bytes(self) -> int:
        """Bytes read, written and weights."""
        return self.read_bytes + self.write_bytes + self.weight_bytes


def operators(
    names: str, work: Callable[[Operation], Work], category: Category, control: tuple[int, ...] = ()
) -> dict[str, Handle]:
    """One handle under several operator names (separated by blanks), for a family's table."""
    handle = Handle(work, category, frozenset(control))
    return dict.fromkeys(names.split(), handle)
