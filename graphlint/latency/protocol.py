"""How a prepared model is measured; the method and its reasons are in `docs/measuring.md`.

Fresh sessions, each with a plain and a profiled copy whose runs alternate. A kernel's time is the
lower quartile over a session's runs less the profiler's constant, then the median over the
sessions; a run's time from end to end is the median of the plain runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from graphlint.latency.floor import Floor
from graphlint.latency.prepared import Prepared
from graphlint.latency.profiles import MAX_EVENTS, Profile, read_profile
from graphlint.latency.quantiles import FEW, lower_quartile, lower_quartile_seconds
from graphlint.latency.session import LatencyError, Setup, bound_run, first_line, open_session

if TYPE_CHECKING:
    import numpy as np

    Feed = dict[str, np.ndarray[Any, Any]]

SESSIONS = 3
WARM_UP = 3
MAX_RUNS = 200
MIN_RUNS = 5
BUSY = 1.15
"""From this busy factor on, other programs are said to take the processor."""
_BODY_REPEATS = 50  # how often a body is taken to run, where its events are counted ahead

Stage = Callable[[str], None]
"""Told what begins next: a limit on time starts anew."""


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """One session: seconds by kernel, of what the runtime put in, and from end to end."""

    kernels: tuple[float, ...]
    other: dict[str, float]
    wall: float
    cpu: float
    runs: int
    constant: float
    is_full: bool


@dataclass(frozen=True, slots=True)
class Timings:
    """All sessions of one measurement."""

    sessions: tuple[SessionTimes, ...]
    notes: tuple[str, ...]

    def by_session(self, kernels: tuple[int, ...]) -> tuple[float, ...]:
        """Seconds of some kernels together, a figure a session."""
        return tuple(sum(session.kernels[k] for k in kernels) for session in self.sessions)

    @property
    def busy_factor(self) -> float:
        """Wall over CPU time of the plain runs."""
        cpu = median(session.cpu for session in self.sessions)
        return median(session.wall for session in self.sessions) / cpu if cpu > 0 else 1.0


def measure_plain(
    path: Path, feed: Feed, setup: Setup, budget: float, stage: Stage
) -> tuple[float, ...]:
    """Wall seconds of one run without the profiler: the median of each fresh session."""
    figures = []
    start = time.perf_counter()
    for count in range(SESSIONS):
        stage("run")
        session = open_session(path, setup)
        deadline = start + budget * (count + 1) / SESSIONS
        run = bound_run(session, feed, setup.provider)
        runs = [timed(run)[0] for _ in rounds(deadline, MAX_RUNS, stage)]
        figures.append(median(runs[WARM_UP:]))
    return tuple(figures)


def measure_kernels(
    prepared: Prepared,
    feed: Feed,
    setup: Setup,
    budget: float,
    folder: Path,
    stage: Stage,
    started: float,
) -> Timings:
    """Time a prepared model within `budget` seconds from `started` (`time.perf_counter`).

    Raises:
        LatencyError: a run fails.
    """
    at_once = replace(setup, optimization=prepared.optimization)
    floor = Floor(setup, folder)
    now = time.perf_counter()
    left = max(0.0, budget - (now - started))
    most = _most_runs(prepared)
    sessions = []
    for count in range(SESSIONS):
        deadline = now + left * (count + 1) / SESSIONS
        sessions.append(_one_session(prepared, feed, at_once, deadline, most, folder, stage, floor))
    took = time.perf_counter() - started
    timings = Timings(tuple(sessions), ())
    return Timings(timings.sessions, tuple(_notes(timings, setup, budget, took)))


def _one_session(
    prepared: Prepared,
    feed: Feed,
    setup: Setup,
    deadline: float,
    most: int,
    folder: Path,
    stage: Stage,
    floor: Floor,
) -> SessionTimes:
    stage("open")
    plain = open_session(prepared.path, setup)
    profiled = open_session(prepared.path, setup, profile=folder / "profile")
    stage("run")
    constant = floor.seconds()
    wall, cpu = [], []
    for _ in rounds(deadline, most, stage):
        seconds = timed(partial(plain.run, None, feed))
        wall.append(seconds[0])
        cpu.append(seconds[1])
        timed(partial(profiled.run, None, feed))
    stage("profile")
    file = Path(profiled.end_profiling())
    del plain, profiled
    profile = read_profile(file, prepared.kernels, skip=WARM_UP)
    file.unlink()
    return SessionTimes(
        tuple(_kernel_seconds(profile, k, constant) for k in range(prepared.kernels)),
        {
            op: max(0.0, lower_quartile(ticks) * 1e-6 - constant)
            for op, ticks in profile.other.items()
        },
        median(wall[WARM_UP:]),
        lower_quartile_seconds(cpu[WARM_UP:]),
        profile.runs,
        constant,
        profile.is_full,
    )


def rounds(deadline: float, most: int, stage: Stage) -> Iterator[int]:
    """Warm-up rounds, then counted ones until the deadline; at least `MIN_RUNS`, `most` at most.

    The first rounds are told as stages, and of the others one a second.
    """
    told = time.perf_counter()
    for count in range(WARM_UP + most):
        now = time.perf_counter()
        if count >= WARM_UP + MIN_RUNS and now > deadline:
            return
        if count <= WARM_UP + MIN_RUNS or now > told + 1:
            told = now
            stage("run")
        yield count


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of one run.

    Raises:
        LatencyError: the run fails.
    """
    try:
        cpu = time.thread_time()
        wall = time.perf_counter()
        run()
        return time.perf_counter() - wall, time.thread_time() - cpu
    except Exception as error:  # pybind's exceptions have no common base of their own
        raise LatencyError(
            "the runtime could not run the model",
            cause=first_line(error),
            hint="give other inputs with --input-data, or other shapes with --input-shape",
        ) from error


def _kernel_seconds(profile: Profile, kernel: int, constant: float) -> float:
    ticks = profile.kernels[kernel]
    if not ticks:  # it stands in a place that no run came to
        return 0.0
    events = 1 + profile.inner[kernel]  # those of a body's nodes lie within their owner's
    return max(0.0, lower_quartile(ticks) * 1e-6 - constant * events)


def _most_runs(prepared: Prepared) -> int:
    """How many runs the profile has room for."""
    events = prepared.kernels + _BODY_REPEATS * prepared.inner + 2
    return max(MIN_RUNS, min(MAX_RUNS, MAX_EVENTS // events - WARM_UP - 1))


def _notes(timings: Timings, setup: Setup, budget: float, took: float) -> Iterator[str]:
    runs = min(session.runs for session in timings.sessions)
    if took > budget and runs <= MIN_RUNS:
        yield (
            f"the time budget of {budget:g} s was exceeded: {SESSIONS} sessions of {MIN_RUNS} runs "
            f"took {took:.1f} s"
        )
    elif runs < FEW:
        yield f"few runs ({runs} a session): times are minima; a larger time budget steadies them"
    if any(session.is_full for session in timings.sessions):
        yield "the runtime's profile was full: the last runs are missing from it"
    if setup.threads == 1 and timings.busy_factor > BUSY:
        yield f"the machine is busy: a run takes {timings.busy_factor:.2f} times its CPU time"
