"""What a check or a profile comes to: plain values, without onnx, ready for any reporter."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphlint.costs.contract import NodeCost
from graphlint.devices.profile import Device
from graphlint.findings import Finding, Predicted
from graphlint.problem import Problem
from graphlint.structure.values import Structure
from graphlint.times import Ceilings, Comparison, ModelTimes, NodeTime, NotMeasured


@dataclass(frozen=True, slots=True)
class NodeReport:
    """A node and its cost, and its time where it was measured.

    `region` names the innermost fork-join region that it stands in. `predicted_seconds` is what a
    device profile foretells, None where it can't or none was given.
    """

    index: int
    path: str
    name: str
    op: str
    domain: str
    cost: NodeCost
    region: str = ""
    time: NodeTime | None = None
    predicted_seconds: float | None = None

    @property
    def operator(self) -> str:
        """The operator with its domain, unless that is ONNX's own."""
        return f"{self.domain}.{self.op}" if self.domain else self.op


@dataclass(frozen=True, slots=True)
class Uncosted:
    """Nodes whose cost can't be told, for one reason."""

    reason: str
    nodes: int
    first: str


@dataclass(frozen=True, slots=True)
class Totals:
    """A model's costs: the sum over its nodes; `uncosted_nodes` are left out of it."""

    nodes: int
    uncosted_nodes: int
    multiply_adds: int
    element_operations: int
    memory_access_elements: int
    memory_access_bytes: int
    parameters: int


@dataclass(frozen=True, slots=True)
class IgnoreUse:
    """What one code of a `per-file-ignores` entry did to a model that its pattern matches.

    `source` says where the entry stands. `silenced` is whether it kept a site from being reported,
    None where the rule did not run. One that gives no reason where the settings ask for it is not
    `heeded`.
    """

    source: str
    code: str
    silenced: bool | None
    heeded: bool = True


@dataclass(frozen=True, slots=True)
class BaselineSummary:
    """What a baseline made of the findings of a run.

    `known` findings are in it and left out of the report; `new` and `worse` ones stand in the
    report. `fixed` counts its entries that hold more than the models have.
    """

    known: int = 0
    new: int = 0
    worse: int = 0
    fixed: int = 0

    def __add__(self, other: BaselineSummary) -> BaselineSummary:
        return BaselineSummary(
            self.known + other.known,
            self.new + other.new,
            self.worse + other.worse,
            self.fixed + other.fixed,
        )


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What is to be said of one model. Without `totals` it could not be read: see `errors`.

    `inputs` spells the model's inputs as bound (`1x3x224x224 float32`); `notes` say what was
    assumed; `nodes` is empty unless asked for. `times` are there where latency was measured,
    `not_measured` says why it was not where it should have been. `batch` is the size of its batch
    where that was asked for. `structure` is what a diff compares, where one was asked for.
    `rules` are the codes of the rules that ran to their end, `ignores` what `per-file-ignores` did.
    `predicted` is one run on `device`, whose profile was given.
    """

    path: str
    opset: int | None = None
    inputs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    totals: Totals | None = None
    uncosted: tuple[Uncosted, ...] = ()
    findings: tuple[Finding, ...] = ()
    nodes: tuple[NodeReport, ...] = ()
    times: ModelTimes | None = None
    not_measured: NotMeasured | None = None
    errors: tuple[Problem, ...] = ()
    batch: int | None = None
    structure: Structure | None = None
    rules: tuple[str, ...] = ()
    ignores: tuple[IgnoreUse, ...] = ()
    predicted: Predicted | None = None
    device: Device | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The models in the order in which they were given; `version` is graphlint's.

    `comparison` is of the models measured in turn, `ceilings` are the device's; both only where
    they were asked for and could be measured. `notes` are on the run as a whole. `baseline` is
    there where one was used: the findings are then those that are new or worse.
    """

    version: str
    models: tuple[ModelReport, ...] = ()
    errors: tuple[Problem, ...] = field(default=())
    comparison: Comparison | None = None
    ceilings: Ceilings | None = None
    notes: tuple[str, ...] = ()
    baseline: BaselineSummary | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all models."""
        return tuple(finding for model in self.models for finding in model.findings)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All errors: of single models, and of paths without models."""
        return self.errors + tuple(error for model in self.models for error in model.errors)
