"""`graphlint profile`: one model, two against each other, or one at several batches."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from graphlint.cli_options import (
    Color,
    ConfigFile,
    DeviceProfileFile,
    Dim,
    Grouping,
    InputData,
    InputShape,
    Isolated,
    Latency,
    Optimization,
    OutputFile,
    ProfileFormat,
    Provider,
    Threads,
    Verbose,
    checked,
    given_settings,
    latency_options,
)
from graphlint.errors import UsageError
from graphlint.terminal import FAILED, Colour, errors_told, style, tell, tell_notes, write

if TYPE_CHECKING:
    from graphlint.report.text import Style
    from graphlint.results import Report

    Reporter = Callable[[Report, Literal["node", "op", "category", "region"], int, Style], str]

CLEAN = 0
STANDARD_INPUT = "-"
_MOST_ROWS = 25
_WHOLE = (ProfileFormat.JSON, ProfileFormat.CSV)


def profile(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A model.", show_default=False)],
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="OTHER.onnx",
            help="Another model to measure in turn with this one, and to show beside it.",
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch",
            metavar="1,4,16",
            help="Sizes of the batch, with a column each; the model's batch must be symbolic.",
        ),
    ] = None,
    what_if: Annotated[
        str | None,
        typer.Option(
            "--what-if",
            metavar="RULE|NODE|ALL",
            help="Build what findings could be instead, and measure what it would save.",
        ),
    ] = None,
    by: Annotated[
        Grouping | None,
        typer.Option(
            "--by",
            help="What a row stands for (node; category with --compare).",
            show_default=False,
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            "--top",
            min=0,
            metavar="N",
            help="Rows to show; 0 shows all. (25 in table, markdown and html, else all.)",
            show_default=False,
        ),
    ] = None,
    input_shape: InputShape = None,
    dim: Dim = None,
    output_format: Annotated[
        ProfileFormat, typer.Option("--output-format", help="The form of the table.")
    ] = ProfileFormat.TABLE,
    output_file: OutputFile = None,
    latency: Latency = None,
    provider: Provider = None,
    threads: Threads = None,
    optimization: Optimization = None,
    time_budget: Annotated[
        float | None,
        typer.Option(
            "--time-budget",
            min=0.1,
            metavar="SECONDS",
            help="For measuring a model, or a batch (12).",
            rich_help_panel="Latency",
        ),
    ] = None,
    input_data: InputData = None,
    device_profile: DeviceProfileFile = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            "--trace", metavar="FILE", help="Also write Chrome trace events, for Perfetto."
        ),
    ] = None,
    annotated: Annotated[
        Path | None,
        typer.Option(
            "--annotate",
            metavar="OUT.onnx",
            help="Also write the model with costs and times in its nodes' metadata, for Netron.",
        ),
    ] = None,
    config: ConfigFile = None,
    isolated: Isolated = False,
    color: Color = Colour.AUTO,
    verbose: Verbose = False,
) -> None:
    """Show what every node costs: time, memory access, multiply-adds, parameters."""
    with errors_told(verbose):
        from graphlint.bindings import parse_batches
        from graphlint.checking import Options

        overrides = given_settings(
            input_shape=input_shape,
            dim=dim,
            device_profile=None if device_profile is None else str(device_profile),
        )
        if what_if is not None:
            from graphlint import cli_what_if

            _check_alone(
                {
                    "--compare": compare,
                    "--batch": batch,
                    "--trace": trace,
                    "--annotate": annotated,
                    "--by": by,
                    "--top": top,
                }
            )
            cli_what_if.tell(
                path,
                what_if,
                Options(overrides, config_file=config, isolated=isolated),
                latency_options(
                    latency is not False,
                    [path],
                    provider,
                    threads,
                    optimization,
                    time_budget or 3.0,
                    input_data,
                ),
                output_format.value,
                output_file,
                color,
            )
            raise typer.Exit(CLEAN)
        paths = [path] if compare is None else [path, compare]
        batches = () if batch is None else parse_batches(batch)
        _check_models(paths, annotated)
        if batches:
            _check_batches(compare, input_data, trace, annotated)
        page = output_format is ProfileFormat.HTML
        rows = by or (Grouping.NODE if compare is None else Grouping.CATEGORY)
        options = Options(
            overrides,
            config_file=config,
            isolated=isolated,
            latency=latency_options(
                latency, [path], provider, threads, optimization, time_budget or 12.0, input_data
            ),
            want_findings=page,
            want_nodes=True,
            want_regions=page or rows is Grouping.REGION,
            batches=batches,
            in_turn=len(paths) > 1 or bool(batches),
            want_ceilings=page,
        )
        report = checked(paths, options)
        readable = [model for model in report.models if model.totals is not None]
        if len(readable) == len(paths) * max(1, len(batches)):
            reporter = _reporters(compare, batches)[output_format.value]
            if top is None:
                top = 0 if output_format in _WHOLE else _MOST_ROWS
            write(reporter(report, rows.value, top, style(color, output_file)), output_file)
            if trace is not None:
                _write_trace(report, trace)
            if annotated is not None:
                from graphlint.annotate import annotate

                annotate(path, readable[0], annotated)
        tell_notes(report.notes)
        for problem in dict.fromkeys(report.problems):  # the same at every batch
            tell(problem)
    raise typer.Exit(FAILED if report.problems else CLEAN)


def _check_models(paths: list[str], annotated: Path | None) -> None:
    for path in paths:
        if os.path.isdir(path):
            raise UsageError(
                f"{path}: a folder", cause="profile takes one model", hint="give the model's path"
            )
    if paths.count(STANDARD_INPUT) > 1:
        raise UsageError(
            "--compare: standard input is given twice",
            cause="it can be read once",
            hint="save one of the models to a file first",
        )
    if annotated is not None and paths[0] == STANDARD_INPUT:
        raise UsageError(
            "--annotate needs a model's path",
            cause="standard input has no file whose weights could be copied",
            hint="save the model to a file first",
        )


def _check_alone(others: Mapping[str, object]) -> None:
    """Refuse what --what-if has no place for."""
    for option, given in others.items():
        if given is not None:
            is_table = option in ("--by", "--top")
            raise UsageError(
                f"--what-if and {option} do not go together",
                cause="its rows are findings, at most 12"
                if is_table
                else "each is a report of its own",
                hint="leave one of them out",
            )


def _check_batches(
    compare: str | None, input_data: Path | None, trace: Path | None, annotated: Path | None
) -> None:
    """Refuse what has no meaning at several batches."""
    for option, given, cause, hint in (
        ("--compare", compare, "each asks for columns of its own", "compare at one batch: --dim"),
        ("--input-data", input_data, "the data have one batch", "leave one of them out"),
        ("--trace", trace, "a trace shows one run", "give the batch with --dim"),
        ("--annotate", annotated, "a node has one set of entries", "give the batch with --dim"),
    ):
        if given is not None:
            raise UsageError(f"--batch and {option} do not go together", cause=cause, hint=hint)


def _reporters(compare: str | None, batches: tuple[int, ...]) -> Mapping[str, Reporter]:
    if batches:
        from graphlint.report import batches as several

        return several.FORMATS
    if compare is not None:
        from graphlint.report import comparison

        return comparison.FORMATS
    from graphlint.report import profile as single

    return single.FORMATS


def _write_trace(report: Report, path: Path) -> None:
    from graphlint.report import trace

    if all(model.times is None for model in report.models):
        raise UsageError(
            f"{path}: no trace is written",
            cause="the model was not measured",
            hint="leave --no-latency out, and install a runtime",
        )
    write(trace.render(report), path)
