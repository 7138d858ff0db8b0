"""What a rewrite comes to: plain values, without onnx, ready for any reporter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphlint.rewrites import Agreement
from graphlint.times import ComparedTimes, NotMeasured


@dataclass(frozen=True, slots=True)
class Figures:
    """A model in figures; `findings` counts its sites by rule."""

    multiply_adds: int
    memory_access_bytes: int
    parameters: int
    findings: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan that was tried. `figures` and `times` are None where `refused` says why."""

    plan: str
    figures: Figures | None = None
    times: ComparedTimes | NotMeasured | None = None
    within_budget: bool = True
    chosen: bool = False
    refused: str = ""


@dataclass(frozen=True, slots=True)
class PlaceResult:
    """A place that was (or would be) rewritten; `nodes` are paths.

    `difference` is the largest relative difference of an exact place's output on random inputs,
    `nmse` the normalised mean squared error of a fitted one; None where nothing was run.
    """

    nodes: tuple[str, ...]
    what: str
    becomes: str
    exact: bool
    figures: Mapping[str, int] = field(default_factory=dict)
    difference: float | None = None
    nmse: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A near miss: the paths of its nodes, and why it was left as it is."""

    nodes: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class RewriteReport:
    """What is to be said of one rewrite; without `plan` nothing was (or would be) rewritten.

    `original` is the original's time in the run in which the candidates were measured. `output` is
    the new model's path, empty where none was written; `weights` says where the new weights come
    from. `largest_difference` is that of the outputs, where the whole plan is exact.
    """

    path: str
    rewrite: str
    plan: str = ""
    candidates: tuple[Candidate, ...] = ()
    places: tuple[PlaceResult, ...] = ()
    refusals: tuple[Refused, ...] = ()
    before: Figures | None = None
    after: Figures | None = None
    original: ComparedTimes | NotMeasured | None = None
    exact: bool = False
    largest_difference: float | None = None
    weights: str = ""
    agreement: Agreement | None = None
    output: str = ""
    written: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
