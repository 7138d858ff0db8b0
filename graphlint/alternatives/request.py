"""What the child process that tries alternatives is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from graphlint.config import Settings
from graphlint.devices.profile import DeviceProfile
from graphlint.timing import LatencyOptions

MOST_CHANGES = 12
"""So many findings are tried, the largest first."""


@dataclass(frozen=True, slots=True)
class WhatIfRequest:
    """A model whose findings' alternatives are to be measured.

    `settings` select the rules. `only` is the path of a node: then only the findings at it are
    tried. `device` is what rules are told of the device: a profile that was named.
    `latency.time_budget` is in seconds for each model of a comparison. `folder` is for temporary
    files: the parent makes and removes it.
    """

    path: str
    settings: Settings
    latency: LatencyOptions
    only: str = ""
    device: DeviceProfile | None = None
    folder: Path = Path()
