"""Windows that slide over height and width: of convolutions, of pooling, and a Pad before them."""

from __future__ import annotations

from collections.abc import Sequence

from graphlint.graph import GraphView, Node
from graphlint.rewrites import Subject
from graphlint_rules.rewrites.v1.units import SpatialShape

Pads = tuple[int, int, int, int]
NO_PADS: Pads = (0, 0, 0, 0)


def window(subject: Subject, node: Node, kernel: tuple[int, int]) -> SpatialShape | None:
    """The window of a 2-D convolution or pooling, at the size that the view has."""
    strides = _pair(node.attribute("strides", (1, 1)))
    dilations = _pair(node.attribute("dilations", (1, 1)))
    if strides is None or dilations is None:
        return None
    pads = _pads(subject, node, SpatialShape(kernel, strides, dilations, NO_PADS))
    return None if pads is None else SpatialShape(kernel, strides, dilations, pads)


def follows_size(subject: Subject, node: Node) -> bool:
    """Whether the pads depend on a size that the model leaves open."""
    strided = tuple(node.attribute("strides", (1, 1))) != (1, 1)
    same = str(node.attribute("auto_pad", "")).startswith("SAME")
    return strided and same and node.input(0) in subject.open_values


def kernel_of(view: GraphView, node: Node) -> tuple[int, int] | None:
    """The kernel of a pooling."""
    return _pair(node.attribute("kernel_shape", ()))


def zero_padding(subject: Subject, node: Node) -> Pads | None:
    """The zeros that a Pad node puts around height and width; None if it does anything else."""
    if node.op != "Pad" or node.domain:
        return None
    mode = node.attribute("mode", "constant")
    pads = node.attribute("pads")
    if pads is None:
        numbers = subject.numbers(node.input(1))
        pads = None if numbers is None or node.input(3) else numbers.ravel().tolist()
    value = subject.numbers(node.input(2)) if node.input(2) else None
    filled = node.attribute("value", 0.0) if value is None else float(value.ravel()[0])
    if node.input(2) and value is None:
        return None
    if pads is None or mode != "constant" or filled != 0 or len(pads) != 8:
        return None
    (n1, c1, top, left, n2, c2, bottom, right) = (int(pad) for pad in pads)
    if any((n1, c1, n2, c2)) or min(top, left, bottom, right) < 0:
        return None
    return top, left, bottom, right


def added(one: Pads, other: Pads) -> Pads:
    """Both pads, one around the other."""
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])


def _pads(subject: Subject, node: Node, plain: SpatialShape) -> Pads | None:
    mode = node.attribute("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        pads = tuple(int(pad) for pad in node.attribute("pads", NO_PADS))
        return (pads[0], pads[1], pads[2], pads[3]) if len(pads) == 4 else None
    if mode == "VALID":
        return NO_PADS
    shape = subject.view.shape(node.input(0))
    if shape is None or len(shape) != 4:
        return None
    totals = [
        max(0, (-(-size // stride) - 1) * stride + (extent - 1) * dilation + 1 - size)
        for size, stride, extent, dilation in zip(
            shape[2:], plain.strides, plain.kernel, plain.dilations, strict=True
        )
    ]
    less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
    begin, end = (less, more) if mode == "SAME_UPPER" else (more, less)
    return (begin[0], begin[1], end[0], end[1])


def _pair(values: Sequence[int]) -> tuple[int, int] | None:
    return (int(values[0]), int(values[1])) if len(values) == 2 else None
