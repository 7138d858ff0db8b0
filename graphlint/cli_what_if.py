"""`graphlint profile --what-if`: alternatives of findings, measured."""

from __future__ import annotations

from pathlib import Path

from graphlint.checking import Options, settings_for
from graphlint.errors import UsageError
from graphlint.terminal import Colour, progress_line, style, write
from graphlint.timing import LatencyOptions


def tell(
    path: str,
    subject: str,
    options: Options,
    latency: LatencyOptions | None,
    output_format: str,
    output_file: Path | None,
    color: Colour,
) -> None:
    """Try the alternatives of a rule's findings, of those at a node, or of all, and report.

    Raises:
        UsageError: the options do not go together, or nothing is called `subject`.
        GraphlintError: the model can't be read, or took its process down.
    """
    from graphlint.alternatives.ask import ask
    from graphlint.report import what_if as reporter

    if latency is None:
        raise UsageError(
            "--what-if and --no-latency do not go together",
            cause="alternatives are measured",
            hint="leave one of them out",
        )
    if output_format not in reporter.FORMATS:
        raise UsageError(
            f"--what-if has no {output_format}",
            cause=f"its formats are {', '.join(reporter.FORMATS)}",
            hint="choose one with --output-format",
        )
    settings = settings_for(Path(path).parent, options)
    with progress_line() as show:
        report = ask(path, subject, settings, latency, lambda progress: show(progress.stage))
    write(reporter.FORMATS[output_format](report, style(color, output_file)), output_file)
