"""The contract of a rule, and what it is given to look at.

A rule is one file: a module docstring, which is the rule's page; a `check` function; GOOD and BAD
examples; and a `Rule` that ties them together. `check` gets a `Context` and yields a `Site` for
every place where the rule has something to say. Whether it is worth saying (`--min-excess`), who
asked not to hear it, and which sites are alike, is the engine's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from graphlint.costs.contract import NodeCost
from graphlint.costs.totals import Costs
from graphlint.findings import Severity
from graphlint.graph import GraphView, Node

if TYPE_CHECKING:
    from onnx import ModelProto

    from graphlint.devices.profile import DeviceProfile
    from graphlint.regions import Region

OptionValue = bool | int | float | str
Unit = Literal["bytes", "count"]

PAGE_HEADINGS = (
    "What it does",
    "Why it costs",
    "Example",
    "What to do instead",
    "Options",
    "References",
)
"""The headings of a rule's page, in their order."""


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a rule: `[rules.CODE] name = value` in a configuration file.

    The type of `default` is the type that is accepted; `minimum` bounds numbers from below.
    """

    name: str
    default: OptionValue
    description: str
    minimum: float | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """The limit that a rule holds models to: `[budgets."PATTERN"] name = LIMIT` in a configuration.

    `unit` says how a limit is spelt: `"40 MiB"`, or `"150 M"`; a bare integer is either.
    """

    name: str
    unit: Unit
    description: str


@dataclass(frozen=True, slots=True)
class Site:
    """One place where a rule has something to say.

    `nodes` stand in the order in which they should be looked at; without any the site is the model
    as a whole, which no baseline takes up. `excess_bytes` is what is moved
    beyond need in one run of the model, None where the rule counts no bytes. Sites with the same
    `message`, `help` and severity fold into one finding, so the message states the figures that it
    comes from and no names. `severity` overrides the rule's own.
    """

    nodes: tuple[Node, ...]
    message: str
    help: str
    excess_bytes: int | None
    severity: Severity | None = None
    fixable: bool = False


@dataclass(frozen=True)
class Context:
    """A model as a rule sees it: the graph with shapes, the costs, the rule's options.

    `limit` is the model's budget for a rule that has one; without a limit such a rule is not run.
    `device` is the device that the model is meant for, where a profile of it was named.
    """

    view: GraphView
    costs: Costs
    options: Mapping[str, OptionValue]
    limit: int | None = None
    device: DeviceProfile | None = None

    def cost(self, node: Node) -> NodeCost:
        """The node's cost for all its executions; `.unknown` says why where it can't be told."""
        return self.costs.nodes[node.index]

    def executions(self, node: Node) -> int:
        """How often the node runs in one run of the model; 0 where that is not known."""
        times = self.costs.executions[node.scope]
        return times if isinstance(times, int) else 0

    def is_shape_arithmetic(self, node: Node) -> bool:
        """Whether the node only makes shapes: never a finding."""
        return node.index in self.costs.shape_arithmetic

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """The fork-join regions of every scope, innermost first, without shape arithmetic."""
        from graphlint.regions import find_regions

        return find_regions(self.view, self.costs.shape_arithmetic)


@dataclass(frozen=True, slots=True)
class Example:
    """A small model in ONNX's text form (`onnx.parser`), weights as graph inputs or constants.

    `limit` is the budget that it is held to, for a rule that has one; `options` are those of the
    rule that are not at their defaults.
    """

    name: str
    model: str
    limit: int | None = None
    options: Mapping[str, OptionValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alternative:
    """What could stand in a site's place at equal multiply-adds, to price and to measure the site.

    It computes something else: what a network could be that is trained anew. `nodes` are those of
    the graph that it stands for, `model` is what stands there instead, alone and with weights made
    up. `label` spells it ("170→170"). `fits`: the inputs and outputs of `model` have, in their
    order, the shapes and types of those of `nodes`, so that it can be put in their place.
    """

    label: str
    nodes: tuple[Node, ...]
    model: ModelProto
    fits: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its code (`G1`), its name (reads well after "allow"), its check and its page.

    `alternative` gives what could stand in a site's place, None where nothing can be told. A
    finding of a rule that is `by_price` counts only where its price on a device that was named, if
    one can be told, is above its error.
    """

    code: str
    name: str
    summary: str
    check: Callable[[Context], Iterable[Site]]
    page: str
    good: tuple[Example, ...]
    bad: tuple[Example, ...]
    severity: Severity = Severity.WARNING
    options: tuple[Option, ...] = field(default=())
    budget: Budget | None = None
    alternative: Callable[[Context, Site], Alternative | None] | None = None
    by_price: bool = False
    pack: str = ""
