"""From a node to the `Layer` that it is, as far as its speed depends on it.

Layers of one kind are comparable: what was measured of some of them says what others take. At the
level `all` a processor's convolutions and poolings work on channels in blocks, and are kinds of
their own. Only float32 was measured, and only images (two spatial dimensions).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isqrt, prod, sqrt

from graphlint.costs.contract import Category, NodeCost
from graphlint.devices.profile import Layer
from graphlint.graph import ABSENT, GraphView, Node, TensorType

__all__ = ["BLOCKED", "convolution_kind", "layer_of", "reorder_of"]

BLOCKED = " (blocked)"
_FLOAT = 1
_FLOAT_BYTES = 4

_KINDS: Mapping[str, str] = {
    op: kind
    for kind, ops in {
        "elementwise": "Abs Neg Relu LeakyRelu PRelu ThresholdedRelu Clip HardSigmoid HardSwish "
        "Sign Floor Ceil Round Sqrt Reciprocal Add Sub Mul Div Sum Max Min Mean Where",
        "transcendental": "Sigmoid Tanh Exp Log Erf Gelu QuickGelu Softplus Softsign Mish Elu Selu "
        "Celu Pow Sin Cos Softmax LogSoftmax",
        "normalisation": "BatchNormalization LayerNormalization InstanceNormalization "
        "GroupNormalization RMSNormalization",
        "local response": "LRN",
        "max pooling": "MaxPool",
        "average pooling": "AveragePool",
        "reduction": "GlobalAveragePool GlobalMaxPool ReduceMean ReduceSum ReduceMax ReduceMin",
        "movement": "Concat Split Slice Pad Gather Expand Tile",
        "transposition": "Transpose",
    }.items()
    for op in ops.split()
}


def layer_of(node: Node, view: GraphView, cost: NodeCost, blocked: bool) -> Layer | str:
    """The node's layer, or why there is none: what can't be told is never zero."""
    if cost.unknown is not None:
        return cost.unknown
    if not _is_float(view, node):
        return "only float32 operators were measured"
    if cost.category is Category.CONVOLUTION:
        return _convolution(node, view, cost, blocked)
    if cost.category is Category.MATMUL:
        return _dense(node, view, cost)
    if node.op == "BatchNormalization" and blocked:
        return _as_convolution(node, view, cost)
    kind = _KINDS.get(node.op)
    if kind is None:
        return f"no layer like {node.op} was measured"
    if kind.endswith("pooling") and blocked:
        kind += BLOCKED
    return _plain(kind, node, view, cost)


def reorder_of(view: GraphView, key: str) -> Layer | None:
    """The reordering of a value's channels into blocks, or back."""
    shape = view.shape(key)
    if shape is None:
        return None
    channels = shape[1] if len(shape) > 1 else 1
    moved = 2 * _FLOAT_BYTES * prod(shape)
    return Layer("reorder", channels, channels, 1, 1, 1, prod(shape) // max(1, channels), 0, moved)


def convolution_kind(channels_in: int, channels_out: int, groups: int, kernel: int) -> str:
    """`pointwise`, `spatial`, `stem` (few channels come in), `depthwise` or a grouped kind."""
    if groups > 1:
        if groups == channels_in == channels_out:
            return "depthwise"
        return "grouped pointwise" if kernel == 1 else "grouped spatial"
    if kernel == 1:
        return "pointwise"
    return "stem" if channels_in < _STEM else "spatial"


_STEM = 8


def _convolution(node: Node, view: GraphView, cost: NodeCost, blocked: bool) -> Layer | str:
    weight, output = view.shape(node.input(1)), view.shape(node.outputs[0])
    if node.op != "Conv" or weight is None or output is None:
        return f"no layer like {node.op} was measured"
    if len(weight) != 4:
        return "only convolutions of two spatial dimensions were measured"
    groups = node.attribute("group", 1)
    inside, outside = weight[1] * groups, weight[0]
    kernel = max(1, round(sqrt(prod(weight[2:]))))
    if prod(weight[2:]) > 1:
        kernel = max(2, kernel)
    strides = node.attribute("strides") or [1]
    return Layer(
        convolution_kind(inside, outside, groups, kernel) + (BLOCKED if blocked else ""),
        inside,
        outside,
        groups,
        kernel,
        max(1, isqrt(prod(strides))),
        output[0] * prod(output[2:]),
        cost.multiply_adds,
        cost.memory_access_bytes,
    )


def _as_convolution(node: Node, view: GraphView, cost: NodeCost) -> Layer | str:
    """A normalisation of blocked values runs as a depthwise convolution of one tap."""
    layer = _plain("depthwise" + BLOCKED, node, view, cost)
    if isinstance(layer, str):
        return layer
    work = layer.positions * layer.channels_out
    return replace(layer, groups=layer.channels_out, multiply_adds=work)


def _dense(node: Node, view: GraphView, cost: NodeCost) -> Layer | str:
    first, output = view.shape(node.input(0)), view.shape(node.outputs[0])
    if node.op not in ("Gemm", "MatMul") or not first or not output:
        return f"no layer like {node.op} was measured"
    outside = output[-1] if len(output) > 1 else 1
    rows = max(1, prod(output) // max(1, outside))
    inside = cost.multiply_adds // max(1, rows * outside)
    return Layer(
        "dense",
        inside,
        outside,
        1,
        1,
        1,
        rows,
        cost.multiply_adds,
        cost.memory_access_bytes,
    )


def _plain(kind: str, node: Node, view: GraphView, cost: NodeCost) -> Layer | str:
    shapes = [view.shape(key) for key in (node.input(0), node.outputs[0])]
    first, output = shapes
    if first is None or output is None:
        return "the shape of a value is unknown"
    channels = output[1] if len(output) > 1 else 1
    window = node.attribute("kernel_shape") or [1]
    strides = node.attribute("strides") or [1]
    return Layer(
        kind,
        first[1] if len(first) > 1 else 1,
        channels,
        1,
        max(1, round(sqrt(prod(window)))),
        max(1, isqrt(prod(strides))),
        max(1, prod(output) // max(1, channels)),
        cost.multiply_adds,
        cost.memory_access_bytes,
    )


def _is_float(view: GraphView, node: Node) -> bool:
    """Whether the node computes float32, as far as types are known."""
    for key in (node.input(0), *node.outputs[:1]):
        type_ = view.type(key) if key != ABSENT else None
        if isinstance(type_, TensorType) and type_.dtype not in (0, _FLOAT):
            return False
    return True
