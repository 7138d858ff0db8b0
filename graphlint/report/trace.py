"""Chrome trace events, for Perfetto: one run, laid out in the order of execution.

Each model is a process with two tracks, `nodes` and `kernels`. A kernel lasts as long as it was
measured; the nodes that it runs lie above it, each for its share, and an arrow leads from each to
its kernel. Places are made from durations alone: when a kernel really ran was not measured. Times
are microseconds with three decimals: whole nanoseconds, so that neighbours meet exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphlint.report.text import safe
from graphlint.results import ModelReport, NodeReport, Report
from graphlint.times import Kernel, ModelTimes, NodeTime

_NODES, _KERNELS = 1, 2
Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Span:
    """From one nanosecond to another, on a track of a model's."""

    process: int
    track: int
    start: int
    end: int

    @property
    def places(self) -> dict[str, Any]:
        """The span as fields of a complete event."""
        return {
            "pid": self.process,
            "tid": self.track,
            "ts": self.start / 1000,
            "dur": (self.end - self.start) / 1000,
        }

    @property
    def middle(self) -> dict[str, Any]:
        """Its middle as fields of an event: safely inside, where neighbours meet at the ends."""
        return {
            "pid": self.process,
            "tid": self.track,
            "ts": (self.start + self.end) // 2 / 1000,
        }


def render(report: Report) -> str:
    """The report's measured models as one JSON trace; models without times have no events."""
    value = {
        "traceEvents": [
            event
            for process, model in enumerate(report.models, 1)
            if model.times is not None
            for event in _model(model, model.times, process)
        ],
        "displayTimeUnit": "ns",
        "otherData": {
            "version": f"graphlint {report.version}",
            "models": [_facts(model) for model in report.models],
        },
    }
    return json.dumps(value, ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def _facts(model: ModelReport) -> Mapping[str, Any]:
    facts: dict[str, Any] = {"path": safe(model.path, 400)}
    if model.times is None:
        reason = model.not_measured.reason if model.not_measured is not None else ""
        return facts | {"not_measured": safe(reason, 400) or "latency was not measured"}
    times = model.times
    return facts | {
        "provider": times.provider,
        "threads": times.threads,
        "optimization": times.optimization,
        "wall_seconds": times.wall_seconds,
        "cpu_seconds": times.cpu_seconds,
        "kernel_seconds": times.kernel_seconds,
        "nodes_without_time": sum(
            node.time is None or node.time.seconds <= 0 for node in model.nodes
        ),
    }


def _model(model: ModelReport, times: ModelTimes, process: int) -> Iterator[Event]:
    yield _name("process_name", safe(model.path, 400), process)
    yield _name("thread_name", "nodes", process, _NODES)
    yield _name("thread_name", "kernels", process, _KERNELS)
    for track in (_NODES, _KERNELS):
        yield {
            "name": "thread_sort_index",
            "ph": "M",
            "pid": process,
            "tid": track,
            "args": {"sort_index": track},
        }
    weights = _weights(times)
    by_index = {node.index: node for node in model.nodes}
    elapsed, number = 0.0, 0
    for kernel in _in_order(times):
        span = _Span(process, _KERNELS, _nano(elapsed), _nano(elapsed + kernel.seconds))
        yield _kernel(kernel, span, by_index)
        begin = elapsed
        for place in dict.fromkeys(kernel.nodes):
            part = weights[place, kernel.name]
            end = begin + part
            node = by_index.get(place)
            if part > 0 and node is not None and node.time is not None:
                ends = (min(_nano(at), span.end) for at in (begin, end))
                inner = _Span(process, _NODES, *ends)
                yield _node(node, node.time, inner, kernel)
                yield from _arrow(inner, span, f"{process}.{number}")
                number += 1
            begin = end
        elapsed += kernel.seconds


def _nano(seconds: float) -> int:
    return round(seconds * 1e9)


def _in_order(times: ModelTimes) -> list[Kernel]:
    """The kernels by the first of their nodes; those of no node come last."""
    return sorted(times.kernels, key=lambda k: min(k.nodes, default=len(times.nodes)))


def _weights(times: ModelTimes) -> Mapping[tuple[int, str], float]:
    """The seconds of each node in each kernel; they sum to the kernel's.

    A node knows only the sum of its shares: one that several kernels run is divided among them, and
    what is then missing or too much in a kernel is taken from all of its nodes alike.
    """
    running: dict[int, list[Kernel]] = {}
    for kernel in times.kernels:
        for place in kernel.nodes:
            running.setdefault(place, []).append(kernel)
    weights: dict[tuple[int, str], float] = {}
    for kernel in times.kernels:
        rough = {
            place: _share(times, place, kernel, running[place])
            for place in dict.fromkeys(kernel.nodes)
        }
        whole = sum(rough.values())
        for place, part in rough.items():
            even = kernel.seconds / len(rough)
            weights[place, kernel.name] = kernel.seconds * part / whole if whole > 0 else even
    return weights


def _share(times: ModelTimes, place: int, kernel: Kernel, running: list[Kernel]) -> float:
    time = times.nodes[place]
    total = sum(other.seconds for other in running)
    if time is None or total <= 0:
        return 0.0
    return time.seconds * kernel.seconds / total


def _name(kind: str, name: str, process: int, track: int = 0) -> Event:
    return {"name": kind, "ph": "M", "pid": process, "tid": track, "args": {"name": name}}


def _kernel(kernel: Kernel, span: _Span, nodes: Mapping[int, NodeReport]) -> Event:
    return {
        "name": safe(kernel.name),
        "cat": "kernel",
        "ph": "X",
        **span.places,
        "args": {
            "operators": ", ".join(safe(op) for op in kernel.ops),
            "nodes": ", ".join(safe(nodes[place].path) for place in kernel.nodes if place in nodes),
            "spread": round(kernel.spread, 6),
        },
    }


def _node(node: NodeReport, time: NodeTime, span: _Span, kernel: Kernel) -> Event:
    args: dict[str, Any] = {
        "operator": safe(node.operator),
        "category": str(node.cost.category),
        "how": time.how,
        "kernel": safe(kernel.name),
        "spread": round(time.spread, 6),
    }
    if node.cost.unknown is not None:
        args["unknown"] = safe(node.cost.unknown, 400)
    else:
        args["multiply_adds"] = node.cost.multiply_adds
        args["memory_access_bytes"] = node.cost.memory_access_bytes
        args["parameters"] = node.cost.parameters
    if node.region:
        args["region"] = safe(node.region)
    return {
        "name": safe(node.path),
        "cat": str(node.cost.category),
        "ph": "X",
        **span.places,
        "args": args,
    }


def _arrow(node: _Span, kernel: _Span, identity: str) -> Iterator[Event]:
    """From a node to its kernel; both ends at the node's middle, where both spans are."""
    flow = {"name": "runs in", "cat": "flow", "id": identity}
    yield {**flow, "ph": "s", **node.middle}
    yield {**flow, "ph": "f", "bp": "e", **node.middle, "tid": kernel.track}
