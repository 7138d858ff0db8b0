"""Single layers on a device: chains of one and of several copies, whose difference is the layer's.

What a run costs besides, and what the first and last layer pay for reordered channels, is in both
chains, so that the slope is a layer's time among its like. Where a copy holds two layers, each is
given half. What stands behind the copies that are side by side (a global pooling) is taken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from graphlint.calibration.experiment import Experiment, Measured, Network
from graphlint.calibration.probes import (
    Probe,
    Size,
    convolutions,
    grid,
    least,
    moving,
    probes,
    spell_convolution,
)
from graphlint.devices.fusion import is_blockable
from graphlint.devices.kinds import BLOCKED
from graphlint.devices.profile import Layer, LayerTime

__all__ = ["Fitted", "experiments", "fitted"]

_AS_LONG = 0.78
"""Of the time, between 1 and (36/48)²: from there on a narrower layer takes as long."""
_NEARLY_AS_LONG = 0.92
"""Between 1 and (36/40)²."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the measured chains say of a device; fields as in `DeviceProfile`."""

    layers: tuple[LayerTime, ...]
    launch_seconds: float
    run_seconds: float
    channel_block: int


def experiments(size: Size) -> tuple[Experiment, ...]:
    """The chains to measure: `quick` in about 35 s at one thread, `full` has all of them."""
    groups: dict[str, list[Network]] = {}
    for probe in probes(size):
        groups.setdefault(probe.group, []).extend(probe.networks())
    return tuple(Experiment(f"layers/{name}", tuple(nets)) for name, nets in groups.items())


def fitted(measured: Mapping[tuple[str, str], Measured]) -> Fitted:
    """The layers' times, from those of the chains that were measured.

    Chains that were lost, or whose slope is not above 0, give no layer.

    Raises:
        ValueError: not even the chains of the least operators were measured.
    """
    chains = _Chains(measured)
    launch, run = chains.launch_and_run()
    block = chains.block()
    return Fitted(tuple(_layer_times(chains, launch, block)), launch, run, block)


@dataclass(frozen=True)
class _Chains:
    """The chains' times, by what they were built from."""

    measured: Mapping[tuple[str, str], Measured]

    def slope(self, probe: Probe) -> Measured | None:
        """What another copy takes; None where it was not measured, or is not above 0."""
        experiment = f"layers/{probe.group}"
        one = self.measured.get((experiment, f"{probe.name} x1"))
        many = self.measured.get((experiment, f"{probe.name} x{probe.copies}"))
        if one is None or many is None or many.seconds <= one.seconds:
            return None
        return Measured((many.seconds - one.seconds) / (probe.copies - 1), many.spread)

    def launch_and_run(self) -> tuple[float, float]:
        """What the least operator takes, and a run besides it."""
        probe = next(least())
        slope = self.slope(probe)
        if slope is None:
            raise ValueError("the chains of the least operators were not measured")
        one = self.measured[f"layers/{probe.group}", f"{probe.name} x1"]
        return slope.seconds, max(0.0, one.seconds - slope.seconds)

    def block(self) -> int:
        """The number of channels up to which a narrower convolution takes no less time.

        36 channels are 3 blocks of 16 (as 48 are) or 5 of 8 (as 40 are).
        """
        narrow, middle, wide = (self._square(width) for width in (36, 40, 48))
        if narrow is None or middle is None or wide is None:
            return 1
        if narrow > _AS_LONG * wide:
            return 16
        return 8 if narrow > _NEARLY_AS_LONG * middle else 1

    def _square(self, width: int) -> float | None:
        name = spell_convolution(width, width, 1, 1, 1, 28)
        found = next((p for p in convolutions() if p.name == name), None)
        slope = self.slope(found) if found is not None else None
        return slope.seconds if slope is not None else None


def _layer_times(chains: _Chains, launch: float, block: int) -> Iterator[LayerTime]:
    reductions = [
        (probe.layers[0].bytes, slope.seconds)
        for probe in moving()
        if probe.group == "reduction" and (slope := chains.slope(probe)) is not None
    ]
    for probe in grid():
        slope = chains.slope(probe)
        if slope is None or probe.group in ("launch", "reorder"):
            continue
        seconds = slope.seconds
        if probe.after is not None:
            seconds -= _line_through(reductions, probe.after.bytes, launch)
        if probe.name.startswith("shuffle"):
            seconds -= 2 * launch  # of the views around it
        seconds /= len(probe.layers)
        if seconds <= 0:
            continue
        for layer in dict.fromkeys(probe.layers):
            yield LayerTime(_laid_out(layer, block), seconds, slope.spread)
    yield from _reorders(chains, block)


def _line_through(points: Iterable[tuple[int, float]], size: int, launch: float) -> float:
    """A launch, and the least squares slope through the points by their relative errors."""
    rates = [(moved / seconds, 1 - launch / seconds) for moved, seconds in points]
    square = sum(rate * rate for rate, _ in rates)
    slope = sum(rate * part for rate, part in rates) / square if square else 0.0
    return launch + max(0.0, slope) * size


def _reorders(chains: _Chains, block: int) -> Iterator[LayerTime]:
    """Half of what a blocked and a plain operator take in turn, beyond what each takes alone."""
    if block <= 1:
        return
    slopes = {p.name: (p, chains.slope(p)) for p in moving() if p.group == "reorder"}
    for name, (probe, both) in slopes.items():
        if not name.startswith("reorder") or both is None:
            continue
        shape = name.split()[1]
        alone = [slopes[f"{kind} {shape}"][1] for kind in ("blocked", "plain")]
        if any(slope is None for slope in alone):
            continue
        seconds = (both.seconds - sum(slope.seconds for slope in alone if slope is not None)) / 2
        if seconds > 0:
            yield LayerTime(probe.layers[0], seconds, both.spread)


def _laid_out(layer: Layer, block: int) -> Layer:
    """The layer under the kind that it is at the device's block."""
    if layer.kind.endswith("pooling"):
        is_blocked = block > 1 and layer.channels_out % block == 0
    elif layer.multiply_adds and layer.kind != "dense":
        is_blocked = is_blockable(layer.channels_in, layer.channels_out, layer.groups, block)
    else:
        is_blocked = False
    return replace(layer, kind=layer.kind + BLOCKED) if is_blocked else layer
