"""Image files as pixels: decoded with Pillow, and brought to one size and number of channels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlint.errors import UsageError
from graphlint.rewriting.array_files import UnusableFile

if TYPE_CHECKING:
    from types import ModuleType

    from PIL.Image import Image

    Array = np.ndarray[Any, Any]

IMAGE_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PPM",
    ".pgm": "PPM",
}
"""Suffixes of image files, and Pillow's names of the formats: no other is opened."""

_MODES = {1: "L", 3: "RGB"}
_EIGHT_BITS = frozenset("1 L LA La P PA RGB RGBA RGBa RGBX CMYK YCbCr LAB HSV".split())
_OTHERWISE = "repair it, or take it out of the folder"


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image, to be brought to a `size` (height, width) and a number of channels (1 or 3).

    Only if `resized` is it brought to another size than its own.
    """

    path: Path
    channels: int
    size: tuple[int, int]
    resized: bool
    count: int = 1

    def samples(self, chosen: Array) -> Iterator[Array]:
        """The image's 8-bit pixels (height, width, channels), once; `chosen` has but one number.

        Raises:
            UnusableFile: it is broken, or has another size.
        """
        image = _decoded(self.path)
        found = image.height, image.width
        if found != self.size and not self.resized:
            raise UnusableFile(
                f"it has {by(found)} pixels (height × width); {by(self.size)} are needed",
                f"give --resize {by(self.size)}",
            )
        image = image.convert(_MODES[self.channels])
        if found != self.size:
            height, width = self.size
            image = image.resize((width, height), require_pillow().Resampling.BILINEAR)
        yield np.asarray(image).reshape(*self.size, self.channels)


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image file.

    Raises:
        UnusableFile: it is broken.
    """
    image = _decoded(path)
    return image.height, image.width


def by(size: tuple[int, int]) -> str:
    """`224x224`, height first."""
    return f"{size[0]}x{size[1]}"


def _decoded(path: Path) -> Image:
    """The image with its pixels read: the first frame, not turned by what its metadata say."""
    pillow = require_pillow()
    try:
        with warnings.catch_warnings():
            # Up to twice Pillow's limit it only warns.
            warnings.simplefilter("error", pillow.DecompressionBombWarning)
            image: Image = pillow.open(path, formats=sorted(set(IMAGE_FORMATS.values())))
            with image:
                image.load()
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise UnusableFile(
            f"it has more than {pillow.MAX_IMAGE_PIXELS:,} pixels", "make it smaller"
        ) from error
    except pillow.UnidentifiedImageError as error:
        raise UnusableFile("it is no image, whatever its name says", _OTHERWISE) from error
    except Exception as error:  # decoders raise what they like for broken files
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise UnusableFile(f"it can't be decoded: {said}", _OTHERWISE) from error
    if image.mode not in _EIGHT_BITS:
        raise UnusableFile(
            f"its pixels have more than 8 bits (Pillow's mode {image.mode})",
            "convert it, or save the images as .npy files of numbers as the model takes them",
        )
    return image


def require_pillow() -> ModuleType:
    """Pillow's module Image.

    Raises:
        UsageError: it is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise UsageError(
            "images can't be read",
            cause="Pillow is not installed",
            hint="install the extra `images` of onnx-graphlint, or save the images as .npy files",
        ) from error
    return Image
