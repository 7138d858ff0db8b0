"""The command line: parses, calls, prints; decides nothing.

Imports nothing heavy at the top: `--help` and `rule` start without onnx.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphlint.cli_options import (
    CheckFormat,
    Color,
    ConfigFile,
    Dim,
    FailOn,
    Grouping,
    InputData,
    InputShape,
    Isolated,
    Latency,
    Optimization,
    OptimizationLevel,
    OutputFile,
    Paths,
    ProfileFormat,
    Provider,
    Threads,
    Verbose,
)
from graphlint.errors import UsageError
from graphlint.terminal import FAILED, Colour, errors_told, progress, style, tell, write

if TYPE_CHECKING:
    from graphlint.checking import Options
    from graphlint.results import Report
    from graphlint.timing import LatencyOptions

CLEAN, FOUND = 0, 1
"""Exit codes: nothing at or above `--fail-on`, and something; `FAILED` where it can't be told."""

app = typer.Typer(
    name="graphlint",
    help="Lint and profile ONNX models against ShuffleNet V2's four guidelines.",
    epilog="Exit codes: 0 clean, 1 findings at or above --fail-on, 2 an error.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def check(
    paths: Paths,
    select: Annotated[
        list[str] | None,
        typer.Option("--select", metavar="RULES", help="Rules to run: G1, a prefix (G), ALL."),
    ] = None,
    extend_select: Annotated[
        list[str] | None,
        typer.Option("--extend-select", metavar="RULES", help="Rules to run beside the selected."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="RULES", help="Rules to leave out.")
    ] = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(
            "--fail-on",
            help="Exit with 1 at findings of this severity or above (warning).",
            show_default=False,
        ),
    ] = None,
    min_excess: Annotated[
        str | None,
        typer.Option(
            "--min-excess",
            metavar="SHARE",
            help="Say nothing of a rule whose excess is below this share of the model's memory "
            "access (1%).",
        ),
    ] = None,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit with 0 even where there are findings.")
    ] = False,
    input_shape: InputShape = None,
    dim: Dim = None,
    nodes: Annotated[
        bool, typer.Option("--nodes", help="Show every node's memory access and multiply-adds.")
    ] = False,
    output_format: Annotated[
        CheckFormat, typer.Option("--output-format", help="The form of the report.")
    ] = CheckFormat.FULL,
    output_file: OutputFile = None,
    jobs: Annotated[
        int,
        typer.Option("--jobs", min=0, help="Models to check side by side; 0: as many as pay."),
    ] = 0,
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
            help="For measuring a model (3).",
            rich_help_panel="Latency",
        ),
    ] = None,
    input_data: InputData = None,
    config: ConfigFile = None,
    isolated: Isolated = False,
    color: Color = Colour.AUTO,
    verbose: Verbose = False,
) -> None:
    """Check models against the guidelines."""
    with errors_told(verbose):
        from graphlint.checking import Options, settings_for

        overrides = _overrides(
            select=_rules(select),
            extend_select=_rules(extend_select),
            ignore=_rules(ignore),
            fail_on=None if fail_on is None else str(fail_on),
            min_excess=_share(min_excess),
            input_shape=input_shape,
            dim=dim,
        )
        options = Options(
            overrides,
            config_file=config,
            isolated=isolated,
            jobs=jobs,
            latency=_latency_options(
                latency, paths, provider, threads, optimization, time_budget or 3.0, input_data
            ),
            want_nodes=nodes or output_format is CheckFormat.JSON,
        )
        threshold = settings_for(Path(), options).fail_on
        report = _checked(paths, options)
        shown = style(color, output_file)
        if output_format is CheckFormat.JSON:
            from graphlint.report import json

            text = json.render(report)
        elif output_format is CheckFormat.CONCISE:
            from graphlint.report import concise

            text = concise.render(report, shown)
        else:
            from graphlint.report import full

            text = full.render(report, shown, nodes=nodes)
        write(text, output_file)
        code = _exit_code(report, threshold)
    raise typer.Exit(CLEAN if code == FOUND and exit_zero else code)


@app.command()
def profile(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A model.", show_default=False)],
    by: Annotated[Grouping, typer.Option("--by", help="What a row stands for.")] = Grouping.NODE,
    top: Annotated[
        int | None,
        typer.Option(
            "--top",
            min=0,
            metavar="N",
            help="Rows to show; 0 shows all. (25 in table and markdown, else all.)",
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
            help="For measuring the model (12).",
            rich_help_panel="Latency",
        ),
    ] = None,
    input_data: InputData = None,
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
        from graphlint.checking import Options
        from graphlint.report import profile as reporters

        page = output_format is ProfileFormat.HTML
        options = Options(
            _overrides(input_shape=input_shape, dim=dim),
            config_file=config,
            isolated=isolated,
            latency=_latency_options(
                latency, [path], provider, threads, optimization, time_budget or 12.0, input_data
            ),
            want_findings=page,
            want_nodes=True,
            want_regions=page or by is Grouping.REGION,
        )
        if os.path.isdir(path):
            raise UsageError(
                f"{path}: a folder", cause="profile takes one model", hint="give the model's path"
            )
        if annotated is not None and path == "-":
            raise UsageError(
                "--annotate needs a model's path",
                cause="standard input has no file whose weights could be copied",
                hint="save the model to a file first",
            )
        report = _checked([path], options)
        readable = [model for model in report.models if model.totals is not None]
        if readable and page:
            from graphlint.report import html

            write(html.render(report), output_file)
        elif readable:
            render = {
                ProfileFormat.TABLE: reporters.as_table,
                ProfileFormat.JSON: reporters.as_json,
                ProfileFormat.CSV: reporters.as_csv,
                ProfileFormat.MARKDOWN: reporters.as_markdown,
            }[output_format]
            if top is None:
                top = 25 if output_format in (ProfileFormat.TABLE, ProfileFormat.MARKDOWN) else 0
            write(render(report, by.value, top, style(color, output_file)), output_file)
        if trace is not None and readable:
            _write_trace(report, trace)
        if annotated is not None and readable:
            from graphlint.annotate import annotate

            annotate(path, readable[0], annotated)
        for problem in report.problems:
            tell(problem)
    raise typer.Exit(FAILED if report.problems else CLEAN)


@app.command()
def rule(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="A rule's code or name.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """List the rules, or show one rule's page."""
    with errors_told(verbose):
        from graphlint import registry
        from graphlint.report.text import columns

        known = registry.rules()
        if code is None:
            table = [(r.code, r.name, str(r.severity), r.summary) for r in known.values()]
            lines = columns(table, "<<<<")
        else:
            matches = [r for r in known.values() if code in (r.code, r.name)]
            if not matches:
                names = [*known, *(r.name for r in known.values())]
                raise UsageError(
                    f"there is no rule {code!r}",
                    cause=f"the rules are {', '.join(known)}",
                    hint=registry.did_you_mean(code, names) or "see `graphlint rule`",
                )
            lines = [f"# {matches[0].name} ({matches[0].code})", "", matches[0].page.strip()]
        write("\n".join(lines) + "\n", None)


@app.command()
def config(
    path: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="The folder whose settings to show.")
    ] = Path(),
    config: ConfigFile = None,
    isolated: Isolated = False,
    verbose: Verbose = False,
) -> None:
    """Show the effective settings, and where each one comes from."""
    with errors_told(verbose):
        from graphlint.checking import Options, settings_for
        from graphlint.config import described
        from graphlint.report.text import columns

        settings = settings_for(
            path if path.is_dir() else path.parent, Options(config_file=config, isolated=isolated)
        )
        rows = [(f"{key} = {value}", f"# {origin}") for key, value, origin in described(settings)]
        write("\n".join(columns(rows, "<<")) + "\n", None)


@app.command()
def version(verbose: Verbose = False) -> None:
    """Show the versions of graphlint and of what it stands on."""
    with errors_told(verbose):
        import platform

        from graphlint import __version__
        from graphlint.report.text import columns

        rows = [
            ("onnx-graphlint", __version__),
            ("python", platform.python_version()),
            *((name, _distribution_version(name)) for name in ("onnx", "numpy", "networkx")),
            ("onnxruntime", _runtime_version()),
        ]
        write("\n".join(columns(rows, "<<")) + "\n", None)


def _distribution_version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as find_version

    try:
        return find_version(name)
    except PackageNotFoundError:
        return "not installed"


def _runtime_version() -> str:
    for name in ("onnxruntime-gpu", "onnxruntime"):
        found = _distribution_version(name)
        if found != "not installed":
            return f"{found} ({name})"
    return "not installed"


def _latency_options(
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


def _rules(given: Iterable[str] | None) -> tuple[str, ...] | None:
    """`--select G1,G2 --select G4` as one tuple."""
    if not given:
        return None
    return tuple(code.strip() for item in given for code in item.split(",") if code.strip())


def _share(text: str | None) -> float | None:
    from graphlint.config import parse_share

    return None if text is None else parse_share(text)


def _overrides(**given: Any) -> dict[str, Any]:
    """Settings that were given; lists as tuples, empty ones left out."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None and value != []
    }


def _write_trace(report: Report, path: Path) -> None:
    from graphlint.report import trace

    if all(model.times is None for model in report.models):
        raise UsageError(
            f"{path}: no trace is written",
            cause="the model was not measured",
            hint="leave --no-latency out, and install a runtime",
        )
    write(trace.render(report), path)


def _checked(paths: list[str], options: Options) -> Report:
    from graphlint.checking import check_paths

    note = "measuring …" if options.latency is not None else ""
    with progress(note) as show:
        return check_paths(paths, options, show)


def _exit_code(report: Report, fail_on: str) -> int:
    from graphlint.findings import Severity

    if report.problems:
        return FAILED
    if fail_on == FailOn.NEVER:
        return CLEAN
    least = Severity.parse(fail_on)
    return FOUND if any(finding.severity >= least for finding in report.findings) else CLEAN
