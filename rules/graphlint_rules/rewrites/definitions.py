"""Nodes read by the definitions of their operators: a model may say anything.

A node whose attributes are not what its operator's definition says is not recognised as one of it:
what is read here has the types, the ranges and the lengths that the rest relies on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from graphlint.graph import GraphView, Node
from graphlint.rewrites import Subject

_KINDS: Mapping[str, tuple[type, bool]] = {
    "INT": (int, False),
    "INTS": (int, True),
    "FLOAT": (float, False),
    "FLOATS": (float, True),
    "STRING": (str, False),
    "STRINGS": (str, True),
}
_DEFAULT_AXIS = {"Concat": 1, "Flatten": 1}  # of Concat in its first version; 0 for all others


@dataclass(frozen=True, slots=True)
class _Definition:
    """An operator: its attributes with their types, and how many inputs and outputs it can have."""

    kinds: Mapping[str, str]
    required: frozenset[str]
    inputs: range
    outputs: range


def is_standard(node: Node) -> bool:
    """Whether the node is one of ONNX's operators, used as its definition says."""
    if node.domain != "":
        return False
    defined = _definition(node.op, node.version)
    return (
        defined is not None
        and defined.required <= node.attributes.keys()
        and len(node.inputs) in defined.inputs
        and len(node.outputs) in defined.outputs
        and all(_fits(value, defined.kinds.get(name)) for name, value in node.attributes.items())
    )


def standard_at(view: GraphView, key: str) -> Node | None:
    """The standard operator whose first output is the value; None where something else makes it."""
    node = view.producer(key)
    return node if node is not None and node.outputs[0] == key and is_standard(node) else None


def _fits(value: Any, kind: str | None) -> bool:
    """Whether an attribute's value is of the kind; there are no attributes that are not defined."""
    if kind is None or kind not in _KINDS:
        return kind is not None
    type_, many = _KINDS[kind]
    if many:
        return isinstance(value, tuple) and all(isinstance(item, type_) for item in value)
    return isinstance(value, type_)


@cache
def _definition(op: str, version: int) -> _Definition | None:
    """The definition in a version of the operator set; None where there is none."""
    from onnx import defs

    try:
        schema = defs.get_schema(op, version)
    except defs.SchemaError:
        return None
    # Its enumeration has names; onnx's stubs do not know that it is one.
    kinds = {name: cast(Any, each.type).name for name, each in schema.attributes.items()}
    return _Definition(
        kinds,
        frozenset(name for name, each in schema.attributes.items() if each.required),
        range(schema.min_input, schema.max_input + 1),
        range(schema.min_output, schema.max_output + 1),
    )


# Settings, in the range of what they are applied to.


def axis_of(node: Node, rank: int) -> int | None:
    """The attribute `axis` counted from the front; None where a tensor of this rank has none."""
    return _counted(node.attribute("axis", _DEFAULT_AXIS.get(node.op, 0)), rank)


def axes_of(subject: Subject, node: Node, rank: int) -> frozenset[int] | None:
    """The setting `axes`, counted from the front; None where it is not given or not known."""
    given = node.attribute("axes")
    axes = integers(subject, node.input(1)) if given is None else given
    counted = [_counted(axis, rank) for axis in axes or ()]
    found = frozenset(axis for axis in counted if axis is not None)
    return found if found and len(found) == len(counted) else None


def _counted(axis: int, rank: int) -> int | None:
    return axis % rank if -rank <= axis < rank else None


def slices(subject: Subject, node: Node, rank: int) -> Mapping[int, slice] | None:
    """What a Slice takes of each axis that it names; None where that is not known."""
    given: dict[str, Sequence[int] | None] = {}
    for position, name in enumerate(("starts", "ends", "axes", "steps"), start=1):
        if name in node.attributes:
            given[name] = node.attributes[name]
        elif node.input(position):
            given[name] = integers(subject, node.input(position))
    known = {name: numbers for name, numbers in given.items() if numbers is not None}
    starts, ends = known.get("starts", ()), known.get("ends", ())
    axes = [_counted(axis, rank) for axis in known.get("axes", range(len(starts)))]
    steps = known.get("steps", [1] * len(starts))
    found = {
        axis: slice(start, end, step)
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=False)
        if axis is not None and step != 0
    }
    complete = all(len(found) == len(numbers) for numbers in (starts, ends, axes, steps))
    return found if complete and len(known) == len(given) else None


def integers(subject: Subject, key: str) -> tuple[int, ...] | None:
    """The numbers of a value that are known and whole, one after the other."""
    array = subject.numbers(key)
    if array is None or array.dtype.kind not in "iu":
        return None
    return tuple(array.ravel().tolist())
