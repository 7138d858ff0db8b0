"""graphlint: a linter and profiler for ONNX models, after ShuffleNet V2's four guidelines.

::

    import graphlint

    for finding in graphlint.check("model.onnx").findings:
        print(finding.location, finding.code, finding.message)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from graphlint.alternatives.results import WhatIfReport
    from graphlint.api import (
        calibrate,
        check,
        load,
        load_device_profile,
        profile,
        rewrite,
        what_if,
    )
    from graphlint.devices.profile import DeviceProfile
    from graphlint.errors import GraphlintError
    from graphlint.findings import Finding, Location, Severity
    from graphlint.graph import GraphView, Node
    from graphlint.results import ModelReport, Report
    from graphlint.rule import Context, Example, Option, Rule, Site
    from graphlint.timing import LatencyOptions

__all__ = [
    "Context",
    "DeviceProfile",
    "Example",
    "Finding",
    "GraphView",
    "GraphlintError",
    "LatencyOptions",
    "Location",
    "ModelReport",
    "Node",
    "Option",
    "Report",
    "Rule",
    "Severity",
    "Site",
    "WhatIfReport",
    "calibrate",
    "check",
    "load",
    "load_device_profile",
    "profile",
    "rewrite",
    "what_if",
]

# Imported when first asked for: the command line must start without them.
_HOMES = {
    "alternatives.results": ("WhatIfReport",),
    "api": (
        "calibrate",
        "check",
        "load",
        "load_device_profile",
        "profile",
        "rewrite",
        "what_if",
    ),
    "devices.profile": ("DeviceProfile",),
    "errors": ("GraphlintError",),
    "findings": ("Finding", "Location", "Severity"),
    "graph": ("GraphView", "Node"),
    "results": ("ModelReport", "Report"),
    "rule": ("Context", "Example", "Option", "Rule", "Site"),
    "timing": ("LatencyOptions",),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"graphlint.{home}"), name)
    raise AttributeError(f"module 'graphlint' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
