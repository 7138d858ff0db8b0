"""The command `graphlint rewrite`."""

from __future__ import annotations

import os
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
    Latency,
    Optimization,
    OutputFile,
    Provider,
    Threads,
    Verbose,
    given_settings,
    latency_options,
)
from graphlint.errors import UsageError
from graphlint.terminal import Colour, errors_told, progress_line, style, write

if TYPE_CHECKING:
    from graphlint.rewriting.request import Progress

DONE, NOTHING = 0, 1
"""Exit codes: rewritten, and nothing to rewrite; with `--check` the other way round."""


class RewriteFormat(StrEnum):
    """Formats of the report on a rewrite."""

    TEXT = "text"
    JSON = "json"


class WeightSource(StrEnum):
    """How far to go for weights that can't be had exactly."""

    FIT = "fit"
    CLOSED_FORM = "closed-form"
    STRUCTURE = "structure"


class Layout(StrEnum):
    """Where the model has its channels."""

    AUTO = "auto"
    NCHW = "nchw"
    NHWC = "nhwc"


class Shuffle(StrEnum):
    """How new units spell their shuffles."""

    AUTO = "auto"
    TRANSPOSE = "transpose"
    CHUNKS = "chunks"


class Stride2(StrEnum):
    """What becomes of units with stride 2 under `keep-flops`."""

    EXACT = "exact"
    FIT = "fit"


def rewrite(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A model.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT.onnx", help="Where the new model goes."),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            "--rewrite",
            metavar="NAME",
            help="Which rewrite: see `graphlint rule`.",
            show_default=False,
        ),
    ] = "",
    plan: Annotated[
        str,
        typer.Option(
            "--plan",
            metavar="PLAN",
            help="keep, keep-flops, match, match-aligned; auto takes the fastest within --budget.",
        ),
    ] = "auto",
    budget: Annotated[
        str,
        typer.Option(
            "--budget",
            metavar="SHARE",
            help="Multiply-adds that the automatic plan may take, of the original's.",
        ),
    ] = "110%",
    units: Annotated[
        list[str] | None,
        typer.Option(
            "--unit",
            metavar="LOCATION",
            help="Rewrite only the place that holds this node; may be repeated.",
        ),
    ] = None,
    block: Annotated[
        int | None,
        typer.Option("--block", min=1, metavar="N", help="Channel block of the device."),
    ] = None,
    stride_2: Annotated[
        Stride2 | None,
        typer.Option(
            "--stride-2",
            help="Under keep-flops: exact, or narrowed to fit the multiply-adds.",
            show_default=False,
        ),
    ] = None,
    shuffle: Annotated[
        Shuffle | None,
        typer.Option("--shuffle", help="How new units spell their shuffles.", show_default=False),
    ] = None,
    fold_bn: Annotated[
        bool, typer.Option("--fold-bn", help="Write no BatchNormalization.")
    ] = False,
    weights: Annotated[
        WeightSource,
        typer.Option(
            "--weights",
            help="How weights come that can't be exact: fitted, fitted in closed form only, or "
            "random.",
            rich_help_panel="Weights",
        ),
    ] = WeightSource.FIT,
    calib: Annotated[
        Path | None,
        typer.Option(
            "--calib",
            metavar="DATA",
            help="Unlabelled inputs: .npy, .npz, a folder of them, or of images. Made up without.",
            rich_help_panel="Weights",
        ),
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(
            "--mean",
            metavar="R,G,B",
            help="Of pixels from 0 to 1, as the model was trained with.",
            rich_help_panel="Weights",
        ),
    ] = None,
    std: Annotated[
        str | None,
        typer.Option("--std", metavar="R,G,B", help="Likewise.", rich_help_panel="Weights"),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale",
            metavar="X",
            help="What pixels from 0 to 255 are multiplied by first (1/255).",
            show_default=False,
            rich_help_panel="Weights",
        ),
    ] = None,
    layout: Annotated[
        Layout,
        typer.Option(
            "--layout", help="Where the model has its channels.", rich_help_panel="Weights"
        ),
    ] = Layout.AUTO,
    resize: Annotated[
        str | None,
        typer.Option(
            "--resize",
            metavar="HxW",
            help="What images are brought to.",
            rich_help_panel="Weights",
        ),
    ] = None,
    time_budget: Annotated[
        float,
        typer.Option(
            "--time-budget",
            min=0.1,
            metavar="SECONDS",
            help="For fitting weights.",
            rich_help_panel="Weights",
        ),
    ] = 180.0,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            min=0,
            metavar="N",
            help="Steps of distillation; as many as there is time for without.",
            rich_help_panel="Weights",
        ),
    ] = None,
    keep_partial: Annotated[
        bool,
        typer.Option(
            "--keep-partial",
            help="On Ctrl-C, save the best so far.",
            rich_help_panel="Weights",
        ),
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="For everything random.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit with 1 if there is something to do."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing output.")] = False,
    input_shape: InputShape = None,
    dim: Dim = None,
    output_format: Annotated[
        RewriteFormat, typer.Option("--output-format", help="The form of the report.")
    ] = RewriteFormat.TEXT,
    output_file: OutputFile = None,
    latency: Latency = None,
    provider: Provider = None,
    threads: Threads = None,
    optimization: Optimization = None,
    input_data: InputData = None,
    config: ConfigFile = None,
    isolated: Isolated = False,
    color: Color = Colour.AUTO,
    verbose: Verbose = False,
) -> None:
    """Rewrite a model into a cheaper one: units of ShuffleNet V1 into units of V2."""
    with errors_told(verbose):
        from graphlint.checking import Options, settings_for, split_location
        from graphlint.report import rewrite as reporter
        from graphlint.rewriting.isolated import rewrite as run
        from graphlint.rewriting.preprocessing import Preprocessing
        from graphlint.rewriting.request import RewriteRequest

        _refuse(path, output, dry_run or check)
        given = {
            "block": block,
            "stride-2": stride_2 and stride_2.value,
            "shuffle": shuffle and shuffle.value,
            "fold-bn": fold_bn or None,
        }
        options = Options(
            given_settings(input_shape=input_shape, dim=dim), config_file=config, isolated=isolated
        )
        request = RewriteRequest(
            path=path,
            settings=settings_for(Path(path).parent, options),
            rewrite=name,
            out=None if dry_run or check else output,
            plan=plan,
            budget=_budget(budget),
            units=tuple(split_location(unit)[1] or unit for unit in units or ()),
            options={key: value for key, value in given.items() if value is not None},
            weights=weights.value,
            calib=calib,
            preprocessing=Preprocessing(
                _numbers("--mean", mean),
                _numbers("--std", std),
                layout.value,
                _size(resize),
                scale,
            ),
            fit_seconds=time_budget,
            steps=steps,
            seed=seed,
            force=force,
            plan_only=check,
            latency=latency_options(
                latency, [path], provider, threads, optimization, 3.0, input_data
            ),
        )
        with progress_line() as show:
            report = run(request, lambda at: show(_spelt(at)), keep_partial=keep_partial)
        if output_format is RewriteFormat.JSON:
            text = reporter.render_json(report)
        else:
            text = reporter.render(report, style(color, output_file))
        write(text, output_file)
        found = bool(report.plan)
    raise typer.Exit(NOTHING if found == check else DONE)


def _refuse(path: str, output: Path | None, writes_nothing: bool) -> None:
    if path == "-":
        raise UsageError(
            "-: standard input can't be rewritten",
            cause="external data and the new model's place need a file",
            hint="save the model to a file first",
        )
    if os.path.isdir(path):
        raise UsageError(
            f"{path}: a folder", cause="rewrite takes one model", hint="give the model's path"
        )
    if output is None and not writes_nothing:
        raise UsageError(
            "no output is named",
            cause="a model is never rewritten in place",
            hint="give -o OUT.onnx, or --dry-run to see what would be done",
        )


def _budget(text: str) -> float:
    """`110%` or `1.1` as 1.1."""
    number = text.strip().removesuffix("%")
    try:
        value = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise UsageError(
            f"--budget {text}: no share",
            cause="it is what a plan may take of the original's multiply-adds",
            hint="give it as 110% or 1.1",
        )
    return value


def _numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    """`0.485,0.456,0.406` as numbers."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"{option} {text}: no numbers", hint="give one, or one a channel: 0.485,0.456,0.406"
        ) from None


def _size(text: str | None) -> tuple[int, int] | None:
    """`224x224` as height and width."""
    if text is None:
        return None
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise UsageError(f"--resize {text}: no size", hint="give it as HxW: 224x224")
    return int(parts[0]), int(parts[1])


def _spelt(progress: Progress) -> str:
    """What is done, how much of it, and how well the new weights agree so far."""
    done = f" {100 * progress.done:.0f}%" if progress.done else ""
    agrees = (
        f", {100 * progress.agreement:.1f}% agree with the original"
        if progress.agreement is not None
        else ""
    )
    return f"{progress.stage}{done}{agrees}"
