"""From a view with its costs to a `Structure`: free nodes passed over, names left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from graphlint.costs.totals import Costs, Handles
from graphlint.graph import ABSENT, GraphView, Node
from graphlint.structure.facts import facts, is_commutative, is_view
from graphlint.structure.titles import operator, title_and_kind
from graphlint.structure.values import CONSTANT, Fact, NodeStructure, Structure, model_input

_PASSED_OVER = ("Identity", "Dropout")


def read(
    view: GraphView,
    costs: Costs,
    handles: Handles,
    external_files: Iterable[str] = (),
    digest: Callable[[Node], str | None] | None = None,
) -> Structure:
    """The structure of a model; `digest` gives that of a node's weights, None if unreadable."""
    reader = _Reader(view, costs, handles)
    nodes = tuple(reader.node(node) for node in view.nodes)
    unread = 0
    if digest is not None:
        digests = ["" if n.free else digest(view.nodes[i]) for i, n in enumerate(nodes)]
        unread = digests.count(None)
        nodes = tuple(replace(n, weights=d or "") for n, d in zip(nodes, digests, strict=True))
    return Structure(
        nodes,
        tuple(reader.producer(key) for key in view.outputs),
        tuple(sorted(set(external_files))),
        unread,
    )


class _Reader:
    def __init__(self, view: GraphView, costs: Costs, handles: Handles) -> None:
        self._view = view
        self._costs = costs
        self._handles = handles
        self._inputs = {key: model_input(place) for place, key in enumerate(view.inputs)}
        self._producers: dict[str, int] = {}
        self._bodies: dict[str, str] = {"": ""}
        self._facts: dict[Fact, Fact] = {}
        self._texts: dict[tuple[Fact, ...], tuple[Fact, ...]] = {}

    def node(self, node: Node) -> NodeStructure:
        """One node; called in topological order."""
        free = self._is_free(node)
        passed = free and node.op in _PASSED_OVER
        inputs = tuple(map(self.producer, node.inputs))
        for key in node.outputs:
            if free:
                self._producers[key] = inputs[0] if passed and inputs else CONSTANT
            else:
                self._producers[key] = node.index
        if free:
            name = operator(node)
            return NodeStructure(name, name, name, (), (), free=True)
        title, kind = title_and_kind(self._view, node)
        known = self._shared(facts(self._view, node, self._handles, self._body(node.scope)))
        family = "view" if is_view(node) else operator(node)
        while inputs and inputs[-1] == CONSTANT:
            inputs = inputs[:-1]
        return NodeStructure(
            title,
            family,
            kind,
            known,
            inputs,
            self._view.shape(node.outputs[0]) if node.outputs else None,
            unordered=is_commutative(node),
        )

    def producer(self, key: str) -> int:
        """What computes the value: a node that is not free, a model's input, or `CONSTANT`."""
        if key == ABSENT:
            return CONSTANT
        found = self._inputs.get(key)
        return found if found is not None else self._producers.get(key, CONSTANT)

    def _is_free(self, node: Node) -> bool:
        if node.op == "Constant" or node.index in self._costs.shape_arithmetic:
            return True
        cost = self._costs.nodes[node.index]
        moves = cost.unknown is not None or cost.memory_access_bytes or cost.element_operations
        return node.op in _PASSED_OVER and node.domain == "" and not moves

    def _shared(self, found: tuple[Fact, ...]) -> tuple[Fact, ...]:
        """The same facts as one object each: the report of a large model stays small."""
        if found not in self._texts:
            self._texts[found] = tuple(self._facts.setdefault(fact, fact) for fact in found)
        return self._texts[found]

    def _body(self, scope: str) -> str:
        """`If.then_branch/Loop.body`: the kinds of bodies around a node."""
        if scope not in self._bodies:
            entry = self._view.scopes[scope]
            owner = self._view.nodes[entry.owner] if entry.owner is not None else None
            own = f"{owner.op if owner is not None else '?'}.{entry.attribute}"
            outer = self._body(entry.parent) if entry.parent else ""
            self._bodies[scope] = f"{outer}/{own}" if outer else own
        return self._bodies[scope]
