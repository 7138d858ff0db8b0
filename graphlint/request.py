"""What a child process is asked. Imports nothing heavy: the parent makes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint.config import Settings
from graphlint.problem import Problem

if TYPE_CHECKING:
    from graphlint.devices.profile import DeviceProfile


@dataclass(frozen=True, slots=True)
class Request:
    """A model to check. `file` is where its bytes lie, if not at `path`.

    `only` restricts the findings to those at one node. `want_nodes` keeps every node's cost in the
    report, `want_regions` the region that each stands in, `want_structure` what a diff compares,
    `want_weights` digests of all weights with it.
    `infer_shapes=False` leaves out what can hang or crash; `why` is then the reason that the report
    gives. `batch` is the size of the model's symbolic batch, None where it is not given. `device`
    is the profile that findings are priced by; rules look at it only if `device_is_named`, and only
    then does a price decide whether there is a finding.
    """

    path: str
    settings: Settings
    file: Path | None = None
    only: str = ""
    strict_shapes: bool = True
    want_findings: bool = True
    want_nodes: bool = False
    want_regions: bool = False
    want_structure: bool = False
    want_weights: bool = False
    infer_shapes: bool = True
    why: Problem | None = None
    batch: int | None = None
    device: DeviceProfile | None = None
    device_is_named: bool = False
