"""From the kernels that a runtime made of a model back to the nodes that a person wrote.

Kernels between anchors (`graphlint.latency.anchors`) form a group; a group covers the nodes of the
original that are met walking back from its outputs to the values that other kernels make. Every
node of the original ends with a fate; none is lost:

- `own`: it has kernels of its own;
- `fused`: it shares its kernels with the other nodes of its group;
- `folded`: it was computed before the model runs;
- `eliminated`: nothing of it runs (another name for a value, computed already, or never read);
- `inexact`: its group reads values that the walk can't explain, or the other way round, as happens
  where quantised operators are rebuilt; the group as a whole is right, its borders may not be.

A control node (If, Loop, Scan) and the nodes of its bodies form one group: a runtime counts the
bodies' time as the control node's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphlint.graph import GraphView
from graphlint.latency.anchors import Kernel, Optimised, anchor, is_copy, read, unique_names
from graphlint.latency.values import Operator, Values, number
from graphlint.times import How

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, slots=True)
class Group:
    """Kernels (positions in the optimised graph) and the nodes (indices in the view) they run.

    `nodes` is empty where the kernels belong to no node: copies of an input that leaves at once.
    """

    kernels: tuple[int, ...]
    nodes: tuple[int, ...]
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a node; `groups` are the positions of the groups that run it."""

    how: How
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Attribution:
    """`fates` has one entry a node of the view; every kernel is in exactly one of `groups`."""

    fates: tuple[Fate, ...]
    groups: tuple[Group, ...]


def attribute(view: GraphView, optimised: onnx.ModelProto) -> Attribution:
    """Attribute the kernels of an optimised model to the nodes of the original."""
    values = number(view)
    kernels = read(optimised)
    found = anchor(values, kernels)
    copies = frozenset(k.position for k in kernels.kernels if is_copy(k, found, values))
    clusters = _clusters(kernels, found, copies)
    walk = _Walk(values, kernels, found, copies, clusters)
    groups = tuple(walk.group(cluster) for cluster in range(len(clusters)))
    return Attribution(_fates(view, values, groups), groups)


# Groups of kernels


def _clusters(
    optimised: Optimised, found: Mapping[str, str], copies: frozenset[int]
) -> tuple[tuple[Kernel, ...], ...]:
    """Kernels that only tensors without an anchor connect, and copies with what they serve."""
    joined = _Joined(len(optimised.kernels))
    for kernel in optimised.kernels:
        if kernel.position in copies or any(name in found for name in kernel.outputs):
            continue
        for name in kernel.outputs:
            for reader in optimised.readers.get(name, ()) if name else ():
                joined.join(kernel.position, reader.position)
    for kernel in optimised.kernels:
        if kernel.position in copies:
            served = _served(kernel, optimised, joined)
            if served is not None:
                joined.join(kernel.position, served)
    groups: dict[int, list[Kernel]] = {}
    for kernel in optimised.kernels:
        groups.setdefault(joined.root(kernel.position), []).append(kernel)
    return tuple(map(tuple, groups.values()))


def _served(kernel: Kernel, optimised: Optimised, joined: _Joined) -> int | None:
    """The kernel that a copy is made for.

    A value comes out of its layout for the sake of the kernel that made it; any other copy is made
    for its reader, or, where several groups read it, counts as its producer's.
    """
    producer = optimised.producers.get(kernel.inputs[0])
    readers = optimised.readers.get(kernel.outputs[0], ())
    if producer is not None and kernel.op in ("ReorderOutput", "Transpose"):
        return producer.position
    if len({joined.root(reader.position) for reader in readers}) == 1 or producer is None:
        return readers[0].position if readers else None
    return producer.position


class _Joined:
    """Disjoint sets of kernels."""

    def __init__(self, size: int) -> None:
        self._parents = list(range(size))

    def root(self, item: int) -> int:
        while self._parents[item] != item:
            self._parents[item] = self._parents[self._parents[item]]
            item = self._parents[item]
        return item

    def join(self, one: int, other: int) -> None:
        self._parents[self.root(one)] = self.root(other)


# The walk


class _Walk:
    """Walks back from a group's outputs through the original graph."""

    def __init__(
        self,
        values: Values,
        optimised: Optimised,
        found: Mapping[str, str],
        copies: frozenset[int],
        clusters: tuple[tuple[Kernel, ...], ...],
    ) -> None:
        self.values = values
        self.optimised = optimised
        self.found = found
        self.copies = copies
        self.clusters = clusters
        self.by_name = unique_names(values.operators)
        self.by_key: dict[str, int] = {}
        self.by_number: dict[int, set[int]] = {}
        for cluster, kernels in enumerate(clusters):
            for name in self._made(kernels):
                key = found[name]
                self.by_number.setdefault(values.numbers[key], set()).add(cluster)
                if name == key:
                    self.by_key[key] = cluster

    def _made(self, kernels: Iterable[Kernel]) -> list[str]:
        """Anchored tensors that the kernels compute: what a copy makes was made before."""
        return [
            name
            for kernel in kernels
            if kernel.position not in self.copies
            for name in kernel.outputs
            if name in self.found
        ]

    def group(self, cluster: int) -> Group:
        """The group of one cluster of kernels."""
        kernels = self.clusters[cluster]
        starts = [self.found[name] for name in self._made(kernels)]
        if not starts:
            return self._named(kernels)
        operators, border, seen = self._covered(cluster, starts)
        read = {
            self.values.numbers[self.found[name]]
            for kernel in kernels
            for name in kernel.inputs
            if name in self.found and self.found[name] not in self.values.static
        }
        nodes = sorted({member for operator in operators for member in operator.members})
        positions = tuple(kernel.position for kernel in kernels)
        return Group(positions, tuple(nodes), border <= read <= seen | border)

    def _named(self, kernels: tuple[Kernel, ...]) -> Group:
        """A group without an anchored output (nothing reads it): its nodes go by their names."""
        nodes = {
            member
            for kernel in kernels
            if (operator := self.by_name.get(kernel.name)) and operator.node.op == kernel.op
            for member in operator.members
        }
        return Group(tuple(kernel.position for kernel in kernels), tuple(sorted(nodes)))

    def _covered(
        self, cluster: int, starts: list[str]
    ) -> tuple[list[Operator], set[int], set[int]]:
        """The operators met, the numbers of the values at which the walk ends, and of all met."""
        numbers = self.values.numbers
        own = {numbers[key] for key in starts}
        into_static = self._computes_static(cluster)
        operators: dict[int, Operator] = {}
        border: set[int] = set()
        met: set[str] = set()
        stack = [*starts]
        while stack:
            key = stack.pop()
            if key in met:
                continue
            met.add(key)
            if key not in starts:
                if self._made_elsewhere(key, cluster, own):
                    if key not in self.values.static:
                        border.add(numbers[key])
                    continue
                if key in self.optimised.constants:
                    continue
                if key in self.values.static and not into_static:
                    continue
            operator = self.values.producers.get(key)
            if operator is None:
                if key not in self.values.static:
                    border.add(numbers[key])
                continue
            operators[operator.node.index] = operator
            stack += operator.inputs
        return list(operators.values()), border, {numbers[key] for key in met}

    def _made_elsewhere(self, key: str, cluster: int, own: set[int]) -> bool:
        if key in self.by_key:
            return self.by_key[key] != cluster
        number = self.values.numbers[key]
        return number not in own and bool(self.by_number.get(number, set()) - {cluster})

    def _computes_static(self, cluster: int) -> bool:
        """Whether a kernel of the cluster works on shapes or constants alone."""
        return any(
            kernel.op in ("Shape", "Size")
            or all(name in self.optimised.constants for name in kernel.inputs if name)
            for kernel in self.clusters[cluster]
        )


# Fates


def _fates(view: GraphView, values: Values, groups: tuple[Group, ...]) -> tuple[Fate, ...]:
    places: dict[int, list[int]] = {}
    for position, group in enumerate(groups):
        for node in group.nodes:
            places.setdefault(node, []).append(position)
    fates: list[Fate | None] = [None] * len(view.nodes)
    for operator in values.operators:
        for member in operator.members:
            found = tuple(places.get(member, ()))
            if found:
                fates[member] = _covered_fate(operator, found, groups)
            elif all(key in values.static for key in operator.node.outputs if key):
                fates[member] = Fate("folded")
            else:
                fates[member] = Fate("eliminated")
    assert all(fate is not None for fate in fates)
    return tuple(fate for fate in fates if fate is not None)


def _covered_fate(operator: Operator, found: tuple[int, ...], groups: tuple[Group, ...]) -> Fate:
    if not all(groups[position].exact for position in found):
        return Fate("inexact", found)
    if all(len(groups[position].nodes) == 1 for position in found):
        return Fate("own", found)
    return Fate("fused", found)
