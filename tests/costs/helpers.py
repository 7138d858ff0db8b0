"""Operations for tests, made from a node and the shapes or arrays of its inputs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from graphlint.costs import HANDLES, NodeCost, Operand, Operation
from graphlint.costs.count import count
from graphlint.graph import Constant, Dim, Node, TensorType

Array = npt.NDArray[Any]
Given = Array | np.generic | Sequence[Dim]
"""An input: its numbers, or its shape (float32)."""

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


def tensor_type(given: Given | TensorType) -> TensorType:
    """The type of an array, or float32 of a shape."""
    if isinstance(given, TensorType):
        return given
    if isinstance(given, np.ndarray | np.generic):
        return TensorType(helper.np_dtype_to_tensor_dtype(given.dtype), given.shape)
    return TensorType(TensorProto.FLOAT, tuple(given))


def operation(
    proto: NodeProto,
    inputs: Mapping[str, Given | TensorType],
    outputs: Mapping[str, Given | TensorType] | None = None,
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
    types: Mapping[str, Given | TensorType],
    constants: Collection[str],
    known: Collection[str],
) -> Operand | None:
    if not name:
        return None
    given = types.get(name)
    if given is None:
        return Operand(name, None)
    type_ = tensor_type(given)
    constant = None
    if name in constants:
        assert type_.shape is not None
        constant = Constant(type_.dtype, tuple(d for d in type_.shape if isinstance(d, int)), None)
    numbers = isinstance(given, np.ndarray | np.generic) and name in known
    data = np.asarray(given) if numbers else None
    return Operand(name, type_, constant, data, name in known)


def inferred(
    proto: NodeProto,
    inputs: Mapping[str, Given | TensorType],
    known: Collection[str],
    version: int,
) -> dict[str, TensorType]:
    """The output types, as onnx infers them for a model of this one node."""
    types = {name: tensor_type(given) for name, given in inputs.items()}
    initializers = [
        numpy_helper.from_array(np.asarray(given), name)
        for name, given in inputs.items()
        if isinstance(given, np.ndarray | np.generic) and name in known
    ]
    graph = helper.make_graph(
        [proto],
        "one",
        [helper.make_tensor_value_info(name, t.dtype, t.shape) for name, t in types.items()],
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
    inputs: Mapping[str, Given | TensorType],
    outputs: Mapping[str, Given | TensorType] | None = None,
    **known: Any,
) -> NodeCost:
    """What the table's handle makes of the node."""
    handle = HANDLES[proto.domain, proto.op_type]
    return count(operation(proto, inputs, outputs, **known), handle)
