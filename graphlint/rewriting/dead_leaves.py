"""Dead leaves: generated images that share the statistics of photographs, for want of real ones.

A picture is a pile of shapes of random places, angles, sizes and colours, each hiding what lies
below it. With sizes of a power law it has what photographs have and noise has not: edges, corners,
flat areas and textures at every scale. Networks answer to it much as they answer to photographs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]
    Random = np.random.Generator

_SMALLEST = 1.5
_COVERED = 2.0
_MAX_LAYERS = 300


def dead_leaves(random: Random, count: int, shape: tuple[int, int, int]) -> Array:
    """Pictures (count, C, H, W) of values from about 0 to 1.

    They share sizes, outlines and patterns, each with places and colours of its own.
    """
    channels, height, width = shape
    pile = _Pile(random, count, channels, height, width)
    pile.cover()
    for radius in _radii(random, height, width):
        pile.drop(radius)
    return pile.seen()


def _radii(random: Random, height: int, width: int) -> Iterator[float]:
    """Radii of shapes, in pixels: density 1/r² above the smallest, until enough is covered.

    The smallest, and how much is enough, differ from call to call: there are to be pictures of one
    texture as well as crowded ones.
    """
    largest = max(_SMALLEST, min(height, width) / 2)
    smallest = math.exp(random.uniform(math.log(_SMALLEST), math.log(largest)))
    area, wanted = 0.0, random.uniform(0, _COVERED) * height * width
    for _ in range(_MAX_LAYERS):
        yield (radius := 1 / random.uniform(1 / largest, 1 / smallest))
        area += 2 * radius**2
        if area > wanted:
            return


class _Pile:
    """Pictures of which each gets a shape of its own in every layer.

    All shapes of a layer have about the same size, so that they are drawn at once, and only where
    they are. The canvas (channels, count, rows, columns) has a margin, for shapes across the edge.
    """

    def __init__(self, random: Random, count: int, channels: int, height: int, width: int) -> None:
        self._random, self._count, self._height, self._width = random, count, height, width
        self._margin = min(height, width) // 2 + 2
        self._rows, self._columns = height + 2 * self._margin, width + 2 * self._margin
        self._palette = _Palette(random, channels, count)
        self._canvas = np.empty((channels, count * self._rows * self._columns), np.float32)

    def seen(self) -> Array:
        """The pictures, (count, channels, height, width)."""
        m = self._margin
        whole = self._canvas.reshape(-1, self._count, self._rows, self._columns)
        return whole[:, :, m : m + self._height, m : m + self._width].swapaxes(0, 1)

    def cover(self) -> None:
        """Lay a pattern over the whole of every picture."""
        y = np.arange(self._rows, dtype=np.float32)[:, None] - self._rows * self._one(0.2, 0.8)
        x = np.arange(self._columns, dtype=np.float32) - self._columns * self._one(0.2, 0.8)
        scale = min(self._height, self._width) * self._one(0.25, 1)
        for channel, colour in enumerate(self._coloured(*self._turned(y, x, scale), scale)):
            self._canvas[channel] = np.broadcast_to(
                colour, (self._count, self._rows, self._columns)
            ).reshape(-1)

    def drop(self, radius: float) -> None:
        """Put one shape on every picture."""
        place, y, x = self._window(min(math.ceil(radius), self._margin - 1))
        scale = radius * self._one(0.6, 1)
        a, b = self._turned(y, x, scale)
        outline = _OUTLINES[int(self._random.integers(len(_OUTLINES)))]
        depth = outline(a, b, np.exp(self._one(math.log(0.2), 0))) * scale
        cover = np.clip(depth + 0.5, 0, 1)
        for canvas, colour in zip(self._canvas, self._coloured(a, b, scale), strict=True):
            below = canvas[place]
            canvas[place] = below + cover * (colour - below)

    def _turned(self, y: Array, x: Array, scale: Array) -> tuple[Array, Array]:
        angle = self._one(0, 2 * math.pi)
        cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
        return cos * x + sin * y, cos * y - sin * x

    def _coloured(self, a: Array, b: Array, scale: Array) -> Iterator[Array]:
        """The colours of a shape, channel after channel."""
        pattern = _PATTERNS[int(self._random.choice(len(_PATTERNS), p=_SHARES))]
        blend = pattern(self._random, a, b, scale)
        first, second = self._palette.colours(), self._palette.colours()
        for one, other in zip(first, second, strict=True):
            yield one + (other - one) * blend

    def _one(self, low: float, high: float) -> Array:
        return _one(self._random, self._count, low, high)

    def _window(self, reach: int) -> tuple[Any, Array, Array]:
        """Where in the canvas a layer's shapes lie, (count, side, side), and their coordinates."""
        random, count, margin = self._random, self._count, self._margin
        steps = np.arange(-reach, reach + 1)
        near = max(margin - reach, reach)
        top = random.integers(near, self._rows - near, (count, 1, 1))
        left = random.integers(near, self._columns - near, (count, 1, 1))
        rows = np.arange(count)[:, None, None] * self._rows + top + steps[:, None]
        offset = self._one(-0.5, 0.5), self._one(-0.5, 0.5)
        along = steps.astype(np.float32)
        return rows * self._columns + left + steps, along[:, None] + offset[0], along + offset[1]


class _Palette:
    """Colours of a picture: around one of its own, more or less far from it, mostly in light."""

    def __init__(self, random: Random, channels: int, count: int) -> None:
        self._random, self._channels, self._count = random, channels, count
        self._centre = random.uniform(0.3, 0.6, (1, count, 1, 1)) + self._tints(0.08)
        self._spread = np.exp(random.uniform(math.log(0.1), math.log(0.35), (1, count, 1, 1)))
        self._tint = random.uniform(0.1, 0.7, (1, count, 1, 1))

    def _tints(self, spread: float) -> Array:
        shape = (self._channels, self._count, 1, 1)
        return self._random.normal(0, spread, shape).astype(np.float32)

    def colours(self) -> Array:
        """A colour a picture, (channels, count, 1, 1)."""
        light = self._random.normal(0, 1, (1, self._count, 1, 1))
        colours: Array = self._centre + self._spread * (light + self._tint * self._tints(1))
        return colours.astype(np.float32)


def _one(random: Random, count: int, low: float, high: float) -> Array:
    """One number a picture, (count, 1, 1)."""
    return random.uniform(low, high, (count, 1, 1)).astype(np.float32)


# Outlines give how deep inside the shape a point lies, negative outside, in radii.


def _ellipse(a: Array, b: Array, aspect: Array) -> Array:
    return (1 - np.hypot(a, b / aspect)) * aspect


def _rectangle(a: Array, b: Array, aspect: Array) -> Array:
    return np.minimum(0.75 - np.abs(a), 0.65 * aspect - np.abs(b))


def _triangle(a: Array, b: Array, aspect: Array) -> Array:
    sloped = 0.5 - 0.5 * b - 0.866 * np.abs(a) / aspect
    return np.minimum(0.5 + b, sloped)


_OUTLINES: Sequence[Callable[[Array, Array, Array], Array]] = (_ellipse, _rectangle, _triangle)

# Patterns blend a shape's two colours: 0 is the first, 1 the second.


def _plain(random: Random, a: Array, b: Array, scale: Array) -> Array:
    return np.zeros((1, 1, 1), np.float32)


def _gradient(random: Random, a: Array, b: Array, scale: Array) -> Array:
    return np.clip(0.5 + 0.5 * a, 0, 1)


def _stripes(random: Random, a: Array, b: Array, scale: Array) -> Array:
    return _edged(_waves(random, a, scale))


def _checks(random: Random, a: Array, b: Array, scale: Array) -> Array:
    return _edged(_waves(random, a, scale) * _waves(random, b, scale))


def _rings(random: Random, a: Array, b: Array, scale: Array) -> Array:
    return _edged(_waves(random, np.hypot(a, b), scale))


def _waves(random: Random, along: Array, scale: Array) -> Array:
    """Waves between −1 and 1, their length from 3 pixels to the shape's own."""
    count = len(along)
    length = np.minimum(3 * np.exp(_one(random, count, 0, 1) * np.log(scale)), 2 * scale)
    turns = along * scale / length + _one(random, count, 0, 1)
    waves: Array = np.sin(2 * np.float32(math.pi) * turns)
    return waves


def _edged(wave: Array) -> Array:
    return np.clip(0.5 + wave, 0, 1)


_PATTERNS: Sequence[Callable[[Random, Array, Array, Array], Array]] = (
    _plain,
    _gradient,
    _stripes,
    _checks,
    _rings,
)
_SHARES = (0.15, 0.2, 0.25, 0.2, 0.2)
