"""In which order channels are stored, so that those that are read together stand together.

Values that must share an order are a *class* (a convolution's output, its activation, what is added
to it). A *request* is a value that was made by moving channels and that something reads: in the new
model it is put together from pieces of what the channels come from. Each class that may have any
order gets one in which every request finds its channels in few pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from graphlint_rules.rewrites.shuffles.routing import Channel, runs

Order = np.ndarray[Any, np.dtype[np.int64]]

MAX_RUNS = 4
"""Into how many pieces of one source a request may fall; beyond, one Gather fetches them."""


class Union:
    """Sets of names that are merged pair by pair."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def find(self, key: str) -> str:
        """The name that stands for the key's set."""
        root = key
        while (parent := self._parents.get(root, root)) != root:
            root = parent
        while key != root:
            self._parents[key], key = root, self._parents.get(key, key)
        return root

    def merge(self, keys: Iterable[str]) -> None:
        """Let the keys be in one set."""
        roots = [self.find(key) for key in keys]
        for root in roots[1:]:
            self._parents[self.find(root)] = self.find(roots[0])


@dataclass(frozen=True, slots=True)
class Piece:
    """Channels `start` to `stop` of a source as it is stored."""

    source: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Assembly:
    """How a request is put together: `pieces` one behind the other, of them `picked` (if any)."""

    key: str
    pieces: tuple[Piece, ...]
    picked: tuple[int, ...] = ()


@dataclass(frozen=True)
class Orders:
    """The order of each class: channel `order[i]` of the old value is channel i of the new.

    Classes that are `widened` have channels beyond the old ones.
    """

    classes: Union
    by_class: Mapping[str, Order] = field(default_factory=dict)
    widened: frozenset[str] = frozenset()

    def of(self, key: str) -> Order | None:
        """The order of a value; None where it stays as it is."""
        root = self.classes.find(key)
        order = self.by_class.get(root)
        if order is None or (_is_identity(order) and root not in self.widened):
            return None
        return order


@dataclass(frozen=True, slots=True)
class Requests:
    """What is asked of the classes: for each request, in order, where its channels come from.

    `widths` has the number of channels of every class, `pinned` those that keep their order.
    """

    classes: Union
    channels: Mapping[str, tuple[Channel, ...]]
    widths: Mapping[str, int]
    pinned: frozenset[str]


def choose(requests: Requests) -> Orders:
    """An order for every class."""
    chooser = _Chooser(requests)
    return Orders(requests.classes, chooser.orders())


def assemblies(requests: Requests, orders: Orders) -> tuple[Assembly, ...]:
    """How each request is put together when the classes have these orders."""
    places: dict[str, Order] = {root: np.argsort(order) for root, order in orders.by_class.items()}

    def place(channel: Channel) -> tuple[str, int]:
        return channel.source, int(places[orders.classes.find(channel.source)][channel.number])

    made = []
    for key, channels in requests.channels.items():
        order = orders.by_class[orders.classes.find(key)]
        wanted = [place(channels[number]) for number in order]
        widths = {
            source: len(places[orders.classes.find(source)]) for source, _ in dict(wanted).items()
        }
        made.append(_assembly(key, wanted, widths))
    return tuple(made)


def _assembly(key: str, wanted: Sequence[tuple[str, int]], widths: Mapping[str, int]) -> Assembly:
    pieces = _pieces(wanted)
    if len(pieces) <= MAX_RUNS * len(widths):
        return Assembly(key, pieces)
    fetched = []
    starts = {}
    total = 0
    for source, width in widths.items():
        numbers = sorted({number for name, number in wanted if name == source})
        whole = runs(numbers) > 1
        piece = Piece(source, 0, width) if whole else Piece(source, numbers[0], numbers[-1] + 1)
        fetched.append(piece)
        starts[source] = total - piece.start
        total += piece.stop - piece.start
    return Assembly(key, tuple(fetched), tuple(starts[name] + number for name, number in wanted))


def _pieces(wanted: Sequence[tuple[str, int]]) -> tuple[Piece, ...]:
    bounds = [0, *(at for at in range(1, len(wanted)) if not _follows(*wanted[at - 1 : at + 1]))]
    return tuple(
        Piece(wanted[start][0], wanted[start][1], wanted[stop - 1][1] + 1)
        for start, stop in pairwise([*bounds, len(wanted)])
    )


def _follows(before: tuple[str, int], after: tuple[str, int]) -> bool:
    return before[0] == after[0] and before[1] + 1 == after[1]


def _is_identity(order: Order) -> bool:
    return np.array_equal(order, np.arange(len(order)))


class _Chooser:
    """Ranks channels from the last class to the first, and orders them from the first to the last.

    A channel's rank in its class says by whom it is read: first the set of requests, then its rank
    in their classes. Equal ranks may stand in any order, so they follow their sources.
    """

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._find = requests.classes.find
        self._pinned = set(requests.pinned)
        self._ranks: dict[str, list[int]] = {}
        self._asking: dict[str, str] = {}
        """One request of each class that makes some."""
        self._uses: dict[str, list[tuple[int, int, str, int]]] = {}
        """Of each class: (channel, request, the request's class, channel of the request)."""
        for request, (key, channels) in enumerate(requests.channels.items()):
            reader = self._find(key)
            self._asking.setdefault(reader, key)
            for position, channel in enumerate(channels):
                use = (channel.number, request, reader, position)
                self._uses.setdefault(self._find(channel.source), []).append(use)

    def orders(self) -> dict[str, Order]:
        """The order of every class."""
        sequence = self._rank_all()
        orders: dict[str, Order] = {}
        places: dict[str, Order] = {}
        sequence.sort(key=lambda root: root not in self._pinned)  # they wait for no other's order
        for number, root in enumerate(sequence):
            orders[root] = self._order(root, places)
            places[root] = np.argsort(orders[root]) + (number << 32)
        return orders

    def _rank_all(self) -> list[str]:
        """Rank every class behind those that read it; the classes, the first source first.

        Where classes read each other, one is pinned.
        """
        waiting = {
            root: {reader for _, _, reader, _ in self._uses.get(root, ())}
            for root in self._requests.widths
        }
        feeds: dict[str, list[str]] = {}
        for root, readers in waiting.items():
            for reader in readers:
                feeds.setdefault(reader, []).append(root)
        ready = [root for root, readers in waiting.items() if not readers]
        left = list(waiting)
        sequence: list[str] = []
        while len(sequence) < len(waiting):
            if not ready:
                while left[-1] in self._ranks:
                    left.pop()
                self._pinned.add(left[-1])
                ready.append(left[-1])
            root = ready.pop()
            if root in self._ranks:
                continue
            self._ranks[root] = self._rank(root)
            sequence.append(root)
            for source in feeds.get(root, ()):
                waiting[source].discard(root)
                if not waiting[source]:
                    ready.append(source)
        return sequence[::-1]

    def _rank(self, root: str) -> list[int]:
        width = self._requests.widths[root]
        if root in self._pinned:
            return list(range(width))
        requests: list[list[int]] = [[] for _ in range(width)]
        ranks: list[list[int]] = [[] for _ in range(width)]
        for channel, request, reader, position in self._uses.get(root, ()):
            requests[channel].append(request)
            ranks[channel].append(self._ranks[reader][position])
        told = [(tuple(a), tuple(b)) for a, b in zip(requests, ranks, strict=True)]
        dense = {each: rank for rank, each in enumerate(sorted(set(told)))}
        return [dense[each] for each in told]

    def _order(self, root: str, places: Mapping[str, Order]) -> Order:
        if root in self._pinned:
            return np.arange(self._requests.widths[root])
        ranks = np.array(self._ranks[root])
        if root not in self._asking:
            return np.argsort(ranks, kind="stable")
        channels = self._requests.channels[self._asking[root]]
        found = [places[self._find(channel.source)][channel.number] for channel in channels]
        return np.lexsort((np.array(found), ranks))
