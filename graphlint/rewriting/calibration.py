"""Calibration data: unlabelled inputs of a model, that weights are fitted on.

From a file of samples (`.npy`, `.npz`), a folder of them, or a folder of images; or, for want of
them, made up. Labels are not needed and not read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from graphlint.graph import GraphView
from graphlint.rewriting.array_files import ArrayFile, UnusableFile, open_array
from graphlint.rewriting.generated import generated
from graphlint.rewriting.image_folder import (
    ImageFile,
    by,
    image_size,
    require_pillow,
)
from graphlint.rewriting.image_input import (
    PICTURE_CHANNELS,
    ImageInput,
    image_input,
    looks_like_image,
    shape_text,
)
from graphlint.rewriting.preprocessing import Preprocessing, counted
from graphlint.rewriting.sample_files import calib_error, find, named

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

__all__ = ["MAX_BYTES", "MIN_SAMPLES", "Calibration", "Preprocessing", "load", "made_up"]

MIN_SAMPLES = 32
"""Fewer say too little: a part of them is held out, and statistics are made of the rest."""

MAX_BYTES = 1 << 30
"""What the samples may take in memory as float32; of more, some are left out."""

_STATE_PIXELS = (
    "give --mean and --std as the model was trained with (often --mean 0.485,0.456,0.406 "
    "--std 0.229,0.224,0.225), or --mean 0 --std 1 for pixels from 0 to 1"
)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Unlabelled inputs of a model.

    `images` is float32, of shape (n, …) and with the numbers that the model takes. `source` says in
    the report what they are ("512 images from photos"); `made_up`, that they are generated.
    """

    images: Array
    source: str
    made_up: bool


class _Samples(Protocol):
    """Samples in a file."""

    @property
    def path(self) -> Path: ...

    @property
    def count(self) -> int: ...

    def samples(self, chosen: Array) -> Iterator[Array]:
        """The samples with these numbers, which rise."""
        ...


def load(
    path: Path, view: GraphView, preprocessing: Preprocessing, limit: int | None = None
) -> Calibration:
    """Read calibration data from a file or a folder.

    Arrays of floats are taken as they are; of bytes, and images, as `preprocessing` states. Of more
    than `limit` samples, or `MAX_BYTES`, evenly spaced ones are read.

    Raises:
        UsageError: the model takes no image, or the data can't be used; the file is named.
    """
    found = image_input(view, preprocessing.layout)
    if isinstance(found, str):
        raise calib_error(
            path, "the model can't be fed", found, "give --weights structure to skip fitting"
        )
    paths, are_images = find(path)
    opened = _images if are_images else _arrays
    files, shape = opened(path, paths, found, preprocessing)
    preprocessing.check(None if found.channel_axis is None else shape[found.channel_axis])
    total = sum(file.count for file in files)
    chosen = _choose(path, total, 4 * math.prod(shape), limit)
    images = np.empty((len(chosen), *shape), np.float32)
    _read(path, files, chosen, images, found, preprocessing)
    return Calibration(images, _source(path, len(chosen), total), made_up=False)


def made_up(
    view: GraphView, preprocessing: Preprocessing, count: int, seed: int
) -> Calibration | None:
    """Generated images, normalised as is stated (else as photographs commonly are).

    They are fewer than `count` where so many would take more than `MAX_BYTES`. None where the
    model's input does not look like an image of a known size.
    """
    shape = looks_like_image(view, preprocessing.layout)
    found = image_input(view, preprocessing.layout)
    if shape is None or isinstance(found, str):
        return None
    preprocessing.check(shape[0])
    mean, std = preprocessing.mean, preprocessing.std
    if preprocessing.is_stated:
        scale = 1.0 if preprocessing.scale is None else 255 * preprocessing.scale
        mean = tuple(value / scale for value in mean or (0.0,))
        std = tuple(value / scale for value in std or (1.0,))
    count = min(count, max(1, MAX_BYTES // (4 * math.prod(shape))))
    images = generated(count, shape, seed, mean=mean, std=std)
    if found.channel_axis == 2:
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    return Calibration(images, counted(count, "generated image"), made_up=True)


def _arrays(
    path: Path, paths: Sequence[Path], wanted: ImageInput, preprocessing: Preprocessing
) -> tuple[Sequence[_Samples], tuple[int, ...]]:
    """The arrays, opened, and the shape of their samples."""
    if preprocessing.resize is not None:
        raise calib_error(path, "arrays are not resized", hint="leave --resize out")
    files: list[ArrayFile] = []
    for file in paths:
        with named(path, file):
            array = _batch(open_array(file, wanted.key), wanted)
            _check_type(array.dtype, preprocessing.is_stated)
            if files and array.shape[1:] != files[0].shape[1:]:
                raise UnusableFile(
                    f"its samples have the shape {shape_text(*array.shape[1:])}, those of "
                    f"{files[0].path.name} {shape_text(*files[0].shape[1:])}",
                    "all samples must have the same shape",
                )
            files.append(array)
    return files, files[0].shape[1:]


def _batch(array: ArrayFile, wanted: ImageInput) -> ArrayFile:
    """The array as a batch that the model takes: a single sample is a batch of one.

    Raises:
        UnusableFile: it has another shape.
    """
    if wanted.fits(array.shape) and not array.fortran:
        array = replace(array, shape=(1, *array.shape))
    if wanted.fits(array.shape[1:]):
        return array
    raise UnusableFile(
        f"the model takes {wanted}; the file has {shape_text(*array.shape)}",
        _reshaping(array.shape, wanted),
    )


def _reshaping(shape: tuple[int, ...], wanted: ImageInput) -> str:
    """How an array of this shape becomes what the model takes, where that can be guessed."""
    if len(shape) == 4:
        for order in ((0, 3, 1, 2), (0, 2, 3, 1)):
            if wanted.fits(tuple(shape[axis] for axis in order[1:])):
                return f"transpose it: array.transpose{order}"
    if len(shape) == 3:
        if wanted.fits((1, *shape[1:])):
            return "give it a dimension for the channel: array[:, None]"
        if wanted.fits((*shape[1:], 1)):
            return "give it a dimension for the channel: array[..., None]"
    return "save the samples as the model takes them"


def _check_type(dtype: np.dtype[Any], pixels_stated: bool) -> None:
    """Refuse what is neither floats nor stated pixels.

    Raises:
        UnusableFile: it is; or floats come with a statement on pixels.
    """
    if dtype.kind == "f":
        if pixels_stated:
            raise UnusableFile(
                f"it holds {dtype.name}, taken as the model's input as it is; "
                "--mean and --std are for pixels",
                "leave them out, or save the pixels as uint8",
            )
    elif dtype != np.uint8:
        raise UnusableFile(
            f"it holds {dtype.name}",
            "save float32 as the model takes it, or pixels as uint8 with --mean and --std given",
        )
    elif not pixels_stated:
        raise UnusableFile(
            "it holds uint8: pixels, and how the model takes them is not stated", _STATE_PIXELS
        )


def _images(
    path: Path, paths: Sequence[Path], wanted: ImageInput, preprocessing: Preprocessing
) -> tuple[Sequence[_Samples], tuple[int, ...]]:
    """The images, to be brought to the model's size, and the shape of their samples."""
    require_pillow()
    channels = _channels(path, wanted)
    if not preprocessing.is_stated:
        raise calib_error(path, "how the model takes pixels is not stated", hint=_STATE_PIXELS)
    size = preprocessing.resize
    if size is None:
        with named(path, paths[0]):
            found = image_size(paths[0])
        height, width = (
            declared if isinstance(declared, int) else own
            for declared, own in zip(wanted.size, found, strict=True)
        )
        size = height, width
    shape = (channels, *size) if wanted.channel_axis == 0 else (*size, channels)
    if not wanted.fits(shape):
        raise calib_error(
            path,
            f"images of {by(size)} don't fit",
            f"the model takes {wanted}",
            "give --resize HxW with the model's height and width",
        )
    resized = preprocessing.resize is not None
    return [ImageFile(file, channels, size, resized) for file in paths], shape


def _channels(path: Path, wanted: ImageInput) -> int:
    """How many channels images are brought to: three where the model leaves that open."""
    if wanted.channel_axis is None and not wanted.is_static:
        raise calib_error(
            path,
            "images can't be used",
            f"the model takes {wanted}: where it has its channels can't be told",
            "give --layout nchw or --layout nhwc",
        )
    channels = wanted.channels if isinstance(wanted.channels, int) else 3
    if wanted.channel_axis is None or channels not in PICTURE_CHANNELS:
        raise calib_error(
            path,
            "images can't be used",
            f"the model takes {wanted}, and images have one channel or three",
            "save the samples as .npy files, or give --layout",
        )
    return channels


def _choose(path: Path, total: int, sample_bytes: int, limit: int | None) -> Array:
    """Numbers of the samples to read: all, or evenly spaced ones."""
    room = MAX_BYTES // max(1, sample_bytes)
    count = min(total, room, total if limit is None else limit)
    if count < MIN_SAMPLES:
        cause = f"{counted(total, 'sample')} found"
        if count == limit:
            cause += f", at most {limit:,} asked for"
        elif count == room:
            cause += f", {room:,} of this size fit in {MAX_BYTES >> 30} GiB"
        raise calib_error(path, "too few samples", cause, f"at least {MIN_SAMPLES} are needed")
    return np.arange(count) * total // count


def _read(
    path: Path,
    files: Sequence[_Samples],
    chosen: Array,
    images: Array,
    wanted: ImageInput,
    preprocessing: Preprocessing,
) -> None:
    """Fill `images` with the chosen samples."""
    first = filled = 0
    for file in files:
        here = chosen[np.searchsorted(chosen, first) : np.searchsorted(chosen, first + file.count)]
        target = images[filled : filled + len(here)]
        with named(path, file.path):
            for at, sample in enumerate(file.samples(here - first) if len(here) else ()):
                target[at] = _numbers(sample, isinstance(file, ImageFile), wanted, preprocessing)
            _check_finite(target, here - first)
        first, filled = first + file.count, filled + len(here)


def _numbers(
    sample: Array, is_image: bool, wanted: ImageInput, preprocessing: Preprocessing
) -> Array:
    """A sample as the model takes it."""
    if sample.dtype != np.uint8:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is told
            return sample.astype(np.float32)
    if is_image and wanted.channel_axis == 0:
        sample = sample.transpose(2, 0, 1)
    return preprocessing.normalised(sample, wanted.channel_axis)


def _check_finite(images: Array, numbers: Array) -> None:
    """Refuse NaN and infinity; `numbers` are the samples' numbers in their file.

    Raises:
        UnusableFile: there are some; the first is told.
    """
    wrong = ~np.isfinite(images)
    count = int(wrong.sum())
    if not count:
        return
    sample, *rest = (int(at) for at in np.unravel_index(int(wrong.argmax()), wrong.shape))
    raise UnusableFile(
        f"{counted(count, 'number')} of what was read {'is' if count == 1 else 'are'} NaN or "
        f"infinite as float32, the first at {[int(numbers[sample]), *rest]}",
        "leave such samples out",
    )


def _source(path: Path, count: int, total: int) -> str:
    if count == total:
        return f"{counted(count, 'image')} from {path}"
    return f"{count:,} of {counted(total, 'image')} from {path}, evenly spaced"
