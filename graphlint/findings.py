"""What a rule finds: sites, and the findings that like sites fold into. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad a finding is; ordered, so that severities compare."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    @classmethod
    def parse(cls, text: str) -> Severity:
        """From its lower-case name; raises `KeyError` for any other text."""
        return cls[text.upper()] if text == text.lower() else cls[""]

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a model: the node paths of one site, the one to look at first in front.

    Without nodes it is the model as a whole.
    """

    model: str
    nodes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.model}::{self.nodes[0]}" if self.nodes else self.model


@dataclass(frozen=True, slots=True)
class FoundSite:
    """One site of a finding: where it is and what it moves beyond need, in bytes.

    Sites of one structure have one `fingerprint` (`graphlint.fingerprints`).
    """

    location: Location
    excess_bytes: int | None
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a device profile foretells without a runtime, in seconds, and the error to expect of it.

    Of a finding: what it would save to have its alternatives in its places. `seconds` is None where
    that can't be told of any of them; `left_out` counts those of which it can't, `reason` says why.
    """

    seconds: float | None
    plus_minus: float = 0.0
    left_out: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """How much of a finding a baseline holds."""

    sites: int
    excess_bytes: int | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Like sites of one rule in one model.

    `excess_bytes` is the sites' sum, None where the rule states none (G3). `seconds` is the
    measured time in the sites' nodes, None where nothing was measured. `fingerprint` is made of the
    nodes' structure: it outlives renaming and re-exporting. `fixable`: a rewrite may help.
    `known` is what a baseline holds of a finding that is worse than that. `predicted` is its price
    on a device, where a profile of one was given.
    """

    code: str
    name: str
    severity: Severity
    message: str
    help: str
    sites: tuple[FoundSite, ...]
    excess_bytes: int | None
    fingerprint: str
    fixable: bool = False
    seconds: float | None = None
    known: Known | None = None
    predicted: Predicted | None = None

    @property
    def location(self) -> Location:
        """Where to look first."""
        return self.sites[0].location

    @property
    def nodes(self) -> tuple[str, ...]:
        """The paths of all nodes of all sites, each once."""
        return tuple(dict.fromkeys(path for site in self.sites for path in site.location.nodes))
