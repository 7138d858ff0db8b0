"""What is to be known of a node, whichever exporter wrote it: attributes, weights, shapes.

Exporters differ in what they spell out: an attribute at its default, a setting as an attribute
(before an operator's opset N) or as an input (after). The same facts come of either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from graphlint.attributes import attribute_value
from graphlint.costs.totals import Handles
from graphlint.graph import ABSENT, GraphView, Node, TensorType
from graphlint.structure.values import Fact

if TYPE_CHECKING:
    from onnx import TensorProto

VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
"""The same elements in the same order: with the shapes known, one is as good as another."""

COMMUTATIVE = frozenset("Add Mul Sum Max Min Mean And Or Xor Equal BitwiseAnd BitwiseOr".split())

_MOST_NUMBERS = 16
_ONES = ("strides", "dilations")
_ZEROS = ("pads", "output_padding")
_BESIDE_THE_POINT = {
    ("BatchNormalization", "momentum"),  # of training
    ("Dropout", "seed"),
}
# What the shapes of inputs and outputs say already.
_TOLD_BY_SHAPES = {
    "Expand": ("shape",),
    "ConstantOfShape": ("input",),
    "Tile": ("repeats",),
    "Split": ("split", "num_outputs"),
    "Resize": ("roi", "scales", "sizes"),
    "Upsample": ("scales",),
}


def facts(view: GraphView, node: Node, handles: Handles, where: str) -> tuple[Fact, ...]:
    """The node's facts; `where` is the kind of body that it stands in, empty for none."""
    shapes = [*_input_types(view, node), *_output_types(view, node)]
    static = all("?" not in text for _, text in shapes)
    if is_view(node) and static:
        settings: list[Fact] = []
    else:
        told = _TOLD_BY_SHAPES.get(node.op, ()) if static else ()
        settings = [
            fact
            for fact in (*_attributes(view, node), *_stored(view, node, handles))
            if fact[0] not in told
        ]
    body = [("inside", where)] if where else []
    return (*body, *sorted(settings), *shapes)


def is_view(node: Node) -> bool:
    """Whether the node only gives its input another shape."""
    return node.op in VIEWS and node.domain == ""


def is_commutative(node: Node) -> bool:
    """Whether the node's inputs may change places."""
    return node.op in COMMUTATIVE and node.domain == ""


# Attributes


def _attributes(view: GraphView, node: Node) -> Iterator[Fact]:
    defaults = _defaults(node.op, node.version, node.domain)
    for name, value in ({**defaults, **node.attributes}).items():
        if (node.op, name) in _BESIDE_THE_POINT or _is_graph(value):
            continue
        value = _from_the_front(view, node, name, value)
        if name in _ONES and isinstance(value, tuple) and all(step == 1 for step in value):
            continue
        if name in _ZEROS and isinstance(value, tuple) and not any(value):
            continue
        if name == "kernel_shape" and node.input(1) in view.static_values:
            continue  # the weight has it
        if name not in ("axis", "axes") and name in defaults and value == defaults[name]:
            continue
        yield ("groups" if name == "group" else name), _spelt(value)


@cache
def _defaults(op: str, version: int, domain: str) -> Mapping[str, Any]:
    import onnx

    try:
        schema = onnx.defs.get_schema(op, version, domain)
    except onnx.defs.SchemaError:
        return {}
    found = ((name, each.default_value) for name, each in schema.attributes.items())
    return {name: attribute_value(value) for name, value in found if value.name}


@cache
def _input_names(op: str, version: int, domain: str) -> tuple[str, ...]:
    import onnx

    try:
        return tuple(each.name for each in onnx.defs.get_schema(op, version, domain).inputs)
    except onnx.defs.SchemaError:
        return ()


def _is_graph(value: Any) -> bool:
    """Whether the attribute holds bodies, whose nodes stand for themselves."""
    kind = getattr(value, "type", None)
    return kind is not None and kind in (value.GRAPH, value.GRAPHS)


def _from_the_front(view: GraphView, node: Node, name: str, value: Any) -> Any:
    """Axes counted from the front, which exporters count from either end."""
    type_ = view.type(node.input(0))
    if name not in ("axis", "axes") or not isinstance(type_, TensorType) or type_.shape is None:
        return value
    rank = len(type_.shape)
    if isinstance(value, int):
        return value + rank if value < 0 else value
    if isinstance(value, tuple) and all(isinstance(axis, int) for axis in value):
        return tuple(axis + rank if axis < 0 else axis for axis in value)
    return value


def _spelt(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        shown = ",".join(map(_spelt, value[:_MOST_NUMBERS]))
        return (
            shown if len(value) <= _MOST_NUMBERS else f"{shown},… ({len(value)}, {_digest(value)})"
        )
    if isinstance(value, int | str):
        return str(value)
    if hasattr(value, "data_type"):
        return _tensor(value)
    return "…"


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:8]


def _tensor(proto: TensorProto) -> str:
    from onnx import numpy_helper

    said = _shape_and_type(tuple(proto.dims), proto.data_type)
    elements = 1
    for dim in proto.dims:
        elements *= dim
    if not 0 <= elements <= _MOST_NUMBERS or proto.data_location == proto.EXTERNAL:
        return said
    try:
        return f"{said} {_spelt(tuple(numpy_helper.to_array(proto).ravel().tolist()))}"
    except Exception:  # whatever is wrong with it, its type is what is told
        return said


# Inputs and outputs


def _stored(view: GraphView, node: Node, handles: Handles) -> Iterator[Fact]:
    """Weights by their shapes, settings by their numbers; of commutative nodes without places."""
    handle = handles.get((node.domain, node.op))
    names = _input_names(node.op, node.version, node.domain)
    for position, key in enumerate(node.inputs):
        if key == ABSENT or key not in view.static_values:
            continue
        name = names[position] if position < len(names) else f"input {position + 1}"
        setting = handle is not None and position in handle.control
        data = view.data.get(key)
        if data is not None and data.size <= _MOST_NUMBERS and (setting or data.ndim == 0):
            numbers = _from_the_front(view, node, name, tuple(data.ravel().tolist()))
            yield name, _spelt(numbers[0] if data.ndim == 0 else numbers)
        elif not setting:
            yield ("weight" if is_commutative(node) else f"weight {name}"), _type(view, key)


def _input_types(view: GraphView, node: Node) -> list[Fact]:
    types = [
        _type(view, key) for key in node.inputs if key != ABSENT and key not in view.static_values
    ]
    return _numbered("input", sorted(types) if is_commutative(node) else types)


def _output_types(view: GraphView, node: Node) -> list[Fact]:
    return _numbered("output", [_type(view, key) for key in node.outputs if key != ABSENT])


def _numbered(word: str, texts: list[str]) -> list[Fact]:
    if len(texts) == 1:
        return [(word, texts[0])]
    return [(f"{word} {number}", text) for number, text in enumerate(texts, 1)]


def _type(view: GraphView, key: str) -> str:
    type_ = view.type(key)
    if isinstance(type_, TensorType):
        return _shape_and_type(type_.shape, type_.dtype)
    return "?" if type_ is None else type_.kind


@cache
def _shape_and_type(shape: tuple[int | str | None, ...] | None, dtype: int) -> str:
    """`1×240×28×28 float32`; symbols are exporters' names, and left out."""
    if shape is None:
        dims = "?"
    else:
        dims = "×".join(str(dim) if isinstance(dim, int) else "?" for dim in shape) or "scalar"
    return f"{dims} {dtype_name(dtype)}"


@cache
def dtype_name(dtype: int) -> str:
    """`float32` for a `TensorProto.DataType`; its number where the name is not known."""
    from onnx import TensorProto

    try:
        name = str(TensorProto.DataType.Name(dtype)).lower()
    except ValueError:
        return f"type {dtype}"
    return {"float": "float32", "double": "float64", "undefined": "untyped"}.get(name, name)
