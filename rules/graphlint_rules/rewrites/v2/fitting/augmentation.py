"""Changed images for the teacher to answer on: more of them than were given.

A change is used where the teacher hardly minds it: where it mostly answers as before, images of its
kind may well look like that. Mirrored letters are no letters, mirrored textures are textures, and
the teacher knows. Generated images are changed in every way: they have no right way up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphlint_rules.rewrites.v2.fitting.arrays import Array, Indices, flat
from graphlint_rules.rewrites.v2.fitting.teaching import Source

Change = Callable[[Array, np.random.Generator], Array]
"""A changed batch (batch, channels, height, width)."""

_AS_BEFORE = 0.8
_PROBED = 256
_SHIFT = 8
"""A shift is by up to a size's eighth."""


def _mirrored(axis: int) -> Change:
    def change(images: Array, random: np.random.Generator) -> Array:
        return np.where(_some(images, random), np.flip(images, axis), images)

    return change


def _turned(images: Array, random: np.random.Generator) -> Array:
    return np.where(_some(images, random), images.swapaxes(2, 3), images)


def _shifted(images: Array, random: np.random.Generator) -> Array:
    """All by the same way; what comes in repeats the border."""
    height, width = images.shape[2:]
    down, right = (
        int(random.integers(-(size // _SHIFT), size // _SHIFT + 1)) for size in (height, width)
    )
    rows = np.clip(np.arange(height) + down, 0, height - 1)
    columns = np.clip(np.arange(width) + right, 0, width - 1)
    return images[:, :, rows][:, :, :, columns]


def _some(images: Array, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    return random.random((len(images), 1, 1, 1)) < 0.5


CHANGES: Mapping[str, Change] = {
    "mirrored": _mirrored(3),
    "upside down": _mirrored(2),
    "turned": _turned,
    "shifted": _shifted,
}


@dataclass(frozen=True)
class Augmentation:
    """The changes in use."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.names) or "as they are"

    def __call__(self, images: Array, random: np.random.Generator) -> Array:
        """The batch changed at random."""
        for name in self.names:
            images = CHANGES[name](images, random)
        return images


def sensible(source: Source, members: Indices, key: str, seed: int) -> Augmentation:
    """The changes that leave most of the teacher's answers (the values `key`) as they are."""
    images = source.images[members[:_PROBED]]
    before = flat(source.run(images, [key])[0])
    names = [name for name in _fitting(images) if _kept(source, images, before, key, name, seed)]
    return Augmentation(tuple(names))


def every(images: Array) -> Augmentation:
    """All changes that leave images of this size as large as they are."""
    return Augmentation(tuple(_fitting(images)))


def _fitting(images: Array) -> Sequence[str]:
    height, width = images.shape[2:]
    return [
        name
        for name in CHANGES
        if not (name == "turned" and height != width)
        and not (name == "shifted" and min(height, width) < _SHIFT)
    ]


def _kept(source: Source, images: Array, before: Array, key: str, name: str, seed: int) -> bool:
    """Every image changed, not some: a change that is made to half of them is probed twice."""
    random = np.random.default_rng(seed)
    changed = CHANGES[name](images, random)
    moved = (changed != images).any(axis=(1, 2, 3))
    if not moved.any():
        return False
    after = flat(source.run(changed[moved], [key])[0])
    same = after.argmax(axis=0) == before[:, moved].argmax(axis=0)
    return bool(same.mean() >= _AS_BEFORE)
