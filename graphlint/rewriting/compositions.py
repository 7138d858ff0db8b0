"""Compositions: smooth and sharp patterns that a small random network makes of coordinates.

Waves along straight, round and radial coordinates are mixed, bent through a soft threshold, and
mixed again into colours: stripes, rings, rays, plaids, and what lies between them, at all scales.
Stanley, "Compositional pattern producing networks", Genetic Programming and Evolvable Machines 8,
2007.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]
    Random = np.random.Generator

_WAVES, _MIXTURES = 6, 4
_SHORTEST = 3
"""The shortest wave in pixels, about."""


def compositions(random: Random, count: int, shape: tuple[int, int, int]) -> Array:
    """Pictures (count, C, H, W) of values from about 0 to 1."""
    channels, height, width = shape
    mixtures = _mixtures(random, _waves(random, _coordinates(random, count, height, width), shape))
    light = _normal(random, (count, 1, _MIXTURES))
    tint = random.uniform(0.1, 0.9, (count, 1, 1)) * _normal(random, (count, channels, _MIXTURES))
    colours = (light + tint).astype(np.float32) @ mixtures
    colours -= colours.mean(axis=2, keepdims=True)
    colours /= colours.std(axis=(1, 2), keepdims=True) + np.float32(1e-3)
    contrast = np.exp(random.uniform(math.log(0.05), math.log(0.35), (count, 1, 1)))
    ground = random.uniform(0.3, 0.7, (count, 1, 1)) + 0.06 * _normal(random, (count, channels, 1))
    pictures: Array = (contrast * colours + ground).astype(np.float32)
    return pictures.reshape(count, *shape)


def _coordinates(random: Random, count: int, height: int, width: int) -> Array:
    """Across, down, from a centre, and around it: (count, 4, positions), in sides of a picture."""
    y, x = np.mgrid[:height, :width].reshape(2, 1, -1).astype(np.float32)
    side = min(height, width)
    centre = random.uniform(-0.2, 1.2, (2, count, 1)).astype(np.float32)
    down, across = (y - centre[0] * height) / side, (x - centre[1] * width) / side
    around = 2 * np.abs(np.arctan2(down, across)) / np.float32(math.pi) - 1
    return np.stack([across, down, np.hypot(across, down), around], axis=1)


def _waves(random: Random, coordinates: Array, shape: tuple[int, int, int]) -> Array:
    """(count, waves, positions); a picture has some of the coordinates, and one scale of waves."""
    count, kinds, _ = coordinates.shape
    finest = max(2.0, min(shape[1:]) / (2 * _SHORTEST))
    scale = np.exp(random.uniform(0, math.log(finest), (count, 1, 1)))
    spread = np.exp(random.normal(-0.4, 0.6, (count, _WAVES, 1)))
    used = random.random((count, 1, kinds)) < 0.5
    used |= np.arange(kinds) == random.integers(0, kinds, (count, 1, 1))
    turns = scale * spread * used * random.normal(0, 1, (count, _WAVES, kinds))
    phase = random.uniform(0, 1, (count, _WAVES, 1)).astype(np.float32)
    waves: Array = np.sin(
        2 * np.float32(math.pi) * (turns.astype(np.float32) @ coordinates + phase)
    )
    return waves


def _mixtures(random: Random, waves: Array) -> Array:
    """(count, mixtures, positions), soft in some pictures and with hard edges in others."""
    count = len(waves)
    weight = 1.5 / math.sqrt(_WAVES) * _normal(random, (count, _MIXTURES, _WAVES))
    gain = np.exp(random.uniform(math.log(0.7), math.log(6), (count, 1, 1)))
    bias = 0.5 * _normal(random, (count, _MIXTURES, 1))
    mixtures: Array = np.tanh((gain * weight).astype(np.float32) @ waves + bias.astype(np.float32))
    return mixtures


def _normal(random: Random, shape: tuple[int, ...]) -> Array:
    return random.standard_normal(shape, dtype=np.float32)
