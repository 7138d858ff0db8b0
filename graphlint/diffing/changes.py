"""From two reports to what changed between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from graphlint.diffing.findings import finding_changes
from graphlint.diffing.matching import match
from graphlint.diffing.results import Change, FactChange, NodeChange, NodeSide
from graphlint.results import ModelReport
from graphlint.structure import Fact, NodeStructure, Structure


def change(
    old: ModelReport, new: ModelReport, *, min_excess: float = 0.0, weights: bool = False
) -> Change:
    """What changed between two models, both of which were read with their structure."""
    assert old.structure is not None
    assert new.structure is not None
    partners = match(old.structure, new.structure)
    nodes = _Nodes(old, new, old.structure, new.structure, partners)
    changes = tuple(sorted(nodes.changes(weights), key=_largest))
    return Change(
        nodes=changes,
        unchanged=len(partners) - sum(each.kind == "changed" for each in changes),
        free=(_free(old.structure), _free(new.structure)),
        findings=finding_changes(old, new, partners, min_excess),
        shared_parameters=_shared(new) - _shared(old),
        outputs_rewired=_rewired(
            old.structure.outputs, new.structure.outputs, partners, nodes.back, unordered=False
        ),
        weights_differ=sum(each.weights_differ for each in changes) if weights else None,
        weights_unread=old.structure.unread_weights + new.structure.unread_weights,
    )


def _largest(each: NodeChange) -> tuple[int, int, int, int]:
    """The largest cost change first; then in the order of the new model, the old one's last."""
    side = each.new or each.old
    assert side is not None
    delta = each.delta
    return (
        -abs(delta.memory_access_bytes),
        -abs(delta.multiply_adds),
        each.new is None,
        side.report.index,
    )


def _free(structure: Structure) -> int:
    return sum(node.free for node in structure.nodes)


def _shared(report: ModelReport) -> int:
    """How many parameters fewer the model has than its nodes together."""
    assert report.totals is not None
    return report.totals.parameters - sum(node.cost.parameters for node in report.nodes)


class _Nodes:
    """Both models' nodes and which of them are partners."""

    def __init__(
        self,
        old: ModelReport,
        new: ModelReport,
        old_structure: Structure,
        new_structure: Structure,
        partners: Mapping[int, int],
    ) -> None:
        self._old, self._new = old.nodes, new.nodes
        self._old_nodes, self._new_nodes = old_structure.nodes, new_structure.nodes
        self._partners = partners
        self.back = {b: a for a, b in partners.items()}

    def changes(self, weights: bool) -> Iterator[NodeChange]:
        """Every node that is not the same on both sides."""
        for a, b in self._partners.items():
            found = self._changed(a, b, weights)
            if found is not None:
                yield found
        for a, node in enumerate(self._old_nodes):
            if not node.free and a not in self._partners:
                yield NodeChange(NodeSide(node.title, self._old[a]), None)
        for b, node in enumerate(self._new_nodes):
            if not node.free and b not in self.back:
                yield NodeChange(None, NodeSide(node.title, self._new[b]))

    def _changed(self, a: int, b: int, weights: bool) -> NodeChange | None:
        one, other = self._old_nodes[a], self._new_nodes[b]
        old, new = NodeSide(one.title, self._old[a]), NodeSide(other.title, self._new[b])
        facts = _fact_changes(one, other)
        rewired = _rewired(one.inputs, other.inputs, self._partners, self.back, one.unordered)
        differ = weights and one.weights != other.weights
        unknown = (old.report.cost.unknown is None) != (new.report.cost.unknown is None)
        if not (facts or rewired or differ or unknown or old.figures != new.figures):
            return None
        return NodeChange(old, new, facts, rewired, differ)


def _fact_changes(one: NodeStructure, other: NodeStructure) -> tuple[FactChange, ...]:
    if one.facts == other.facts and one.family == other.family:
        return ()
    before, after = _grouped(one.facts), _grouped(other.facts)
    if one.family != other.family:
        before["operator"], after["operator"] = [one.family], [other.family]
    return tuple(
        FactChange(name, old, new)
        for name in dict.fromkeys((*before, *after))
        for old, new in zip_longest(before.get(name, ()), after.get(name, ()), fillvalue="")
        if old != new
    )


def _grouped(facts: Sequence[Fact]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, text in facts:
        found.setdefault(name, []).append(text)
    return found


def _rewired(
    old: Sequence[int],
    new: Sequence[int],
    partners: Mapping[int, int],
    back: Mapping[int, int],
    unordered: bool,
) -> bool:
    """Whether an input comes from another node, both of which are in both models.

    What comes from an added node, or came from a removed one, is told by that node.
    """
    one = [partners.get(a) if a >= 0 else a for a in old]
    other = [b if b < 0 or b in back else None for b in new]
    if unordered:
        gone, come = set(one) - set(other), set(other) - set(one)
        return bool(gone - {None}) and bool(come - {None})
    return any(a != b and a is not None and b is not None for a, b in zip(one, other, strict=False))
