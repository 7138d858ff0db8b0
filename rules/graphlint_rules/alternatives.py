"""What could stand in a site's place at equal multiply-adds: small models with weights made up.

A rule's `alternative` builds one of these; they serve to price a site and to measure it. All are in
float32 or float16 and in the layout that ONNX's convolutions have (batch, channels, height, width).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, TypeGuard

from graphlint.graph import ABSENT, Node, TensorType, ValueType
from graphlint.rule import Alternative, Context
from graphlint_rules.convolution_sites import Convolution

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

_IR_VERSION = 8
_FLOATS = frozenset({1, 10})  # TensorProto.FLOAT and FLOAT16
_SHAPED_LIKE = ("auto_pad", "dilations", "pads", "strides")


@dataclass(frozen=True, slots=True)
class Widths:
    """The channels that a convolution reads and makes, and its groups."""

    channels_in: int
    channels_out: int
    groups: int = 1

    def __str__(self) -> str:
        groups = f", groups {self.groups}" if self.groups > 1 else ""
        return f"{self.channels_in}→{self.channels_out}{groups}"


def with_widths(context: Context, layer: Convolution, other: Widths) -> Alternative | None:
    """The layer with other widths, all else being equal; None where it is not spelt plainly."""
    first = layer.nodes[0]
    source = context.view.type(first.input(0))
    if (first.domain, first.op) != ("", "Conv") or not _is_float(source):
        return None
    shape = (layer.input.shape[0], other.channels_in, *layer.input.shape[2:])
    result = (layer.output.shape[0], other.channels_out, *layer.output.shape[2:])
    weights = {"w": (other.channels_out, other.channels_in // other.groups, *layer.kernel)}
    if has_bias(first):
        weights["b"] = (other.channels_out,)
    conv = convolution("x", "y", tuple(weights), shaping(first), other.groups)
    model = alone(context, [conv], {"x": shape}, {"y": result}, weights, source.dtype)
    return Alternative(str(other), layer.nodes, model, fits=False)


def without(context: Context, nodes: Sequence[Node], kept: str) -> Alternative | None:
    """Nothing in the nodes' place: their one result is `kept`, which the first of them reads.

    None where it is of another type than they make, where they read something of another too, and
    where somebody else reads what they make on their way.
    """
    made = nodes[-1].outputs[0]
    result = context.view.type(made)
    if _leaving(context, nodes) != {made}:
        return None
    if not _is_float(result) or context.view.type(kept) != result:
        return None
    given = {key for node in nodes for key in node.outputs} | context.view.static_values | {ABSENT}
    keys = dict.fromkeys(key for node in nodes for key in node.inputs)
    read = [key for key in keys if key not in given]
    types = [context.view.type(key) for key in read]
    shapes = [type_.sizes for type_ in types if _is_float(type_) and type_.dtype == result.dtype]
    inputs = {f"x{at}": shape for at, shape in enumerate(shapes) if shape is not None}
    if len(inputs) < len(read):
        return None
    from onnx import helper

    name = f"x{read.index(kept)}"
    keep = helper.make_node("Identity", [name], ["y"])
    model = alone(context, [keep], inputs, {"y": inputs[name]}, {}, result.dtype)
    return Alternative("left out", tuple(nodes), model, fits=True)


def _leaving(context: Context, nodes: Sequence[Node]) -> set[str]:
    """The values that the nodes make and that are read outside of them."""
    inside = {node.index for node in nodes}
    return {
        key
        for node in nodes
        for key in node.outputs
        if context.view.is_output(key)
        or any(reader.index not in inside for reader in context.view.readers(key))
    }


def shaping(node: Node) -> Mapping[str, Any]:
    """The node's attributes that say where its kernel is laid on."""
    return {name: value for name, value in node.attributes.items() if name in _SHAPED_LIKE}


def has_bias(node: Node) -> bool:
    """Whether the Conv adds a bias: some kernels pass over their result once more for it."""
    return node.input(2) != ABSENT


def convolution(
    source: str, result: str, weights: Sequence[str], shaped: Mapping[str, Any], groups: int = 1
) -> NodeProto:
    """A Conv with the names of its weight and, where it has one, its bias."""
    from onnx import helper

    attributes: dict[str, Any] = {**shaped, "group": groups}
    return helper.make_node("Conv", [source, *weights], [result], **attributes)


def alone(
    context: Context,
    nodes: Iterable[NodeProto],
    inputs: Mapping[str, tuple[int, ...]],
    outputs: Mapping[str, tuple[int, ...]],
    weights: Mapping[str, tuple[int, ...]],
    dtype: int,
) -> ModelProto:
    """A model of the nodes, of the opset of the graph that they are for; all values of one type."""
    from onnx import helper

    graph = helper.make_graph(
        list(nodes),
        "alternative",
        [helper.make_tensor_value_info(key, dtype, shape) for key, shape in inputs.items()],
        [helper.make_tensor_value_info(key, dtype, shape) for key, shape in outputs.items()],
        [_weight(name, shape, dtype) for name, shape in weights.items()],
    )
    opset = helper.make_opsetid("", context.view.opsets.get("", 17))
    return helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)


def _weight(name: str, shape: tuple[int, ...], dtype: int) -> TensorProto:
    """Small numbers, none of them subnormal or equal to its neighbour."""
    import numpy as np
    from onnx import helper, numpy_helper

    numbers = np.linspace(0.5, 1.0, prod(shape), dtype=np.float32) / prod(shape[1:])
    like = helper.tensor_dtype_to_np_dtype(dtype)
    return numpy_helper.from_array(numbers.reshape(shape).astype(like), name)


def _is_float(type_: ValueType | None) -> TypeGuard[TensorType]:
    """Whether the value is a tensor of float32 or float16."""
    return isinstance(type_, TensorType) and type_.dtype in _FLOATS
