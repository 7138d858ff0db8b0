"""Models measured in turn, as the child runs it: load, make inputs, race, compare.

Three to nine fresh sessions of every model, as many as can be opened in a third of the time. In
each, after warm-up, rounds: every model has its turn, another one first in each round, and a turn
of a quick model is many runs. A round gives a ratio of the first model's time to each other's, both
taken within milliseconds; the ratio that is told is the median over all rounds of all sessions.

Its 95 % interval is that of a median by order statistics: with n readings, the k-th smallest and
the k-th largest, where k is the largest for which at most 2.5 % of n tosses of a fair coin give
less than k heads (the smallest and the largest where there is none). No random numbers are drawn.
The rounds of a session share their placement in memory, which alone can make a per cent. So the
interval is taken twice, over all rounds and over the sessions' medians, and the hull is told. Under
six sessions the latter is the range of the medians, and a tiny difference may be told that is none.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from graphlint.errors import GraphlintError
from graphlint.latency.measuring import refusal, view_and_feed
from graphlint.latency.protocol import (
    BUSY,
    MIN_RUNS,
    SESSIONS,
    WARM_UP,
    rounds,
    timed,
)
from graphlint.latency.quantiles import FEW, relative_spread
from graphlint.latency.request import CompareRequest, MeasureRequest
from graphlint.latency.session import Setup, bound_run, open_session, resolve_provider
from graphlint.model import load
from graphlint.times import Clock, ComparedTimes, Comparison, NotMeasured, Ratio

if TYPE_CHECKING:
    import numpy as np

    Feed = Mapping[str, np.ndarray[Any, Any]]

MOST_SESSIONS = 9
MOST_ROUNDS = 60
"""In a session, the warm-up left out."""

Kept = TypeVar("Kept")

TURN_SECONDS = 0.002
"""A turn of a quick model has as many runs as take this long."""

_TAILS = 40  # of 2.5 %: one at either end leaves 95 %
_MOST_REPEATS = 1000


class StageOf(Protocol):
    """Told what begins next, and of which model."""

    def __call__(self, stage: str, subject: int | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Turn:
    """Seconds of one run, the mean over a turn's runs."""

    wall: float
    cpu: float


Turns = list[list[Turn]]
"""A list of turns for each session; the n-th turns of all models make a round."""


@dataclass(frozen=True, slots=True)
class Runner:
    """A model that can be run: its file and what it is fed."""

    file: Path
    feed: Feed


def run(request: CompareRequest, stage: StageOf) -> Comparison:
    """Measure the models that are not lost; what is refused is a value in its model's place."""
    started = time.perf_counter()
    first = request.models[0]
    setup = Setup(first.provider, first.threads, first.optimization)
    race = _Race(setup, stage, dict(request.lost))
    race.enter(request.models)
    left = request.time_budget - (time.perf_counter() - started)
    race.run(max(0.0, left))
    took = time.perf_counter() - started
    return race.result(len(request.models), request.time_budget, took)


class _Race:
    """The models that still run, their turns, and what became of the others."""

    def __init__(self, setup: Setup, stage: StageOf, lost: dict[int, NotMeasured]) -> None:
        self._setup = setup
        self._stage = stage
        self._lost = lost
        self._runners: dict[int, Runner] = {}
        self._turns: dict[int, Turns] = {}

    def enter(self, models: Sequence[MeasureRequest]) -> None:
        """Read the models and make their inputs."""
        for place, model in enumerate(models):
            if place not in self._lost:
                runner = self._kept(place, partial(self._read, place, model))
                if runner is not None:
                    self._runners[place] = runner
                    self._turns[place] = []

    def _read(self, place: int, request: MeasureRequest) -> Runner:
        resolve_provider(self._setup.provider)
        self._stage("read", place)
        model = load(request.path, file=request.file)
        _, feed = view_and_feed(request, model)
        return Runner(model.file, feed)

    def run(self, budget: float) -> None:
        """All sessions, within `budget` seconds."""
        ends = time.perf_counter() + budget
        count, most = 0, MOST_SESSIONS
        while count < most and self._runners:
            left = ends - time.perf_counter()
            opening = self._session(count, left / (most - count))
            if count == 0:
                most = _sessions(budget, opening)
            count += 1

    def _session(self, number: int, budget: float) -> float:
        """One session of every model, within `budget` seconds; how many went into opening them."""
        began = time.perf_counter()
        turns = self._opened(number)
        opening = time.perf_counter() - began
        self._rounds(turns, began + budget)
        return opening

    def _opened(self, number: int) -> dict[int, Callable[[], Turn]]:
        """A fresh session of every model; what makes its turns, by place."""
        turns = {}
        for place in _rotated(list(self._runners), number):
            opened = self._kept(place, partial(self._open, place))
            if opened is not None:
                turns[place] = opened
        return turns

    def _open(self, place: int) -> Callable[[], Turn]:
        self._stage("open", place)
        runner = self._runners[place]
        session = open_session(runner.file, self._setup)
        once = bound_run(session, runner.feed, self._setup.provider)
        quickest = math.inf
        for _ in range(WARM_UP):
            self._stage("run", place)
            quickest = min(quickest, timed(once)[0])
            if quickest > TURN_SECONDS:
                break
        repeats = min(_MOST_REPEATS, max(1, math.ceil(TURN_SECONDS / quickest)))
        return partial(_turn, once, repeats)

    def _rounds(self, turns: Mapping[int, Callable[[], Turn]], deadline: float) -> None:
        for place in turns:
            self._turns[place].append([])
        for count in rounds(deadline, MOST_ROUNDS, _unheard):
            for place in _rotated([place for place in turns if place in self._runners], count):
                self._stage("run", place)
                turn = self._kept(place, turns[place])
                if turn is not None and count >= WARM_UP:
                    self._turns[place][-1].append(turn)

    def _kept(self, place: int, deed: Callable[[], Kept]) -> Kept | None:
        """What a deed gives; a model that can't do it is out of the race."""
        try:
            return deed()
        except (GraphlintError, MemoryError) as error:
            self._lost[place] = refusal(error)
            self._runners.pop(place, None)
            self._turns.pop(place, None)
            return None

    def result(self, models: int, budget: float, took: float) -> Comparison:
        """The comparison of all models, those that are lost included."""
        busy = _busy_factor(self._setup, self._turns.values())
        clock: Clock = "cpu" if busy > BUSY else "wall"
        times = {place: _seconds(turns, clock) for place, turns in self._turns.items()}
        count = sum(map(len, next(iter(times.values()), ())))
        return Comparison(
            models=tuple(
                self._lost[place] if place not in times else compared(times[place], times.get(0))
                for place in range(models)
            ),
            rounds=count,
            clock=clock,
            busy_factor=busy,
            provider=self._setup.provider,
            threads=self._setup.threads,
            optimization=self._setup.optimization,
            notes=tuple(_notes(count, busy, budget, took)) if times else (),
        )


def _unheard(stage: str) -> None:
    """A race tells every turn itself, and of which model it is."""


def _sessions(budget: float, opening: float) -> int:
    """How many sessions to make, each opened in so many seconds."""
    return max(SESSIONS, min(MOST_SESSIONS, int(budget / 3 / opening)))


def _rotated(places: list[int], by: int) -> list[int]:
    """The places in order, beginning with another one every time."""
    start = by % len(places) if places else 0
    return places[start:] + places[:start]


def _turn(once: Callable[[], object], repeats: int) -> Turn:
    def run() -> None:
        for _ in range(repeats):
            once()

    wall, cpu = timed(run)
    return Turn(wall / repeats, cpu / repeats)


def _busy_factor(setup: Setup, all_turns: Iterable[Turns]) -> float:
    """Wall over CPU time; 1 where what runs is not the calling thread alone."""
    turns = [turn for sessions in all_turns for turn in chain(*sessions)]
    cpu = sum(turn.cpu for turn in turns)
    if setup.provider != "cpu" or setup.threads != 1 or cpu <= 0:
        return 1.0
    return sum(turn.wall for turn in turns) / cpu


def _seconds(turns: Turns, clock: Clock) -> list[list[float]]:
    """A run's seconds by a clock, of each turn of each session."""
    return [[turn.cpu if clock == "cpu" else turn.wall for turn in session] for session in turns]


def compared(this: list[list[float]], first: list[list[float]] | None) -> ComparedTimes:
    """The figures of a model from its seconds and the first model's, session by session."""
    by_session = [median(session) for session in this]
    return ComparedTimes(
        seconds=median(by_session),
        spread=relative_spread(by_session),
        speed_up=None if first is None else speed_up(first, this),
    )


def speed_up(first: list[list[float]], this: list[list[float]]) -> Ratio:
    """How many times as fast as the first a model is; see the module for the interval."""
    by_session = [
        [theirs / ours for theirs, ours in zip(*pair, strict=True)]
        for pair in zip(first, this, strict=True)
    ]
    pooled = sorted(chain(*by_session))
    lows, highs = zip(*map(_interval, (pooled, sorted(map(median, by_session)))), strict=True)
    return Ratio(median(pooled), min(lows), max(highs))


def _interval(readings: Sequence[float]) -> tuple[float, float]:
    """The interval of the median of sorted readings."""
    depth = interval_depth(len(readings))
    return readings[depth], readings[-1 - depth]


def interval_depth(readings: int) -> int:
    """How many of the smallest and of the largest readings lie outside the median's interval.

    0 where there are too few for 95 %.
    """
    depth, ways, below = 0, 1, 1
    while True:
        ways = ways * (readings - depth) // (depth + 1)  # readings over depth + 1
        below += ways
        if below * _TAILS > 2**readings:
            return depth
        depth += 1


def _notes(count: int, busy: float, budget: float, took: float) -> Iterator[str]:
    if took > budget and count <= SESSIONS * MIN_RUNS:
        yield (
            f"the time budget was exceeded: {SESSIONS} sessions of {MIN_RUNS} rounds took "
            f"{took:.1f} s"
        )
    elif count < SESSIONS * FEW:
        yield f"few rounds ({count}): a larger time budget narrows the intervals"
    if busy > BUSY:
        yield f"the machine is busy (a run takes {busy:.2f} times its CPU time): times are CPU time"
