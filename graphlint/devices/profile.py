"""What was measured of a device: plain values, without onnx, ready for any reader."""

from __future__ import annotations

from dataclasses import dataclass

from graphlint.times import Ceilings


@dataclass(frozen=True, slots=True)
class Device:
    """Where and how a profile was measured. It holds for nothing else.

    `name` is the processor's or accelerator's own; `runtime` the runtime's name and version.
    """

    name: str
    provider: str
    threads: int
    optimization: str
    runtime: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One network of the paper's Tables 1 to 4, measured.

    `table` is 1 to 4; `row` the paper's row (`1:2`, `g=4`, `2-parallel`, `no ReLU, shortcut`),
    `column` its column (`GPU ×1`, `ARM ×4`). `seconds` is one run from end to end, `spread` the
    distance between the fastest and the slowest session, as a part of it.
    """

    table: int
    row: str
    column: str
    seconds: float
    spread: float


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as far as its speed depends on it.

    `kind` groups layers whose speeds are comparable (`pointwise`, `depthwise`, `elementwise` …; see
    `graphlint.devices.kinds`). `positions` are the spatial positions computed, times the batch;
    `bytes` what it reads and writes, weights included, as `docs/counting.md` counts it. What a kind
    does not have is 1 (`groups`, `kernel`, `stride`) or the channels of its output.
    """

    kind: str
    channels_in: int
    channels_out: int
    groups: int
    kernel: int
    stride: int
    positions: int
    multiply_adds: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LayerTime:
    """A layer and the seconds that it takes among its like: without what a run costs besides."""

    layer: Layer
    seconds: float
    spread: float


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """A device, measured: see `graphlint calibrate`.

    `made_on` is an ISO date, `graphlint` the version that measured. `launch_seconds` is the least
    that a kernel takes, `run_seconds` what a run costs besides its kernels. `channel_block` is the
    number of channels that its convolutions work on at once: 1 where widths show no such steps.
    """

    device: Device
    made_on: str
    graphlint: str
    ceilings: Ceilings
    launch_seconds: float
    run_seconds: float
    channel_block: int
    cells: tuple[Cell, ...]
    layers: tuple[LayerTime, ...]
    busy_factor: float = 1.0
    notes: tuple[str, ...] = ()
