"""The command line's options: their names, types and help, once for all commands."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphlint.terminal import Colour, progress

if TYPE_CHECKING:
    from graphlint.checking import Options
    from graphlint.results import ModelReport, Report
    from graphlint.timing import LatencyOptions


class CheckFormat(StrEnum):
    """Formats of `check`."""

    FULL = "full"
    CONCISE = "concise"
    JSON = "json"
    JSON_LINES = "json-lines"
    SARIF = "sarif"
    GITHUB = "github"
    GITLAB = "gitlab"
    JUNIT = "junit"
    MARKDOWN = "markdown"


class ProfileFormat(StrEnum):
    """Formats of `profile`."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    HTML = "html"


class Grouping(StrEnum):
    """What a row of `profile` stands for."""

    NODE = "node"
    OP = "op"
    CATEGORY = "category"
    REGION = "region"


class FailOn(StrEnum):
    """The least severity that makes `check` exit with 1."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NEVER = "never"


class OptimizationLevel(StrEnum):
    """ONNX Runtime's graph optimisation levels."""

    DISABLE = "disable"
    BASIC = "basic"
    EXTENDED = "extended"
    ALL = "all"


Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...",
        help="Models, folders of models, or - for standard input. "
        "MODEL::NODE, as reports print it, asks about one node.",
        show_default=False,
    ),
]
InputShape = Annotated[
    list[str] | None,
    typer.Option(
        "--input-shape",
        metavar="NAME:1x3x224x224",
        help="The shape of an input; may be repeated.",
        rich_help_panel="Shapes",
    ),
]
Dim = Annotated[
    list[str] | None,
    typer.Option(
        "--dim",
        metavar="NAME=N",
        help="The size of a symbolic dimension; may be repeated. A batch is 1 unless given.",
        rich_help_panel="Shapes",
    ),
]
Latency = Annotated[
    bool | None,
    typer.Option(
        "--latency/--no-latency",
        help="Measure latency. By default where a runtime is installed, for a single model, "
        "and not in a pre-commit hook.",
        show_default=False,
        rich_help_panel="Latency",
    ),
]
Provider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="Execution provider: cpu (default), cuda, tensorrt, …",
        rich_help_panel="Latency",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        metavar="N",
        help="Threads to measure with (1).",
        rich_help_panel="Latency",
    ),
]
Optimization = Annotated[
    OptimizationLevel | None,
    typer.Option(
        "--optimization",
        help="ONNX Runtime's graph optimisation level (all).",
        show_default=False,
        rich_help_panel="Latency",
    ),
]
InputData = Annotated[
    Path | None,
    typer.Option(
        "--input-data",
        metavar="FILE.npz",
        help="Arrays to run the model on, named as its inputs; made up otherwise.",
        rich_help_panel="Latency",
    ),
]
DeviceProfileFile = Annotated[
    Path | None,
    typer.Option(
        "--device-profile",
        metavar="FILE",
        help="Price in the seconds of the device that `graphlint calibrate` measured, without a "
        "runtime. By default what GRAPHLINT_DEVICE_PROFILE names, or this machine's own profile: "
        "that one changes no finding.",
        show_default=False,
        rich_help_panel="Latency",
    ),
]
OutputFile = Annotated[
    Path | None,
    typer.Option("--output-file", metavar="FILE", help="Write the report there, not to stdout."),
]
OutputFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--output-file",
        metavar="[FORMAT:]FILE",
        help="Write a report there, in the format of the name's ending (.sarif, .json, .jsonl, "
        ".xml, .md, .txt); may be repeated. A single file that fits --output-format takes the "
        "place of stdout.",
    ),
]
BaselineFile = Annotated[
    Path | None,
    typer.Option(
        "--baseline",
        metavar="FILE",
        help="Report only what is new or worse than the findings in this file.",
        rich_help_panel="Baseline",
    ),
]
UpdateBaseline = Annotated[
    bool,
    typer.Option(
        "--update-baseline",
        help="Write the baseline: the findings of this run take the place of the models' old ones.",
        rich_help_panel="Baseline",
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Use this configuration file instead of the nearest one."
    ),
]
Isolated = Annotated[bool, typer.Option("--isolated", help="Ignore all configuration files.")]
Color = Annotated[
    Colour, typer.Option("--color", help="When to use colours (also NO_COLOR and FORCE_COLOR).")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Show where an unexpected error came from.")
]


def latency_options(
    wanted: bool | None,
    paths: list[str],
    provider: str | None,
    threads: int | None,
    optimization: OptimizationLevel | None,
    time_budget: float,
    input_data: Path | None,
) -> LatencyOptions | None:
    """How to measure, or None: unasked, only a single model outside a hook, with a runtime."""
    from graphlint.timing import LatencyOptions

    asked = any(item is not None for item in (provider, threads, optimization, input_data))
    if wanted is None:
        single = len(paths) == 1 and not os.path.isdir(paths[0])
        hook = bool(os.environ.get("PRE_COMMIT"))
        wanted = asked or (single and not hook)
    if not wanted:
        return None
    level = optimization if optimization is not None else OptimizationLevel.ALL
    return LatencyOptions(provider or "cpu", threads or 1, level.value, time_budget, input_data)


def parsed_share(text: str | None) -> float | None:
    """`1%` or `0.01` as 0.01."""
    from graphlint.config import parse_share

    return None if text is None else parse_share(text)


def given_settings(**given: Any) -> dict[str, Any]:
    """Settings that were given; lists as tuples, empty ones left out."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None and value != []
    }


def checked(
    paths: list[str],
    options: Options,
    each: Callable[[ModelReport], None] = lambda model: None,
) -> Report:
    """The report on the models at `paths`, with progress shown on stderr.

    `each` is given every model's report in order, as soon as it is there.
    """
    from graphlint.checking import check_paths

    note = "measuring …" if options.latency is not None else ""
    with progress(note) as show:
        return check_paths(paths, options, show, each)
