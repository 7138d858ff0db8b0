"""How fast a device runs a layer: what was measured of its like, interpolated.

For each kind two coefficients are fitted to its measured layers, seconds for a multiply-add and
for a byte on top of a launch, neither of them negative and every layer of equal weight by its
relative error. Then a layer is as much quicker or slower than this line says as its nearest
measured neighbours are: the mean of their ratios, in logarithms, weighted by the inverse square of
their distance in octaves of width, positions, kernel and stride. Far from everything measured the
line alone holds. A kind's scatter is the root mean square of what leaving out each of its layers
in turn gets wrong. Two layers of a kind are wrong alike, the more so the nearer they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, log, log2, sqrt

from graphlint.devices.kinds import BLOCKED
from graphlint.devices.profile import DeviceProfile, Layer, LayerTime

__all__ = ["Speeds", "alikeness"]

_NEAREST = 4
_NUGGET = 0.05
"""Square octaves within which a neighbour's own scatter counts for more than its distance."""
_LINE = 0.15
"""The weight of the line among the neighbours: that of one some 2.5 octaves away."""
_LONE_SCATTER = 0.5
"""Of a kind with a single layer, of which nothing can be left out."""


@dataclass(frozen=True, slots=True)
class _Work:
    """What a layer does on the device: its channels filled up to whole blocks."""

    multiply_adds: float
    bytes: float


@dataclass(frozen=True)
class Speeds:
    """The speeds of a device profile."""

    profile: DeviceProfile

    @cached_property
    def _kinds(self) -> Mapping[str, _Kind]:
        groups: dict[str, list[LayerTime]] = {}
        for each in self.profile.layers:
            groups.setdefault(each.layer.kind, []).append(each)
        return {
            kind: _Kind(layers, self.profile.launch_seconds, self.profile.channel_block)
            for kind, layers in groups.items()
        }

    def seconds(self, layer: Layer) -> float | None:
        """What the layer takes among its like; None where no layer of its kind was measured."""
        kind = self._kinds.get(layer.kind)
        return None if kind is None else kind.seconds(layer)

    def scatter(self, kind: str) -> float:
        """The relative error to expect of a layer of the kind."""
        return self._kinds[kind].scatter if kind in self._kinds else _LONE_SCATTER


class _Kind:
    """The measured layers of one kind, and the line through them."""

    def __init__(self, layers: Sequence[LayerTime], launch: float, block: int) -> None:
        self._layers = layers
        self._launch = launch
        self._block = block
        self._line = self._fitted(layers)
        self._told: dict[Layer, float] = {}

    def seconds(self, layer: Layer) -> float:
        """What a layer takes; told once of each, for networks repeat theirs."""
        if layer not in self._told:
            self._told[layer] = self._interpolated(layer, self._layers, self._line)
        return self._told[layer]

    @cached_property
    def scatter(self) -> float:
        if len(self._layers) < 2:
            return _LONE_SCATTER
        errors = []
        for place, left_out in enumerate(self._layers):
            others = [*self._layers[:place], *self._layers[place + 1 :]]
            told = self._interpolated(left_out.layer, others, self._fitted(others))
            errors.append(log(told / left_out.seconds) ** 2)
        return sqrt(sum(errors) / len(errors))

    def _fitted(self, layers: Iterable[LayerTime]) -> tuple[float, float]:
        rows = []
        for each in layers:
            work = _work(each.layer, self._block)
            rows.append(
                (
                    work.multiply_adds / each.seconds,
                    work.bytes / each.seconds,
                    max(0.0, 1 - self._launch / each.seconds),
                )
            )
        return _non_negative(rows)

    def _on_line(self, layer: Layer, line: tuple[float, float]) -> float:
        work = _work(layer, self._block)
        return self._launch + line[0] * work.multiply_adds + line[1] * work.bytes

    def _interpolated(
        self, layer: Layer, layers: Iterable[LayerTime], line: tuple[float, float]
    ) -> float:
        ranked = sorted(
            (_distance(layer, each.layer), place, each) for place, each in enumerate(layers)
        )
        total, weights = 0.0, _LINE
        for distance, _, each in ranked[:_NEAREST]:
            weight = 1 / (distance + _NUGGET)
            weights += weight
            total += weight * log(each.seconds / self._on_line(each.layer, line))
        return self._on_line(layer, line) * exp(total / weights)


def _work(layer: Layer, block: int) -> _Work:
    if not layer.kind.endswith(BLOCKED):
        return _Work(layer.multiply_adds, layer.bytes)
    inside = _filled(layer.channels_in, block)
    outside = _filled(layer.channels_out, block)
    if layer.groups > 1:  # depthwise, or of whole blocks
        inside = 1.0
    return _Work(layer.multiply_adds * inside * outside, layer.bytes * outside)


def _filled(channels: int, block: int) -> float:
    """How many times the channels their blocks have; few channels come in as they are."""
    return 1.0 if channels < block else -(-channels // block) * block / channels


def alikeness(one: Layer, other: Layer) -> float:
    """How far what is wrong with two layers of a kind is the same: 1 of one layer, 0 far away."""
    return 1 / (1 + _distance(one, other))


def _distance(one: Layer, other: Layer) -> float:
    """The squared distance in octaves."""
    return sum((a - b) ** 2 for a, b in zip(_place(one), _place(other), strict=True))


def _place(layer: Layer) -> tuple[float, ...]:
    kernel, stride = 2 * log2(layer.kernel), log2(layer.stride)
    if not layer.multiply_adds:
        return (log2(max(1, layer.bytes)), log2(layer.channels_out) / 4, kernel, stride)
    return (
        log2(max(1, layer.channels_in // layer.groups)),
        log2(max(1, layer.channels_out // layer.groups)),
        log2(max(1, layer.positions)) / 2,
        kernel,
        stride,
        log2(layer.groups) / 2,
    )


def _non_negative(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """The least squares (a, b), neither below 0, of a·x + b·y = z over rows (x, y, z)."""
    xx = sum(x * x for x, _, _ in rows)
    xy = sum(x * y for x, y, _ in rows)
    yy = sum(y * y for _, y, _ in rows)
    xz = sum(x * z for x, _, z in rows)
    yz = sum(y * z for _, y, z in rows)
    candidates = [(xz / xx if xx else 0.0, 0.0), (0.0, yz / yy if yy else 0.0)]
    determinant = xx * yy - xy * xy
    if determinant > 1e-12 * xx * yy:
        both = (xz * yy - yz * xy) / determinant, (yz * xx - xz * xy) / determinant
        if min(both) >= 0:
            return both

    def error(line: tuple[float, float]) -> float:
        return sum((line[0] * x + line[1] * y - z) ** 2 for x, y, z in rows)

    return min(candidates, key=error)
