"""Device profiles made up for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphlint.calibration.tables import TABLES
from graphlint.devices.profile import Cell, Device, DeviceProfile, Layer, LayerTime
from graphlint.times import Ceilings

DEVICE = Device("A processor, 4 cores", "cpu", 1, "all", "onnxruntime 1.99")
LAYER = Layer("pointwise", 16, 32, 1, 1, 1, 196, 100_352, 39_680)


def like_the_paper(spread: float = 0.0, block: int = 1) -> DeviceProfile:
    """A device whose every cell takes as long as in the paper."""
    return profile(
        {
            (table.number, row.name, column.name): 1 / speed
            for table in TABLES
            for column in table.columns
            for row, speed in zip(table.rows, column.speeds, strict=True)
        },
        spread,
        block,
    )


def profile(
    seconds: Mapping[tuple[int, str, str], float], spread: float = 0.0, block: int = 1
) -> DeviceProfile:
    """A device with the given cells."""
    return DeviceProfile(
        device=DEVICE,
        made_on="2026-01-02",
        graphlint="0.1",
        ceilings=Ceilings(1e10, 5e10, "by probes"),
        launch_seconds=1e-6,
        run_seconds=4e-6,
        channel_block=block,
        cells=tuple(Cell(*key, value, spread) for key, value in seconds.items()),
        layers=(LayerTime(LAYER, 2.5e-5, 0.02),),
        notes=("a note",),
    )


@dataclass(frozen=True, slots=True)
class Fit:
    """What single layers come to, where none is measured."""

    layers: tuple[LayerTime, ...] = (LayerTime(LAYER, 2.5e-5, 0.02),)
    launch_seconds: float = 1e-6
    run_seconds: float = 4e-6
    channel_block: int = 16


def fitted_to_nothing(measured: object) -> Any:
    """The same for all measurements."""
    return Fit()
