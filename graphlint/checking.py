"""From paths to a `Report`: finds the models, settles their settings, checks each in a child."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache, partial
from itertools import repeat
from pathlib import Path
from typing import Any

from graphlint import __version__, config, isolation
from graphlint.baseline import Baselines
from graphlint.config import Settings
from graphlint.devices.chosen import Chosen, chosen
from graphlint.errors import ModelError
from graphlint.model import STANDARD_INPUT, find
from graphlint.problem import Problem
from graphlint.request import Request
from graphlint.results import ModelReport, Report
from graphlint.run_notes import run_notes
from graphlint.timing import LatencyOptions, Subject

STDIN_NAME = "<stdin>"
_MODELS_PER_JOB = 32  # a child takes about as long to start as to check this many small models


@dataclass(frozen=True, slots=True)
class Options:
    """What a call of check or profile asks for.

    `overrides` are settings that win over configuration files; `config_file` is used for every
    model instead of the nearest one; `isolated` ignores all configuration files. `jobs` is the
    number of child processes, 0 for as many as pay; one where latency is measured, which others
    would disturb. `latency` says how to measure, None not to. Without `keep_nodes` a model's nodes
    are let go when `each` has been given them.
    `batches` are sizes of the batch, at each of which every model is reported. `in_turn` compares
    all models, and measures them in turn besides; `want_ceilings` measures those of the device.
    `use_baseline` leaves out what the baseline of the settings holds, `update_baseline` writes it.
    """

    overrides: Mapping[str, Any] = field(default_factory=dict)
    config_file: Path | None = None
    isolated: bool = False
    jobs: int = 0
    latency: LatencyOptions | None = None
    want_findings: bool = True
    want_nodes: bool = False
    keep_nodes: bool = True
    want_regions: bool = False
    batches: tuple[int, ...] = ()
    in_turn: bool = False
    want_ceilings: bool = False
    use_baseline: bool = False
    update_baseline: bool = False


def settings_for(folder: Path, options: Options) -> Settings:
    """The settings that hold for models in `folder`.

    Raises:
        ConfigError: a configuration file can't be used.
    """
    if options.isolated:
        settings = Settings()
    elif options.config_file is not None:
        settings = config.from_file(options.config_file)
    else:
        settings = config.for_folder(folder.resolve())
    return settings.override("command line", **options.overrides)


def check_paths(
    paths: Sequence[str],
    options: Options = Options(),
    progress: Callable[[int, int], None] = lambda done, total: None,
    each: Callable[[ModelReport], None] = lambda model: None,
) -> Report:
    """Check the models at `paths`: files, folders, `-` for standard input.

    A path may end with `::NODE`, as reports print it: then only that node's findings are reported.
    `progress` is told how many models are done, and of how many; from other threads. `each` is
    given every model's report in order, as soon as nothing is to be added to it.

    Raises:
        UsageError: the settings make no sense.
        PluginError: a rule pack can't be loaded.
    """
    errors: list[Problem] = []
    folders = [path for path in paths if os.path.isdir(path)]
    device = cache(partial(chosen, asked=options.latency))
    with _standard_input(paths) as stdin_file:
        requests = list(_requests(paths, options, stdin_file, device, errors))
        done = 0

        def count(_: ModelReport) -> None:
            nonlocal done
            done += 1
            progress(done, len(requests))

        jobs = options.jobs or min(os.cpu_count() or 1, 1 + len(requests) // _MODELS_PER_JOB)
        if options.latency is not None and not options.in_turn:
            jobs = 1  # each model is measured as soon as it is read, and its nodes let go
        baselines = Baselines(
            requests if options.use_baseline else (), folders, update=options.update_baseline
        )
        models: Iterable[ModelReport] = map(
            baselines.judged,
            requests,
            isolation.check_all(requests, min(jobs, len(requests) or 1), count),
        )
        if options.in_turn:
            models = tuple(models)
        report = Report(__version__, errors=tuple(errors))
        if options.latency is None or (options.in_turn and _is_one_missing(models, errors)):
            report = replace(report, models=tuple(_told(models, options, each)))
        else:
            report = _measured(report, models, requests, options, options.latency, each)
    summary, stale = baselines.finished()
    used = (device(request.settings.device_profile) for request in requests)
    told = dict.fromkeys(note for priced in used for note in priced.notes)
    notes = (*run_notes(requests, report.models, folders), *stale, *told)
    return replace(report, notes=notes, baseline=summary)


def _told(
    models: Iterable[ModelReport], options: Options, each: Callable[[ModelReport], None]
) -> Iterator[ModelReport]:
    """The models, each with as much of it as is kept."""
    for model in models:
        each(model)
        yield model if options.keep_nodes else replace(model, nodes=())


def _is_one_missing(models: Iterable[ModelReport], errors: Sequence[Problem]) -> bool:
    """Whether not all models are there that were to be compared: nothing is measured then."""
    return bool(errors) or any(model.totals is None for model in models)


def _measured(
    report: Report,
    models: Iterable[ModelReport],
    requests: Sequence[Request],
    options: Options,
    latency: LatencyOptions,
    each: Callable[[ModelReport], None],
) -> Report:
    """The report with the times of its models, each and in turn, and the device's ceilings."""
    from graphlint import timing

    probe = min(1.0, latency.time_budget / 10) if options.want_ceilings else 0.0
    left = latency.time_budget - 2 * probe
    turn = left / 3 if options.in_turn else 0.0
    single = replace(latency, time_budget=left - turn)
    timed = map(_timed, models, requests, repeat(single), repeat(options.want_nodes))
    report = replace(report, models=tuple(_told(timed, options, each)))
    if options.in_turn:
        together = replace(latency, time_budget=turn * len(requests))
        subjects = list(map(_subject, models, requests))
        report = replace(report, comparison=timing.compare(subjects, together))
    if probe and any(model.times is not None for model in report.models):
        report = replace(report, ceilings=timing.ceilings(latency, probe))
    return report


def _timed(
    model: ModelReport, request: Request, latency: LatencyOptions, want_nodes: bool
) -> ModelReport:
    from graphlint import timing

    if model.totals is None:
        return model
    timed = timing.measure(_subject(model, request), latency)
    return timed if want_nodes else replace(timed, nodes=())


def _subject(model: ModelReport, request: Request) -> Subject:
    return Subject(model, request.settings, request.file)


def _requests(
    paths: Sequence[str],
    options: Options,
    stdin_file: Path | None,
    device: Callable[[str], Chosen],
    errors: list[Problem],
) -> Iterator[Request]:
    by_folder: dict[Path, Settings] = {}
    seen: set[tuple[str, str]] = set()
    single = len(paths) == 1 and not os.path.isdir(paths[0])
    for argument in paths:
        path, only = split_location(argument)
        try:
            for found in find(path):
                folder = Path(found).parent if found != STANDARD_INPUT else Path()
                if folder not in by_folder:
                    by_folder[folder] = settings_for(folder, options)
                settings = by_folder[folder]
                again = (found, only) in seen and not options.in_turn
                if again or (found != path and _excluded(found, settings)):
                    continue
                seen.add((found, only))
                priced = device(settings.device_profile)
                request = Request(
                    path=STDIN_NAME if found == STANDARD_INPUT else found,
                    settings=settings,
                    file=stdin_file if found == STANDARD_INPUT else None,
                    only=only,
                    strict_shapes=single,
                    want_findings=options.want_findings,
                    want_nodes=options.want_nodes or options.latency is not None,
                    want_regions=options.want_regions,
                    device=priced.profile,
                    device_is_named=priced.is_named,
                )
                yield from (replace(request, batch=batch) for batch in options.batches or (None,))
        except ModelError as error:
            errors.append(Problem.of(error))


def split_location(argument: str) -> tuple[str, str]:
    """`model.onnx::node/path` as path and node; an existing file of that very name is a path."""
    path, separator, node = argument.partition("::")
    return (path, node) if separator and not os.path.exists(argument) else (argument, "")


def _excluded(path: str, settings: Settings) -> bool:
    spelled = path.replace(os.sep, "/").removeprefix("./")
    return any(fnmatchcase(spelled, pattern) for pattern in settings.exclude)


@contextmanager
def _standard_input(paths: Sequence[str]) -> Iterator[Path | None]:
    """Standard input as a file, if one of the paths asks for it."""
    if STANDARD_INPUT not in paths:
        yield None
        return
    import tempfile
    from shutil import copyfileobj

    # In a folder of its own: there is nothing that it could take for its external data.
    with tempfile.TemporaryDirectory(prefix="graphlint-") as folder:
        file = Path(folder, "model.onnx")
        with file.open("wb") as stream:
            copyfileobj(sys.stdin.buffer, stream)
        yield file
