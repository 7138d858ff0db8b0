"""Providers that compile parts of a graph (TensorRT): an engine is one kernel over its nodes.

Such a session can't save its optimised model, and its profile has one event an engine. What runs
outside the engines keeps its operator's name, so nodes are told apart by operator alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from statistics import median

from graphlint.graph import GraphView
from graphlint.latency.protocol import Timings
from graphlint.latency.quantiles import relative_spread
from graphlint.latency.values import number
from graphlint.times import How, Kernel

PROVIDERS = frozenset({"tensorrt"})
"""Short names of the providers that run engines."""

_ENGINE_PREFIXES = ("TRTKernel", "TensorrtExecutionProvider")


@dataclass(frozen=True, slots=True)
class Cover:
    """Which nodes the events of each operator stand for, and every node's fate."""

    nodes: dict[str, tuple[int, ...]]
    fates: tuple[How, ...]


def is_engine(op: str) -> bool:
    """Whether an event's operator is an engine."""
    return op.startswith(_ENGINE_PREFIXES)


def cover(view: GraphView, ops: Collection[str]) -> Cover:
    """Share the nodes out over the operators that a profile names.

    Nodes whose operator runs outside the engines belong to it; all others that depend on the
    model's data to the engines, which share them where there are several.
    """
    static = number(view).static
    engines = sorted(op for op in ops if is_engine(op))
    nodes: dict[str, list[int]] = {op: [] for op in ops}
    fates: list[How] = []
    for node in view.nodes:
        if all(key in static for key in node.outputs if key):
            fates.append("folded")
        elif node.op in nodes:
            nodes[node.op].append(node.index)
            fates.append("inexact")
        elif engines:
            for engine in engines:
                nodes[engine].append(node.index)
            fates.append("fused" if len(engines) == 1 else "inexact")
        else:
            fates.append("eliminated")
    return Cover({op: tuple(found) for op, found in nodes.items()}, tuple(fates))


def kernels(view: GraphView, timings: Timings) -> tuple[tuple[Kernel, ...], tuple[How, ...]]:
    """The measured engines and operators with their nodes, and every node's fate."""
    ops = sorted({op for session in timings.sessions for op in session.other})
    covered = cover(view, ops)
    found = []
    for op in ops:
        seconds = [session.other.get(op, 0.0) for session in timings.sessions]
        found.append(
            Kernel(op, (op,), median(seconds), relative_spread(seconds), covered.nodes[op])
        )
    return tuple(found), covered.fates
