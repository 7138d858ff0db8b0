"""From an operation and its handle to a `NodeCost`: the convention of `docs/counting.md`, applied.

Memory access follows the paper (section 2): what is read, what is written and the weights, each
tensor with its own shape and its own bytes per element.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphlint.costs.contract import Handle, NodeCost, Operand, Operation, UnknownCost, Work
from graphlint.graph import OtherType

__all__ = ["count", "count_with_parameters", "element_bits"]

_STRING = 8

# Bits per element by `TensorProto.DataType` number (onnx.proto).
_BITS = {
    1: 32,  # FLOAT
    2: 8,  # UINT8
    3: 8,  # INT8
    4: 16,  # UINT16
    5: 16,  # INT16
    6: 32,  # INT32
    7: 64,  # INT64
    9: 8,  # BOOL
    10: 16,  # FLOAT16
    11: 64,  # DOUBLE
    12: 32,  # UINT32
    13: 64,  # UINT64
    14: 64,  # COMPLEX64
    15: 128,  # COMPLEX128
    16: 16,  # BFLOAT16
    17: 8,  # FLOAT8E4M3FN
    18: 8,  # FLOAT8E4M3FNUZ
    19: 8,  # FLOAT8E5M2
    20: 8,  # FLOAT8E5M2FNUZ
    21: 4,  # UINT4
    22: 4,  # INT4
    23: 4,  # FLOAT4E2M1
    24: 8,  # FLOAT8E8M0
    25: 2,  # UINT2
    26: 2,  # INT2
    27: 6,  # FLOAT6E2M3
    28: 6,  # FLOAT6E3M2
}


def element_bits(dtype: int) -> int:
    """Bits of one element of a `TensorProto.DataType`; sub-byte types are packed.

    Raises:
        UnknownCost: strings have no fixed size, or the type is not known.
    """
    if dtype == _STRING:
        raise UnknownCost("string tensors have no fixed size")
    if dtype not in _BITS:
        raise UnknownCost(f"element type {dtype} is not known" if dtype else "no element type")
    return _BITS[dtype]


def count(operation: Operation, handle: Handle) -> NodeCost:
    """The cost of one execution of `operation`; a cost that can't be told carries its reason."""
    cost, _ = count_with_parameters(operation, handle)
    return cost


def count_with_parameters(
    operation: Operation, handle: Handle
) -> tuple[NodeCost, Mapping[str, int]]:
    """The cost of one execution, and the parameters that each stored tensor counts for, by key."""
    try:
        work = handle.work(operation)
        traffic = _traffic(operation, handle, work)
        _refuse_impossible(work, traffic)
    except UnknownCost as error:
        return NodeCost(category=handle.category, unknown=str(error)), {}
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # Operands or attributes that the operator does not allow: a broken model, not a bug.
        reason = f"the node does not fit the operator {operation.node.op} ({error})"
        return NodeCost(category=handle.category, unknown=reason), {}
    cost = NodeCost(
        category=handle.category,
        multiply_adds=work.multiply_adds,
        element_operations=work.element_operations,
        read_elements=traffic.read.elements,
        write_elements=traffic.written.elements,
        weight_elements=traffic.weights.elements,
        read_bytes=traffic.read.bytes,
        write_bytes=traffic.written.bytes,
        weight_bytes=traffic.weights.bytes,
        parameters=sum(traffic.parameters.values()),
    )
    return cost, traffic.parameters


@dataclass(slots=True)
class _Amount:
    """Elements and bytes of tensors, added up one by one."""

    elements: int = 0
    bytes: int = 0

    def add(self, operand: Operand, elements: int) -> None:
        if elements:
            self.elements += elements
            self.bytes += -(-elements * _bits(operand) // 8)


@dataclass(slots=True)
class _Traffic:
    """What an operation moves, and how many parameters each stored tensor among it counts for."""

    read: _Amount
    written: _Amount
    weights: _Amount
    parameters: dict[str, int] = field(default_factory=dict)


def _refuse_impossible(work: Work, traffic: _Traffic) -> None:
    """Sizes in the attributes of a broken model may be negative or fractions; no count is."""
    amounts = (traffic.read, traffic.written, traffic.weights)
    figures = (work.multiply_adds, work.element_operations, *traffic.parameters.values())
    for figure in (*figures, *(amount.elements for amount in amounts)):
        if figure < 0 or isinstance(figure, float):
            raise ValueError(f"it counts {figure}")


def _traffic(operation: Operation, handle: Handle, work: Work) -> _Traffic:
    traffic = _Traffic(_Amount(), _Amount(), _Amount())
    for operand, positions in _distinct_inputs(operation, handle):
        if operand.constant is not None:
            traffic.parameters[operand.key] = max(
                _parameters(operand, work, place) for place in positions
            )
        if work.moves:
            amount = traffic.read if operand.constant is None else traffic.weights
            amount.add(operand, max(_moved(operand, work, place) for place in positions))
    if work.moves:
        for position, output in enumerate(operation.outputs):
            if output is not None:
                written = work.writes.get(position)
                traffic.written.add(output, output.elements if written is None else written)
    return traffic


def _distinct_inputs(operation: Operation, handle: Handle) -> Iterator[tuple[Operand, list[int]]]:
    """Each distinct input once, with the positions at which it counts.

    Settings that are known before the model runs (shapes, axes, indices) do not count.
    """
    places: dict[str, list[int]] = {}
    operands: dict[str, Operand] = {}
    for position, operand in enumerate(operation.inputs):
        if operand is None:
            continue
        if operand.static and position in handle.control:
            continue
        operands.setdefault(operand.key, operand)
        places.setdefault(operand.key, []).append(position)
    for key, operand in operands.items():
        yield operand, places[key]


def _elements(operand: Operand) -> int:
    return operand.elements if operand.constant is None else operand.constant.elements


def _moved(operand: Operand, work: Work, position: int) -> int:
    override = work.reads.get(position)
    return _elements(operand) if override is None else override


def _parameters(operand: Operand, work: Work, position: int) -> int:
    """A stored tensor's elements; a single number (rank 0) belongs to the formula."""
    override = work.parameters.get(position)
    if override is not None:
        return override
    assert operand.constant is not None
    return operand.constant.elements if operand.constant.shape else 0


def _bits(operand: Operand) -> int:
    if isinstance(operand.type, OtherType):
        return element_bits(_sequence_dtype(operand.type))
    dtype = operand.constant.dtype if operand.constant is not None else operand.dtype
    if not dtype:
        raise UnknownCost(f"the element type of {operand.key!r} is unknown")
    return element_bits(dtype)


def _sequence_dtype(value: OtherType) -> int:
    """The element type of the tensors in a sequence, 0 for whatever else a value may be."""
    # A sequence is rare and this module has to stay cheap to import.
    from onnx import TypeProto

    if value.kind != "sequence":
        return 0
    inner = TypeProto.FromString(value.proto).sequence_type.elem_type
    return int(inner.tensor_type.elem_type)
