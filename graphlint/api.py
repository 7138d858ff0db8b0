"""The public functions: `graphlint.check`, `profile`, `rewrite`, `load`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlint.checking import Options, check_paths, settings_for
from graphlint.results import Report
from graphlint.timing import LatencyOptions

if TYPE_CHECKING:
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
    options = Options(settings, jobs=jobs, want_nodes=nodes, latency=latency, use_baseline=True)
    return check_paths(_paths(paths), options)


def profile(
    paths: Paths, *, regions: bool = False, latency: LatencyOptions | None = None, **settings: Any
) -> Report:
    """The cost of every node, without findings; arguments as those of `check`."""
    options = Options(
        settings, want_findings=False, want_nodes=True, want_regions=regions, latency=latency
    )
    return check_paths(_paths(paths), options)


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


def _paths(paths: Paths) -> list[str]:
    if isinstance(paths, str | os.PathLike):
        return [os.fspath(paths)]
    return [os.fspath(path) for path in paths]
