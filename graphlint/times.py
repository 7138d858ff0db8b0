"""What a measurement comes to: plain values, without onnx, ready for any reporter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

How = Literal["own", "fused", "folded", "eliminated", "inexact"]
"""How a node's time is known: see `graphlint.latency.attribution`."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A group of the runtime's kernels and the nodes that it runs, measured.

    `name` is unique within the model: the operator and name of the dearest of its kernels; `ops`
    are the operators of all of them, in order. `seconds` is their time in one run, the profiler's
    own cost taken off; `spread` the distance between the fastest and the slowest session, as a part
    of the time. `nodes` are indices in the `GraphView`; empty where the time belongs to no node.
    """

    name: str
    ops: tuple[str, ...]
    seconds: float
    spread: float
    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NodeTime:
    """A node's time in one run of the model.

    `seconds` is the node's share of its kernel's time; shares sum to the kernel's time. Only where
    `how` is `own` is it a measurement of the node alone; elsewhere it is an estimate by the node's
    own cost. `spread` is the kernel's. `kernel` is the name of the kernel that runs it, empty where
    none does (`folded`, `eliminated`: 0 seconds).
    """

    seconds: float
    spread: float
    kernel: str
    how: How


@dataclass(frozen=True, slots=True)
class ModelTimes:
    """A measured model.

    `nodes` stand as in `GraphView.nodes`; None for a node whose time can't be told.
    `wall_seconds` and `cpu_seconds` are one run from end to end, without the profiler: the median.
    `sessions` is the number of fresh sessions, `runs` of counted runs of each kind in all of them.
    `busy_factor` is wall over CPU time: well over 1 where other programs took the processor.
    `constant_seconds` is the profiler's cost of one kernel, already taken off.
    """

    nodes: tuple[NodeTime | None, ...]
    kernels: tuple[Kernel, ...]
    wall_seconds: float
    cpu_seconds: float
    sessions: int
    runs: int
    busy_factor: float
    provider: str
    threads: int
    optimization: str
    constant_seconds: float = 0.0
    wall_by_session: tuple[float, ...] = ()
    cpu_by_session: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def kernel_seconds(self) -> float:
        """The sum over all kernels, and so over all nodes and what belongs to none."""
        return sum(kernel.seconds for kernel in self.kernels)


Clock = Literal["wall", "cpu"]
"""What a run was timed by: the clock on the wall, or the running thread's time on the processor."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A speed-up with its 95 % interval from `low` to `high`: above 1 is faster."""

    value: float
    low: float
    high: float

    @property
    def is_told_from_one(self) -> bool:
        """Whether the interval leaves out 1: a difference that can be told."""
        return not self.low <= 1.0 <= self.high


@dataclass(frozen=True, slots=True)
class ComparedTimes:
    """One of several models that ran in turn.

    `seconds` is one run from end to end: the median over the rounds of a session, then over the
    sessions. `spread` is the distance between the fastest and the slowest session, as a part of it.
    `speed_up` is the first model's time over this one's; None where the first was not measured.
    """

    seconds: float
    spread: float
    speed_up: Ratio | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Models measured in turn, in the order in which they were given.

    `rounds` counts the rounds of all sessions; in each, every model had its turn. `clock` is what
    all `seconds` are: CPU time where other programs took the processor. `busy_factor` is wall over
    CPU time; 1 where it can't be told.
    """

    models: tuple[ComparedTimes | NotMeasured, ...]
    rounds: int
    clock: Clock
    busy_factor: float
    provider: str
    threads: int
    optimization: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What the device can do at best, as measured by small probes.

    `how` says what the probes were, in a sentence.
    """

    bandwidth_bytes_per_second: float
    multiply_adds_per_second: float
    how: str = ""


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """Why there are no times. `is_usage`: an option can't be met (a provider, the input data)."""

    reason: str
    hint: str = ""
    is_usage: bool = False
