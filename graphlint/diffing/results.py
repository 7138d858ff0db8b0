"""What a diff comes to: plain values, without onnx, ready for any reporter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from graphlint.costs.contract import NodeCost
from graphlint.findings import Severity
from graphlint.problem import Problem
from graphlint.results import ModelReport, NodeReport, Totals
from graphlint.times import Comparison


@dataclass(frozen=True, slots=True)
class Figures:
    """Costs, or differences of costs: new less old."""

    multiply_adds: int = 0
    memory_access_bytes: int = 0
    parameters: int = 0

    @classmethod
    def of(cls, cost: NodeCost | Totals) -> Figures:
        """The figures of a node, or of a model."""
        return cls(cost.multiply_adds, cost.memory_access_bytes, cost.parameters)

    @classmethod
    def sum(cls, figures: Iterable[Figures]) -> Figures:
        """All together."""
        total = cls()
        for each in figures:
            total += each
        return total

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.multiply_adds + other.multiply_adds,
            self.memory_access_bytes + other.memory_access_bytes,
            self.parameters + other.parameters,
        )

    def __neg__(self) -> Figures:
        return Figures(-self.multiply_adds, -self.memory_access_bytes, -self.parameters)

    def __sub__(self, other: Figures) -> Figures:
        return self + -other

    def __bool__(self) -> bool:
        return any((self.multiply_adds, self.memory_access_bytes, self.parameters))


@dataclass(frozen=True, slots=True)
class NodeSide:
    """A node on one side of a change: how it reads, and its report."""

    title: str
    report: NodeReport

    @property
    def figures(self) -> Figures:
        """Its costs; none where they are unknown."""
        return Figures.of(self.report.cost)


@dataclass(frozen=True, slots=True)
class FactChange:
    """Something known of a node that differs; empty on the side that does not have it."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node that is on one side only, or differs: in `facts`, or in what it reads (`rewired`).

    `weights_differ` where weights were compared.
    """

    old: NodeSide | None
    new: NodeSide | None
    facts: tuple[FactChange, ...] = ()
    rewired: bool = False
    weights_differ: bool = False

    @property
    def kind(self) -> Literal["added", "removed", "changed"]:
        """What became of the node."""
        if self.old is None:
            return "added"
        return "removed" if self.new is None else "changed"

    @property
    def delta(self) -> Figures:
        """What it adds to the model's costs."""
        old, new = (Figures() if s is None else s.figures for s in (self.old, self.new))
        return new - old


SiteKind = Literal["new", "worse", "fixed", "better"]


@dataclass(frozen=True, slots=True)
class SiteChange:
    """A place of a finding that came, went, or moves more or less beyond need than before.

    `old_excess` and `new_excess` are bytes; None where the finding is not there, or states none.
    `place` is the first of its nodes: the new model's, of a fixed one the old model's.
    """

    kind: SiteKind
    code: str
    name: str
    severity: Severity
    message: str
    place: str
    old_excess: int | None
    new_excess: int | None

    @property
    def delta(self) -> int:
        """How many bytes of excess it adds."""
        return (self.new_excess or 0) - (self.old_excess or 0)


@dataclass(frozen=True, slots=True)
class Regression:
    """Something that got worse by more than the threshold; `share` is by how much."""

    what: str
    share: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """What changed between two models that could be read.

    `unchanged` counts the nodes that are in both; `free` those on either side that cost nothing and
    are not compared. `shared_parameters` are those that the sum over the nodes counts too often,
    because nodes share them: new less old. `outputs_rewired`: an output is another node's now.
    `weights_differ` counts the nodes whose weights do, None where weights were not compared;
    `weights_unread` those on either side whose weights could not be read.
    """

    nodes: tuple[NodeChange, ...]
    unchanged: int
    free: tuple[int, int]
    findings: tuple[SiteChange, ...]
    shared_parameters: int = 0
    outputs_rewired: bool = False
    weights_differ: int | None = None
    weights_unread: int = 0


@dataclass(frozen=True, slots=True)
class ModelDiff:
    """One model on both sides. `old` is None for an added one, `new` for a removed one.

    `change` is None where one side is missing or could not be read. `comparison` is there where
    latency was measured. `renamed`: among several models, it has another name on either side.
    """

    old: ModelReport | None
    new: ModelReport | None
    change: Change | None = None
    comparison: Comparison | None = None
    regressions: tuple[Regression, ...] = ()
    notes: tuple[str, ...] = ()
    renamed: bool = False

    @property
    def path(self) -> str:
        """The new path, of a removed model the old one."""
        side = self.new or self.old
        assert side is not None
        return side.path

    @property
    def delta(self) -> Figures:
        """How the totals differ; what is missing counts nothing."""
        return _total(self.new) - _total(self.old)

    @property
    def is_empty(self) -> bool:
        """Whether both sides are there and nothing that was compared differs."""
        change = self.change
        return change is not None and not (
            change.nodes or change.findings or change.outputs_rewired or self._inputs_differ
        )

    @property
    def _inputs_differ(self) -> bool:
        return self.old is not None and self.new is not None and self.old.inputs != self.new.inputs


def _total(report: ModelReport | None) -> Figures:
    known = report is not None and report.totals is not None
    return Figures.of(report.totals) if known else Figures()  # type: ignore[union-attr, arg-type]


@dataclass(frozen=True, slots=True)
class Diff:
    """The models that differ, or all where few are compared, by path; `old` and `new` say of what.

    `threshold` is the share from which on something is a regression. `notes` are of no one model.
    """

    version: str
    old: str
    new: str
    models: tuple[ModelDiff, ...]
    threshold: float
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All errors, each once."""
        sides = (side for model in self.models for side in (model.old, model.new))
        of_sides = (error for side in sides if side is not None for error in side.errors)
        return tuple(dict.fromkeys(of_sides))

    @property
    def regressions(self) -> tuple[Regression, ...]:
        """What got worse in any model."""
        return tuple(found for model in self.models for found in model.regressions)
