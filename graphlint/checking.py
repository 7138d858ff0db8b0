"""From paths to a `Report`: finds the models, settles their settings, checks each in a child."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import repeat
from pathlib import Path
from typing import Any

from graphlint import __version__, config, isolation
from graphlint.config import Settings
from graphlint.errors import ModelError
from graphlint.model import STANDARD_INPUT, find
from graphlint.problem import Problem
from graphlint.request import Request
from graphlint.results import ModelReport, Report
from graphlint.timing import LatencyOptions

STDIN_NAME = "<stdin>"
_MODELS_PER_JOB = 32  # a child takes about as long to start as to check this many small models


@dataclass(frozen=True, slots=True)
class Options:
    """What a call of check or profile asks for.

    `overrides` are settings that win over configuration files; `config_file` is used for every
    model instead of the nearest one; `isolated` ignores all configuration files. `jobs` is the
    number of child processes, 0 for as many as pay. `latency` says how to measure, None not to.
    """

    overrides: Mapping[str, Any] = field(default_factory=dict)
    config_file: Path | None = None
    isolated: bool = False
    jobs: int = 0
    latency: LatencyOptions | None = None
    want_findings: bool = True
    want_nodes: bool = False
    want_regions: bool = False


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
) -> Report:
    """Check the models at `paths`: files, folders, `-` for standard input.

    A path may end with `::NODE`, as reports print it: then only that node's findings are reported.
    `progress` is told how many models are done, and of how many; from other threads.

    Raises:
        UsageError: the settings make no sense.
        PluginError: a rule pack can't be loaded.
    """
    errors: list[Problem] = []
    with _standard_input(paths) as stdin_file:
        requests = list(_requests(paths, options, stdin_file, errors))
        done = 0

        def count(_: ModelReport) -> None:
            nonlocal done
            done += 1
            progress(done, len(requests))

        jobs = options.jobs or min(os.cpu_count() or 1, 1 + len(requests) // _MODELS_PER_JOB)
        models = tuple(isolation.check_all(requests, min(jobs, len(requests) or 1), count))
        if options.latency is not None:
            models = tuple(map(_measured, models, requests, repeat(options)))
    return Report(__version__, models, tuple(errors))


def _measured(report: ModelReport, request: Request, options: Options) -> ModelReport:
    from graphlint import timing

    if report.totals is None or options.latency is None:
        return report
    timed = timing.measure(report, request.settings, options.latency, request.file)
    return timed if options.want_nodes else replace(timed, nodes=())


def _requests(
    paths: Sequence[str], options: Options, stdin_file: Path | None, errors: list[Problem]
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
                if (found, only) in seen or (found != path and _excluded(found, settings)):
                    continue
                seen.add((found, only))
                yield Request(
                    path=STDIN_NAME if found == STANDARD_INPUT else found,
                    settings=settings,
                    file=stdin_file if found == STANDARD_INPUT else None,
                    only=only,
                    strict_shapes=single,
                    want_findings=options.want_findings,
                    want_nodes=options.want_nodes or options.latency is not None,
                    want_regions=options.want_regions,
                )
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

    handle, name = tempfile.mkstemp(prefix="graphlint-", suffix=".onnx")
    try:
        with os.fdopen(handle, "wb") as stream:
            copyfileobj(sys.stdin.buffer, stream)
        yield Path(name)
    finally:
        os.unlink(name)
