"""Types of what the onnx package has no inference for: first versions, and some of ai.onnx.ml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphlint.graph import Node, TensorType, ValueType

if TYPE_CHECKING:
    import onnx

FLOAT = 1

# Their first output is shaped like their first input, in every version that has no inference: in
# opset 1 a second operand is broadcast to the first, and several are all of one shape.
_SHAPED_LIKE_INPUT = frozenset(
    """
    Abs Add BatchNormalization Ceil Clip Div Dropout Elu Exp Floor GroupNormalization HardSigmoid
    InstanceNormalization LeakyRelu Log Max Mean MeanVarianceNormalization Min Mul Neg PRelu
    Reciprocal Relu Selu Sigmoid Sqrt Sub Sum Tanh
    """.split()
)
_SHAPED_LIKE_ML_INPUT = frozenset({"Scaler", "Imputer", "Normalizer"})
# Rows of the input by so many columns: the attribute that says it, and its default.
_COLUMNS = {
    "LinearRegressor": ("targets", 1),
    "TreeEnsembleRegressor": ("n_targets", 1),
    "SVMRegressor": ("", 1),
}


def outputs_by_name(
    node: Node, inputs: tuple[ValueType | None, ...]
) -> tuple[ValueType | None, ...] | None:
    """The types of the node's outputs, as far as its operator's name tells them."""
    first = inputs[0] if inputs else None
    if node.domain == "":
        return (first,) if node.op in _SHAPED_LIKE_INPUT else None
    if node.op in _SHAPED_LIKE_ML_INPUT:
        return (first,)
    if node.op not in _COLUMNS or not isinstance(first, TensorType) or not first.shape:
        return None
    attribute, default = _COLUMNS[node.op]
    columns = node.attribute(attribute, default)
    known = columns if isinstance(columns, int) and columns >= 0 else None
    return (TensorType(FLOAT, (first.shape[0], known)),)


def successor(node: Node) -> tuple[onnx.NodeProto, int, list[int] | None] | None:
    """The node as the next version of its operator spells it, which has an inference.

    With it come that version, and the numbers of an input that was an attribute before (the node
    then reads it last). None where there is no such version, or the node does not fit it.
    """
    if node.domain != "" or node.version >= 5 or node.op not in _NEXT:
        return None
    proto = type(node.proto)()
    proto.CopyFrom(node.proto)
    given = {attribute.name: attribute for attribute in proto.attribute}
    numbers = None
    if node.op == "Concat" and "axis" not in given:
        proto.attribute.add(name="axis", type=2, i=1)
    elif node.op == "Pad" and "paddings" in given:
        given["paddings"].name = "pads"
    elif node.op == "Cast":
        element_type = _element_type(node.attribute("to"))
        if element_type is None:
            return None
        del proto.attribute[:]
        proto.attribute.add(name="to", type=2, i=element_type)
    elif node.op == "Reshape":
        shape = node.attribute("shape")
        if not isinstance(shape, tuple) or len(proto.input) != 1:
            return None
        numbers = list(shape)
        del proto.attribute[:]
        proto.input.append(f"{proto.input[0]}.shape")
    return proto, _NEXT[node.op], numbers


_NEXT = {
    "Cast": 6,
    "Concat": 4,
    "GRU": 3,
    "Gemm": 6,
    "GlobalLpPool": 2,
    "LpPool": 2,
    "Pad": 2,
    "Reshape": 5,
    "Split": 2,
}


def _element_type(name: Any) -> int | None:
    """The number of an element type that is spelt by its name, as Cast once did."""
    from onnx import TensorProto

    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    known = dict(TensorProto.DataType.items())
    return known.get(text.upper()) if isinstance(text, str) else None
