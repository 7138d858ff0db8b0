"""Units of V1 in graphs that can't be rewritten as they are: quantised, or fused by a runtime.

Told by what stays in every form: a group shuffle between two convolutions.
"""

from __future__ import annotations

from collections.abc import Container

from graphlint.graph import GraphView, Node
from graphlint.rewrites import Refusal, Subject
from graphlint_rules.rewrites.shuffles.permutation import (
    QUANTISERS,
    channel_permutation,
    movement_before,
    shuffle_groups,
)

QUANTISED = "quantised: rewrite the float model, then quantise"
FUSED = "fused by a runtime: rewrite the model from before it was optimised"

_QUANTISED = frozenset(
    {"ConvInteger", "DynamicQuantizeLinear", "QLinearConv", "QuantizeLinear", "DequantizeLinear"}
)
_FUSED = frozenset({"FusedConv", "NhwcFusedConv"})
_CONVOLUTIONS = frozenset({"Conv", "ConvInteger", "QLinearConv"}) | _FUSED
_BETWEEN = frozenset(
    {
        *("Add", "BatchNormalization", "Cast", "Clip", "DequantizeLinear", "DynamicQuantizeLinear"),
        *("Identity", "LeakyRelu", "Mul", "PRelu", "QuantizeLinear", "Relu", "ReorderInput"),
        *("ReorderOutput", "HardSwish", "QLinearLeakyRelu"),
    }
)
_LONGEST = 8


def foreign_refusals(subject: Subject, done: Container[int]) -> tuple[Refusal, ...]:
    """One refusal for a quantised or fused model with units of V1; nothing for any other.

    Nodes with the indices `done` are in units that were found.
    """
    ops = {node.op for node in subject.view.nodes}
    reason = QUANTISED if ops & _QUANTISED else FUSED if _is_fused(subject.view) else ""
    if not reason:
        return ()
    for node in subject.view.nodes:
        if node.index in done:
            continue
        if node.op in _CONVOLUTIONS and _is_behind_shuffle(subject, node):
            return (Refusal((node,), reason),)
    return ()


def _is_fused(view: GraphView) -> bool:
    return any(
        node.op in _FUSED or (node.op == "Conv" and node.domain == "com.microsoft.nchwc")
        for node in view.nodes
    )


def _is_behind_shuffle(subject: Subject, convolution: Node) -> bool:
    """Whether a group shuffle comes to the convolution, from another one."""
    key, shuffled = convolution.input(0), False
    for _ in range(_LONGEST):
        movement = movement_before(subject.view, key, QUANTISERS)
        order = channel_permutation(subject, movement)
        shuffled = shuffled or (order is not None and shuffle_groups(order) is not None)
        node = subject.view.producer(movement.source)
        if node is None or node.op not in _BETWEEN:
            return shuffled and node is not None and node.op in _CONVOLUTIONS
        key = node.input(0)
    return False
