"""Convolutions with what was folded into them or still stands behind them, as weights and bias."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from graphlint.graph import ABSENT, GraphView, Node
from graphlint.rewrites import Subject
from graphlint_rules.rewrites.definitions import axis_of, standard_at
from graphlint_rules.rewrites.shuffles.permutation import Movement, channel_selection
from graphlint_rules.rewrites.v1.activations import per_channel
from graphlint_rules.rewrites.v1.given_numbers import given_numbers, is_given
from graphlint_rules.rewrites.v1.images import Size, image_size
from graphlint_rules.rewrites.v1.nodes import result_of
from graphlint_rules.rewrites.v1.units import Array, ConvLayer, SpatialShape
from graphlint_rules.rewrites.v1.windows import added, window, zero_padding

_ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div"})
_SAME_NUMBERS = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})


@dataclass(frozen=True, slots=True)
class Convolution:
    """A 2-D convolution of the graph, or several over the parts of one value that make it up.

    `parts` are the Conv nodes, in the order of their channels. `nodes` are these, a Pad in front,
    and the Split (or Slices) and the Concat around several. `shape` is that of the whole weight,
    (out, in / groups, kh, kw).
    """

    source: str
    nodes: tuple[Node, ...]
    parts: tuple[Node, ...]
    shape: tuple[int, ...]
    groups: int
    window: SpatialShape

    @property
    def main(self) -> Node:
        """The node to name it by."""
        return self.parts[0]

    @property
    def is_pointwise(self) -> bool:
        """Whether the kernel is 1×1."""
        return self.shape[2:] == (1, 1)

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel has one filter of its own."""
        return self.shape[:2] == (self.groups, 1)


def convolution_at(subject: Subject, key: str) -> Convolution | None:
    """The convolution whose result `key` is; None where something else makes it."""
    node = standard_at(subject.view, key)
    if node is None:
        return None
    if node.op == "Concat":
        return _unrolled(subject, node)
    return _single(subject, node)


def _single(subject: Subject, node: Node) -> Convolution | None:
    shape, groups = image_size(subject.view, node.input(1)), node.attribute("group", 1)
    if node.op != "Conv" or shape is None or not _fit(subject.view, node, shape, groups):
        return None
    slid = window(subject, node, shape[2:])
    if slid is None:
        return None
    return _padded(subject, Convolution(node.input(0), (node,), (node,), shape, groups, slid))


def _fit(view: GraphView, node: Node, shape: Size, groups: int) -> bool:
    """Whether a weight of this shape makes the convolution's output of its input."""
    read, made = image_size(view, node.input(0)), image_size(view, result_of(node))
    return (
        (read is not None and made is not None)
        and min(shape, default=0) > 0 < groups
        and (read[1], made[1]) == (shape[1] * groups, shape[0])
        and made[1] % groups == 0
    )


def _padded(subject: Subject, convolution: Convolution) -> Convolution:
    """With the Pad in front of it, where that only puts zeros around the image."""
    pad = standard_at(subject.view, convolution.source)
    zeros = None if pad is None else zero_padding(subject, pad)
    if pad is None or zeros is None:
        return convolution
    slid = replace(convolution.window, pads=added(convolution.window.pads, zeros))
    nodes = (pad, *convolution.nodes)
    return replace(convolution, source=pad.input(0), nodes=nodes, window=slid)


def _unrolled(subject: Subject, join: Node) -> Convolution | None:
    """A group convolution spelt as Split or Slices, like convolutions in order, and Concat."""
    if image_size(subject.view, result_of(join)) is None or axis_of(join, 4) != 1:
        return None
    producers = [standard_at(subject.view, key) for key in join.inputs]
    found = [_single(subject, node) for node in producers if node is not None]
    parts = [part for part in found if part is not None]
    if len(parts) < max(2, len(join.inputs)):
        return None
    if len({(part.shape, part.groups, part.window) for part in parts}) > 1:
        return None
    cuts = _cuts(subject, [part.source for part in parts])
    if not cuts:
        return None
    first = parts[0]
    return Convolution(
        cuts[0].input(0),
        (*cuts, *(node for part in parts for node in part.nodes), join),
        tuple(part.main for part in parts),
        (first.shape[0] * len(parts), *first.shape[1:]),
        first.groups * len(parts),
        first.window,
    )


def _cuts(subject: Subject, keys: list[str]) -> tuple[Node, ...]:
    """The Split or the Slices that share the channels of one value out to `keys`, in order."""
    producers = [subject.view.producer(key) for key in keys]
    nodes = [node for node in producers if node is not None and node.op in ("Split", "Slice")]
    sources = {node.input(0) for node in nodes}
    if len(nodes) < len(keys) or len(sources) > 1:
        return ()
    (source,) = sources
    size = image_size(subject.view, source)
    orders = [
        channel_selection(subject, Movement(source, (node,), key))
        for node, key in zip(nodes, keys, strict=True)
    ]
    channels = [channel for order in orders if order is not None for channel in order]
    if size is None or channels != list(range(size[1])):
        return ()
    return tuple({node.index: node for node in nodes}.values())


# What stands behind a convolution and is linear in each channel.


@dataclass(frozen=True, slots=True)
class Scaling:
    """y = scale · x + shift in each channel: a node, and which axis of it has the channels."""

    node: Node
    source: str
    axis: int


def scaling_at(subject: Subject, key: str, axis: int) -> Scaling | None:
    """The BatchNormalization, or the arithmetic with a constant, whose result `key` is."""
    node = standard_at(subject.view, key)
    if node is None:
        return None
    if node.op == "BatchNormalization":
        plain = axis == 1 and not node.attribute("training_mode", 0)
        return Scaling(node, node.input(0), axis) if plain else None
    if node.op not in _ARITHMETIC:
        return None
    given = [position for position in (0, 1) if is_given(subject, node.input(position))]
    if len(given) != 1 or (node.op == "Div" and given == [0]):
        return None
    data = node.input(1 - given[0])
    same = subject.view.shape(data) == subject.view.shape(key) is not None
    return Scaling(node, data, axis) if same else None


def _coefficients(subject: Subject, scaling: Scaling) -> tuple[Array, Array] | None:
    """Scale and shift, each one number or one a channel."""
    node = scaling.node
    if node.op == "BatchNormalization":
        return _of_batch_norm(subject, node)
    position = 1 if node.input(0) == scaling.source else 0
    array = given_numbers(subject, node.input(position))
    number = None if array is None else per_channel(subject, array, scaling.source, scaling.axis)
    if number is None:
        return None
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    if node.op == "Add":
        return one, number
    if node.op == "Sub":
        return (one, -number) if position == 1 else (-one, number)
    return (number if node.op == "Mul" else one / number), zero


def _of_batch_norm(subject: Subject, node: Node) -> tuple[Array, Array] | None:
    arrays = [given_numbers(subject, key) for key in node.inputs[1:]]
    known = [array.ravel().astype(np.float32) for array in arrays if array is not None]
    if len(known) < len(arrays) or len({array.size for array in known}) > 1:
        return None
    gamma, beta, mean, variance = known
    scale = gamma / np.sqrt(variance + np.float32(node.attribute("epsilon", 1e-5)))
    return scale, beta - mean * scale


def conv_layer(
    subject: Subject, convolution: Convolution, scalings: tuple[Scaling, ...] = ()
) -> ConvLayer | None:
    """The layer's numbers, `scalings` (the nearest first) folded in; None where there are none."""
    weights = [given_numbers(subject, part.input(1)) for part in convolution.parts]
    known = [array.astype(np.float32) for array in weights if array is not None]
    bias = _bias(subject, convolution)
    if len(known) < len(weights) or bias is None:
        return None
    weight: Array = np.concatenate(known)
    with np.errstate(all="ignore"):  # what is not finite then makes no layer
        for scaling in scalings:
            folded = _coefficients(subject, scaling)
            if folded is None or any(numbers.size not in (1, bias.size) for numbers in folded):
                return None
            scale, shift = folded
            weight = weight * scale[:, None, None, None]
            bias = bias * scale + shift
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        return None
    return ConvLayer(
        weight,
        bias,
        convolution.groups,
        any(scaling.node.op == "BatchNormalization" for scaling in scalings),
        (*convolution.nodes, *(scaling.node for scaling in scalings)),
    )


def _bias(subject: Subject, convolution: Convolution) -> Array | None:
    keys = [part.input(2) for part in convolution.parts]
    if all(key == ABSENT for key in keys):
        return np.zeros(convolution.shape[0], np.float32)
    arrays = [given_numbers(subject, key) for key in keys]
    known = [array.astype(np.float32) for array in arrays if array is not None]
    if len(known) < len(arrays):
        return None
    bias: Array = np.concatenate(known)
    return bias if bias.shape == (convolution.shape[0],) else None


# Whose weights they are.


def is_dequantised(view: GraphView, key: str) -> bool:
    """Whether the weight is stored in small integers."""
    node = view.producer(key)
    return node is not None and node.op == "DequantizeLinear"


def other_reader(view: GraphView, key: str, own: Node) -> Node | None:
    """Another node that uses the weight, however it gets there; None where `own` is alone."""
    while True:
        for reader in view.readers(key):
            if reader.index != own.index and reader.op not in ("Shape", "Size"):
                return reader
        producer = view.producer(key)
        if producer is None or producer.op not in _SAME_NUMBERS:
            return None
        key, own = producer.input(0), producer
