"""What the profiler itself costs: a constant for every kernel, measured and taken off.

Chains of small operators run with the profiler, whose events say how long a kernel takes, and
without it, where the difference between long and short chains says the same. What the events say
more is the profiler's. What the runtime spends between kernels is in the plain figure alone, so
that a model's kernels carry the runtime's cost of going from one to the next, as they do from end
to end.

Events are cut to whole microseconds, and one small operator takes nearly the same time in every
run: its events would all say 3, whether it takes 3.0 or 3.9. So the chains differ in size, in steps
finer than a microsecond, and the cut averages out over them.

On a device whose kernels run on after their launch, every launch waits (`measure` sees to it), and
the floor is all that the events of small operators say: launching and waiting.

Scaling all times by a factor instead would take too little off small kernels and too much off large
ones.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from statistics import fmean, quantiles
from typing import TYPE_CHECKING, Any

from graphlint.latency.prepared import name_of
from graphlint.latency.profiles import read_profile
from graphlint.latency.quantiles import lower_quartile
from graphlint.latency.session import DEVICE_PROVIDERS, Setup, open_session

if TYPE_CHECKING:
    import numpy as np

_SIZES = tuple(16 + 1024 * step for step in range(12))
_LONG, _SHORT = 8, 2
_RUNS, _WARM_UP = 30, 5


class Floor:
    """Models of small operators; `seconds` makes sessions of them anew whenever it is asked."""

    def __init__(self, setup: Setup, folder: Path) -> None:
        self._setup = replace(setup, optimization="disable")
        self._profile = folder / "floor-profile"
        self._long, self._short = (_write(length, folder) for length in (_LONG, _SHORT))

    def seconds(self) -> float:
        """Seconds that the profiler adds to a kernel, on this machine, now."""
        import numpy as np

        feed = {f"x{size}_0": np.ones((1, 1, 1, size), np.float32) for size in _SIZES}
        long = open_session(self._long, self._setup)
        short = open_session(self._short, self._setup)
        profiled = open_session(self._long, self._setup, profile=self._profile)
        long_seconds, short_seconds = [], []
        for _ in range(_WARM_UP + _RUNS):
            long_seconds.append(_run(long, feed))
            short_seconds.append(_run(short, feed))
            profiled.run(None, feed)
        file = Path(profiled.end_profiling())
        profile = read_profile(file, _LONG * len(_SIZES), skip=_WARM_UP)
        file.unlink()
        events = fmean(lower_quartile(row) for row in profile.kernels if row) * 1e-6
        kernels = (_LONG - _SHORT) * len(_SIZES)
        plain = (_quick(long_seconds) - _quick(short_seconds)) / kernels
        if self._setup.provider in DEVICE_PROVIDERS:
            return events  # launching a kernel and waiting for it: no time of the kernel's own
        return max(0.0, events - max(0.0, plain))


def _run(session: Any, feed: dict[str, np.ndarray[Any, Any]]) -> float:
    start = time.perf_counter()
    session.run(None, feed)
    return time.perf_counter() - start


def _quick(seconds: list[float]) -> float:
    return quantiles(seconds[_WARM_UP:], n=4)[0]


def _write(length: int, folder: Path) -> Path:
    """Save a chain of `length` products for every size, under names that profiles are read by."""
    from onnx import TensorProto, helper, save

    def value(size: int, step: int) -> Any:
        return helper.make_tensor_value_info(f"x{size}_{step}", TensorProto.FLOAT, [1, 1, 1, size])

    nodes: list[Any] = []
    for size in _SIZES:
        for step in range(length):
            nodes.append(
                helper.make_node(
                    "Mul",
                    [f"x{size}_{step}"] * 2,
                    [f"x{size}_{step + 1}"],
                    name=name_of(len(nodes)),
                )
            )
    graph = helper.make_graph(
        nodes,
        "chains",
        [value(size, 0) for size in _SIZES],
        [value(size, length) for size in _SIZES],
    )
    opset = helper.make_opsetid("", 17)
    path = folder / f"chains-{length}.onnx"
    save(helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))
    return path
