"""The one image that a model takes, as far as its input's type says that it is one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from graphlint.graph import Dim, GraphView, TensorType

Layout = Literal["auto", "nchw", "nhwc"]
"""Where the channels stand; `auto` tells it by the declared sizes."""

PICTURE_CHANNELS = (1, 3)
"""Grey, and red, green and blue."""

_FLOATS = {1: "float32", 10: "float16", 11: "float64", 16: "bfloat16"}
_UINT8 = 2


@dataclass(frozen=True, slots=True)
class ImageInput:
    """The input `key`, and `shape`, what is declared of one sample: its three dimensions.

    `channel_axis` is 0 for channels first, 2 for channels last, None where that can't be told.
    """

    key: str
    shape: tuple[Dim, Dim, Dim]
    channel_axis: Literal[0, 2] | None

    @property
    def channels(self) -> Dim:
        """How many channels there are, as far as it is known."""
        return None if self.channel_axis is None else self.shape[self.channel_axis]

    @property
    def is_static(self) -> bool:
        """Whether all sizes are known."""
        return all(isinstance(dim, int) for dim in self.shape)

    @property
    def size(self) -> tuple[Dim, Dim]:
        """Height and width."""
        return self.shape[:2] if self.channel_axis == 2 else self.shape[1:]

    def fits(self, sample: tuple[int, ...]) -> bool:
        """Whether the model takes samples of this shape."""
        return len(sample) == 3 and all(
            not isinstance(declared, int) or declared == size
            for declared, size in zip(self.shape, sample, strict=True)
        )

    def __str__(self) -> str:
        """The shape of a batch: `(n, 3, 224, 224)`."""
        return shape_text("n", *self.shape)


def shape_text(*dims: Dim) -> str:
    """A shape as numpy writes it, `?` for what is not known."""
    return f"({', '.join('?' if dim is None else str(dim) for dim in dims)})"


def image_input(view: GraphView, layout: Layout = "auto") -> ImageInput | str:
    """The model's image input, or the reason why it has none: a clause about "the model"."""
    if len(view.inputs) != 1:
        return f"it has {len(view.inputs)} inputs; one is needed, an image"
    (key,) = view.inputs
    type_ = view.type(key)
    if not isinstance(type_, TensorType):
        return f"its input {key!r} is no tensor"
    if type_.dtype == _UINT8:
        return f"its input {key!r} is uint8: its numbers are pixels, and fitting works with floats"
    if type_.dtype not in _FLOATS:
        return f"its input {key!r} is no float tensor"
    if type_.shape is None:
        return f"the rank of its input {key!r} is not known"
    if len(type_.shape) != 4:
        return f"its input {key!r} has {len(type_.shape)} dimensions; an image has 4"
    _, *sample = type_.shape
    first, second, third = sample
    return ImageInput(key, (first, second, third), _channel_axis((first, second, third), layout))


def _channel_axis(shape: tuple[Dim, Dim, Dim], layout: Layout) -> Literal[0, 2] | None:
    if layout != "auto":
        return 0 if layout == "nchw" else 2
    if shape[0] in PICTURE_CHANNELS:
        return 0
    return 2 if shape[2] in PICTURE_CHANNELS else None


def looks_like_image(view: GraphView, layout: Layout = "auto") -> tuple[int, int, int] | None:
    """Channels, height and width, where the model takes one picture of a known size; else None.

    The model may take them in this order or with channels last; what has neither one channel nor
    three is no picture.
    """
    found = image_input(view, layout)
    if isinstance(found, str) or found.channels not in PICTURE_CHANNELS:
        return None
    sizes = [dim for dim in (found.channels, *found.size) if isinstance(dim, int)]
    if len(sizes) != 3 or math.prod(sizes) == 0:
        return None
    return sizes[0], sizes[1], sizes[2]
