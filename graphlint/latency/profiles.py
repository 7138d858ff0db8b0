"""ONNX Runtime's profile: microseconds of every kernel in every run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphlint.latency.prepared import parse_name

MAX_EVENTS = 1_000_000
"""ONNX Runtime stops recording here, in silence."""

_KERNEL_TIME = "_kernel_time"


@dataclass(frozen=True, slots=True)
class Profile:
    """`kernels` has a row a kernel: microseconds by run.

    `inner` is how many events of its bodies a run held, on average. `other` are events of nodes
    that the model did not have, by operator: the runtime put them in when it loaded the model.
    `is_full`: events were lost.
    """

    kernels: tuple[tuple[int, ...], ...]
    inner: tuple[float, ...]
    other: Mapping[str, tuple[int, ...]]
    runs: int
    is_full: bool


def read_profile(path: Path, kernels: int, skip: int) -> Profile:
    """Read a profile, leaving out the first `skip` runs."""
    reader = _Reader(kernels, skip)
    events: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    for event in events:
        reader.add(event)
    counted = max(0, reader.runs - skip)
    return Profile(
        tuple(map(tuple, reader.times)),
        tuple(count / counted if counted else 0.0 for count in reader.bodies),
        {op: tuple(found) for op, found in reader.other.items()},
        counted,
        len(events) >= MAX_EVENTS,
    )


class _Reader:
    """Sums up the events of one run until the run's own event, which is written at its end."""

    def __init__(self, kernels: int, skip: int) -> None:
        self.skip = skip
        self.runs = 0
        self.times: list[list[int]] = [[] for _ in range(kernels)]
        self.bodies = [0] * kernels
        self.other: dict[str, list[int]] = {}
        self._current: dict[int, int] = {}
        self._strangers: dict[str, int] = {}

    def add(self, event: dict[str, Any]) -> None:
        name = event.get("name", "")
        if event.get("cat") == "Node" and name.endswith(_KERNEL_TIME):
            self._add_kernel(name.removesuffix(_KERNEL_TIME), event)
        elif name == "model_run":
            self._end_run()

    def _add_kernel(self, name: str, event: dict[str, Any]) -> None:
        place = parse_name(name)
        duration = int(event["dur"])
        if place is None:
            op = str(event.get("args", {}).get("op_name", "?"))
            self._strangers[op] = self._strangers.get(op, 0) + duration
            return
        position, is_body = place
        if is_body:
            self.bodies[position] += self.runs >= self.skip
            return
        self._current[position] = self._current.get(position, 0) + duration

    def _end_run(self) -> None:
        if self.runs >= self.skip:
            for position, duration in self._current.items():
                self.times[position].append(duration)
            for op, duration in self._strangers.items():
                self.other.setdefault(op, []).append(duration)
        self.runs += 1
        self._current, self._strangers = {}, {}
