"""The branch of a unit, read backwards from its end: convolutions and what stands between them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from graphlint.graph import Node
from graphlint.rewrites import Subject
from graphlint_rules.rewrites.definitions import is_standard
from graphlint_rules.rewrites.shuffles.permutation import (
    Order,
    channel_permutation,
    is_identity,
    is_movement,
    movement_before,
)
from graphlint_rules.rewrites.v1.activations import Activating, activating, read_activation
from graphlint_rules.rewrites.v1.conv_layers import Convolution, Scaling, convolution_at, scaling_at
from graphlint_rules.rewrites.v1.images import image_size
from graphlint_rules.rewrites.v1.units import NONE, Activation

_LONGEST = 8  # steps between a convolution and the next
_NO_LAYERS = frozenset({"Gemm", "GlobalAveragePool", "LayerNormalization", "MatMul", "Softmax"})
_FLOATS = frozenset({1, 10, 11, 16})  # TensorProto.FLOAT, FLOAT16, DOUBLE, BFLOAT16


@dataclass(frozen=True, slots=True)
class Strand:
    """A convolution and what follows it: scalings (the nearest first), an activation, a movement.

    `order[j]` is the convolution's channel that comes to place j, by the nodes `moved`. `foreign`
    is an activation that units don't have, or whose numbers can't be had. `nodes` are all of them.
    """

    convolution: Convolution
    scalings: tuple[Scaling, ...]
    activation: Activation
    order: Order
    moved: tuple[Node, ...]
    nodes: tuple[Node, ...]
    activated_by: Node | None = None
    foreign: bool = False

    @property
    def is_moved(self) -> bool:
        """Whether channels change their places."""
        return not is_identity(self.order)


def strand_before(subject: Subject, key: str, axis: int = 1) -> Strand | None:
    """The strand whose result `key` is, its channels on `axis`; None where it's something else."""
    return _Reader(subject, key, axis).read()


@dataclass
class _Reader:
    """Walks from the value `key`, whose channels lie on `axis`, to the convolution before it."""

    subject: Subject
    key: str
    axis: int
    nodes: list[Node] = field(default_factory=list)
    scalings: list[Scaling] = field(default_factory=list)
    activation: tuple[Activating, int] | None = None
    order: Order | None = None
    moved: tuple[Node, ...] = ()
    moved_before_activation: bool = False

    def read(self) -> Strand | None:
        for _ in range(_LONGEST):
            convolution = convolution_at(self.subject, self.key)
            if convolution is not None:
                return self._strand(convolution) if self.axis == 1 else None
            node = self.subject.view.producer(self.key)
            if node is None or not self._steps_over(node):
                return None
        return None

    def _steps_over(self, node: Node) -> bool:
        if _hands_on(node):
            return self._step(node, node.input(0))
        if is_movement(node):
            return self._move()
        activation = activating(self.subject.view, node)
        return self._scale() if activation is None else self._activate(activation)

    def _step(self, node: Node, key: str) -> bool:
        self.nodes.append(node)
        self.key = key
        return True

    def _scale(self) -> bool:
        scaling = scaling_at(self.subject, self.key, self.axis)
        if scaling is not None:
            self.scalings.append(scaling)
            self._step(scaling.node, scaling.source)
        return scaling is not None

    def _activate(self, activation: Activating) -> bool:
        is_first = self.activation is None and not self.scalings
        self.activation = (activation, self.axis)
        self.nodes.extend(activation.nodes)
        self.key = activation.source
        return is_first

    def _move(self) -> bool:
        """Over a movement, where it changes no more than the layout and the order of channels."""
        movement = movement_before(self.subject.view, self.key)
        if not movement.nodes or not _is_of_layers(self.subject, movement.source):
            return False
        for axis in (1, -1):
            order = channel_permutation(self.subject, movement, (axis, self.axis))
            if order is not None and (is_identity(order) or self._reorder(order, movement.nodes)):
                self.nodes.extend(movement.nodes)
                self.key, self.axis = movement.source, axis
                return True
        return False

    def _reorder(self, order: Order, nodes: tuple[Node, ...]) -> bool:
        is_first = not self.scalings and self.order is None
        if is_first:
            self.order, self.moved = order, nodes
            self.moved_before_activation = self.activation is not None
        return is_first

    def _strand(self, convolution: Convolution) -> Strand:
        activation = self._read_activation()
        return Strand(
            convolution,
            tuple(reversed(self.scalings)),
            activation or NONE,
            self.order or tuple(range(convolution.shape[0])),
            self.moved,
            (*self.nodes, *convolution.nodes),
            None if self.activation is None else self.activation[0].result,
            foreign=activation is None,
        )

    def _read_activation(self) -> Activation | None:
        """The activation as if it stood before the movement: it doesn't mix channels."""
        if self.activation is None:
            return NONE
        activation = read_activation(self.subject, *self.activation)
        slope = None if activation is None else activation.slope
        if activation is None or slope is None or slope.size == 1:
            return activation
        if self.order is None or not self.moved_before_activation:
            return activation
        back = np.empty_like(slope)
        back[list(self.order)] = slope
        return replace(activation, slope=back)


def _is_of_layers(subject: Subject, key: str) -> bool:
    """Whether the value is an image that layers may have made: asked before the costly part."""
    node, size = subject.view.producer(key), image_size(subject.view, key)
    return node is not None and size is not None and node.op not in _NO_LAYERS


def _hands_on(node: Node) -> bool:
    """Whether the node hands on the same numbers, in another float type at most."""
    copies = node.op == "Identity" or (node.op == "Cast" and node.attribute("to") in _FLOATS)
    return copies and is_standard(node)
