"""The head of a classifier: global pooling, then one layer that mixes channels."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from graphlint.graph import ABSENT, Node
from graphlint.rewrites import Refusal, Subject
from graphlint.rewriting.scratch import is_editable
from graphlint_rules.rewrites.definitions import axes_of, integers, is_standard
from graphlint_rules.rewrites.v1.activations import activating
from graphlint_rules.rewrites.v1.conv_layers import conv_layer, convolution_at
from graphlint_rules.rewrites.v1.images import image_size
from graphlint_rules.rewrites.v1.nodes import nodes_that_go, result_of, seen_outside
from graphlint_rules.rewrites.v1.units import Array

_VIEWS = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
_COPIES = frozenset({"Cast", "Dropout", "Identity"})
_LONGEST = 12


@dataclass(frozen=True, slots=True)
class ChannelTarget:
    """A Reshape whose target has the number of channels at `position`.

    The batch in a target that the model computes is -1 here: it may be another than it seems.
    """

    node: Node
    target: tuple[int, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Head:
    """From the last unit's output (`input`) to what the classifier makes (`output`).

    `nodes` are all of it, with the Constants and the shape arithmetic that only they read;
    `classifier_nodes` are the last of them: a Gemm, a MatMul with or without an Add, or a 1×1 Conv,
    which reads `features`, (n, channels) or (n, channels, 1, 1). `weight` is (classes, channels),
    `bias` (classes,). `targets` must change with the number of channels.
    """

    input: str
    features: str
    output: str
    nodes: tuple[Node, ...]
    classifier_nodes: tuple[Node, ...]
    weight: Array
    bias: Array
    targets: tuple[ChannelTarget, ...]


@dataclass(frozen=True, slots=True)
class _Classifier:
    nodes: tuple[Node, ...]
    weight: Array
    bias: Array


def find_head(subject: Subject, start: str) -> Head | Refusal:
    """The head that reads `start`, (n, channels, h, w), or why there is none."""
    tail, key, pooled = list[Node](), start, False
    for _ in range(_LONGEST):
        reader = _reader(subject, key)
        if isinstance(reader, Refusal):
            return reader
        if reader.input(0) != key or not is_standard(reader):
            break
        classifier = _classifier(subject, reader, key) if pooled else None
        if classifier is not None:
            return _head(subject, start, key, tuple(tail), classifier)
        pools = _pools_all(subject, reader)
        if not (pools or _keeps_channels(subject, reader, key, pooled)):
            break
        pooled = pooled or pools
        tail.append(reader)
        key = result_of(reader)
    place = subject.view.producer(key)
    reason = f"behind {key} comes no global pooling with a classifier after it"
    return Refusal(() if place is None else (place,), reason)


def _reader(subject: Subject, key: str) -> Node | Refusal:
    """The one node that reads the value's numbers."""
    producer = subject.view.producer(key)
    place = () if producer is None else (producer,)
    if subject.view.is_output(key):
        return Refusal(place, f"{key} is an output of the model: no classifier follows")
    readers = [node for node in subject.view.readers(key) if node.op not in ("Shape", "Size")]
    if len(readers) != 1:
        names = ", ".join(f"{node.op} {node.path}" for node in readers) or "nothing"
        return Refusal(place, f"{key} is read by {names}: no single classifier follows")
    if not is_editable(subject, readers[0]):
        return Refusal(tuple(readers), f"{readers[0].path} stands in a subgraph or a function")
    return readers[0]


def _head(
    subject: Subject, start: str, features: str, tail: tuple[Node, ...], found: _Classifier
) -> Head | Refusal:
    nodes = nodes_that_go(subject, (*tail, *found.nodes))
    inside = {node.index for node in nodes}
    output = result_of(found.nodes[-1])
    if seen_outside(subject.view, output, inside) is None:
        return Refusal((found.nodes[0],), f"nothing reads {output}, which the classifier makes")
    for key in (start, *(key for node in nodes for key in node.outputs)):
        seen = seen_outside(subject.view, key, inside)
        if seen is not None and key not in (ABSENT, output):
            return Refusal((found.nodes[0],), f"{key} {seen}: the head can't change its width")
    width = found.weight.shape[1]
    targets = [_target(subject, node, width) for node in tail if node.op == "Reshape"]
    return Head(
        start,
        features,
        output,
        nodes,
        found.nodes,
        found.weight,
        found.bias,
        tuple(target for target in targets if target is not None),
    )


def _target(subject: Subject, node: Node, width: int) -> ChannelTarget | None:
    target = integers(subject, node.input(1)) or ()
    if target[1:2] != (width,):
        return None
    if node.input(1) not in subject.view.constants and -1 not in target:
        target = (-1, *target[1:])
    return ChannelTarget(node, target, 1)


# What stands before the classifier.


def _pools_all(subject: Subject, node: Node) -> bool:
    """Whether the node makes one number of each channel's whole map: the average."""
    if node.op == "GlobalAveragePool":
        return True
    if node.op == "ReduceMean":
        return axes_of(subject, node, 4) == frozenset({2, 3})
    size, pooled = (image_size(subject.view, key) for key in (node.input(0), result_of(node)))
    return (
        node.op == "AveragePool"
        and (size is not None and node.attribute("kernel_shape") == size[2:])
        and (pooled is not None and pooled[2:] == (1, 1))
        and not any(node.attribute("pads", ()))
    )


def _keeps_channels(subject: Subject, node: Node, key: str, pooled: bool) -> bool:
    """Whether the node hands on each channel's numbers, on axis 1 as before."""
    if node.op in _COPIES or activating(subject.view, node) is not None:
        return True
    before, after = subject.view.shape(key) or (), subject.view.shape(result_of(node)) or ()
    if node.op == "Pad":
        return before == after
    flat = () != after[:2] == before[:2] and prod(after[2:]) == 1
    return pooled and node.op in _VIEWS and flat


# The classifier.


def _classifier(subject: Subject, node: Node, key: str) -> _Classifier | None:
    makers = {"Gemm": _gemm, "MatMul": _matmul, "Conv": _pointwise}
    made = makers[node.op](subject, node) if node.op in makers else None
    shape = subject.view.shape(key) or ()
    return made if made is not None and shape[1:2] == made.weight.shape[1:] else None


def _gemm(subject: Subject, node: Node) -> _Classifier | None:
    weight, offset = subject.numbers(node.input(1)), subject.numbers(node.input(2))
    if weight is None or weight.ndim != 2 or node.attribute("transA", 0):
        return None
    if offset is None and node.input(2) != ABSENT:
        return None
    rows = weight if node.attribute("transB", 0) else weight.T
    rows = rows.astype(np.float32) * np.float32(node.attribute("alpha", 1.0))
    bias = np.zeros(1) if offset is None else offset * np.float32(node.attribute("beta", 1.0))
    return _made((node,), rows, bias)


def _matmul(subject: Subject, node: Node) -> _Classifier | None:
    weight = subject.numbers(node.input(1))
    if weight is None or weight.ndim != 2:
        return None
    rows, result = weight.T.astype(np.float32), result_of(node)
    following = subject.view.only_reader(result)
    if following is not None and following.op == "Add" and following.domain == "":
        other = following.input(1 if following.input(0) == result else 0)
        bias = subject.numbers(other)
        if bias is not None:
            return _made((node, following), rows, bias)
    return _made((node,), rows, np.zeros(1))


def _pointwise(subject: Subject, node: Node) -> _Classifier | None:
    convolution = convolution_at(subject, result_of(node))
    if convolution is None or not convolution.is_pointwise or convolution.groups != 1:
        return None
    layer = conv_layer(subject, convolution)
    return None if layer is None else _Classifier((node,), layer.weight[:, :, 0, 0], layer.bias)


def _made(nodes: tuple[Node, ...], rows: Array, bias: np.ndarray[Any, Any]) -> _Classifier | None:
    classes = rows.shape[0]
    if bias.size not in (1, classes) or (bias.size > 1 and bias.shape[-1] != classes):
        return None
    return _Classifier(nodes, rows, np.broadcast_to(bias.ravel(), classes).astype(np.float32))
