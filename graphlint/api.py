"""The public functions: `graphlint.check`, `profile`, `what_if`, `calibrate`, `rewrite`, `load`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlint.checking import Options, check_paths, settings_for
from graphlint.errors import UsageError
from graphlint.results import Report
from graphlint.timing import LatencyOptions

if TYPE_CHECKING:
    from graphlint.alternatives.results import WhatIfReport
    from graphlint.calibration.tables import Size
    from graphlint.devices.profile import DeviceProfile
    from graphlint.graph import GraphView
    from graphlint.rewriting.request import Weights
    from graphlint.rewriting.results import RewriteReport
    from graphlint.rule import OptionValue

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def check(
    paths: Paths,
    *,
    jobs: int = 0,
    nodes: bool = False,
    latency: LatencyOptions | None = None,
    **settings: Any,
) -> Report:
    """Check the model or models at `paths`, each in a child process.

    `settings` are those of `graphlint.config.Settings`, such as `select=("G2",)` or
    `dim=("batch=8",)`; they win over configuration files. `nodes=True` keeps every node's cost in
    the report. `latency` says how to measure; nothing is measured without it. With
    `baseline="FILE"`, or one in the configuration, the findings are those that are new or worse.
    A file that can't be read is an error in the report, not an exception.

    Raises:
        UsageError: the settings make no sense.
        PluginError: a rule pack can't be loaded.
    """
    _refuse_senseless(latency)
    options = Options(settings, jobs=jobs, want_nodes=nodes, latency=latency, use_baseline=True)
    return check_paths(_paths(paths), options)


def profile(
    paths: Paths, *, regions: bool = False, latency: LatencyOptions | None = None, **settings: Any
) -> Report:
    """The cost of every node, without findings; arguments and errors as those of `check`."""
    _refuse_senseless(latency)
    options = Options(
        settings, want_findings=False, want_nodes=True, want_regions=regions, latency=latency
    )
    return check_paths(_paths(paths), options)


def what_if(
    path: str | os.PathLike[str],
    of: str = "ALL",
    *,
    latency: LatencyOptions | None = None,
    **settings: Any,
) -> WhatIfReport:
    """What the alternatives of a model's findings would save, built and measured in turn with it.

    `of` is a rule's code or name, the path of a node, or `ALL`; of the findings that it means the
    twelve largest are tried. `latency` says how to measure; its `time_budget` is in seconds for
    each model that is measured: the one at `path`, and one or two a finding. `settings` are those
    of `check`, but rules are chosen by `of` alone. All times in the report are in seconds. What
    could not be measured or tried has its reason there; so has all of it without a runtime.

    Raises:
        UsageError: nothing is called `of`, or the settings or `latency` make no sense.
        ModelError: the model can't be read.
        PluginError: a rule pack can't be loaded.
        ShapeError: a shape does not fit the model.
        WorkerError: the child crashed, hung or took too much memory.
    """
    from graphlint.alternatives.ask import ask

    _refuse_senseless(latency)
    chosen = settings_for(Path(path).parent, Options(settings))
    return ask(os.fspath(path), of, chosen, latency or LatencyOptions())


def calibrate(
    out: str | os.PathLike[str] | None = None,
    *,
    size: Size = "standard",
    provider: str = "cpu",
    threads: int = 1,
    optimization: str = "all",
    time_budget: float | None = None,
    retry: int = 0,
) -> DeviceProfile:
    """Measure this device, as `graphlint calibrate` does, and keep its profile in the file `out`.

    `time_budget` is in seconds for everything: without it 110 where `size` is `quick`, 360 where it
    is `standard`, 900 where it is `full`. What differs by 10 % or more between sessions is measured
    again up to `retry` times. All times in the profile are in seconds. What is measured is kept
    beside `out` as it comes: after an interrupt the same call goes on from there.

    Raises:
        UsageError: no runtime is installed, an argument makes no sense or can't be met, `out` can't
            be written, or nothing could be measured.
    """
    from graphlint import __version__
    from graphlint.atomic import check_target
    from graphlint.calibration import calibrate as calibration
    from graphlint.calibration.partial import place
    from graphlint.devices.file import write

    if size not in calibration.SECONDS:
        raise _senseless("size", size, f"it is one of {', '.join(calibration.SECONDS)}")
    seconds = calibration.SECONDS[size] if time_budget is None else time_budget
    options = LatencyOptions(provider, threads, optimization, seconds)
    _refuse_senseless(options)
    target = None if out is None else Path(out)
    if target is not None:
        check_target(target)
    what = calibration.plan(size, provider)
    profile = calibration.calibrate(what, options, __version__, retries=retry, target=target)
    if target is not None:
        write(profile, target)
        place(target).unlink(missing_ok=True)
    return profile


def load_device_profile(path: str | os.PathLike[str]) -> DeviceProfile:
    """The device profile in a file that `calibrate` wrote.

    `check(…, device_profile=path)` prices findings by it.

    Raises:
        UsageError: the file can't be read, is no device profile, or one of another schema.
    """
    from graphlint.devices.file import read

    return read(Path(path))


def rewrite(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] | None,
    *,
    name: str = "",
    plan: str = "auto",
    weights: Weights = "fit",
    calib: str | os.PathLike[str] | None = None,
    seed: int = 0,
    force: bool = False,
    latency: LatencyOptions | None = None,
    options: Mapping[str, OptionValue] = {},
    **settings: Any,
) -> RewriteReport:
    """Rewrite the model at `path` to `out` in a child process; `out=None` only says what would be.

    `name` is that of a rewrite, empty for ShuffleNet V1 to V2; `options` are the rewrite's own.
    `calib` has unlabelled inputs as the model takes them. Other arguments are those of the command
    line. Where nothing matches, the report has no `plan` and nothing is written.

    Raises:
        UsageError: the arguments make no sense, or `out` stands in the way.
        ModelError: the model can't be read.
        RewriteError: the result did not pass a check; nothing was written.
        WorkerError: the child crashed, hung or took too much memory; nothing was written.
    """
    from graphlint.rewriting.isolated import rewrite as run
    from graphlint.rewriting.request import RewriteRequest

    _refuse_senseless(latency)
    folder = Path(path).parent
    request = RewriteRequest(
        path=os.fspath(path),
        settings=settings_for(folder, Options(settings)),
        rewrite=name,
        out=None if out is None else Path(out),
        plan=plan,
        options=options,
        weights=weights,
        calib=None if calib is None else Path(calib),
        seed=seed,
        force=force,
        latency=latency,
    )
    return run(request)


def load(path: str | os.PathLike[str], **settings: Any) -> GraphView:
    """The model's graph with shapes, read in this very process.

    `settings` may give `input_shape` and `dim`, as for `check`.

    Raises:
        ModelError: the file is no usable model.
        ShapeError: a shape does not fit it.
    """
    from graphlint import graph_builder, model, shapes
    from graphlint.bindings import Bindings

    bindings = Bindings.parse(settings.get("input_shape", ()), settings.get("dim", ()))
    opened = model.load(os.fspath(path))
    view, _ = shapes.infer(graph_builder.build(opened), bindings, opened.payload)
    return view


def _refuse_senseless(latency: LatencyOptions | None) -> None:
    """What the command line refuses as it parses its options."""
    if latency is not None and latency.threads < 1:
        raise _senseless("threads", latency.threads, "it is 1 or more")
    if latency is not None and not latency.time_budget > 0:
        raise _senseless("time_budget", latency.time_budget, "it is in seconds, above 0")


def _senseless(name: str, value: object, should_be: str) -> UsageError:
    return UsageError(f"{name}={value!r}: makes no sense", cause=should_be)


def _paths(paths: Paths) -> list[str]:
    if isinstance(paths, str | os.PathLike):
        return [os.fspath(paths)]
    return [os.fspath(path) for path in paths]
