"""How a model takes pixels, as the user states it. Imports nothing heavy: requests carry it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from graphlint.errors import UsageError
from graphlint.rewriting.image_input import Layout

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a model takes pixels: each, from 0 to 255, is (pixel · scale − mean) / std.

    `mean` and `std` have one number, or one a channel (red, green, blue); left out they are 0 and
    1, and `scale` is 1/255. Where all three are left out nothing is stated, and pixels can't be
    used. `resize` is the height and width that images are brought to: bilinear with antialiasing,
    without cropping, so that the aspect ratio may change. `layout` says where the model has its
    channels.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    layout: Layout = "auto"
    resize: tuple[int, int] | None = None
    scale: float | None = None

    @property
    def is_stated(self) -> bool:
        """Whether it says how pixels become numbers."""
        return (self.mean, self.std, self.scale) != (None, None, None)

    def check(self, channels: int | None) -> None:
        """Refuse what can't be used on this many channels (None: they can't be told).

        Raises:
            UsageError: a number makes no sense, or there are not as many as channels.
        """
        scale = None if self.scale is None else (self.scale,)
        for option, values in (("--mean", self.mean), ("--std", self.std), ("--scale", scale)):
            if values is not None:
                _check(option, values, channels)
        if self.resize is not None and min(self.resize) < 1:
            raise UsageError("--resize: no size", hint="give it as HxW: 224x224")

    def normalised(self, pixels: Array, channel_axis: Literal[0, 2] | None) -> Array:
        """What the model takes for a sample's 8-bit pixels, as float32 and of the same shape."""
        import numpy as np

        shape = (-1, 1, 1) if channel_axis == 0 else (1, 1, -1)
        mean = np.asarray(self.mean or (0,), np.float32).reshape(shape)
        std = np.asarray(self.std or (1,), np.float32).reshape(shape)
        scale = np.float32(1 / 255 if self.scale is None else self.scale)
        normalised: Array = (pixels * scale - mean) / std
        return normalised


def _check(option: str, values: tuple[float, ...], channels: int | None) -> None:
    if not all(map(math.isfinite, values)):
        raise UsageError(f"{option}: NaN or infinite", hint="give numbers")
    if option != "--mean" and any(value <= 0 for value in values):
        raise UsageError(
            f"{option}: not positive", cause="pixels become (pixel · scale − mean) / std"
        )
    if len(values) == 1:
        return
    if channels is None:
        raise UsageError(
            f"{option}: {len(values)} numbers",
            cause="where the model has its channels can't be told",
            hint="give --layout nchw or --layout nhwc",
        )
    if len(values) != channels:
        raise UsageError(
            f"{option}: {len(values)} numbers",
            cause=f"the model's images have {counted(channels, 'channel')}",
            hint="give one number, or one a channel",
        )


def counted(count: int, noun: str) -> str:
    """`1 channel`, `1,024 channels`."""
    return f"{count:,} {noun}{'s' if count != 1 else ''}"
