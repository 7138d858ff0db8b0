"""Operations for tests, made from a node and the shapes or arrays of its inputs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from graphlint.costs import HANDLES, NodeCost, Operand, Operation
from graphlint.costs.count import count
from graphlint.graph import Constant, Dim, Node, TensorType, ValueType

Array = npt.NDArray[Any]
Given = Array | np.generic | Sequence[Dim] | ValueType
"""A value: its numbers, its shape (float32) or its type."""

OPSET = 24


def node_of(proto: NodeProto, version: int = OPSET) -> Node:
    """The view of a node, as the engine makes it."""
    return Node(
        index=0,
        path="node",
        name="node",
        op=proto.op_type,
        domain=proto.domain,
        version=version,
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        attributes={a.name: helper.get_attribute_value(a) for a in proto.attribute},
        proto=proto,
    )


def type_of(given: Given) -> ValueType:
    """The type of an array, float32 of a shape, or the type that is given."""
    if isinstance(given, ValueType):
        return given
    if isinstance(given, np.ndarray | np.generic):
        return TensorType(helper.np_dtype_to_tensor_dtype(given.dtype), given.shape)
    return TensorType(TensorProto.FLOAT, tuple(given))


def operation(
    proto: NodeProto,
    inputs: Mapping[str, Given],
    outputs: Mapping[str, Given] | None = None,
    *,
    constants: Collection[str] = (),
    static: Collection[str] = (),
    version: int = OPSET,
) -> Operation:
    """The node with its operands; what `outputs` leaves out, onnx infers.

    Arrays among `constants` and `static` are known beforehand; `constants` are stored in the model.
    """
    known = {*constants, *static}
    made = outputs if outputs is not None else inferred(proto, inputs, known, version)
    return Operation(
        node_of(proto, version),
        tuple(_operand(name, inputs, constants, known) for name in proto.input),
        tuple(_operand(name, made, (), ()) for name in proto.output),
    )


def _operand(
    name: str,
    types: Mapping[str, Given],
    constants: Collection[str],
    known: Collection[str],
) -> Operand | None:
    if not name:
        return None
    given = types.get(name)
    if given is None:
        return Operand(name, None)
    type_ = type_of(given)
    constant = None
    if name in constants:
        assert isinstance(type_, TensorType)
        assert type_.shape is not None
        constant = Constant(type_.dtype, tuple(d for d in type_.shape if isinstance(d, int)), None)
    numbers = isinstance(given, np.ndarray | np.generic) and name in known
    data = np.asarray(given) if numbers else None
    return Operand(name, type_, constant, data, name in known)


def inferred(
    proto: NodeProto,
    inputs: Mapping[str, Given],
    known: Collection[str],
    version: int,
) -> dict[str, TensorType]:
    """The output types, as onnx infers them for a model of this one node."""
    types = {name: type_of(given) for name, given in inputs.items()}
    initializers = [
        numpy_helper.from_array(np.asarray(given), name)
        for name, given in inputs.items()
        if isinstance(given, np.ndarray | np.generic) and name in known
    ]
    graph = helper.make_graph(
        [proto],
        "one",
        [
            helper.make_tensor_value_info(name, type_.dtype, type_.shape)
            for name, type_ in types.items()
            if isinstance(type_, TensorType)
        ],
        [onnx.ValueInfoProto(name=name) for name in proto.output if name],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(proto.domain, version)])
    result = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    return {
        value.name: TensorType(
            value.type.tensor_type.elem_type,
            tuple(
                dim.dim_value if dim.HasField("dim_value") else None
                for dim in value.type.tensor_type.shape.dim
            ),
        )
        for value in result.graph.output
    }


def cost(
    proto: NodeProto,
    inputs: Mapping[str, Given],
    outputs: Mapping[str, Given] | None = None,
    **known: Any,
) -> NodeCost:
    """What the table's handle makes of the node."""
    handle = HANDLES[proto.domain, proto.op_type]
    return count(operation(proto, inputs, outputs, **known), handle)


def counted(
    op: str,
    *inputs: Given | None,
    outputs: Sequence[Given | None],
    **more: Any,
) -> NodeCost:
    """The cost of a node that reads a, b, c … and makes the outputs; it has to be known.

    Of `more`, `known` and `stored` are the letters of the inputs that are static, and constants;
    `domain` and `version` are the operator's, and the others attributes.
    """
    found = _cost_of(op, inputs, outputs, **more)
    assert found.unknown is None, found.unknown
    return found


def refused(
    op: str,
    *inputs: Given | None,
    outputs: Sequence[Given | None],
    domain: str = "com.microsoft",
    **more: Any,
) -> str:
    """Why the cost of a node is not known; otherwise as `counted`."""
    found = _cost_of(op, inputs, outputs, domain=domain, **more)
    assert found.unknown is not None
    return found.unknown


def _cost_of(
    op: str,
    inputs: Sequence[Given | None],
    outputs: Sequence[Given | None],
    known: str = "",
    stored: str = "",
    domain: str = "",
    version: int = OPSET,
    **attributes: Any,
) -> NodeCost:
    names = [chr(ord("a") + place) if one is not None else "" for place, one in enumerate(inputs)]
    made = [f"y{place}" if one is not None else "" for place, one in enumerate(outputs)]
    node = helper.make_node(op, names, made, domain=domain, **attributes)
    read = {name: one for name, one in zip(names, inputs, strict=True) if one is not None}
    written = {name: one for name, one in zip(made, outputs, strict=True) if one is not None}
    return cost(node, read, written, static=[*known], constants=[*stored], version=version)
