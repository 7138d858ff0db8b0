"""Activation functions as units have them, read from a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlint.graph import ABSENT, GraphView, Node
from graphlint.rewrites import Subject
from graphlint_rules.operators import ACTIVATIONS, POINTWISE
from graphlint_rules.rewrites.definitions import is_standard, standard_at
from graphlint_rules.rewrites.v1.units import Activation, Array

# Their attributes, with what the operator's definition says where they are left out.
_SETTINGS: Mapping[str, Mapping[str, float]] = {
    "Relu": {},
    "LeakyRelu": {"alpha": 0.01},
    "HardSwish": {},
}
_UNBOUNDED = 3e38
_LONGEST_GATE = 4  # x + 3, clipped, divided by 6, times x
_HARD_SWISH_SINCE = 14


@dataclass(frozen=True, slots=True)
class Activating:
    """Nodes that make up an activation of `source`, the last one first; mostly there is one."""

    nodes: tuple[Node, ...]
    source: str

    @property
    def result(self) -> Node:
        """The node that makes the activated value."""
        return self.nodes[0]


def activating(view: GraphView, node: Node) -> Activating | None:
    """The activation that ends in `node`: a function of each number by itself."""
    if not is_standard(node):
        return None
    if node.op in ACTIVATIONS:
        return Activating((node,), node.input(0))
    return _gate(view, node) if node.op in ("Mul", "Div") else None


def _gate(view: GraphView, last: Node) -> Activating | None:
    """x times a function of x, in whichever order it is spelt."""
    for x, gate in ((last.input(0), last.input(1)), (last.input(1), last.input(0))):
        nodes, key = [last], gate
        while key != x and len(nodes) <= _LONGEST_GATE:
            node = standard_at(view, key)
            if node is None or node.op not in POINTWISE:
                break
            nodes.append(node)
            key = next((each for each in node.inputs if each not in view.static_values), "")
        if key == x and len(nodes) > 1:
            return Activating(tuple(nodes), x)
    return None


def read_activation(subject: Subject, found: Activating, axis: int) -> Activation | None:
    """The activation of a value whose channels lie on `axis`; None where it's no unit's."""
    node = found.result
    if len(found.nodes) > 1:
        return _hard_swish(subject, found)
    if node.op in _SETTINGS:
        given = _SETTINGS[node.op].items()
        return Activation(
            node.op, tuple((name, node.attribute(name, left)) for name, left in given)
        )
    if node.op == "Clip":
        return _clip(subject, node)
    if node.op == "PRelu":
        slope = subject.numbers(node.input(1))
        vector = None if slope is None else per_channel(subject, slope, found.source, axis)
        return None if vector is None else Activation("PRelu", slope=vector)
    return None


def _hard_swish(subject: Subject, found: Activating) -> Activation | None:
    """x · hardsigmoid(x), where the model's operators have a name for it."""
    last, gate = found.nodes[0], found.nodes[1]
    like = (gate.op, gate.attribute("beta", 0.5)) == ("HardSigmoid", 0.5)
    sixth = abs(gate.attribute("alpha", 0.2) - 1 / 6) < 1e-6
    known = len(found.nodes) == 2 and last.op == "Mul" and like and sixth
    named = last.version >= _HARD_SWISH_SINCE
    return Activation("HardSwish") if known and named else None


def _clip(subject: Subject, node: Node) -> Activation | None:
    bounds = []
    for position, name in enumerate(("min", "max"), start=1):
        value = node.attribute(name)
        if value is None and node.input(position) != ABSENT:
            array = subject.numbers(node.input(position))
            if array is None or array.size != 1:
                return None
            value = float(array.ravel()[0])
        bounds.append(None if value is None or abs(value) > _UNBOUNDED else float(value))
    return Activation("Clip", bounds=(bounds[0], bounds[1]))


def per_channel(subject: Subject, array: np.ndarray[Any, Any], key: str, axis: int) -> Array | None:
    """An operand that broadcasts to `key`, as one number or one a channel; None if it's neither."""
    shape = subject.view.shape(key)
    if array.size == 1:
        return array.reshape(1).astype(np.float32)
    if shape is None or array.ndim > len(shape):
        return None
    full = (1,) * (len(shape) - array.ndim) + array.shape
    channels = axis % len(shape)
    if full[channels] != array.size or array.size != shape[channels]:
        return None
    return array.reshape(-1).astype(np.float32)
