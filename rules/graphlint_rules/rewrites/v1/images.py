"""Images: tensors of rank 4, (n, c, h, w)."""

from __future__ import annotations

from graphlint.graph import GraphView

Size = tuple[int, int, int, int]


def image_size(view: GraphView, key: str) -> Size | None:
    """The shape of an image; None where it is not known, or of another rank."""
    shape = view.shape(key)
    if shape is None or len(shape) != 4:
        return None
    return shape[0], shape[1], shape[2], shape[3]
