"""The command line: parses, calls, prints; decides nothing.

Imports nothing heavy at the top: `--help` and `rule` start without onnx.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphlint.cli_calibrate import calibrate
from graphlint.cli_diff import diff
from graphlint.cli_options import (
    BaselineFile,
    CheckFormat,
    Color,
    ConfigFile,
    DeviceProfileFile,
    Dim,
    FailOn,
    InputData,
    InputShape,
    Isolated,
    Latency,
    Optimization,
    OutputFiles,
    Paths,
    Provider,
    Threads,
    UpdateBaseline,
    Verbose,
    checked,
    given_settings,
    latency_options,
    parsed_share,
)
from graphlint.cli_profile import profile
from graphlint.cli_rewrite import rewrite
from graphlint.errors import UsageError
from graphlint.terminal import FAILED, Colour, errors_told, tell_notes, write

if TYPE_CHECKING:
    from graphlint.results import Report
    from graphlint.rewrites import Rewrite
    from graphlint.rule import Rule

CLEAN, FOUND = 0, 1
"""Exit codes: nothing at or above `--fail-on`, and something; `FAILED` where it can't be told."""

app = typer.Typer(
    name="graphlint",
    help="Lint, profile and rewrite ONNX models after ShuffleNet V2's four guidelines.",
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
        CheckFormat | None,
        typer.Option(
            "--output-format", help="The form of the report on stdout (full).", show_default=False
        ),
    ] = None,
    output_file: OutputFiles = None,
    baseline: BaselineFile = None,
    update_baseline: UpdateBaseline = False,
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
    device_profile: DeviceProfileFile = None,
    config: ConfigFile = None,
    isolated: Isolated = False,
    color: Color = Colour.AUTO,
    verbose: Verbose = False,
) -> None:
    """Check models against the guidelines."""
    with errors_told(verbose):
        from graphlint import cli_output
        from graphlint.checking import Options, settings_for

        outputs = cli_output.planned(output_format, output_file or [])
        cli_output.check_targets(outputs, paths)
        overrides = given_settings(
            select=_rules(select),
            extend_select=_rules(extend_select),
            ignore=_rules(ignore),
            fail_on=None if fail_on is None else str(fail_on),
            min_excess=parsed_share(min_excess),
            input_shape=input_shape,
            dim=dim,
            baseline=None if baseline is None else str(baseline),
            device_profile=None if device_profile is None else str(device_profile),
        )
        options = Options(
            overrides,
            config_file=config,
            isolated=isolated,
            jobs=jobs,
            latency=latency_options(
                latency, paths, provider, threads, optimization, time_budget or 3.0, input_data
            ),
            want_nodes=nodes or outputs.want_nodes,
            keep_nodes=nodes or outputs.keep_nodes,
            use_baseline=True,
            update_baseline=update_baseline,
        )
        threshold = settings_for(Path(), options).fail_on
        report = checked(paths, options, cli_output.streamer(outputs))
        cli_output.deliver(report, outputs, threshold, color, nodes=nodes)
        tell_notes(report.notes)
        code = _exit_code(report, threshold)
    raise typer.Exit(CLEAN if code == FOUND and exit_zero else code)


app.command()(profile)
app.command()(rewrite)
app.command()(calibrate)
app.command()(diff)


@app.command()
def rule(
    code: Annotated[
        str | None,
        typer.Argument(metavar="[CODE]", help="A rule's code or name, or a rewrite's name."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """List the rules and rewrites, or show one's page."""
    with errors_told(verbose):
        from graphlint import registry

        rules, rewrites = registry.rules(), registry.rewrites()
        if code is None:
            write(_listed(rules, rewrites), None)
            return
        pages = {
            key: f"# {rule.name} ({rule.code})\n\n{rule.page.strip()}\n"
            for rule in rules.values()
            for key in (rule.code, rule.name)
        } | {name: f"# {name}\n\n{each.page.strip()}\n" for name, each in rewrites.items()}
        if code not in pages:
            raise UsageError(
                f"there is no rule or rewrite {code!r}",
                cause=f"the rules are {', '.join(rules)}; the rewrites {', '.join(rewrites)}",
                hint=registry.did_you_mean(code, pages) or "see `graphlint rule`",
            )
        write(pages[code], None)


def _listed(rules: Mapping[str, Rule], rewrites: Mapping[str, Rewrite]) -> str:
    from graphlint.report.text import columns

    rows = [(r.code, r.name, str(r.severity), r.summary) for r in rules.values()]
    lines = columns(rows, "<<<<")
    if rewrites:
        lines += ["", *columns([(each.name, each.summary) for each in rewrites.values()], "<<")]
    return "\n".join(lines) + "\n"


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


def _rules(given: Iterable[str] | None) -> tuple[str, ...] | None:
    """`--select G1,G2 --select G4` as one tuple."""
    if not given:
        return None
    return tuple(code.strip() for item in given for code in item.split(",") if code.strip())


def _exit_code(report: Report, fail_on: str) -> int:
    from graphlint.findings import Severity

    if report.problems:
        return FAILED
    if fail_on == FailOn.NEVER:
        return CLEAN
    least = Severity.parse(fail_on)
    return FOUND if any(finding.severity >= least for finding in report.findings) else CLEAN
