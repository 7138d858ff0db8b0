"""Regions of a model in which channels are moved, and what becomes of each.

A region is rewritten whole or not at all: where fewer permutations would be left than there are,
and fewer numbers be copied. Nodes of the others are left alone, and what they read and write keeps
its order.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from graphlint.graph import ABSENT, GraphView, Node
from graphlint.rewrites import Refusal, Subject
from graphlint_rules.rewrites.shuffles.orders import (
    Assembly,
    Orders,
    Requests,
    Union,
    assemblies,
    choose,
)
from graphlint_rules.rewrites.shuffles.parts import GROUPED, MIXES, Part, part, stands_in_main_graph
from graphlint_rules.rewrites.shuffles.routing import (
    VIEWS,
    Routing,
    channel_count,
    data_inputs,
    route,
)

_NO_ORDER = "its channels are read in orders that exclude each other"
_DEARER = "it would take as many permutations, or more copying, to fold it"


@dataclass(frozen=True, slots=True)
class Region:
    """Moved channels without their moves.

    `shuffles` and all other `moves` go; `parts` are the nodes around them, of which some change.
    `classes` have all that the parts read and write.
    """

    requests: Requests
    shuffles: tuple[Node, ...]
    moves: tuple[Node, ...]
    parts: tuple[Part, ...]
    classes: tuple[str, ...]
    orders: Orders
    assemblies: tuple[Assembly, ...]


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions that can be rewritten, and why others can't.

    `dead` nodes compute only for moves; `named` are the values that keep their names. `parts_of`
    has the nodes that read or write values of each class.
    """

    view: GraphView
    regions: tuple[Region, ...]
    refusals: tuple[Refusal, ...]
    dead: tuple[Node, ...] = ()
    named: frozenset[str] = frozenset()
    parts_of: Mapping[str, Sequence[Part]] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of all regions, each once."""
        return tuple(dict.fromkeys(root for region in self.regions for root in region.classes))

    def readers(self, node: Node) -> tuple[Node, ...]:
        """The nodes that read what a node writes."""
        return tuple(reader for key in node.outputs for reader in self.view.readers(key))


def find_regions(subject: Subject) -> Regions:
    """All regions of a model with permutations of channels."""
    kept: set[int] = set()
    refusals: list[Refusal] = []
    main = [node for node in subject.view.scope_nodes() if stands_in_main_graph(subject, node)]
    while True:
        routing = route(subject, (node for node in main if node.index not in kept))
        if not routing.shuffles:
            return Regions(subject.view, (), tuple(refusals))
        stranded = _stranded(subject.view, routing)
        if stranded:
            kept |= stranded
            continue
        found = _Survey(subject, routing)
        regions, left = found.judge()
        if not left:
            dead = tuple(found.dead.values())
            return Regions(
                subject.view, tuple(regions), tuple(refusals), dead, found.named, found.parts_of
            )
        for nodes, refused in left:
            kept.update(node.index for node in nodes)
            refusals += refused


def _stranded(view: GraphView, routing: Routing) -> set[int]:
    """Moving nodes whose results, in no channel layout, are read by others."""
    stranded: set[int] = set()
    for node in reversed(routing.nodes.values()):
        loose = [key for key in node.outputs if key != ABSENT and key not in routing.channels]
        readers = [reader.index for key in loose for reader in view.readers(key)]
        outside = any(index in stranded or index not in routing.nodes for index in readers)
        if outside or any(view.is_output(key) for key in loose):
            stranded.add(node.index)
    return stranded


class _Survey:
    """One look at a model whose `routing` is to be taken out.

    `dead` are the nodes that compute only for it; `named` the values that must keep their names.
    """

    def __init__(self, subject: Subject, routing: Routing) -> None:
        self._subject = subject
        self._view = subject.view
        self._routing = routing
        self._classes = Union()
        self._areas = Union()
        self._pins: dict[str, list[str]] = {}
        self.dead = dict(_dead(subject, routing))
        outside = [
            node
            for node in self._view.nodes
            if node.index not in routing.nodes and node.index not in self.dead
        ]
        self._parts = [part(subject, node) for node in outside]
        inside = routing.nodes.keys() | self.dead.keys()
        self._requested = [key for key in routing.channels if self._is_requested(key, inside)]
        self.named = self._tie()
        self._area_of = dict(self._join())

    def judge(self) -> tuple[list[Region], list[tuple[list[Node], list[Refusal]]]]:
        """The regions to rewrite; and of the others, the moving nodes and the refusals."""
        moves: dict[str, list[Node]] = {}
        for node in self._routing.nodes.values():
            moves.setdefault(self._area(node), []).append(node)
        shuffles: dict[str, list[Node]] = {}
        for node in self._routing.shuffles:
            shuffles.setdefault(self._area(node), []).append(node)
        requested, parts, widths = self._by_area()
        pinned = frozenset(self._pins)
        regions: list[Region] = []
        left: list[tuple[list[Node], list[Refusal]]] = []
        for area, nodes in moves.items():
            if area not in shuffles:
                left.append((nodes, []))
                continue
            requests = Requests(
                self._classes,
                {key: self._routing.channels[key] for key in requested.get(area, ())},
                widths.get(area, {}),
                pinned,
            )
            orders = choose(requests)
            region = Region(
                requests,
                tuple(shuffles[area]),
                tuple(nodes),
                tuple(parts.get(area, ())),
                self._classes_of(parts.get(area, ())),
                orders,
                assemblies(requests, orders),
            )
            why = self._objection(region)
            if why:
                left.append((nodes, [Refusal((node,), why) for node in region.shuffles]))
            else:
                regions.append(region)
        return regions, left

    def _is_requested(self, key: str, inside: Container[int]) -> bool:
        readers = self._view.readers(key)
        return self._view.is_output(key) or any(node.index not in inside for node in readers)

    def _tie(self) -> frozenset[str]:
        """Put values in classes and pin what can't be moved."""
        named: set[str] = set()
        for each in self._parts:
            self._classes.merge(each.tied)
            if not each.editable:
                named.update(each.fixed)
        for each in self._parts:
            for key in each.fixed:
                self._pin(key, each.reason)
        for scope in self._view.scopes.values():
            for key in scope.outputs:
                named.add(key)
                if channel_count(self._subject, key) is not None:
                    self._pin(key, f"{key} is an output, whose channels keep their order")
        for key in self._view.inputs:
            if channel_count(self._subject, key) is not None:
                self._pin(key, f"{key} is an input, whose channels keep their order")
        return frozenset(named)

    def _pin(self, key: str, reason: str) -> None:
        self._pins.setdefault(self._classes.find(key), []).append(reason)

    def _join(self) -> Iterator[tuple[str, str]]:
        """A class of the area in which each moved value is."""
        found: dict[str, str] = {}
        for node in self._routing.nodes.values():
            classes = [found.get(key, self._classes.find(key)) for key in data_inputs(node)]
            self._areas.merge(classes)
            found.update((key, classes[0]) for key in node.outputs if key != ABSENT)
        for key in self._requested:
            self._areas.merge((found[key], self._classes.find(key)))
        yield from found.items()

    def _area(self, node: Node) -> str:
        return self._areas.find(self._area_of[next(filter(None, node.outputs))])

    def _by_area(
        self,
    ) -> tuple[dict[str, list[str]], dict[str, list[Part]], dict[str, dict[str, int]]]:
        """The requests, the nodes around, and the classes with their widths, of each area."""
        requested: dict[str, list[str]] = {}
        parts: dict[str, list[Part]] = {}
        widths: dict[str, dict[str, int]] = {}
        keys = list(self._requested)
        for key in self._requested:
            requested.setdefault(self._areas.find(self._area_of[key]), []).append(key)
            keys += [channel.source for channel in self._routing.channels[key]]
        for key in dict.fromkeys(keys):
            root = self._classes.find(key)
            width = channel_count(self._subject, key)
            assert width is not None
            widths.setdefault(self._areas.find(root), {})[root] = width
        for each in self._parts:
            for area in {self._areas.find(root) for root in self._roots(each)}:
                parts.setdefault(area, []).append(each)
        return requested, parts, widths

    def _roots(self, each: Part) -> set[str]:
        return {self._classes.find(key) for key in (*each.tied, *each.free, *each.fixed)}

    @cached_property
    def parts_of(self) -> dict[str, list[Part]]:
        """The nodes that read or write values of each class."""
        found: dict[str, list[Part]] = {}
        for each in self._parts:
            for root in self._roots(each):
                found.setdefault(root, []).append(each)
        return found

    def _classes_of(self, parts: Iterable[Part]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(root for each in parts for root in self._roots(each)))

    def _objection(self, region: Region) -> str:
        """Why the region stays as it is."""
        for each in region.parts:
            for parameter in each.parameters:
                moved = region.orders.of(parameter.key) is not None
                key = each.node.inputs[parameter.position]
                if moved and self._subject.numbers(key) is None:
                    return f"{each.node.path} ({each.node.op}): the numbers of {key} can't be had"
        left = sum(bool(each.picked) for each in region.assemblies)
        copies = self._copied(region.assemblies)
        before = sum(self._moved(node) for node in region.moves)
        if left < len(region.shuffles) and copies < before:
            return ""
        reasons = [reason for root in region.requests.widths for reason in self._pins.get(root, ())]
        if reasons:
            return min(reasons, key=_generality)
        return _DEARER if left < len(region.shuffles) else _NO_ORDER

    def _moved(self, node: Node) -> int:
        """How many numbers a moving node copies."""
        if node.op in VIEWS:
            return 0
        return sum(self._elements(key) for key in node.outputs if key != ABSENT)

    def _copied(self, made: Sequence[Assembly]) -> int:
        """How many numbers the new nodes copy."""
        copied, split = 0, set()
        for assembly in made:
            size = self._elements(assembly.key)
            copied += size * ((len(assembly.pieces) > 1) + bool(assembly.picked))
            for piece in assembly.pieces:
                if piece.stop - piece.start < self._width(piece.source):
                    split.add(piece.source)
        return copied + sum(map(self._elements, split))

    def _width(self, key: str) -> int:
        width = channel_count(self._subject, key)
        assert width is not None
        return width

    def _elements(self, key: str) -> int:
        shape = self._view.shape(key)
        return 0 if shape is None else prod(shape)


def _generality(reason: str) -> int:
    """The reason that says most comes first."""
    return 0 if GROUPED in reason else 2 if MIXES in reason else 1


def _dead(subject: Subject, routing: Routing) -> Iterator[tuple[int, Node]]:
    """Other nodes that only the moving nodes need: arithmetic on shapes, constants."""
    view, gone = subject.view, set(routing.nodes)
    moved = {key for node in routing.nodes.values() for key in data_inputs(node)}

    def is_needed(key: str) -> bool:
        read = any(reader.index not in gone for reader in view.readers(key))
        return read or key in moved or view.is_output(key)

    waiting = list(routing.nodes.values())
    while waiting:
        for key in waiting.pop().inputs:
            feeder = view.producer(key)
            if feeder is None or feeder.index in gone or any(map(is_needed, feeder.outputs)):
                continue
            if stands_in_main_graph(subject, feeder) and not view.bodies(feeder):
                gone.add(feeder.index)
                waiting.append(feeder)
                yield feeder.index, feeder
