"""The shortcut of a unit with stride 2: average pooling, or the reason why it's none."""

from __future__ import annotations

from graphlint.graph import Node
from graphlint.rewrites import Subject
from graphlint_rules.rewrites.definitions import is_standard, standard_at
from graphlint_rules.rewrites.v1.images import image_size
from graphlint_rules.rewrites.v1.nodes import result_of
from graphlint_rules.rewrites.v1.units import Pool, SpatialShape
from graphlint_rules.rewrites.v1.windows import (
    NO_PADS,
    Pads,
    added,
    follows_size,
    kernel_of,
    window,
    zero_padding,
)


def read_pool(subject: Subject, key: str, source: str) -> Pool | str:
    """The average pooling of `source` whose result `key` is."""
    node = subject.view.producer(key)
    if node is None or node.op != "AveragePool" or node.domain:
        made = "an input of the model" if node is None else f"made by {node.op} {node.path}"
        return f"what it concatenates with is {made}, not by average pooling of its input"
    if not is_standard(node):
        return f"its {node.op} {node.path} has settings that are none of this operator"
    pad, zeros, start = _pad_before(subject, node)
    if start != source:
        return f"its {node.op} {node.path} pools {start}, which is not the unit's input {source}"
    kernel = kernel_of(node)
    slid = None if kernel is None else window(subject, node, kernel)
    if slid is None or slid.dilations != (1, 1) or follows_size(subject, node):
        return f"the window of its {node.op} {node.path} is dilated, odd or depends on an open size"
    counted = bool(node.attribute("count_include_pad", 0))
    if zeros != NO_PADS and slid.pads != NO_PADS and not counted:
        return f"its {node.op} {node.path} counts some of its padding, but not all"
    counts = counted or zeros != NO_PADS
    pads = added(slid.pads, zeros)
    over = _overhang(subject, node, slid)
    if over != NO_PADS and (counts or key in subject.open_values):
        return f"its {node.op} {node.path} rounds its output's size up"
    whole = SpatialShape(slid.kernel, slid.strides, slid.dilations, added(pads, over))
    return Pool(whole, counts, (*pad, node))


def _pad_before(subject: Subject, node: Node) -> tuple[tuple[Node, ...], Pads, str]:
    pad = standard_at(subject.view, node.input(0))
    zeros = None if pad is None else zero_padding(subject, pad)
    if pad is None or zeros is None:
        return (), NO_PADS, node.input(0)
    return (pad,), zeros, pad.input(0)


def _overhang(subject: Subject, node: Node, slid: SpatialShape) -> Pads:
    """How far the last windows reach beyond the padding, where the size is rounded up."""
    before, after = (image_size(subject.view, key) for key in (node.input(0), result_of(node)))
    if before is None or after is None:
        return NO_PADS
    sizes = zip(before[2:], after[2:], strict=True)
    padded = zip(slid.pads[:2], slid.pads[2:], slid.strides, slid.kernel, strict=True)
    bottom, right = (
        max(0, (windows - 1) * stride + extent - side - sum(pads))
        for (side, windows), (*pads, stride, extent) in zip(sizes, padded, strict=True)
    )
    return 0, 0, bottom, right
