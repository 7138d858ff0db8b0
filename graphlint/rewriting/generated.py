"""Generated images, for want of real ones: of many kinds, for nobody knows what is wanted.

Piles of shapes with the statistics of photographs (`dead_leaves`), patterns (`compositions`),
strokes on a plain ground (`drawings`), and noise with the spectrum of photographs; all of them seen
by a camera. What fits a network among them, its own answers must say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlint.rewriting.compositions import compositions
from graphlint.rewriting.dead_leaves import dead_leaves
from graphlint.rewriting.drawings import drawings

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]
    Random = np.random.Generator

PHOTOGRAPHS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of red, green and blue in photographs with values from 0 to 1 (ImageNet's)."""

_CHUNK, _CHUNK_PIXELS = 32, 1 << 19
"""How many pictures are made at once, at most; they are of one kind."""


def generated(
    count: int,
    shape: tuple[int, int, int],
    seed: int,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Array:
    """`count` images (count, C, H, W), normalised as a network takes them; the same for a seed.

    Values are made between 0 and 1, as those of photographs, and then `mean` is taken away and the
    rest divided by `std`: one number, or one a channel. Left out, they are those of `PHOTOGRAPHS`
    (of their grey, where there are not three channels), so that values are about 0 ± 1, as what a
    network is commonly trained on.
    """
    channels, height, width = shape
    images = np.empty((count, *shape), np.float32)
    size = max(1, min(_CHUNK, _CHUNK_PIXELS // (height * width)))
    for number, start in enumerate(range(0, count, size)):
        chunk = images[start : start + size]
        random = np.random.default_rng([seed, start])
        kind = _KINDS[number % len(_KINDS)]
        chunk[:] = _photographed(random, kind(random, len(chunk), shape))
    images -= _each(PHOTOGRAPHS[0] if mean is None else mean, channels)
    images /= _each(PHOTOGRAPHS[1] if std is None else std, channels)
    return images


def _each(values: Sequence[float], channels: int) -> Array:
    """(channels, 1, 1): the values, or their average where there are not as many."""
    if len(values) != channels:
        values = [sum(values) / len(values)]
    return np.asarray(values, np.float32).reshape(-1, 1, 1)


def fractal_noise(random: Random, count: int, shape: tuple[int, int, int]) -> Array:
    """Noise whose amplitude falls with a power of the frequency, from rough to cloudy."""
    _, height, width = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = 1
    white = random.normal(0, 1, (count, *shape)) + random.normal(0, 2, (count, 1, height, width))
    power = random.uniform(0.3, 2, (count, 1, 1, 1))
    noise = np.fft.irfft2(np.fft.rfft2(white) * frequency**-power, s=(height, width))
    noise -= noise.mean(axis=(2, 3), keepdims=True)
    noise /= noise.std(axis=(1, 2, 3), keepdims=True) + 1e-6
    contrast = np.exp(random.uniform(math.log(0.05), math.log(0.3), (count, 1, 1, 1)))
    pictures = contrast * noise + random.uniform(0.3, 0.7, (count, 1, 1, 1))
    return pictures.astype(np.float32)


_KINDS: Sequence[Callable[[Random, int, tuple[int, int, int]], Array]] = (
    dead_leaves,
    compositions,
    dead_leaves,
    drawings,
    compositions,
    dead_leaves,
    fractal_noise,
    compositions,
    dead_leaves,
    drawings,
)
"""The kinds of the chunks, in turn."""


def _photographed(random: Random, images: Array) -> Array:
    """The images as a camera sees them: more or less sharp, with noise, and within 0 and 1."""
    count = len(images)
    blur = random.uniform(0, 1, (count, 1, 1, 1)).astype(np.float32)
    noise = np.exp(random.uniform(math.log(0.005), math.log(0.08), (count, 1, 1, 1)))
    images = images + blur * (_blurred(images) - images)
    images += noise.astype(np.float32) * random.standard_normal(images.shape, dtype=np.float32)
    return np.clip(images, 0, 1)


def _blurred(images: Array) -> Array:
    """A binomial blur over 3×3 pixels; edges are continued."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    blurred: Array = (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 16
    return blurred
