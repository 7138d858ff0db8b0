"""What the teacher says of calibration images: its outputs, and samples of its values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlint.graph import TensorType
from graphlint.rewrites import CannotFit, Subject, Teacher
from graphlint_rules.rewrites.v2.fitting.arrays import Array, Indices, flat, to_front


class Source:
    """Runs the teacher on batches of images of any size."""

    def __init__(self, subject: Subject, teacher: Teacher, images: Array) -> None:
        if len(teacher.inputs) != 1:
            raise CannotFit(f"the model has {len(teacher.inputs)} inputs; fitting feeds one")
        self._teacher = teacher
        self._input = teacher.inputs[0]
        self.images = images
        self._type = _type_of(subject, self._input)
        self._batch = self._fixed_batch(subject)

    def _fixed_batch(self, subject: Subject) -> int | None:
        """The number of images that the model takes at once; None where it takes any."""
        shape = subject.view.shape(self._input)
        size = 1 if not shape else shape[0]
        probe = self.images[np.arange(size + 1) % len(self.images)].astype(self._type)
        try:
            self._teacher.run({self._input: probe}, self._teacher.outputs)
        except Exception:  # the runtime's errors have no class that a rule pack may know
            return size
        return None

    def keep(self, members: Indices) -> None:
        """Have the images with these numbers only, in their order."""
        self.images = self.images[members]

    def of(self, members: Indices) -> Array:
        """The images with these numbers."""
        images: Array = self.images[members]
        return images

    def run(self, images: Array, keys: Sequence[str]) -> list[Array]:
        """The values of `keys` with the batch last: (channels, height, width, batch), …"""
        size = self._batch or len(images)
        parts = [
            self._run(images[start : start + size], size, keys)
            for start in range(0, len(images), size)
        ]
        if len(parts) == 1:
            return parts[0]
        return [np.concatenate(values, axis=-1) for values in zip(*parts, strict=True)]

    def _run(self, images: Array, size: int, keys: Sequence[str]) -> list[Array]:
        count = len(images)
        if count < size:
            images = np.concatenate([images, np.repeat(images[-1:], size - count, axis=0)])
        feed = {self._input: np.ascontiguousarray(images, self._type)}
        values = self._teacher.run(feed, keys)
        return [to_front(np.asarray(value, np.float32)[:count]) for value in values]

    def batches(
        self, members: Indices, keys: Sequence[str], size: int
    ) -> Iterator[tuple[slice, list[Array]]]:
        """The values of `keys` for the images `members`, batch after batch."""
        for start in range(0, len(members), size):
            there = slice(start, min(start + size, len(members)))
            yield there, self.run(self.images[members[there]], keys)

    def gathered(self, members: Indices, keys: Sequence[str], size: int) -> list[Array]:
        """The values of `keys` for all the images `members`, run in batches of `size`."""
        result: list[Array] = []
        for there, values in self.batches(members, keys, size):
            if not result:
                result = [
                    np.empty((*value.shape[:-1], len(members)), value.dtype) for value in values
                ]
            for whole, value in zip(result, values, strict=True):
                whole[..., there] = value
        return result

    def area(self, key: str) -> tuple[int, int]:
        """Height and width of a value."""
        (value,) = self.run(self.images[:1], [key])
        return value.shape[1], value.shape[2]


def _type_of(subject: Subject, key: str) -> np.dtype[Any]:
    """The numpy type of a value's elements."""
    from onnx.helper import tensor_dtype_to_np_dtype

    type_ = subject.view.type(key)
    if isinstance(type_, TensorType):
        return tensor_dtype_to_np_dtype(type_.dtype)
    return np.dtype(np.float32)


@dataclass(frozen=True)
class Samples:
    """The teacher's values at some positions of some images.

    `columns`: for each value (channels, samples). `positions`: for each size of a map, which of its
    flattened (height, width, batch) positions they are.
    """

    columns: Mapping[str, Array]
    positions: Mapping[tuple[int, int], Indices]

    def of(self, tensor: Array) -> Array:
        """The same samples of a tensor (channels, height, width, batch) of the student."""
        return np.take(flat(tensor), self.positions[tensor.shape[1:3]], axis=1)


def sampled(
    source: Source, members: Indices, keys: Sequence[str], at_most: int, seed: int, batch: int
) -> Samples:
    """Samples of the values `keys` for the images `members`: `at_most` a value, all where fewer."""
    random = np.random.default_rng(seed)
    columns: dict[str, list[Array]] = {key: [] for key in keys}
    places: dict[tuple[int, int], list[Indices]] = {}
    for there, values in source.batches(members, keys, batch):
        count = there.stop - there.start
        chosen: dict[tuple[int, int], Indices] = {}
        for key, value in zip(keys, values, strict=True):
            area = value.shape[1:3]
            if area not in chosen:
                chosen[area] = _positions(random, area[0] * area[1], count, at_most, len(members))
                spots, images = np.divmod(chosen[area], count)
                places.setdefault(area, []).append(spots * len(members) + there.start + images)
            columns[key].append(np.take(flat(value), chosen[area], axis=1))
    return Samples(
        {key: np.concatenate(parts, axis=1) for key, parts in columns.items()},
        {area: np.concatenate(parts) for area, parts in places.items()},
    )


def _positions(
    random: np.random.Generator, area: int, count: int, at_most: int, images: int
) -> Indices:
    """Places among the flattened (area, count) positions of a batch of `images` images in all."""
    wanted = min(area, max(1, at_most // images)) * count
    return np.sort(random.choice(area * count, wanted, replace=False))
