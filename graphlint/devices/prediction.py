"""What a network takes on a device, from its costs and a device profile, without a runtime.

Every kernel that the runtime makes of the graph (`fusion`) is a layer of some kind (`kinds`), whose
seconds are interpolated between those that were measured (`speeds`); reordered values are layers of
their own, views take a launch. See `docs/prediction.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import sqrt

from graphlint.costs.contract import Category
from graphlint.costs.totals import Costs
from graphlint.devices.fusion import ALONE, Edges, Schedule, schedule
from graphlint.devices.kinds import layer_of, reorder_of
from graphlint.devices.profile import DeviceProfile, Layer
from graphlint.devices.speeds import Speeds, alikeness
from graphlint.graph import GraphView

__all__ = ["NodeSeconds", "Prediction", "Reordering", "predict"]

_VIEW = "view"


@dataclass(frozen=True, slots=True)
class NodeSeconds:
    """A node's share of its kernel's seconds; None where they can't be told, with the reason.

    `kind` is that of the kernel's layer; a node without a kernel takes no time and has none.
    `layer` is None for a view too.
    """

    seconds: float | None
    kind: str = ""
    reason: str = ""
    layer: Layer | None = None


@dataclass(frozen=True, slots=True)
class Reordering:
    """A value that changes its layout for a kernel; its time is part of the kernel's."""

    value: str
    leader: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one run of a network is expected to take.

    `nodes` stand as in the view. `errors` are the relative errors to expect of each kind.
    """

    nodes: tuple[NodeSeconds, ...]
    errors: Mapping[str, float]
    run_seconds: float
    reorderings: tuple[Reordering, ...]
    schedule: Schedule

    @property
    def unknown(self) -> int:
        """How many nodes the seconds leave out."""
        return sum(node.seconds is None for node in self.nodes)

    @property
    def reason(self) -> str:
        """Why most of those are left out; empty where none is."""
        reasons = [node.reason for node in self.nodes if node.seconds is None]
        return max(reasons, key=reasons.count) if reasons else ""

    @property
    def seconds(self) -> float:
        """One run from end to end, without the nodes whose time can't be told."""
        return self.run_seconds + sum(node.seconds or 0.0 for node in self.nodes)

    @property
    def plus_minus(self) -> float:
        """The error to expect of `seconds`."""
        return self.error_of(range(len(self.nodes)))

    def error_of(self, nodes: Iterable[int]) -> float:
        """The error to expect of some nodes together, in seconds.

        Layers of a kind are wrong together, kinds by themselves: errors are summed within a kind,
        and as squares over kinds.
        """
        parts = self._by_kind(nodes)
        return sqrt(
            sum((self.errors.get(kind, 0.0) * all_.sum) ** 2 for kind, all_ in parts.items())
        )

    def error_of_difference(self, nodes: Iterable[int], other: Prediction) -> float:
        """The error to expect of some nodes' seconds less those of all of `other`'s.

        Of a kind that is in both, the two are wrong alike, the more so the nearer the layers are
        that take longest in each.
        """
        squares = 0.0
        mine, others = self._by_kind(nodes), other._by_kind(range(len(other.nodes)))
        for kind in mine.keys() | others.keys():
            one, two = mine.get(kind, _NOTHING), others.get(kind, _NOTHING)
            alike = alikeness(one.layer, two.layer) if one.layer and two.layer else 0.0
            error = max(self.errors.get(kind, 0.0), other.errors.get(kind, 0.0))
            squares += error**2 * (one.sum**2 + two.sum**2 - 2 * alike * one.sum * two.sum)
        return sqrt(squares)

    def _by_kind(self, nodes: Iterable[int]) -> Mapping[str, _Part]:
        parts: dict[str, _Part] = {}
        for index in nodes:
            node = self.nodes[index]
            before, seconds = parts.get(node.kind, _NOTHING), node.seconds or 0.0
            longer = seconds > before.longest
            parts[node.kind] = _Part(
                before.sum + seconds,
                max(seconds, before.longest),
                node.layer if longer else before.layer,
            )
        return parts


@dataclass(frozen=True, slots=True)
class _Part:
    """Of some nodes those of one kind: their seconds, and the one that takes the most of them."""

    sum: float
    longest: float
    layer: Layer | None


_NOTHING = _Part(0.0, 0.0, None)


def predict(
    view: GraphView, costs: Costs, profile: DeviceProfile, edges: Edges = ALONE
) -> Prediction:
    """What each node, and a whole run, takes on the profile's device."""
    speeds = _speeds(profile)
    plan = schedule(view, costs, profile, edges)
    nodes = [_unscheduled(plan, index) for index in range(len(view.nodes))]
    reorderings: list[Reordering] = []
    for leader, members in plan.members().items():
        reordered = _reorderings(view, plan, leader, speeds)
        found = _kernel(view, costs, plan, leader, reordered, speeds)
        reorderings += reordered or ()
        if found.seconds is None:
            for index in members:
                nodes[index] = found
            continue
        for index, share in _shares(costs, members):
            nodes[index] = replace(found, seconds=found.seconds * share)
    kinds = {node.kind for node in nodes}
    return Prediction(
        tuple(nodes),
        {kind: speeds.scatter(kind) for kind in kinds},
        profile.run_seconds,
        tuple(reorderings),
        plan,
    )


@lru_cache(maxsize=4)
def _speeds(profile: DeviceProfile) -> Speeds:
    """The lines of a profile are fitted once."""
    return Speeds(profile)


def _unscheduled(plan: Schedule, index: int) -> NodeSeconds:
    if index in plan.free:
        return NodeSeconds(0.0)
    return NodeSeconds(None, reason="it runs in the body of another node")


def _kernel(
    view: GraphView,
    costs: Costs,
    plan: Schedule,
    leader: int,
    reordered: tuple[Reordering, ...] | None,
    speeds: Speeds,
) -> NodeSeconds:
    node, cost = view.nodes[leader], costs.nodes[leader]
    launch = speeds.profile.launch_seconds
    if reordered is None:
        return NodeSeconds(None, reason="no reordering of channels was measured")
    extra = sum(each.seconds for each in reordered)
    if cost.unknown is None and cost.category is Category.VIEW:
        return NodeSeconds(launch + extra, _VIEW)
    if view.bodies(node):
        return NodeSeconds(None, reason=f"{node.op} runs other nodes")
    layer = layer_of(node, view, cost, leader in plan.blocked)
    if not isinstance(layer, Layer):
        return NodeSeconds(None, reason=layer)
    seconds = speeds.seconds(layer)
    if seconds is None:
        return NodeSeconds(None, reason=f"no {layer.kind} layer was measured")
    return NodeSeconds(seconds + extra, layer.kind, layer=layer)


def _reorderings(
    view: GraphView, plan: Schedule, leader: int, speeds: Speeds
) -> tuple[Reordering, ...] | None:
    """Those that a kernel needs; None where one's time can't be told."""
    found = []
    for key in plan.reorders.get(leader, ()):
        layer = reorder_of(view, key)
        seconds = speeds.seconds(layer) if layer is not None else None
        if seconds is None:
            return None
        found.append(Reordering(key, leader, seconds))
    return tuple(found)


def _shares(costs: Costs, members: tuple[int, ...]) -> Iterable[tuple[int, float]]:
    """Each node's part of its kernel, by multiply-adds or, where there are none, by bytes."""
    weights = [
        costs.nodes[index].multiply_adds or costs.nodes[index].element_operations
        for index in members
    ]
    total = sum(weights)
    for index, weight in zip(members, weights, strict=True):
        yield index, weight / total if total else 1 / len(members)
