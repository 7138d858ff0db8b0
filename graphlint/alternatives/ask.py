"""What-if in a word: of a rule, of a node, or of all findings."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from graphlint import registry
from graphlint.alternatives.isolated import what_if
from graphlint.alternatives.request import WhatIfRequest
from graphlint.alternatives.results import WhatIfReport
from graphlint.config import Settings
from graphlint.devices.chosen import chosen
from graphlint.errors import UsageError
from graphlint.model import STANDARD_INPUT
from graphlint.rewriting.request import Progress
from graphlint.times import NotMeasured
from graphlint.timing import LatencyOptions

ALL = "ALL"
"""The findings of all rules."""


def ask(
    path: str,
    subject: str,
    settings: Settings,
    latency: LatencyOptions,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> WhatIfReport:
    """What the alternatives of some of a model's findings would save, measured.

    `subject` is the code or name of a rule, the path of a node, or `ALL`. What the settings select
    is not heeded: it is `subject` that says what is tried.

    Raises:
        UsageError: `path` is no model's, nothing is called `subject`, an option can't be met.
        GraphlintError: the model can't be read, or took its process down.
    """
    if path == STANDARD_INPUT or os.path.isdir(path):
        raise UsageError(
            f"{path}: what-if takes a model's path",
            cause="its weights lie beside it",
            hint="give one model",
        )
    rules = registry.rules()
    codes = [code for code, rule in rules.items() if subject in (ALL, code, rule.name)]
    settings = replace(settings, select=tuple(codes) or (ALL,), extend_select=(), ignore=())
    device = chosen(settings.device_profile, latency)
    only = "" if codes else subject
    report = what_if(WhatIfRequest(path, settings, latency, only, device.named), progress)
    if isinstance(report.model, NotMeasured) and report.model.is_usage:
        raise UsageError(
            f"{path}: latency can't be measured as asked",
            cause=report.model.reason,
            hint=report.model.hint,
        )
    if not codes and not (report.changes or report.untried):
        raise UsageError(
            f"what-if of {subject}: nothing to try",
            cause="no rule is called so, and no finding is at a node of that path",
            hint=registry.did_you_mean(subject, rules) or "`graphlint check` shows the findings",
        )
    return replace(report, notes=(*report.notes, *device.notes))
