"""Counting functions that several operator families share.

The counting convention is written once, in `docs/counting.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphlint.costs.contract import Operand, Operation, UnknownCost, Work

__all__ = [
    "PACKED_BYTE",
    "activations",
    "attribute_text",
    "data_dependent",
    "moved",
    "nothing",
    "per_input_element",
    "per_output_element",
    "rows_taken",
    "statistics",
    "written_only",
]

PACKED_BYTE = 2
"""`TensorProto.UINT8`: a weight of this type holds elements of fewer bits, packed."""


def moved(operation: Operation) -> Work:
    """Every distinct input is read and every output written, whole; nothing is computed."""
    return Work()


def nothing(operation: Operation) -> Work:
    """A view, a constant or a shape: neither moves nor computes anything."""
    return Work(moves=False)


def written_only(operation: Operation) -> Work:
    """Input 0 lends its shape alone; the output is computed from nothing and written."""
    return Work(element_operations=operation.output_elements, reads={0: 0})


def per_output_element(
    count: int, parameters: Mapping[int, int] | None = None
) -> Callable[[Operation], Work]:
    """A counting function: `count` element operations for every element of output 0."""
    fixed = parameters or {}

    def work(operation: Operation) -> Work:
        return Work(
            element_operations=count * operation.output(0).elements,
            parameters=fixed,
        )

    return work


def per_input_element(
    count: int, parameters: Mapping[int, int] | None = None
) -> Callable[[Operation], Work]:
    """A counting function: `count` element operations for every element of input 0."""
    fixed = parameters or {}

    def work(operation: Operation) -> Work:
        return Work(
            element_operations=count * operation.input(0).elements,
            parameters=fixed,
        )

    return work


def data_dependent(reason: str) -> Callable[[Operation], Work]:
    """A counting function that always refuses: what the operator does hangs on its data."""

    def work(operation: Operation) -> Work:
        raise UnknownCost(reason)

    return work


def statistics(*positions: int) -> dict[int, int]:
    """`Work.parameters` for inputs that are stored but not trained: scales, zero points, means."""
    return dict.fromkeys(positions, 0)


def rows_taken(table: Operand, elements: int) -> int:
    """How much of a table is read when `elements` of it are taken: never more than all of it."""
    return min(elements, table.elements)


def activations(operation: Operation) -> int:
    """1 where the attribute `activation` names a function behind the operator's own work, else 0.

    Unnamed, empty and "none" (in either case) are how operators spell that there is none.
    """
    return int(attribute_text(operation, "activation", "").lower() not in ("", "none"))


def attribute_text(operation: Operation, name: str, default: str) -> str:
    """A string attribute, which ONNX stores as bytes."""
    value = operation.attribute(name, default)
    return value.decode() if isinstance(value, bytes) else str(value)
