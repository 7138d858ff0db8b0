"""Fork-join regions: where the data splits into paths, and where all of them have met again.

The paper's fragments (guideline G3) are counted in the building blocks of a network. A building
block shows in the graph as a *region*: from a value that several nodes read (the fork) to the first
node that every path from it passes (the join, its immediate post-dominator).

A region is tallied from the inside: from each of its paths one walks from join to join, over the
regions nested inside it. Which fragments a region holds are bits of an integer; regions that do not
overlap use the same bits, so that the work grows with the nodes. Its nodes are listed only for who
asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from graphlint.graph import ABSENT, GraphView, Node

__all__ = ["Region", "find_regions", "is_fragment"]

# By name alone: in each of its domains such an operator does the same.
_FRAGMENTS = frozenset(
    {
        "Conv",
        "ConvInteger",
        "ConvTranspose",
        "ConvTransposeWithDynamicPads",
        "DeformConv",
        "FusedConv",
        "NhwcConv",
        "NhwcFusedConv",
        "QLinearConv",
        "QLinearConvTranspose",
        "AveragePool",
        "LpPool",
        "MaxPool",
        "MaxpoolWithMask",
        "NhwcMaxPool",
        "QLinearAveragePool",
    }
)
_SINK = -1
"""The vertex in which all paths end."""
_BEFORE = -1
"""The place of what is there before the first node runs: a graph's inputs."""


def is_fragment(node: Node) -> bool:
    """Whether the node is a convolution or a pooling operator (not a global one), by any name."""
    return node.op in _FRAGMENTS


@dataclass(frozen=True)
class Region:
    """All that lies between a fork and its join.

    `fork` is the value that is read several times, or the input of a Split with several outputs.
    `origin` is the node that forks: the value's producer or the Split, None for a graph's input.
    `fragments` counts the fragments strictly between, `critical_path` the most of them on one path:
    the difference could run in parallel, and is launched on its own. `own_fragments` are those that
    lie in no region nested inside this one.
    """

    fork: str
    origin: Node | None
    join: Node
    fragments: int
    own_fragments: int
    critical_path: int
    _flow: _Flow = field(repr=False, compare=False)
    _vertex: int = field(repr=False, compare=False)

    @cached_property
    def _positions(self) -> tuple[int, ...]:
        return self._flow.between(self._vertex, self._flow.positions[self.join.index])

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes strictly between fork and join, in topological order."""
        return tuple(self._flow.nodes[position] for position in self._positions)

    @cached_property
    def branches(self) -> tuple[tuple[Node, ...], ...]:
        """The nodes by the parts that share none; an empty one where the join reads the fork."""
        parts = self._flow.parts(self._positions)
        direct = self._flow.positions[self.join.index] in self._flow.successors[self._vertex]
        branches = [tuple(self._flow.nodes[position] for position in part) for part in parts]
        return (*branches, ()) if direct else tuple(branches)


def find_regions(view: GraphView, ignore: frozenset[int] = frozenset()) -> tuple[Region, ...]:
    """The regions of every scope, innermost first.

    A value forks when nodes of its own scope read it more than once (a control node reads what its
    bodies read), a Split when several of its outputs are. What does not depend on the model's
    data forks nothing. `ignore` are the indices of nodes to leave out: shape arithmetic.
    """
    regions: list[Region] = []
    dataless = _dataless(view)
    for path in reversed(tuple(view.scopes)):  # scopes are listed outermost first
        flow = _Flow(view, path, ignore, dataless)
        if flow.forks:
            regions += _regions_of(flow)
    return tuple(regions)


@dataclass(frozen=True, slots=True)
class _Fork:
    """A vertex where paths part: a value's own vertex, or that of a Split.

    `place` is the position of the node that forks: the value's producer, or the Split.
    """

    vertex: int
    key: str
    place: int


class _Flow:
    """How data flows in one scope: vertices with their successors.

    The first vertices are the nodes in topological order; behind them stands one for each value
    that forks, between the node that computes it and those that read it.
    """

    def __init__(
        self, view: GraphView, path: str, ignore: frozenset[int], dataless: frozenset[str]
    ) -> None:
        self.view = view
        self.path = path
        self.dataless = dataless
        self.nodes = tuple(
            node
            for node in view.scope_nodes(path)
            if node.index not in ignore and not dataless.issuperset(filter(None, node.outputs))
        )
        self.positions = {node.index: position for position, node in enumerate(self.nodes)}
        self.fragments = frozenset(p for p, node in enumerate(self.nodes) if is_fragment(node))
        self.successors: list[tuple[int, ...]] = [()] * len(self.nodes)
        self.forks: list[_Fork] = []
        inputs = view.scopes[path].inputs if path else view.inputs
        for key in inputs:
            self._targets(key, _BEFORE)
        for position, node in enumerate(self.nodes):
            self._connect(position, node)

    def _connect(self, position: int, node: Node) -> None:
        read = [targets for key in node.outputs if (targets := self._targets(key, position))]
        # What nobody reads ends the run like an output does: no path leads on from it.
        self.successors[position] = _distinct(read) or (_SINK,)
        if node.op == "Split" and node.domain == "" and len(read) > 1:
            self.forks.append(_Fork(position, node.input(0), position))

    def _targets(self, key: str, place: int) -> tuple[int, ...]:
        """The vertices that the value flows to: its readers, or its own vertex where it forks."""
        readers = tuple(sorted({*self._readers(key)}))
        leaves = (_SINK,) if self.view.is_output(key) else ()
        if len(readers) < 2 or key in self.dataless:
            return (*readers, *leaves)
        vertex = len(self.successors)
        self.successors.append((*readers, *leaves))
        self.forks.append(_Fork(vertex, key, place))
        return (vertex,)

    def _readers(self, key: str) -> Iterator[int]:
        for reader in self.view.readers(key):
            node: Node | None = reader
            while node is not None and node.scope != self.path:
                owner = self.view.scopes[node.scope].owner
                node = self.view.nodes[owner] if owner is not None else None
            if node is not None and node.index in self.positions:
                yield self.positions[node.index]

    def backwards(self) -> Iterator[int]:
        """Every vertex after all its successors."""
        behind: dict[int, list[int]] = {}
        for fork in self.forks:
            if fork.vertex != fork.place:
                behind.setdefault(fork.place, []).append(fork.vertex)
        for position in reversed(range(len(self.nodes))):
            yield from behind.get(position, ())
            yield position
        yield from behind.get(_BEFORE, ())

    def between(self, start: int, end: int) -> tuple[int, ...]:
        """The positions of the nodes on the paths from `start` to `end`, both left out."""
        seen = {start, end}
        pending = [start]
        while pending:
            for successor in self.successors[pending.pop()]:
                if successor not in seen:
                    seen.add(successor)
                    pending.append(successor)
        found = (vertex for vertex in seen - {start, end} if vertex < len(self.nodes))
        return tuple(sorted(found))

    def parts(self, positions: Iterable[int]) -> list[list[int]]:
        """The connected parts of some nodes, by their first node."""
        members = set(positions)
        neighbours: dict[int, list[int]] = {position: [] for position in members}
        for position in members:
            for reader in self._node_successors(position):
                if reader in members:
                    neighbours[position].append(reader)
                    neighbours[reader].append(position)
        parts = []
        for position in sorted(members):
            if position not in members:
                continue
            part, pending = [], [position]
            members.discard(position)
            while pending:
                part.append(pending.pop())
                fresh = [near for near in neighbours[part[-1]] if near in members]
                members.difference_update(fresh)
                pending += dict.fromkeys(fresh)
            parts.append(sorted(part))
        return parts

    def _node_successors(self, position: int) -> Iterator[int]:
        for vertex in self.successors[position]:
            if vertex < len(self.nodes):
                yield vertex
            else:
                yield from self.successors[vertex]


def _dataless(view: GraphView) -> frozenset[str]:
    """The values that nothing fed to the model flows through: constants, shapes, what these make.

    A shape may be unknown before the model runs; it still tells nothing of the data.
    """
    dataless = set(view.static_values)
    for node in view.nodes:
        inputs = [key for key in node.inputs if key != ABSENT]
        if node.op in ("Shape", "Size") or (
            inputs and not view.bodies(node) and dataless.issuperset(inputs)
        ):
            dataless.update(key for key in node.outputs if key != ABSENT)
    return frozenset(dataless)


def _distinct(groups: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(vertex for group in groups for vertex in group))


def _regions_of(flow: _Flow) -> list[Region]:
    joins = _joins(flow)
    tally = _Tally(flow, joins)
    joining = [fork for fork in flow.forks if joins[fork.vertex] != _SINK]
    # A region inside another one joins earlier, or at the same node from a later fork.
    joining.sort(key=lambda fork: (joins[fork.vertex], -fork.place))
    return [_region(flow, fork, joins[fork.vertex], tally) for fork in joining]


def _region(flow: _Flow, fork: _Fork, join: int, tally: _Tally) -> Region:
    held = tally.held[fork.vertex]
    behind = tally.longest[join] + (join in flow.fragments)
    return Region(
        fork=fork.key,
        origin=None if fork.place == _BEFORE else flow.nodes[fork.place],
        join=flow.nodes[join],
        fragments=held.bit_count(),
        own_fragments=(held & ~tally.nested[fork.vertex]).bit_count(),
        critical_path=tally.longest[fork.vertex] - behind,
        _flow=flow,
        _vertex=fork.vertex,
    )


def _joins(flow: _Flow) -> Mapping[int, int]:
    """The immediate post-dominator of every vertex."""
    import networkx

    backwards: networkx.DiGraph[int] = networkx.DiGraph()
    backwards.add_edges_from(
        (successor, vertex)
        for vertex, successors in enumerate(flow.successors)
        for successor in successors
    )
    joins: Mapping[int, int] = networkx.immediate_dominators(backwards, _SINK)
    return joins


class _Tally:
    """Fragments of every vertex, sets of them as the bits of integers.

    `held` are those between a vertex and its join, if it has one, `nested` those of them that lie
    in a region inside. `longest` is the most that stand on one path behind the vertex.
    """

    def __init__(self, flow: _Flow, joins: Mapping[int, int]) -> None:
        self.joins = joins
        self.bits = _bits(flow, joins)
        self.forks = {fork.vertex for fork in flow.forks}
        self.held: dict[int, int] = {}
        self.nested: dict[int, int] = {}
        self.longest = {_SINK: 0}
        for vertex in flow.backwards():
            successors = flow.successors[vertex]
            self.longest[vertex] = max(
                self.longest[after] + (after in flow.fragments) for after in successors
            )
            if joins[vertex] != _SINK:
                self._walk(vertex, successors)

    def _walk(self, vertex: int, successors: Iterable[int]) -> None:
        """Along every path from the vertex to its join, in one step over each region inside."""
        end = self.joins[vertex]
        held = nested = 0
        seen = {end}
        for after in successors:
            while after not in seen:
                seen.add(after)
                held |= self.held[after] | self.bits.get(after, 0)
                nested |= self.held[after] if after in self.forks else self.nested[after]
                after = self.joins[after]
        self.held[vertex], self.nested[vertex] = held, nested


def _bits(flow: _Flow, joins: Mapping[int, int]) -> Mapping[int, int]:
    """A bit for each fragment that a region holds, by its position.

    Bits are counted from the first again where all regions so far have ended.
    """
    ends: dict[int, int] = {}
    for fork in flow.forks:
        ends[fork.place] = max(ends.get(fork.place, _SINK), joins[fork.vertex])
    bits: dict[int, int] = {}
    end, bit = ends.get(_BEFORE, _SINK), 1
    for position in range(len(flow.nodes)):
        if position >= end:
            bit = 1
        elif position in flow.fragments:
            bits[position] = bit
            bit <<= 1
        end = max(end, ends.get(position, _SINK))
    return bits
