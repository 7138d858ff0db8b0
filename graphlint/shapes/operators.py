"""The types of an operator's outputs, by its own inference in the onnx package or by ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from graphlint.graph import ABSENT, Node, OtherType, TensorType, ValueType
from graphlint.graph_builder import declared_type
from graphlint.shapes.reasons import title
from graphlint.shapes.uninferred import outputs_by_name, successor

if TYPE_CHECKING:
    import numpy as np
    import onnx

    Numbers = np.ndarray[Any, Any]

# ONNX Runtime knows these in ONNX's own domain, in opsets that do not have them.
_RUNTIME_OPERATORS = frozenset({("", "LayerNormalization"), ("", "SimplifiedLayerNormalization")})

_MOST_AXES = 1_000

_TERM = r"[A-Za-z]*(\.\.\.[A-Za-z]*)?"
_EQUATION = re.compile(rf"{_TERM}(,{_TERM})*(->{_TERM})?")


def output_types(
    node: Node,
    inputs: tuple[ValueType | None, ...],
    given: Mapping[int, Numbers],
    reasons: Mapping[str, str],
    imports: list[onnx.OperatorSetIdProto],
) -> tuple[ValueType | None, ...] | str:
    """The types of the node's outputs, or why they can't be told.

    `given` are the numbers of inputs by position, `reasons` why an input's type is not known.
    """
    schema = _schema(node.op, node.version, node.domain)
    if schema is None or node.domain not in ("", "ai.onnx.ml"):
        from graphlint import contrib_shapes  # few models need them

        tensors = [type_ if isinstance(type_, TensorType) else None for type_ in inputs]
        shapes = contrib_shapes.infer(node, tensors, [given.get(i) for i in range(len(inputs))])
        if shapes is not None:
            return tuple(shapes)
    if schema is None and (node.domain, node.op) in _RUNTIME_OPERATORS:
        return (inputs[0] if inputs else None,)
    if schema is None:
        return _no_schema(node)
    if not schema.has_type_and_shape_inference_function:
        by_name = outputs_by_name(node, inputs)
        if by_name is not None:
            return by_name
    for key, type_ in zip(node.inputs, inputs, strict=True):
        if key != ABSENT and type_ is None:
            return reasons.get(key, f"the type of {key!r} is unknown")
    if trouble := _crashes_inference(node):
        return f"{title(node)} {trouble}"
    if not schema.has_type_and_shape_inference_function:
        newer = successor(node)
        if newer is not None:
            return _ask_successor(node, newer, inputs, given)
    return _ask_schema(node, node.proto, schema, inputs, given, imports)


def _crashes_inference(node: Node) -> str:
    """What is wrong with a node on which the onnx package would crash, hang or eat all memory."""
    outputs = len(node.outputs)
    if node.op == "Split" and node.attribute("num_outputs", outputs) != outputs:
        return "has not as many outputs as its num_outputs says"
    batch_dims = node.attribute("batch_dims", 0)
    if node.op == "GatherND" and isinstance(batch_dims, int) and batch_dims < 0:
        return "has a negative batch_dims"
    axis = node.attribute("axis", 0)
    if node.op == "LayerNormalization" and isinstance(axis, int) and abs(axis) > _MOST_AXES:
        return "has an axis that no tensor has"
    if node.op == "Einsum" and not _is_equation(node.attribute("equation"), len(node.inputs)):
        return "has an equation that does not spell its operands"
    return ""


def _is_equation(equation: object, operands: int) -> bool:
    """Whether it is one of the operator's specification, with a term for each operand."""
    if not isinstance(equation, str):
        return False
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    return _EQUATION.fullmatch(equation.replace(" ", "")) is not None and len(terms) == operands


def _ask_successor(
    node: Node,
    newer: tuple[onnx.NodeProto, int, list[int] | None],
    inputs: tuple[ValueType | None, ...],
    given: Mapping[int, Numbers],
) -> tuple[ValueType | None, ...] | str:
    import numpy as np

    proto, version, numbers = newer
    schema = _schema(node.op, version, "")
    assert schema is not None
    if numbers is not None:
        position = len(proto.input) - 1
        inputs = (*inputs, TensorType(7, (len(numbers),)))
        given = {**given, position: np.array(numbers, np.int64)}
    return _ask_schema(node, proto, schema, inputs, given, opset_imports((("", version),)))


def _ask_schema(
    node: Node,
    proto: onnx.NodeProto,
    schema: onnx.defs.OpSchema,
    inputs: tuple[ValueType | None, ...],
    given: Mapping[int, Numbers],
    imports: list[onnx.OperatorSetIdProto],
) -> tuple[ValueType | None, ...] | str:
    from onnx import numpy_helper
    from onnx.checker import ValidationError
    from onnx.shape_inference import InferenceError, infer_node_outputs

    names = list(proto.input)
    types = {
        name: _type_proto(type_)
        for name, type_ in zip(names, inputs, strict=False)
        if type_ is not None
    }
    data = {names[position]: numpy_helper.from_array(n) for position, n in given.items()}
    if node.op == "STFT" and node.attribute("onesided") is None:
        # Its default is 1, but onnx's inference takes it for 0.
        proto = type(proto)()
        proto.CopyFrom(node.proto)
        proto.attribute.add(name="onesided", type=2, i=1)
    try:
        found = infer_node_outputs(schema, proto, types, data, opset_imports=imports)
    except (
        InferenceError,
        ValidationError,
        RuntimeError,
        ValueError,
        TypeError,
        MemoryError,  # sizes that no machine holds: this node's trouble, not the model's
    ) as error:
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        return f"shape inference fails at {title(node)}: {detail}"
    outputs = [declared_type(found[name]) if name in found else None for name in node.proto.output]
    if node.op == "Dropout" and len(outputs) == 2 and isinstance(outputs[0], TensorType):
        outputs[1] = TensorType(9, outputs[0].shape)  # the mask, which older opsets leave open
    return tuple(outputs)


def _no_schema(node: Node) -> str:
    if node.domain in ("", "ai.onnx.ml"):
        known = f"opset {node.version} has no operator {node.op}"
        return known if node.version else f"the model does not say which opset {node.op} is from"
    return (
        f"{node.domain}.{node.op} is an operator that graphlint does not know: "
        "declare its output shapes in value_info"
    )


@cache
def _schema(op: str, version: int, domain: str) -> onnx.defs.OpSchema | None:
    from onnx import defs

    try:
        return defs.get_schema(op, version, domain)
    except defs.SchemaError:
        return None


@cache
def _type_proto(type_: ValueType) -> onnx.TypeProto:
    from onnx import TypeProto

    proto = TypeProto()
    if isinstance(type_, OtherType):
        proto.ParseFromString(type_.proto)
        return proto
    proto.tensor_type.elem_type = type_.dtype
    if type_.shape is not None:
        proto.tensor_type.shape.SetInParent()
        for dim in type_.shape:
            entry = proto.tensor_type.shape.dim.add()
            if isinstance(dim, int):
                entry.dim_value = dim
            elif dim is not None:
                entry.dim_param = dim
    return proto


@cache
def opset_imports(opsets: tuple[tuple[str, int], ...]) -> list[onnx.OperatorSetIdProto]:
    """Operator sets, (domain, version) each, as the onnx package takes them."""
    from onnx import OperatorSetIdProto

    return [OperatorSetIdProto(domain=domain, version=version) for domain, version in opsets]
