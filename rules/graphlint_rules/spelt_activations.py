"""Activations that are spelt in several nodes: x·sigmoid(x), x·clip(x + 3)/6, GELU by Erf.

Such a spelling is a cone of pointwise nodes: everything between one value and one result. The cone
of a node is grown backwards from what it reads, the latest value first, until a single value is
left; a value that is read outside of the cone, or made by anything but a pointwise operator, ends
the search. For a hard sigmoid, which forks nothing, the chain Add, Clip, Mul is looked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from graphlint.graph import Node
from graphlint.rule import Context
from graphlint_rules.data_flow import (
    activations,
    carrier,
    constants,
    data_readers,
    only_data_reader,
    runs,
)
from graphlint_rules.operators import ARITHMETIC, NONLINEAR, POINTWISE, SCALES

_LARGEST_CONE = 24  # nodes, those that only convert numbers included
_CONVERSIONS = frozenset({"Cast", "DequantizeLinear", "Identity", "QuantizeLinear"})
_MEMBERS = POINTWISE | _CONVERSIONS
_SHIFTS = frozenset({"Add", "Sub"})


@dataclass(frozen=True, slots=True)
class Form:
    """A known activation: how it reads, and which operator spells it at once."""

    spelling: str
    operator: str


_ANY = Form("an activation", "a single activation operator, or a ReLU,")
_HARD_SIGMOID = Form("clip(x + 3)/6", "HardSigmoid")
_FORMS: Mapping[frozenset[str], Form] = {
    frozenset({"Sigmoid"}): Form("x·sigmoid(x)", "HardSwish (opset 14) or Swish (opset 24)"),
    frozenset({"HardSigmoid"}): Form("x·hardsigmoid(x)", "HardSwish (opset 14)"),
    frozenset({"Clip"}): Form("x·clip(x + 3)/6", "HardSwish (opset 14)"),
    frozenset({"Max", "Min"}): Form("x·clip(x + 3)/6", "HardSwish (opset 14)"),
    frozenset({"Softplus", "Tanh"}): Form("x·tanh(softplus(x))", "Mish (opset 18)"),
    frozenset({"Erf"}): Form("x·(1 + erf(x/√2))/2", "Gelu (opset 20)"),
    frozenset({"Tanh", "Pow"}): Form("x·(1 + tanh(…))/2", "Gelu (opset 20, approximate)"),
    frozenset({"Tanh"}): Form("x·(1 + tanh(…))/2", "Gelu (opset 20, approximate)"),
}


@dataclass(frozen=True, slots=True)
class SpeltActivation:
    """An activation in several nodes, in topological order."""

    form: Form
    nodes: tuple[Node, ...]


def spelt_activations(context: Context) -> tuple[SpeltActivation, ...]:
    """Every activation spelt in several nodes, none within another."""
    taken: set[int] = set()
    found: list[SpeltActivation] = []
    for node in reversed(context.view.nodes):  # an outer cone before those inside it
        if not runs(context, node):
            continue
        match = _cone(context, node) or _hard_sigmoid(context, node)
        if match is not None and taken.isdisjoint(part.index for part in match.nodes):
            taken.update(part.index for part in match.nodes)
            found.append(match)
    return tuple(reversed(found))


def _cone(context: Context, root: Node) -> SpeltActivation | None:
    front = set(activations(context, root))
    if root.op not in ARITHMETIC or len(front) < 2:
        return None
    members = {root.index: root}
    while len(front) > 1:
        key = max(front, key=lambda name: _position(context, name))
        node = context.view.producer(key)
        if (
            node is None
            or not _belongs(context, node, key, members)
            or len(members) == _LARGEST_CONE
        ):
            return None
        members[node.index] = node
        front.discard(key)
        front.update(activations(context, node))
    source = front.pop()
    _add_trailing_scale(context, members, root)
    nodes = tuple(members[index] for index in sorted(members))
    functions = frozenset(node.op for node in nodes) & NONLINEAR
    if not functions or context.view.shape(source) != context.view.shape(root.outputs[0]):
        return None
    form = _FORMS.get(functions, _ANY) if "Mul" in {node.op for node in nodes} else _ANY
    return SpeltActivation(form, nodes)


def _position(context: Context, key: str) -> int:
    producer = context.view.producer(key)
    return -1 if producer is None else producer.index


def _belongs(context: Context, node: Node, key: str, members: Mapping[int, Node]) -> bool:
    """Whether the node that makes `key` is pointwise, and nobody outside the cone reads it."""
    return (
        node.op in _MEMBERS
        and not context.view.is_output(key)
        and node.scope == next(iter(members.values())).scope
        and all(reader.index in members for reader in data_readers(context, key))
    )


def _add_trailing_scale(context: Context, members: dict[int, Node], root: Node) -> None:
    """The division by 6 of a hard-swish, which may stand behind the product."""
    follower = only_data_reader(context, root.outputs[0])
    if follower is None or follower.op not in SCALES or follower.scope != root.scope:
        return
    if _by_a_number(context, follower):
        members[follower.index] = follower


def _hard_sigmoid(context: Context, root: Node) -> SpeltActivation | None:
    """Add, Clip, Mul or Div by constants, in a row."""
    if root.op not in SCALES or not _by_a_number(context, root):
        return None
    clip = _maker(context, root, frozenset({"Clip"}))
    shift = None if clip is None else _maker(context, clip, _SHIFTS)
    if clip is None or shift is None or not _by_a_number(context, shift):
        return None
    return SpeltActivation(_HARD_SIGMOID, (shift, clip, root))


def _maker(context: Context, node: Node, operators: frozenset[str]) -> Node | None:
    """What makes the value that the node changes: one of the operators, and for it alone."""
    key = carrier(context, node)
    if key is None or only_data_reader(context, key) is None:
        return None
    maker = context.view.producer(key)
    fits = maker is not None and maker.op in operators and maker.scope == node.scope
    return maker if fits else None


def _by_a_number(context: Context, node: Node) -> bool:
    """Whether the node's other operand is one number."""
    shapes = [context.view.shape(key) for key in constants(context, node)]
    return carrier(context, node) is not None and all(
        shape is not None and prod(shape) == 1 for shape in shapes
    )
