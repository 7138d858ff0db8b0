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


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """Why there are no times. `is_usage`: an option can't be met (a provider, the input data)."""

    reason: str
    hint: str = ""
    is_usage: bool = False
