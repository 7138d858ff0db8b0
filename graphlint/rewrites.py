"""The contract of a rewrite: match → plan → transfer → edit, each stage a value.

A rewrite changes places of a model's main graph into something cheaper. It is a module of a rule
pack: a docstring, which is its page, and a `Rewrite` in the pack's `REWRITES`. It gets a `Subject`,
finds the places (`Matches`), says what it would do (`Plan`), makes or carries over the weights, and
gives the `Edit`s. It never touches the model: graphlint splices the edits in, verifies the result
and saves it, or nothing.

A refusal is a value too: the nodes, and the reason why they were left as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from graphlint.costs.totals import Costs
from graphlint.graph import GraphView, Node
from graphlint.rule import Option, OptionValue

if TYPE_CHECKING:
    import numpy as np
    from onnx import NodeProto, TensorProto

PAGE_HEADINGS = ("What it does", "What it keeps", "When it is refused", "Options", "References")
"""The headings of a rewrite's page, in their order."""

AUTO = "auto"
"""The plan that stands for the best of a rewrite's plans: the fastest, where they can be measured.
"""


@dataclass(frozen=True)
class Subject:
    """A model as a rewrite sees it.

    `view` has static shapes wherever they can be had: sizes that the model leaves open stand at a
    value that is good for matching, and `open_values` has the keys of the values whose shape
    depends on them (beyond the batch).
    """

    view: GraphView
    costs: Costs
    numbers: Callable[[str], np.ndarray[Any, Any] | None]
    """The numbers of a value that does not depend on what is fed (weights, Constants, what is
    computed from them), in their own type (bfloat16 as float32); None where they can't be had."""
    open_values: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A place that was left as it is: the node to look at first, and why, in a sentence."""

    nodes: tuple[Node, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Match:
    """A place that the rewrite can change.

    `nodes` are those that will go, in topological order; `what` says what they are ("ShuffleNet V1
    unit, stride 2"), `figures` say it for programs (`{"stride": 2}`); `found` is the rewrite's own
    value. Matches share no node.
    """

    nodes: tuple[Node, ...]
    what: str
    found: Any = None
    figures: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Matches:
    """All places of a model, and the near misses. `note` says more ("already V2")."""

    matches: tuple[Match, ...]
    refusals: tuple[Refusal, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """What a plan does at one match: `exact` where it computes the same function (but rounding).

    `becomes` says what will stand there ("120 | 120, was 60, groups 3"); `origin` is its name in
    the new model, that of its `Edit`.
    """

    match: Match
    exact: bool
    becomes: str
    origin: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A way to rewrite the matches. `details` is the rewrite's own value.

    `then` names a rewrite whose plans are exact, to be done on the result. `keeps_shapes`: every
    value that keeps its name keeps its shape.
    """

    name: str
    places: tuple[Place, ...]
    details: Any = None
    notes: tuple[str, ...] = ()
    then: str = ""
    keeps_shapes: bool = True

    @property
    def exact(self) -> bool:
        """Whether the whole model computes what it did."""
        return all(place.exact for place in self.places)


@dataclass(frozen=True, slots=True)
class Edit:
    """Nodes that go and what comes in their stead; made by `graphlint.rewriting.scratch`.

    The new nodes write every output of the removed ones that somebody else reads, under its name.
    Other names that they bring may be changed when they are taken in the model. `origin` names the
    match, for the provenance that every new node carries.
    """

    removed: tuple[Node, ...]
    nodes: tuple[NodeProto, ...]
    initializers: tuple[TensorProto, ...]
    origin: str = ""


class CannotFit(ValueError):
    """Raised by a `fit`: why weights can't be carried over, in a sentence."""


class Teacher(Protocol):
    """The model before the rewrite, as something that can be run."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(
        self, feeds: Mapping[str, np.ndarray[Any, Any]], keys: Sequence[str]
    ) -> list[np.ndarray[Any, Any]]:
        """The values of `keys`, any of the main graph, for one batch of inputs."""
        ...


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often student and teacher give the same answer on inputs not used for fitting.

    `low` and `high` bound it with 95 % confidence. It is not accuracy: no label was seen.
    `made_up`: the inputs were generated, and others may be answered otherwise.
    """

    share: float
    low: float
    high: float
    samples: int
    made_up: bool = False


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights that were carried over, and how well.

    `differences` has, for each place of the plan, the normalised mean squared error of its output,
    None where it is exact. `notes` say what was done ("2,500 steps of distillation"). `orders` has
    the values whose channels (axis 1) stand in another order now: place j has what was channel
    `order[j]`.
    """

    weights: Any
    agreement: Agreement | None
    differences: tuple[float | None, ...]
    notes: tuple[str, ...] = ()
    orders: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FitRequest:
    """How to carry weights over. `images` are unlabelled inputs of the model: (n, …) float32.

    `made_up` says that they are generated. `seconds` bounds the work by `clock`, `steps` the steps
    of distillation (None: as many as there is time for). `closed_form` leaves out what is
    iterative. `progress` is told the stage, the share of it that is done, and the agreement so far.
    """

    images: np.ndarray[Any, Any]
    made_up: bool
    seconds: float
    seed: int
    steps: int | None = None
    closed_form: bool = False
    progress: Callable[[str, float, float | None], None] = lambda stage, done, agreement: None
    clock: Callable[[], float] = monotonic


@dataclass(frozen=True, slots=True)
class Stages:
    """What a rewrite does, in order.

    `match` finds the places and `plan` says what would be done at them. `start` gives the weights
    that need no data (exact where a place is exact, else seeded), `fit` carries the others over
    from the teacher (None for a rewrite whose plans are all exact), and `edit` makes the nodes.
    """

    match: Callable[[Subject], Matches]
    plan: Callable[[Subject, Matches, str, Mapping[str, OptionValue]], Plan | Refusal]
    start: Callable[[Subject, Plan, int], Any]
    edit: Callable[[Subject, Plan, Any], tuple[Edit, ...]]
    fit: Callable[[Subject, Plan, Any, Teacher, FitRequest], Fitted] | None = None
    """Raises `CannotFit` where it can't."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A rewrite: its name (`shufflenet-v1-to-v2`), its page, and its stages.

    `requires` and `ensures` are a sentence each. `plans` are the names of the plans that `plan`
    takes, the one first that is best where nothing can be measured; `AUTO` is not among them.
    `stages` is asked when they are needed, so that listing rewrites imports nothing heavy.
    `clears` are the codes of rules that may have nothing to say of the new nodes. One that is
    `only_by_name` is done where it is asked for by name, not by a plain `graphlint rewrite`.
    """

    name: str
    summary: str
    page: str
    requires: str
    ensures: str
    plans: tuple[str, ...]
    stages: Callable[[], Stages]
    clears: tuple[str, ...] = ()
    only_by_name: bool = False
    options: tuple[Option, ...] = field(default=())
    pack: str = ""
