"""Findings priced in a device's seconds, from its profile and the alternatives that rules give.

The price of a site is what its nodes are expected to take where they stand, less what its
alternative would take there. Where the alternative fits, what is around it keeps its layout, and
values are reordered where that is another one. Where it has other widths, so would its neighbours:
the layers are compared among their like, but for the reordering that a change of layout spares.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint import shapes
from graphlint.costs.totals import Costs, Handles, node_costs
from graphlint.devices.fusion import Edges, Schedule
from graphlint.devices.prediction import Prediction, predict
from graphlint.devices.profile import DeviceProfile
from graphlint.findings import Predicted
from graphlint.graph import ABSENT, GraphView, Node
from graphlint.graph_builder import build
from graphlint.model import Model
from graphlint.rule import Alternative, Context, Rule, Site

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["Pricer"]

_NO_ALTERNATIVE = "the rule has no alternative to compare with"


class Pricer:
    """Prices the sites of one model on one device."""

    def __init__(
        self, view: GraphView, costs: Costs, profile: DeviceProfile, handles: Handles
    ) -> None:
        self._view = view
        self._handles = handles
        self._profile = profile
        self.prediction = predict(view, costs, profile)
        self._known: dict[tuple[str, Edges, str], Prediction] = {}

    def run(self) -> Predicted:
        """One run of the model from end to end."""
        found = self.prediction
        if found.unknown == len(found.nodes):
            return Predicted(None, 0.0, found.unknown, found.reason)
        return Predicted(found.seconds, found.plus_minus, found.unknown, found.reason)

    def together(self, context: Context, rule: Rule, sites: Iterable[Site]) -> Predicted:
        """The price of like sites of a rule, as far as it can be told."""
        prices = [self._site(context, rule, site) for site in sites]
        told = [each for each in prices if each.seconds is not None]
        reason = next((each.reason for each in prices if each.seconds is None), "")
        if not told:
            return Predicted(None, 0.0, len(prices), reason)
        return Predicted(
            sum(each.seconds or 0.0 for each in told),
            sum(each.plus_minus for each in told),  # like sites are wrong together
            len(prices) - len(told),
            reason,
        )

    def _site(self, context: Context, rule: Rule, site: Site) -> Predicted:
        if rule.alternative is None or not site.nodes:
            return Predicted(None, reason=_NO_ALTERNATIVE)
        try:
            alternative = rule.alternative(context, site)
        except Exception as error:  # a rule is a plug-in: its crash is its own
            return Predicted(None, reason=f"the rule's alternative failed: {error}")
        if alternative is None:
            return Predicted(None, reason=_NO_ALTERNATIVE)
        then = self._instead(alternative)
        indices = {node.index for node in alternative.nodes}
        reason = self._reason(indices) or then.reason
        if reason:
            return Predicted(None, reason=reason)
        spared = alternative.fits or self._changes_layout(indices, then)
        saved = self._seconds(indices, spared) - (then.seconds - then.run_seconds)
        return Predicted(saved, self.prediction.error_of_difference(indices, then))

    def _reason(self, indices: Iterable[int]) -> str:
        nodes = (self.prediction.nodes[index] for index in sorted(indices))
        return next((node.reason for node in nodes if node.seconds is None), "")

    def _changes_layout(self, indices: Set[int], then: Prediction) -> bool:
        """Whether kernels work on blocks of channels now and would not then, or the reverse."""
        now = _layouts(self.prediction.schedule, indices)
        return now != _layouts(then.schedule, range(len(then.nodes)))

    def _seconds(self, indices: Set[int], reordered: bool) -> float:
        """What the nodes take, with the reordering of what they read and make or without any."""
        found = self.prediction
        own = sum(found.nodes[index].seconds or 0.0 for index in indices)
        if not reordered:
            return own - sum(each.seconds for each in found.reorderings if each.leader in indices)
        made = {key for index in indices for key in self._view.nodes[index].outputs}
        return own + sum(
            each.seconds
            for each in found.reorderings
            if each.value in made and each.leader not in indices
        )

    def _instead(self, alternative: Alternative) -> Prediction:
        """What the alternative takes in its place; equal ones are told once."""
        edges = self._edges(alternative)
        key = (alternative.label, edges, self._spelt(alternative.nodes))
        if key not in self._known:
            view, _ = shapes.infer(build(_in_memory(alternative.model)), payload=lambda each: each)
            costs = node_costs(view, self._handles)
            self._known[key] = predict(view, costs, self._profile, edges)
        return self._known[key]

    def _spelt(self, nodes: Iterable[Node]) -> str:
        """Operators, attributes and shapes: what alternatives of one label can differ by."""
        told = []
        for node in nodes:
            shapes_ = [self._view.shape(key) for key in (*node.inputs, *node.outputs)]
            told.append((node.op, sorted(node.attributes.items()), shapes_))
        return repr(told)

    def _edges(self, alternative: Alternative) -> Edges:
        """The layouts around the alternative, under the names of its own inputs and outputs."""
        if not alternative.fits:
            return Edges(adapts=True)
        plan, graph = self.prediction.schedule, alternative.model.graph
        inner = [*(value.name for value in graph.input), *(value.name for value in graph.output)]
        read, made = self._read(alternative.nodes), self._made(alternative.nodes)
        outer = [*read, *made]
        if len(outer) != len(inner):
            return Edges(adapts=True)
        blocked = [key in plan.made_blocked for key in read]
        blocked += [key in plan.taken_blocked for key in made]
        names = {name for name, is_blocked in zip(inner, blocked, strict=True) if is_blocked}
        return Edges(frozenset(names))

    def _read(self, nodes: Iterable[Node]) -> list[str]:
        """The values that come in from outside, in order."""
        nodes = tuple(nodes)
        inside = {key for node in nodes for key in node.outputs}
        static = self._view.static_values | inside | {ABSENT}
        keys = dict.fromkeys(key for node in nodes for key in node.inputs)
        return [key for key in keys if key not in static]

    def _made(self, nodes: Iterable[Node]) -> list[str]:
        """The values that go out, in order."""
        indices = {node.index for node in nodes}
        return [
            key
            for index in sorted(indices)
            for key in self._view.nodes[index].outputs
            if self._view.is_output(key)
            or any(reader.index not in indices for reader in self._view.readers(key))
        ]


def _layouts(plan: Schedule, indices: Iterable[int]) -> set[bool]:
    """Whether the nodes' kernels work on blocks of channels."""
    leaders = {plan.leaders[index] for index in indices if index in plan.leaders}
    return {leader in plan.blocked for leader in leaders}


def _in_memory(model: ModelProto) -> Model:
    size = model.ByteSize()
    return Model("alternative", Path(), model, size, size)
