"""Drawings: a few curved strokes on a plain ground, as in handwriting, signs and sketches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]
    Random = np.random.Generator

_MOST_STROKES = 3
_PIECES = 11
"""A curve is drawn as so many straight pieces."""

_THINNEST = 0.6
_COLOURED = 0.3
"""The share of pictures in two colours; the others are light on dark, or dark on light."""


def drawings(random: Random, count: int, shape: tuple[int, int, int]) -> Array:
    """Pictures (count, C, H, W) of values from about 0 to 1."""
    channels, height, width = shape
    side = min(height, width)
    thickness = np.exp(
        random.uniform(math.log(_THINNEST), math.log(max(_THINNEST, side / 12)), (count, 1, 1))
    )
    cover = np.clip(thickness - _distance(random, count, height, width) + 0.5, 0, 1)[:, None]
    ground, ink = _colours(random, count, channels)
    pictures: Array = (ground + (ink - ground) * cover).astype(np.float32)
    return pictures


def _distance(random: Random, count: int, height: int, width: int) -> Array:
    """How far each pixel is from the strokes, (count, height, width)."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    reach = random.uniform(0.3, 0.7, (count, 1, 1)) * min(height, width)
    centre = random.uniform(0.4, 0.6, (count, 1, 2)) * (height, width)
    nearest = np.full((count, height, width), np.inf, np.float32)
    for _ in range(int(random.integers(1, _MOST_STROKES + 1))):
        points = (_curve(random, count) * reach + centre).astype(np.float32)
        for start, end in zip(points.swapaxes(0, 1), points.swapaxes(0, 1)[1:], strict=False):
            np.minimum(nearest, _from_piece(y, x, start, end), out=nearest)
    return nearest


def _curve(random: Random, count: int) -> Array:
    """Points on a cubic Bézier curve with random control points, (count, pieces + 1, 2)."""
    controls = random.uniform(-1, 1, (count, 4, 2))
    t = np.linspace(0, 1, _PIECES + 1)
    blend = np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    points: Array = blend @ controls
    return points


def _from_piece(y: Array, x: Array, start: Array, end: Array) -> Array:
    """The distance of all pixels from a straight piece of each picture, (count, height, width)."""
    top, left = start[:, 0, None, None], start[:, 1, None, None]
    down, across = (end - start)[:, 0, None, None], (end - start)[:, 1, None, None]
    along = (y - top) * down + (x - left) * across
    share = np.clip(along / (down**2 + across**2 + np.float32(1e-6)), 0, 1)
    distance: Array = np.hypot(y - top - share * down, x - left - share * across)
    return distance


def _colours(random: Random, count: int, channels: int) -> tuple[Array, Array]:
    """Of the ground and of the ink, (count, channels, 1, 1)."""
    single, each = (count, 1, 1, 1), (count, channels, 1, 1)
    ground = np.abs(random.normal(0, 0.08, each))
    ink = np.broadcast_to(random.uniform(0.5, 1, single), each)
    dark_ink = random.random(single) < 0.5
    ground, ink = np.where(dark_ink, 1 - ground, ground), np.where(dark_ink, 1 - ink, ink)
    coloured = random.random(single) < _COLOURED
    return (
        np.where(coloured, random.uniform(0, 1, each), ground),
        np.where(coloured, random.uniform(0, 1, each), ink),
    )
