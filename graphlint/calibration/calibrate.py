"""A calibration from end to end: the experiments, the ceilings, the profile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint.calibration.device import device, is_loaded
from graphlint.calibration.experiment import Experiment, Measured
from graphlint.calibration.partial import Partial
from graphlint.calibration.run import Outcome, outcomes, times_of
from graphlint.calibration.tables import Size, Table, cells, chosen, experiments
from graphlint.devices.profile import Device, DeviceProfile
from graphlint.errors import UsageError
from graphlint.latency.ceilings import measure_ceilings
from graphlint.latency.protocol import BUSY
from graphlint.latency.session import is_installed
from graphlint.times import Ceilings, NotMeasured
from graphlint.timing import LatencyOptions

if TYPE_CHECKING:
    from graphlint.calibration.layers import Fitted

SECONDS: Mapping[Size, float] = {"quick": 110.0, "standard": 360.0, "full": 900.0}
"""What each size takes, all in all."""

STEADY = 0.10
"""From this spread on, a cell is measured again where that is asked for, and is told of."""

_CEILING_SECONDS = 1.0
_CEILING_SHARE = 0.02  # of the time, for each of the two
_ENDING_SECONDS = 3.0  # the ceilings' sessions, and the last child's start

Show = Callable[[int, int, float], None]
"""Told how many experiments are done, of how many, and how many seconds are left."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: the tables' networks and the single layers', and what is made of these."""

    size: str
    tables: tuple[Table, ...]
    experiments: tuple[Experiment, ...]
    fitted: Callable[[Mapping[tuple[str, str], Measured]], Fitted]


def plan(size: Size, provider: str) -> Plan:
    """The paper's tables, and layers, at a size."""
    from graphlint.calibration import layers

    tables = chosen(size, provider)
    return Plan(size, tables, experiments(tables) + layers.experiments(size), layers.fitted)


def calibrate(
    what: Plan,
    options: LatencyOptions,
    version: str,
    *,
    retries: int = 0,
    target: Path | None = None,
    show: Show = lambda done, of, left: None,
) -> DeviceProfile:
    """Measure a device within `options.time_budget` seconds.

    Experiments of which a network's spread is 10 % or more are measured again up to `retries`
    times, each in the time that it had before; the steadier of the two counts. What is measured is
    kept beside `target` as it comes, and where it lies there already it is not measured again.

    Raises:
        UsageError: there is no runtime, no such provider, or it falls back; nothing could run.
    """
    if not is_installed():
        raise UsageError(
            "no runtime is installed",
            cause="a calibration measures",
            hint="install the extra `gpu` (or `cpu`) of onnx-graphlint",
        )
    loaded = is_loaded(options.threads)
    here = device(options)
    ends = time.monotonic() + options.time_budget
    partial = None if target is None else Partial(target, _settings(what, options, here, version))
    found = {} if partial is None else partial.found()
    if partial is not None:
        partial.begin(found)
    resumed = len(found)
    best = _ceilings(options)
    for outcome in _measured(what.experiments, found, options, ends, retries, show):
        found[outcome.experiment] = outcome
        if partial is not None:
            partial.add(outcome)
    ordered = [found[each.key] for each in what.experiments]
    notes = (*_notes(ordered, loaded), *_resumed(resumed))
    return _profile(what, here, version, best, ordered, notes)


def _settings(
    what: Plan, options: LatencyOptions, here: Device, version: str
) -> Mapping[str, object]:
    """What an interrupted calibration must have in common with this one."""
    return {
        "graphlint": version,
        "device": [here.name, here.provider, here.threads, here.optimization, here.runtime],
        "size": what.size,
        "seconds": options.time_budget,
        "experiments": [each.key for each in what.experiments],
    }


def _ceilings(options: LatencyOptions) -> Ceilings:
    seconds = min(_CEILING_SECONDS, options.time_budget * _CEILING_SHARE)
    best = measure_ceilings(options.provider, options.threads, seconds)
    if isinstance(best, NotMeasured):
        raise UsageError("the device can't be measured as asked", cause=best.reason, hint=best.hint)
    return best


def _measured(
    all_of: Sequence[Experiment],
    found: Mapping[str, Outcome],
    options: LatencyOptions,
    ends: float,
    retries: int,
    show: Show,
) -> Iterator[Outcome]:
    """What is not there yet, then what is to be measured again and came out steadier."""
    open_ones = [each for each in all_of if each.key not in found]
    networks = _networks(all_of)
    left = max(0.0, ends - time.monotonic() - _ENDING_SECONDS)
    budget = left * _networks(open_ones) / networks
    best = dict(found)
    for outcome in _shown(open_ones, options, budget, show):
        best[outcome.experiment] = outcome
        yield outcome
    for _ in range(retries):
        shaky = [each for each in all_of if best[each.key].spread >= STEADY]
        share = options.time_budget * _networks(shaky) / networks
        for outcome in _shown(shaky, options, share, show):
            if outcome.spread < best[outcome.experiment].spread and not outcome.lost:
                best[outcome.experiment] = outcome
                yield outcome


def _networks(some: Sequence[Experiment]) -> int:
    return sum(len(each.networks) for each in some)


def _shown(
    some: Sequence[Experiment], options: LatencyOptions, budget: float, show: Show
) -> Iterator[Outcome]:
    began = time.monotonic()
    show(0, len(some), budget)
    for done, outcome in enumerate(outcomes(some, options, budget), start=1):
        yield outcome
        took = time.monotonic() - began
        by_rate = took / done * (len(some) - done)
        show(done, len(some), budget - took if took < budget else by_rate)


def _notes(found: Sequence[Outcome], loaded: bool) -> Iterator[str]:
    if loaded:
        yield "the machine had other work when the calibration began"
    busy = sum(outcome.busy_factor > BUSY for outcome in found)
    if busy:
        yield (
            f"the machine was busy in {busy} of {len(found)} experiments: their times are CPU time"
        )
    measured = [each for outcome in found for each in outcome.measured.values()]
    shaky = sum(each.spread >= STEADY for each in measured)
    if shaky:
        yield (
            f"{shaky} of {len(measured)} networks differ by {STEADY:.0%} or more between sessions"
        )
    lost = [reason for outcome in found for reason in outcome.lost.values()]
    if lost:
        yield f"{len(lost)} of {len(measured) + len(lost)} networks were not measured: {lost[0]}"


def _resumed(count: int) -> Iterator[str]:
    if count:
        what = "1 experiment is" if count == 1 else f"{count} experiments are"
        yield f"{what} from an earlier calibration that was interrupted"


def _profile(
    what: Plan,
    here: Device,
    version: str,
    best: Ceilings,
    found: Sequence[Outcome],
    notes: tuple[str, ...],
) -> DeviceProfile:
    times = times_of(found)
    if not times:
        reason = next((r for outcome in found for r in outcome.lost.values()), "")
        raise UsageError("the device can't be measured", cause=reason)
    try:
        fitted = what.fitted(times)
    except ValueError as error:
        raise UsageError("the device can't be measured", cause=str(error)) from error
    return DeviceProfile(
        device=here,
        made_on=datetime.now(UTC).date().isoformat(),
        graphlint=version,
        ceilings=best,
        launch_seconds=fitted.launch_seconds,
        run_seconds=fitted.run_seconds,
        channel_block=fitted.channel_block,
        cells=cells(what.tables, times),
        layers=fitted.layers,
        busy_factor=max(1.0, *(outcome.busy_factor for outcome in found)),
        notes=notes,
    )
