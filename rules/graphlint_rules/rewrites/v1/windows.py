"""Windows that slide over height and width: of convolutions, of pooling, and a Pad before them."""

from __future__ import annotations

from collections.abc import Sequence

from graphlint.graph import Node
from graphlint.rewrites import Subject
from graphlint_rules.rewrites.definitions import integers
from graphlint_rules.rewrites.v1.images import image_size
from graphlint_rules.rewrites.v1.units import SpatialShape

Pads = tuple[int, int, int, int]
NO_PADS: Pads = (0, 0, 0, 0)
_SAME = ("SAME_UPPER", "SAME_LOWER")


def window(subject: Subject, node: Node, kernel: tuple[int, int]) -> SpatialShape | None:
    """The window of a 2-D convolution or pooling, at the size that the view has; None if odd."""
    if node.attribute("kernel_shape", kernel) != kernel:
        return None
    strides = _pair(node.attribute("strides", (1, 1)))
    dilations = _pair(node.attribute("dilations", (1, 1)))
    if strides is None or dilations is None:
        return None
    pads = _pads(subject, node, SpatialShape(kernel, strides, dilations, NO_PADS))
    return None if pads is None else SpatialShape(kernel, strides, dilations, pads)


def follows_size(subject: Subject, node: Node) -> bool:
    """Whether the pads depend on a size that the model leaves open."""
    strided = node.attribute("strides", (1, 1)) != (1, 1)
    same = node.attribute("auto_pad", "") in _SAME
    return strided and same and node.input(0) in subject.open_values


def kernel_of(node: Node) -> tuple[int, int] | None:
    """The kernel of a pooling; None where it is not two sizes."""
    return _pair(node.attribute("kernel_shape", ()))


def zero_padding(subject: Subject, node: Node) -> Pads | None:
    """The zeros that a Pad node puts around height and width; None if it does anything else."""
    if node.op != "Pad" or not _fills_with_zeros(subject, node):
        return None
    pads = node.attribute("pads") or integers(subject, node.input(1))
    if pads is None or len(pads) != 8 or node.input(3):
        return None
    n1, c1, top, left, n2, c2, bottom, right = pads
    if any((n1, c1, n2, c2)) or min(top, left, bottom, right) < 0:
        return None
    return top, left, bottom, right


def _fills_with_zeros(subject: Subject, node: Node) -> bool:
    constant: bool = (
        node.attribute("mode", "constant") == "constant" and node.attribute("value", 0) == 0
    )
    if not node.input(2):
        return constant
    value = subject.numbers(node.input(2))
    return constant and value is not None and value.ravel().tolist() == [0]


def added(one: Pads, other: Pads) -> Pads:
    """Both pads, one around the other."""
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])


def _pads(subject: Subject, node: Node, plain: SpatialShape) -> Pads | None:
    mode = node.attribute("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        pads = node.attribute("pads", NO_PADS)
        plain_pads = len(pads) == 4 and min(pads) >= 0
        return (pads[0], pads[1], pads[2], pads[3]) if plain_pads else None
    if mode == "VALID":
        return NO_PADS
    size = image_size(subject.view, node.input(0))
    if mode not in _SAME or size is None:
        return None
    totals = [
        max(0, (-(-side // stride) - 1) * stride + (extent - 1) * dilation + 1 - side)
        for side, stride, extent, dilation in zip(
            size[2:], plain.strides, plain.kernel, plain.dilations, strict=True
        )
    ]
    less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
    begin, end = (less, more) if mode == "SAME_UPPER" else (more, less)
    return (begin[0], begin[1], end[0], end[1])


def _pair(values: Sequence[int]) -> tuple[int, int] | None:
    """Two sizes or steps."""
    return (values[0], values[1]) if len(values) == 2 and min(values) > 0 else None
