"""The sizes that sliding windows leave: convolutions and pooling, with unknown sizes carried along.

Operator specification: Conv, ConvTranspose, MaxPool (output shape formulas).
"""

from __future__ import annotations

from dataclasses import dataclass

from graphlint.graph import Dim, Node

__all__ = ["Window", "spread", "swept"]


@dataclass(frozen=True, slots=True)
class Window:
    """One axis of a window: kernel, stride, dilation and padding."""

    kernel: int
    stride: int
    dilation: int
    pads: tuple[int, int]

    @property
    def reach(self) -> int:
        """How many positions lie under the dilated kernel."""
        return (self.kernel - 1) * self.dilation + 1

    def positions(self, dim: Dim, ceil: bool = False) -> Dim:
        """How often the window fits; an unknown size survives where the window keeps it."""
        if not isinstance(dim, int):
            keeps = self.stride == 1 and sum(self.pads) == self.reach - 1
            return dim if keeps else None
        room = dim + sum(self.pads) - self.reach
        if room < 0:
            return None
        if not ceil:
            return room // self.stride + 1
        fits = -(-room // self.stride) + 1
        # A window that would start beyond the input and its leading padding is dropped.
        return fits - 1 if (fits - 1) * self.stride >= dim + self.pads[0] else fits


def _settings(node: Node, kernel: list[int]) -> tuple[str, list[Window]]:
    axes = len(kernel)
    strides = list(node.attribute("strides") or [1] * axes)
    dilations = list(node.attribute("dilations") or [1] * axes)
    mode = node.attribute("auto_pad", "NOTSET")
    mode = mode.decode() if isinstance(mode, bytes) else str(mode)
    pads = list(node.attribute("pads") or [0] * 2 * axes) if mode == "NOTSET" else [0] * 2 * axes
    windows = [
        Window(kernel[axis], strides[axis], dilations[axis], (pads[axis], pads[axis + axes]))
        for axis in range(axes)
    ]
    return mode, windows


def swept(node: Node, spatial: tuple[Dim, ...], kernel: list[int]) -> tuple[Dim, ...]:
    """Output sizes of a convolution or a pooling over `spatial`."""
    mode, windows = _settings(node, kernel)
    ceil = bool(node.attribute("ceil_mode", 0))
    if mode.startswith("SAME"):
        return tuple(
            -(-dim // window.stride)
            if isinstance(dim, int)
            else (dim if window.stride == 1 else None)
            for dim, window in zip(spatial, windows, strict=True)
        )
    return tuple(window.positions(dim, ceil) for dim, window in zip(spatial, windows, strict=True))


def spread(
    node: Node, spatial: tuple[Dim, ...], kernel: list[int], pads: list[int] | None = None
) -> tuple[Dim, ...]:
    """Output sizes of a transposed convolution; `pads` stand in for the attribute."""
    given = node.attribute("output_shape")
    if given:
        return tuple(int(size) for size in given)[-len(spatial) :]
    mode, windows = _settings(node, kernel)
    extra = list(node.attribute("output_padding") or [0] * len(kernel))
    sizes: list[Dim] = []
    for axis, (dim, window) in enumerate(zip(spatial, windows, strict=True)):
        if not isinstance(dim, int):
            sizes.append(None)
        elif mode.startswith("SAME"):
            sizes.append(dim * window.stride)
        else:
            cut = sum(window.pads) if pads is None else pads[axis] + pads[axis + len(kernel)]
            sizes.append((dim - 1) * window.stride + extra[axis] + window.reach - cut)
    return tuple(sizes)
