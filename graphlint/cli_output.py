"""Where `check` writes its report and in which formats: stdout, and any number of files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint.atomic import check_target
from graphlint.cli_options import CheckFormat, FailOn
from graphlint.errors import UsageError
from graphlint.terminal import Colour, style, write

if TYPE_CHECKING:
    from graphlint.report.text import Style
    from graphlint.results import ModelReport, Report

_JSON = (CheckFormat.JSON, CheckFormat.SARIF, CheckFormat.GITLAB)
_ENDINGS = {
    ".sarif": (CheckFormat.SARIF,),
    ".sarif.json": (CheckFormat.SARIF,),
    ".json": _JSON,
    ".jsonl": (CheckFormat.JSON_LINES,),
    ".ndjson": (CheckFormat.JSON_LINES,),
    ".xml": (CheckFormat.JUNIT,),
    ".md": (CheckFormat.MARKDOWN,),
    ".markdown": (CheckFormat.MARKDOWN,),
}
"""The formats that a file of this ending may hold; the first is the one that it names."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to write, and its format."""

    path: Path
    format: CheckFormat


@dataclass(frozen=True, slots=True)
class Outputs:
    """The format of stdout, None where it stays empty, and the files."""

    stdout: CheckFormat | None
    files: tuple[File, ...] = ()

    @property
    def want_nodes(self) -> bool:
        """Whether a format shows every node."""
        return self.keep_nodes or self.stdout is CheckFormat.JSON_LINES

    @property
    def keep_nodes(self) -> bool:
        """Whether a format shows every node of every model at once, when all models are done."""
        shown_at_last: set[CheckFormat | None] = {file.format for file in self.files}
        if self.stdout is not CheckFormat.JSON_LINES:  # which `streamer` writes
            shown_at_last.add(self.stdout)
        return bool(shown_at_last & {CheckFormat.JSON, CheckFormat.JSON_LINES})


def planned(form: CheckFormat | None, files: Sequence[str]) -> Outputs:
    """What is written where; `form` and `files` as the user gave them.

    A file's format stands in front of it (`gitlab:report.json`) or is told by its ending. A single
    file that can hold stdout's format gets that, and stdout stays empty.

    Raises:
        UsageError: a file's format is not known.
    """
    shown = form if form is not None else CheckFormat.FULL
    named = [_named(text) for text in files]
    if len(named) == 1 and named[0][0] is None and _can_hold(named[0][1], shown):
        return Outputs(None, (File(named[0][1], shown),))
    return Outputs(
        shown, tuple(File(path, explicit or _by_ending(path)) for explicit, path in named)
    )


def _named(text: str) -> tuple[CheckFormat | None, Path]:
    """`sarif:out` as format and path; without a format, None and the whole as a path."""
    prefix, _, rest = text.partition(":")
    if rest and prefix in set(CheckFormat):
        return CheckFormat(prefix), Path(rest)
    return None, Path(text)


def _ending(path: Path) -> str:
    return next((e for e in sorted(_ENDINGS, key=len)[::-1] if path.name.lower().endswith(e)), "")


def _can_hold(path: Path, form: CheckFormat) -> bool:
    ending = _ending(path)
    return not ending or form in _ENDINGS[ending]


def _by_ending(path: Path) -> CheckFormat:
    if ending := _ending(path):
        return _ENDINGS[ending][0]
    if path.suffix.lower() == ".txt":
        return CheckFormat.FULL
    raise UsageError(
        f"{path}: its format is not known",
        cause=f"the endings that tell one are {', '.join(_ENDINGS)} and .txt",
        hint=f"name the format in front: sarif:{path}",
    )


def check_targets(outputs: Outputs, models: Sequence[str]) -> None:
    """Look whether all files can be written, before any work is done for them.

    Raises:
        UsageError: one can't be, is a model, or is there twice.
    """
    inputs = {os.path.realpath(model) for model in models}
    seen: set[str] = set()
    for file in outputs.files:
        check_target(file.path)
        real = os.path.realpath(file.path)
        if real in inputs or real.endswith(".onnx"):
            raise UsageError(
                f"{file.path}: a model",
                cause="a report would take its place",
                hint="name another file for the report",
            )
        if real in seen:
            raise UsageError(
                f"{file.path}: two reports can't be written to one file",
                hint="give each --output-file a name of its own",
            )
        seen.add(real)


def streamer(outputs: Outputs) -> Callable[[ModelReport], None]:
    """What to do with each model as soon as it is done: JSON Lines are written at once."""
    if outputs.stdout is not CheckFormat.JSON_LINES:
        return lambda model: None
    from graphlint import __version__
    from graphlint.report.json_lines import model_line

    def write_line(model: ModelReport) -> None:
        write(model_line(model, __version__), None)
        sys.stdout.flush()

    return write_line


def deliver(
    report: Report, outputs: Outputs, fail_on: str, color: Colour, *, nodes: bool = False
) -> None:
    """Write the report to its files, then to stdout.

    Raises:
        UsageError: a file can't be written.
    """
    for file in outputs.files:
        how = style(color, file.path)
        write(_rendered(file.format, report, fail_on, how, nodes=nodes), file.path)
    if outputs.stdout is CheckFormat.JSON_LINES:
        from graphlint.report.json_lines import error_lines

        write(error_lines(report), None)
    elif outputs.stdout is not None:
        write(_rendered(outputs.stdout, report, fail_on, style(color), nodes=nodes), None)


def _rendered(form: CheckFormat, report: Report, fail_on: str, how: Style, *, nodes: bool) -> str:
    """The report in a format; each imports only what it needs."""
    from graphlint import registry
    from graphlint.report.repository import root_of

    match form:
        case CheckFormat.CONCISE:
            from graphlint.report import concise

            return concise.render(report, how)
        case CheckFormat.JSON:
            from graphlint.report import json

            return json.render(report)
        case CheckFormat.JSON_LINES:
            from graphlint.report import json_lines

            return json_lines.render(report)
        case CheckFormat.SARIF:
            from graphlint.report import sarif

            return sarif.render(report, registry.rules(), root_of(Path()))
        case CheckFormat.GITHUB:
            from graphlint.report import github

            return github.render(report, root_of(Path()))
        case CheckFormat.GITLAB:
            from graphlint.report import gitlab

            return gitlab.render(report, root_of(Path()))
        case CheckFormat.JUNIT:
            from graphlint.findings import Severity
            from graphlint.report import junit

            least = None if fail_on == FailOn.NEVER else Severity.parse(fail_on)
            return junit.render(report, registry.rules(), least)
        case CheckFormat.MARKDOWN:
            from graphlint.report import markdown

            return markdown.render(report)
        case _:
            from graphlint.report import full

            return full.render(report, how, nodes=nodes)
