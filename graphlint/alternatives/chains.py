"""A site and its alternative, repeated: a layer is measured among its like.

A layer on its own pays for what a runtime does at a graph's ends: it lays tensors out anew for its
convolutions, and back again. In a chain that is paid once. A convolution that changes the width is
followed by its mirror image, with inputs and outputs exchanged, as in the paper's Table 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

LINKS = 8
"""Copies in a chain."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A model that holds a layer `copies` times, its mirror images counted in."""

    model: ModelProto
    copies: int


def chained(model: ModelProto) -> Chain:
    """The model's one convolution `LINKS` times, there and back; what can't be repeated is alone.

    It can be where its result has its input's positions, and nothing stands in the model besides.
    """
    graph = model.graph
    if len(graph.node) != 1 or graph.node[0].op_type != "Conv" or len(graph.input) != 1:
        return Chain(model, 1)
    weights = {tensor.name: tensor for tensor in graph.initializer}
    before, after = (_shape(value) for value in (graph.input[0], graph.output[0]))
    weight = weights.get(graph.node[0].input[1])
    if weight is None or before[2:] != after[2:]:
        return Chain(model, 1)
    return Chain(_there_and_back(model, graph.node[0], weight, before, after), LINKS)


def _there_and_back(
    model: ModelProto, conv: NodeProto, weight: TensorProto, before: list[int], after: list[int]
) -> ModelProto:
    from onnx import helper

    value = model.graph.input[0]
    ways = [
        _weights(conv, weight, "there", before[1], after[1]),
        _weights(conv, weight, "back", after[1], before[1]),
    ]
    nodes = []
    for link in range(LINKS):
        node = type(conv)()
        node.CopyFrom(conv)
        del node.input[:], node.output[:]
        node.name = f"link{link}"
        node.input.extend([f"v{link}", *(tensor.name for tensor in ways[link % 2])])
        node.output.append(f"v{link + 1}")
        nodes.append(node)
    dtype = value.type.tensor_type.elem_type
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("v0", dtype, before)],
        [helper.make_tensor_value_info(f"v{LINKS}", dtype, before)],
        [tensor for way in ways for tensor in way],
    )
    return helper.make_model(
        graph, opset_imports=list(model.opset_import), ir_version=model.ir_version
    )


def _weights(
    conv: NodeProto, like: TensorProto, name: str, before: int, after: int
) -> list[TensorProto]:
    """A weight that keeps a tensor of ones as it is, and a bias of 0 where the layer has one."""
    import numpy as np
    from onnx import helper, numpy_helper

    shape = (after, before // _groups(conv), *like.dims[2:])
    dtype = helper.tensor_dtype_to_np_dtype(like.data_type)
    weight = np.full(shape, 1.0 / float(np.prod(shape[1:]))).astype(dtype)
    weights = [numpy_helper.from_array(weight, name)]
    if len(conv.input) > 2:
        weights.append(numpy_helper.from_array(np.zeros(after, dtype), f"{name}.bias"))
    return weights


def _groups(conv: NodeProto) -> int:
    return next((each.i for each in conv.attribute if each.name == "group"), 1)


def _shape(value: object) -> list[int]:
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]  # type: ignore[attr-defined]
