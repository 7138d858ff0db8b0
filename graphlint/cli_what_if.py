"""`graphlint profile --what-if`: alternatives of findings, measured."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from graphlint.checking import Options, settings_for
from graphlint.devices.chosen import Asked, chosen
from graphlint.errors import UsageError
from graphlint.terminal import Colour, progress_line, style, tell_notes, write
from graphlint.timing import LatencyOptions

ALL = "ALL"


def tell(
    path: str,
    asked: str,
    options: Options,
    latency: LatencyOptions | None,
    output_format: str,
    output_file: Path | None,
    color: Colour,
) -> None:
    """Try the alternatives of a rule's findings, of those at a node, or of all, and report.

    Raises:
        UsageError: the options do not go together, or nothing is called `asked`.
        GraphlintError: the model can't be read, or took its process down.
    """
    from graphlint import registry
    from graphlint.report import what_if as reporter
    from graphlint.what_if.isolated import what_if
    from graphlint.what_if.request import WhatIfRequest

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
    if path == "-" or os.path.isdir(path):
        raise UsageError(
            f"{path}: --what-if takes a model's path",
            cause="its weights lie beside it",
            hint="give one model",
        )
    settings = settings_for(Path(path).parent, options)
    rules = registry.rules()
    codes = [code for code, rule in rules.items() if asked in (ALL, code, rule.name)]
    settings = replace(settings, select=tuple(codes) or (ALL,), extend_select=(), ignore=())
    device = chosen(
        settings.device_profile,
        Asked(latency.provider, latency.threads, latency.optimization),
    )
    only = "" if codes else asked
    request = WhatIfRequest(path, settings, latency, only, device.profile)
    with progress_line() as show:
        report = what_if(request, lambda progress: show(progress.stage))
    if not codes and not (report.changes or report.untried):
        raise UsageError(
            f"--what-if {asked}: nothing to try",
            cause="no rule is called so, and no finding is at a node of that path",
            hint=registry.did_you_mean(asked, rules) or "`graphlint check` shows the findings",
        )
    write(reporter.FORMATS[output_format](report, style(color, output_file)), output_file)
    tell_notes(device.notes)
