"""`graphlint diff`: two models, two folders, or two git revisions."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphlint.cli_options import (
    Color,
    ConfigFile,
    Dim,
    InputData,
    InputShape,
    Isolated,
    Optimization,
    OptimizationLevel,
    OutputFile,
    Provider,
    Threads,
    Verbose,
    given_settings,
    latency_options,
    parsed_share,
)
from graphlint.errors import UsageError
from graphlint.terminal import FAILED, Colour, errors_told, progress, style, tell, write

if TYPE_CHECKING:
    from graphlint.diffing.sources import Sides
    from graphlint.timing import LatencyOptions

CLEAN, WORSE = 0, 1
_MOST_ROWS = 15
_THRESHOLD = 0.01


class DiffFormat(StrEnum):
    """Formats of `diff`."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


class DiffFailOn(StrEnum):
    """What makes `diff` exit with 1."""

    REGRESSION = "regression"
    NEVER = "never"


def diff(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="OLD NEW",
            help="Two models, or two folders. With --git, paths to look at; all below the current "
            "folder without.",
            show_default=False,
        ),
    ] = None,
    git: Annotated[
        str | None,
        typer.Option(
            "--git",
            metavar="BASE[..HEAD]",
            help="Compare revisions: BASE with the working tree, BASE..HEAD, or BASE...HEAD for "
            "what HEAD changed since it left BASE.",
        ),
    ] = None,
    fail_on: Annotated[
        DiffFailOn,
        typer.Option(
            "--fail-on",
            help="Exit with 1 where memory access, multiply-adds, parameters, or findings of "
            "warning and above got worse by more than --threshold.",
        ),
    ] = DiffFailOn.NEVER,
    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold", metavar="SHARE", help="By how much something may get worse (1%)."
        ),
    ] = None,
    weights: Annotated[
        bool, typer.Option("--weights", help="Compare the weights' numbers too: reads all of them.")
    ] = False,
    top: Annotated[
        int,
        typer.Option("--top", min=0, metavar="N", help="Rows of nodes to show; 0 shows all."),
    ] = _MOST_ROWS,
    input_shape: InputShape = None,
    dim: Dim = None,
    output_format: Annotated[
        DiffFormat, typer.Option("--output-format", help="The form of the report.")
    ] = DiffFormat.TABLE,
    output_file: OutputFile = None,
    latency: Annotated[
        bool,
        typer.Option(
            "--latency/--no-latency",
            help="Also measure both models, in turn.",
            rich_help_panel="Latency",
        ),
    ] = False,
    provider: Provider = None,
    threads: Threads = None,
    optimization: Optimization = None,
    time_budget: Annotated[
        float,
        typer.Option(
            "--time-budget",
            min=0.1,
            metavar="SECONDS",
            help="For measuring both sides of a model.",
            rich_help_panel="Latency",
        ),
    ] = 6.0,
    input_data: InputData = None,
    config: ConfigFile = None,
    isolated: Isolated = False,
    color: Color = Colour.AUTO,
    verbose: Verbose = False,
) -> None:
    """Show what changed between models: costs, findings, nodes; for reviews."""
    with errors_told(verbose), ExitStack() as stack:
        from graphlint.checking import Options as CheckOptions
        from graphlint.checking import settings_for
        from graphlint.diffing.run import Options
        from graphlint.diffing.run import diff as compare
        from graphlint.report.diff import FORMATS

        share = parsed_share(threshold)
        options = Options(
            threshold=_THRESHOLD if share is None else share,
            latency=_latency(latency, provider, threads, optimization, time_budget, input_data),
            weights=weights,
        )
        chosen = CheckOptions(
            given_settings(input_shape=input_shape, dim=dim), config_file=config, isolated=isolated
        )
        with progress("measuring …" if options.latency is not None else ""):
            found = compare(
                _sides(paths or [], git, stack),
                lambda folder: settings_for(folder, chosen),
                options,
            )
        write(FORMATS[output_format.value](found, top, style(color, output_file)), output_file)
        for problem in found.problems if output_format is not DiffFormat.TABLE else ():
            tell(problem)
        worse = fail_on is DiffFailOn.REGRESSION and bool(found.regressions)
        code = FAILED if found.problems else WORSE if worse else CLEAN
    raise typer.Exit(code)


def _sides(paths: list[str], git: str | None, stack: ExitStack) -> Sides:
    if git is not None:
        import tempfile

        from graphlint.diffing.revisions import of_revisions

        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="graphlint-diff-"))
        return of_revisions(git, paths, Path(scratch))
    if len(paths) != 2:
        raise UsageError(
            f"{len(paths)} paths: a diff needs two",
            cause="it compares OLD with NEW",
            hint="give two models or two folders, or --git BASE for revisions",
        )
    from graphlint.diffing.sources import of_paths

    return of_paths(paths[0], paths[1])


def _latency(
    wanted: bool,
    provider: str | None,
    threads: int | None,
    optimization: OptimizationLevel | None,
    time_budget: float,
    input_data: Path | None,
) -> LatencyOptions | None:
    """How to measure; None unless it is asked for, by itself or by an option that it needs."""
    asked = any(item is not None for item in (provider, threads, optimization, input_data))
    return latency_options(
        wanted or asked, [], provider, threads, optimization, time_budget, input_data
    )
