"""What a producer absorbs, and what is left over.

A convolution, Gemm or MatMul takes in the constant scales and biases, the BatchNormalization and
the activation that follow it, if nobody else reads its result; a join takes in an activation. What
nothing takes in stays an operator of its own that reads and writes the whole tensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from graphlint.costs.contract import Category
from graphlint.graph import ABSENT, Node
from graphlint.rule import Context
from graphlint_rules.data_flow import (
    TRANSPARENT,
    activations,
    carrier,
    constants,
    is_activation,
    only_data_reader,
    runs,
)
from graphlint_rules.operators import (
    AFFINE,
    ARITHMETIC,
    BATCH_NORMALISATION,
)
from graphlint_rules.spelt_activations import SpeltActivation

_JOINS = frozenset({"Concat", "QLinearConcat"})


class Kind(Enum):
    """What is left over."""

    JOIN = "join"
    BATCH_NORMALISATION = "BatchNormalization"
    SCALE = "scale"
    ACTIVATION = "activation"


@dataclass(frozen=True, slots=True)
class Remainder:
    """An element-wise operator that no producer absorbs.

    `nodes` begins with it; behind it stand the scales, biases and activations that it takes in. A
    join stands alone.
    """

    kind: Kind
    nodes: list[Node]


@dataclass(frozen=True, slots=True)
class _Head:
    """What a value's producer can still take in, and the remainder that it is, if it is one."""

    takes_scales: bool
    remainder: Remainder | None = None


def remainders(context: Context, spelt: tuple[SpeltActivation, ...]) -> tuple[Remainder, ...]:
    """All that no producer absorbs; the nodes of `spelt` activations are not looked into."""
    return tuple(_Absorption(context, spelt).run())


@dataclass
class _Absorption:
    context: Context
    spelt: tuple[SpeltActivation, ...]
    heads: dict[str, _Head] = field(default_factory=dict)

    def run(self) -> Iterator[Remainder]:
        inside = {node.index for match in self.spelt for node in match.nodes}
        results = {match.nodes[-1].index for match in self.spelt}
        for node in self.context.view.nodes:
            if node.index in results:
                self._set(node, _Head(takes_scales=False))
            elif node.index not in inside and runs(self.context, node):
                remainder = self._look_at(node)
                if remainder is not None:
                    yield remainder

    def _look_at(self, node: Node) -> Remainder | None:
        read = activations(self.context, node)
        category = self.context.cost(node).category
        if category in (Category.CONVOLUTION, Category.MATMUL):
            self._set(node, _Head(takes_scales=True))
        elif node.op in _JOINS:
            self._set(node, _Head(takes_scales=False))
        elif node.op in ARITHMETIC and len(read) > 1:
            self._set(node, _Head(takes_scales=False))
            return Remainder(Kind.JOIN, [node])
        elif (key := carrier(self.context, node)) is not None:
            return self._follow(node, key)
        return None

    def _follow(self, node: Node, key: str) -> Remainder | None:
        """A node that changes one tensor: absorbed by what makes the tensor, or left over."""
        alone = only_data_reader(self.context, key) is not None
        head = self.heads.get(key) if alone else None
        if node.op in TRANSPARENT:
            if head is not None:
                self._set(node, head)
            return None
        kind = _kind(self.context, node, key)
        scales = kind is not Kind.ACTIVATION
        foldable = not scales or _is_foldable(self.context, node, key)
        if head is not None and foldable and (head.takes_scales or not scales):
            if head.remainder is not None:
                head.remainder.nodes.append(node)
            self._set(node, _Head(takes_scales=scales, remainder=head.remainder))
            return None
        remainder = Remainder(kind, [node])
        self._set(node, _Head(takes_scales=scales and foldable, remainder=remainder))
        return remainder

    def _set(self, node: Node, head: _Head) -> None:
        self.heads[node.outputs[0]] = head


def _kind(context: Context, node: Node, key: str) -> Kind:
    if node.op in BATCH_NORMALISATION:
        return Kind.BATCH_NORMALISATION
    squares = node.inputs.count(key) > 1 or (node.op == "Div" and node.input(0) != key)
    return Kind.SCALE if node.op in AFFINE and not squares else Kind.ACTIVATION


def _is_foldable(context: Context, node: Node, key: str) -> bool:
    """Whether the node scales or shifts whole channels by numbers that are known at inference."""
    if node.op in BATCH_NORMALISATION:
        return len([name for name in node.outputs if name != ABSENT]) == 1
    shapes = [context.view.shape(name) for name in constants(context, node)]
    return context.view.shape(node.outputs[0]) == context.view.shape(key) and all(
        shape is not None and sum(dim != 1 for dim in shape) <= 1 for shape in shapes
    )


def fused_sums(context: Context) -> Iterator[tuple[Node, str]]:
    """The convolutions that ONNX Runtime has fused a residual sum into, and what they add."""
    for node in context.view.nodes:
        fused = node.op in ("FusedConv", "NhwcFusedConv")
        blocked = node.op == "Conv" and node.domain == "com.microsoft.nchwc"
        if (fused or blocked) and is_activation(context, node.input(3)) and runs(context, node):
            yield node, node.input(3)
