"""Titles of nodes: an operator with its widths, as a reviewer would say it."""

from __future__ import annotations

from collections.abc import Sequence

from graphlint.graph import GraphView, Node

_CONVOLUTIONS = {"Conv": 1, "FusedConv": 1, "NhwcConv": 1, "ConvInteger": 1, "QLinearConv": 3}
"""Where the weight stands among the inputs: output × input/groups × kernel."""


def operator(node: Node) -> str:
    """The operator with its domain, unless that is ONNX's own."""
    return f"{node.domain}.{node.op}" if node.domain else node.op


def title_and_kind(view: GraphView, node: Node) -> tuple[str, str]:
    """How the node reads, and what of that stays when only its widths change."""
    name = operator(node)
    if node.op in _CONVOLUTIONS:
        weight = view.shape(node.input(_CONVOLUTIONS[node.op]))
        if weight is not None and len(weight) > 2:
            return _convolution(node, name, weight[1] * _groups(node), weight[0], weight[2:])
    if node.op == "ConvTranspose":
        weight = view.shape(node.input(1))
        if weight is not None and len(weight) > 2:
            return _convolution(node, name, weight[0], weight[1] * _groups(node), weight[2:])
    if node.op in ("Gemm", "MatMul") and node.input(1) in view.static_values:
        weight = view.shape(node.input(1))
        if weight is not None and len(weight) == 2:
            narrow, wide = reversed(weight) if node.attribute("transB", 0) else weight
            return f"{name} {narrow}→{wide}", name
    return name, name


def _groups(node: Node) -> int:
    groups = node.attribute("group", 1)
    return groups if isinstance(groups, int) else 1


def _convolution(
    node: Node, name: str, narrow: int, wide: int, kernel: Sequence[int]
) -> tuple[str, str]:
    groups = _groups(node)
    depthwise = 1 < groups == narrow
    size = "×".join(map(str, kernel))
    parts = [f"{name} {narrow}→{wide}", size]
    if depthwise:
        parts.append("depthwise")
    elif groups > 1:
        parts.append(f"groups {groups}")
    for word, attribute in (("stride", "strides"), ("dilation", "dilations")):
        steps = node.attribute(attribute, ())
        if isinstance(steps, tuple) and any(step != 1 for step in steps):
            alike = len(set(steps)) == 1
            parts.append(f"{word} {steps[0] if alike else '×'.join(map(str, steps))}")
    return ", ".join(parts), f"{name} {size}{' depthwise' if depthwise else ''}"
