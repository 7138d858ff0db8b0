"""`graphlint calibrate`: the paper's experiments on this device, and a profile of it."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphlint.atomic import check_target
from graphlint.cli_options import Color, Optimization, OptimizationLevel, Provider, Threads, Verbose
from graphlint.errors import UsageError
from graphlint.terminal import Colour, errors_told, progress_line, style, tell_notes, write

if TYPE_CHECKING:
    from graphlint.calibration.tables import Size
    from graphlint.devices.profile import DeviceProfile
    from graphlint.timing import LatencyOptions


class CalibrateFormat(StrEnum):
    """Formats of `calibrate`."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


_ENDINGS = {".json": CalibrateFormat.JSON, ".html": CalibrateFormat.HTML}


def calibrate(
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Two minutes: the columns of ARM (of the GPU on a GPU)."),
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="A quarter of an hour: all columns, more layers.")
    ] = False,
    show: Annotated[
        Path | None,
        typer.Option("--show", metavar="FILE", help="Measure nothing: show a device profile."),
    ] = None,
    output_format: Annotated[
        CalibrateFormat | None,
        typer.Option(
            "--output-format",
            help="Tables, the profile itself (json), or a page with pictures. (By the ending of "
            "the output file, else table.)",
            show_default=False,
        ),
    ] = None,
    output_file: Annotated[
        Path | None,
        typer.Option(
            "--output-file",
            metavar="FILE",
            help="Write there: the device profile (.json), or the page (.html). The tables are "
            "printed too. An interrupted calibration goes on from FILE.partial.",
        ),
    ] = None,
    save: Annotated[
        bool,
        typer.Option("--save", help="Keep the profile as this machine's own, found by itself."),
    ] = False,
    provider: Provider = None,
    threads: Threads = None,
    optimization: Optimization = None,
    time_budget: Annotated[
        float | None,
        typer.Option(
            "--time-budget",
            min=1,
            metavar="SECONDS",
            help="For everything (360; --quick 110, --full 900).",
            rich_help_panel="Latency",
        ),
    ] = None,
    retry: Annotated[
        int,
        typer.Option(
            "--retry",
            min=0,
            max=10,
            metavar="N",
            help="Measure again, up to N times, what differs by 10 % or more between sessions.",
            rich_help_panel="Latency",
        ),
    ] = 0,
    color: Color = Colour.AUTO,
    verbose: Verbose = False,
) -> None:
    """Measure the guidelines on this device: the paper's Tables 1 to 4, and a device profile."""
    with errors_told(verbose):
        measuring = (quick, full, save, provider, threads, optimization, time_budget, retry)
        _check(quick, full, show, any(measuring))
        form = output_format or _form_of(output_file)
        if show is not None:
            from graphlint.devices.file import read

            _deliver(read(show), form, output_file, color)
            return
        from graphlint.calibration.partial import place

        size: Size = "quick" if quick else "full" if full else "standard"
        options = _options(size, provider, threads, optimization, time_budget)
        own = _own_place() if save else None
        for path in filter(None, (output_file, own)):
            check_target(path)
        target = output_file or own
        profile = _measured(size, options, retry, target)
        _deliver(profile, form, output_file, color)
        if own is not None:
            from graphlint.devices.file import write as write_profile

            write_profile(profile, own)
            tell_notes([f"{own} is this machine's own profile now"])
        if target is not None:
            place(target).unlink(missing_ok=True)


def _check(quick: bool, full: bool, show: Path | None, measuring: bool) -> None:
    if quick and full:
        raise UsageError(
            "--quick and --full do not go together",
            cause="each says how much is measured",
            hint="leave one of them out",
        )
    if show is not None and measuring:
        raise UsageError(
            "--show measures nothing",
            cause="another option says how to measure, or to save what was",
            hint="give --show with --output-format and --output-file alone",
        )


def _form_of(file: Path | None) -> CalibrateFormat:
    """The format that a file's name asks for."""
    if file is None:
        return CalibrateFormat.TABLE
    return _ENDINGS.get(file.suffix.lower(), CalibrateFormat.TABLE)


def _options(
    size: Size,
    provider: str | None,
    threads: int | None,
    optimization: OptimizationLevel | None,
    time_budget: float | None,
) -> LatencyOptions:
    from graphlint.calibration.calibrate import SECONDS
    from graphlint.timing import LatencyOptions

    level = optimization if optimization is not None else OptimizationLevel.ALL
    seconds = time_budget or SECONDS[size]
    return LatencyOptions(provider or "cpu", threads or 1, level.value, seconds)


def _own_place() -> Path:
    from graphlint.devices.file import own_place

    place = own_place()
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _measured(
    size: Size, options: LatencyOptions, retry: int, target: Path | None
) -> DeviceProfile:
    from graphlint import __version__
    from graphlint.calibration import calibrate as calibration

    try:
        with progress_line() as show:
            show(f"measuring for about {options.time_budget:.0f} s")
            start = time.monotonic()
            return calibration.calibrate(
                calibration.plan(size, options.provider),
                options,
                __version__,
                retries=retry,
                target=target,
                show=lambda done, of, left: show(_spelt(done, of, left, time.monotonic() - start)),
            )
    except KeyboardInterrupt:
        tell_notes(
            [
                "interrupted: name an --output-file, and what was measured is kept"
                if target is None
                else f"interrupted: the same command goes on from {target.name}.partial"
            ]
        )
        raise


def _deliver(
    profile: DeviceProfile, form: CalibrateFormat, file: Path | None, color: Colour
) -> None:
    """The profile in a form, to a file or stdout; the tables are on stdout with a file too."""
    if file is not None:
        write(_rendered(profile, form, color, file), file)
        form = CalibrateFormat.TABLE
    write(_rendered(profile, form, color, None), None)


def _rendered(
    profile: DeviceProfile, form: CalibrateFormat, color: Colour, file: Path | None
) -> str:
    match form:
        case CalibrateFormat.JSON:
            from graphlint.devices.file import render as as_json

            return as_json(profile)
        case CalibrateFormat.HTML:
            from graphlint.report.html.calibration import render as as_page

            return as_page(profile)
        case CalibrateFormat.TABLE:
            from graphlint.report.calibration import render

            return render(profile, style(color, file))


def _spelt(done: int, of: int, left: float, seconds: float) -> str:
    """How many experiments are done after so many seconds, how quickly, and how long it will be."""
    rate = f", {60 * done / max(seconds, 1e-9):.0f} a minute" if done else ""
    return f"{done} of {of} experiments{rate}, {left:.0f} s left"
