"""Findings priced in a device's seconds, from its profile and the alternatives that rules give.

The price of a site is what its nodes are expected to take where they stand, less what its
alternative would take there. Where the alternative fits, what is around it keeps its layout; where
it has other widths, what is around it is taken to change with it, and values keep the layout in
which they come.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import hypot
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint import shapes
from graphlint.costs.totals import Costs, Handles, node_costs
from graphlint.devices.fusion import Edges
from graphlint.devices.prediction import predict
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
        self._known: dict[tuple[str, Edges, str], Predicted] = {}

    def run(self) -> Predicted:
        """One run of the model from end to end."""
        found = self.prediction
        reasons = [node.reason for node in found.nodes if node.seconds is None]
        reason = max(reasons, key=reasons.count) if reasons else ""
        if len(reasons) == len(found.nodes):
            return Predicted(None, 0.0, len(reasons), reason)
        return Predicted(found.seconds, found.plus_minus, len(reasons), reason)

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
        now = self._in_place(alternative.nodes)
        then = self._instead(alternative)
        if now.seconds is None or then.seconds is None:
            return now if now.seconds is None else then
        return Predicted(now.seconds - then.seconds, hypot(now.plus_minus, then.plus_minus))

    def _in_place(self, nodes: Iterable[Node]) -> Predicted:
        """What the nodes take where they stand, with the reordering of what they make."""
        indices = {node.index for node in nodes}
        found = self.prediction
        for index in indices:
            if found.nodes[index].seconds is None:
                return Predicted(None, reason=found.nodes[index].reason)
        made = {key for index in indices for key in self._view.nodes[index].outputs}
        behind = sum(
            each.seconds
            for each in found.reorderings
            if each.value in made and each.leader not in indices
        )
        own = sum(found.nodes[index].seconds or 0.0 for index in indices)
        return Predicted(own + behind, found.error_of(indices))

    def _instead(self, alternative: Alternative) -> Predicted:
        """What the alternative takes in its place; equal ones are told once."""
        edges = self._edges(alternative)
        key = (alternative.label, edges, self._spelt(alternative.nodes))
        if key not in self._known:
            self._known[key] = self._alone(alternative.model, edges)
        return self._known[key]

    def _spelt(self, nodes: Iterable[Node]) -> str:
        """Operators, attributes and shapes: what alternatives of one label can differ by."""
        told = []
        for node in nodes:
            shapes_ = [self._view.shape(key) for key in (*node.inputs, *node.outputs)]
            told.append((node.op, sorted(node.attributes.items()), shapes_))
        return repr(told)

    def _alone(self, model: ModelProto, edges: Edges) -> Predicted:
        view, _ = shapes.infer(build(_in_memory(model)), payload=lambda tensor: tensor)
        found = predict(view, node_costs(view, self._handles), self._profile, edges)
        reason = next((node.reason for node in found.nodes if node.seconds is None), "")
        if reason:
            return Predicted(None, reason=reason)
        return Predicted(found.seconds - found.run_seconds, found.plus_minus)

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


def _in_memory(model: ModelProto) -> Model:
    size = model.ByteSize()
    return Model("alternative", Path(), model, size, size)
