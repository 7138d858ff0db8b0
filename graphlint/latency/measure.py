"""Measuring a model in a process of its own (`children`), and its nodes on a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import median

from graphlint.latency.children import (
    DEFAULT_LIMITS,
    HINT,
    NO_RUNTIME,
    Child,
    Limits,
    scratch_folder,
)
from graphlint.latency.request import MeasureRequest, PlainTimes
from graphlint.latency.session import DEVICE_PROVIDERS, is_installed
from graphlint.times import Kernel, ModelTimes, NodeTime, NotMeasured


def measure(request: MeasureRequest, limits: Limits = DEFAULT_LIMITS) -> ModelTimes | NotMeasured:
    """The times of a model, or why there are none; never raises for what a model does."""
    if not is_installed():
        return NO_RUNTIME
    with scratch_folder() as folder:
        placed = replace(request, folder=folder)
        if request.provider not in DEVICE_PROVIDERS:
            return _times(_ask(placed, limits, {}))
        # Half of the time for runs that nothing slows down: the profiled ones wait at every launch.
        placed = replace(placed, time_budget=placed.time_budget / 2)
        truth = _ask(replace(placed, plain_only=True), limits, {})
        if not isinstance(truth, PlainTimes):
            return _times(truth)
        times = _times(_ask(placed, limits, {"CUDA_LAUNCH_BLOCKING": "1"}))
        return times if isinstance(times, NotMeasured) else scaled(times, truth)


def scaled(times: ModelTimes, truth: PlainTimes) -> ModelTimes:
    """Times taken while every launch waited, brought to what a run takes when none does."""
    wall = median(truth.wall_by_session)
    total = times.kernel_seconds
    factor = wall / total if total > 0 else 1.0
    return replace(
        times,
        nodes=tuple(node and _scaled_node(node, factor) for node in times.nodes),
        kernels=tuple(_scaled_kernel(kernel, factor) for kernel in times.kernels),
        wall_seconds=wall,
        wall_by_session=truth.wall_by_session,
        notes=(
            *times.notes,
            "times of kernels were taken one by one and scaled to runs without the profiler "
            f"(by {factor:.2f})",
        ),
    )


def _scaled_node(node: NodeTime, factor: float) -> NodeTime:
    return replace(node, seconds=node.seconds * factor)


def _scaled_kernel(kernel: Kernel, factor: float) -> Kernel:
    return replace(kernel, seconds=kernel.seconds * factor)


def _times(answer: object) -> ModelTimes | NotMeasured:
    if isinstance(answer, (ModelTimes, NotMeasured)):
        return answer
    return NotMeasured("the measuring process gave no times", HINT)


def _ask(request: MeasureRequest, limits: Limits, environment: Mapping[str, str]) -> object:
    with Child(limits, environment) as child:
        return child.ask(request)
