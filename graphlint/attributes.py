"""Attributes of nodes as plain values, and the tensors that Constant nodes hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphlint.graph import ABSENT, Node

if TYPE_CHECKING:
    import onnx


def constant_value(node: Node) -> onnx.TensorProto | None:
    """The tensor of a Constant node, whichever attribute holds it; None where none fits."""
    from onnx import TensorProto

    spellings: dict[str, tuple[int, str, type]] = {
        "value_float": (TensorProto.FLOAT, "float_data", float),
        "value_int": (TensorProto.INT64, "int64_data", int),
        "value_string": (TensorProto.STRING, "string_data", str),
    }
    for name, value in node.attributes.items():
        if name == "value" and isinstance(value, TensorProto):
            return value
        if (spelling := spellings.get(name.removesuffix("s"))) is None:
            continue
        dtype, payload, kind = spelling
        many = isinstance(value, tuple)
        items = list(value if many else (value,))
        if many != name.endswith("s") or not all(isinstance(item, kind) for item in items):
            continue  # the attribute is not of the type that its name promises
        tensor = TensorProto(data_type=dtype, dims=[len(items)] if many else [])
        getattr(tensor, payload).extend(item.encode() if kind is str else item for item in items)
        return tensor
    return None


def as_called(
    proto: onnx.NodeProto, inputs: Sequence[str], values: Mapping[str, onnx.AttributeProto]
) -> onnx.NodeProto:
    """A function's node as it stands in one call of it.

    Attributes that refer to the function's own (`ref_attr_name`) are filled in, and inputs that the
    call leaves out are left out.
    """
    absent = [i for i, name in enumerate(proto.input) if name and inputs[i] == ABSENT]
    if not absent and not any(attribute.ref_attr_name for attribute in proto.attribute):
        return proto
    filled = type(proto)()
    filled.CopyFrom(proto)
    for position in absent:
        filled.input[position] = ABSENT
    del filled.attribute[:]
    for attribute in proto.attribute:
        if not attribute.ref_attr_name:
            filled.attribute.add().CopyFrom(attribute)
        elif attribute.ref_attr_name in values:
            copy = filled.attribute.add()
            copy.CopyFrom(values[attribute.ref_attr_name])
            copy.name = attribute.name
    return filled


def attribute_value(attribute: onnx.AttributeProto) -> Any:
    """The attribute as int, float, str, tuple or tensor; the `AttributeProto` where it is none."""
    kind = attribute.type
    if kind == attribute.INT:
        return attribute.i
    if kind == attribute.INTS:
        return tuple(attribute.ints)
    if kind == attribute.FLOAT:
        return attribute.f
    if kind == attribute.FLOATS:
        return tuple(attribute.floats)
    if kind == attribute.STRING:
        return attribute.s.decode("utf-8", "backslashreplace")
    if kind == attribute.STRINGS:
        return tuple(item.decode("utf-8", "backslashreplace") for item in attribute.strings)
    if kind == attribute.TENSOR:
        return attribute.t
    if kind == attribute.UNDEFINED:  # IR 1 and 2 do not say the type
        return _untyped_value(attribute)
    return attribute


def _untyped_value(attribute: onnx.AttributeProto) -> Any:
    for present, kind in (
        (attribute.HasField("i"), attribute.INT),
        (bool(attribute.ints), attribute.INTS),
        (attribute.HasField("f"), attribute.FLOAT),
        (bool(attribute.floats), attribute.FLOATS),
        (attribute.HasField("s"), attribute.STRING),
        (bool(attribute.strings), attribute.STRINGS),
        (attribute.HasField("t"), attribute.TENSOR),
    ):
        if present:
            typed = type(attribute)()
            typed.CopyFrom(attribute)
            typed.type = kind
            return attribute_value(typed)
    return attribute
