"""Which node of one model is which of another, by structure alone.

From what is sure to what is likely; each step takes the nodes that the ones before left over:

1. nodes with the same ancestors and descendants: the whole of two equal models ends here;
2. with the same ancestors (a common beginning), then with the same descendants (a common end);
3. nodes that are unlike all others within a few steps, and from each pair on along the edges;
4. a line of the nodes of each model, aligned between the pairs found so far.

Steps 3 and 4 are done with nodes that are alike in everything; then with those that differ in their
widths; then with those that have no more than the operator in common. The former are unchanged, the
others changed. Every step takes n log n.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from graphlint.diffing.alignment import MOST_CELLS, align, rising
from graphlint.diffing.flow import Colours, Flow, Palette
from graphlint.diffing.similarity import Similarity
from graphlint.structure import NodeStructure, Structure

_RADII = (6, 3, 1)
_MOSTLY = 0.6
Neighbours = Sequence[Sequence[tuple[int, int]]]


def match(old: Structure, new: Structure) -> dict[int, int]:
    """Indices of the old structure's nodes → indices of the new one's.

    `match(b, a)` is the inverse of `match(a, b)`.
    """
    if _key(new) < _key(old):
        return {index: other for other, index in match(new, old).items()}
    matcher = _Matcher(Flow(old), Flow(new))
    matcher.run()
    pairs = enumerate(matcher.partners)
    return {
        matcher.old.indices[a]: matcher.new.indices[b] for a, b in sorted(pairs) if b is not None
    }


def _key(structure: Structure) -> tuple[object, ...]:
    """Anything that orders structures, and tells any two apart that differ."""
    return (
        len(structure.nodes),
        [(node.family, node.facts, node.inputs, node.free) for node in structure.nodes],
        structure.outputs,
    )


class _Matcher:
    """Both flows, and the partners found so far."""

    def __init__(self, old: Flow, new: Flow) -> None:
        self.old, self.new = old, new
        self.partners: list[int | None] = [None] * len(old)
        self._back: list[int | None] = [None] * len(new)
        self._palette = Palette()

    def run(self) -> None:
        """Take all steps."""
        own = self._coloured(_alike)
        above = self._each(Flow.with_ancestors, own)
        self._same_colours(self._each(Flow.with_descendants, above), self._inputs)
        self._same_colours(above, self._inputs)
        self._same_colours(self._each(Flow.with_descendants, own), self._readers)
        if not self._is_done():
            self._unique(own)
            if self.partners.count(None) * self._back.count(None) > MOST_CELLS:
                self._spread(self._coloured(_same_size), self._pairs())
            self._line(own, Similarity(self._examples(own)))
            self._spread(own, self._pairs())
        for key in (_same_size, _same_width, _same_kind):
            if self._is_done():
                return
            colours = self._coloured(key)
            self._spread(colours, self._pairs())
        self._line(colours, Similarity({}), least=_MOSTLY)
        self._spread(self._coloured(_same_operator), self._pairs(), on=False)

    def _examples(self, own: tuple[Colours, Colours]) -> dict[int, NodeStructure]:
        pairs = (
            *zip(own[0], self.old.nodes, strict=True),
            *zip(own[1], self.new.nodes, strict=True),
        )
        return dict(pairs)

    def _coloured(self, key: Callable[[NodeStructure], Hashable]) -> tuple[Colours, Colours]:
        return self.old.coloured(self._palette, key), self.new.coloured(self._palette, key)

    def _each(
        self, make: Callable[[Flow, Palette, Colours], Colours], given: tuple[Colours, Colours]
    ) -> tuple[Colours, Colours]:
        return make(self.old, self._palette, given[0]), make(self.new, self._palette, given[1])

    def _is_done(self) -> bool:
        return None not in self.partners or None not in self._back

    def _pair(self, a: int, b: int) -> None:
        self.partners[a], self._back[b] = b, a

    def _pairs(self) -> list[tuple[int, int]]:
        return [(a, b) for a, b in enumerate(self.partners) if b is not None]

    # The same colours

    def _inputs(self, flow: Flow) -> tuple[Neighbours, Iterable[int]]:
        return flow.inputs, range(len(flow))

    def _readers(self, flow: Flow) -> tuple[Neighbours, Iterable[int]]:
        return flow.readers, reversed(range(len(flow)))

    def _same_colours(
        self,
        colours: tuple[Colours, Colours],
        side: Callable[[Flow], tuple[Neighbours, Iterable[int]]],
    ) -> None:
        """Pair the nodes of each colour that as many nodes have in either model.

        Of several, those go together whose neighbours do; nodes come after their neighbours.
        """
        left_old = _members(colours[0], self.partners)
        left_new = _members(colours[1], self._back)
        equal = {c for c, nodes in left_old.items() if len(nodes) == len(left_new.get(c, ()))}
        near_old, order = side(self.old)
        near_new, _ = side(self.new)
        waiting: dict[object, deque[int]] = {}
        for colour in equal:
            for b in left_new[colour]:
                waiting.setdefault((colour, *sorted(near_new[b])), deque()).append(b)
        for a in order:
            if self.partners[a] is None and colours[0][a] in equal:
                there = [(self._partner(p), place) for p, place in near_old[a]]
                if None not in [p for p, _ in there]:
                    found = waiting.get((colours[0][a], *sorted(there, key=_known)))
                    if found:
                        self._pair(a, found.popleft())
        for colour in equal:
            rest_old = [a for a in left_old[colour] if self.partners[a] is None]
            rest_new = [b for b in left_new[colour] if self._back[b] is None]
            for a, b in zip(rest_old, rest_new, strict=True):
                self._pair(a, b)

    def _partner(self, number: int) -> int | None:
        return number if number < 0 else self.partners[number]

    # Unlike all others, and on along the edges

    def _unique(self, own: tuple[Colours, Colours]) -> None:
        levels = [own]
        for _ in range(max(_RADII)):
            levels.append(self._each(Flow.with_neighbours, levels[-1]))
        for radius in _RADII:
            left_old = _members(levels[radius][0], self.partners)
            left_new = _members(levels[radius][1], self._back)
            found = []
            for colour, nodes in left_old.items():
                others = left_new.get(colour, ())
                if len(nodes) == len(others) == 1:
                    self._pair(nodes[0], others[0])
                    found.append((nodes[0], others[0]))
            self._spread(own, found if radius != _RADII[0] else self._pairs())

    def _spread(
        self,
        colours: tuple[Colours, Colours],
        pairs: Iterable[tuple[int, int]],
        *,
        on: bool = True,
    ) -> None:
        """From each pair to its readers as far as it goes, then to its inputs, and so `on`."""
        down = deque(pairs)
        up = deque(down)
        while down or up:
            if down:
                a, b = down.popleft()
                found = self._alike(colours, self.old.readers[a], self.new.readers[b])
            else:
                a, b = up.pop()
                found = self._alike(colours, self.old.inputs[a], self.new.inputs[b])
            for a, b in found:
                if self.partners[a] is None and self._back[b] is None:
                    self._pair(a, b)
                    if on:
                        down.append((a, b))
                        up.append((a, b))

    def _alike(
        self,
        colours: tuple[Colours, Colours],
        near_old: Sequence[tuple[int, int]],
        near_new: Sequence[tuple[int, int]],
    ) -> Iterator[tuple[int, int]]:
        """Of the neighbours of a pair, those that stand alike and have no other like them."""
        left_old = _neighbours(near_old, colours[0], self.partners)
        left_new = _neighbours(near_new, colours[1], self._back)
        for key, nodes in left_old.items():
            others = left_new.get(key, {})
            if len(nodes) == len(others):
                yield from zip(nodes, others, strict=True)

    # In line

    def _line(
        self, colours: tuple[Colours, Colours], similarity: Similarity, least: float = 0.0
    ) -> None:
        """Align what is left, between the pairs.

        Between two pairs nothing is taken where it is less than the share `least` of the nodes.
        """
        line_old, line_new = self.old.line(), self.new.line()
        place = {b: position for position, b in enumerate(line_new)}
        known = [
            (position, place[b])
            for position, a in enumerate(line_old)
            if (b := self.partners[a]) is not None
        ]
        backbone = rising(known)
        gaps_old = _gaps(line_old, self.partners, {i for i, _ in backbone})
        gaps_new = _gaps(line_new, self._back, {j for _, j in backbone})
        for gap, nodes in gaps_old.items():
            others = gaps_new.get(gap, [])
            pairs = align(
                [colours[0][a] for a in nodes], [colours[1][b] for b in others], similarity
            )
            if len(pairs) >= least * max(len(nodes), len(others)):
                for i, j in pairs:
                    self._pair(nodes[i], others[j])


def _alike(node: NodeStructure) -> Hashable:
    return "alike", node.family, node.facts


def _same_size(node: NodeStructure) -> Hashable:
    return "size", node.family, node.kind, node.dims and (len(node.dims), node.dims[2:])


def _same_width(node: NodeStructure) -> Hashable:
    return "width", node.family, node.title, node.dims and (len(node.dims), node.dims[:2])


def _same_kind(node: NodeStructure) -> Hashable:
    return "kind", node.family, node.kind


def _same_operator(node: NodeStructure) -> Hashable:
    return "operator", node.family


def _known(pair: tuple[int | None, int]) -> tuple[int, int]:
    return (pair[0] if pair[0] is not None else 0, pair[1])


def _members(colours: Colours, partners: Sequence[int | None]) -> dict[int, list[int]]:
    """The nodes without a partner, by colour."""
    found: dict[int, list[int]] = {}
    for number, (colour, partner) in enumerate(zip(colours, partners, strict=True)):
        if partner is None:
            found.setdefault(colour, []).append(number)
    return found


def _neighbours(
    near: Iterable[tuple[int, int]], colours: Colours, partners: Sequence[int | None]
) -> dict[tuple[int, int], dict[int, None]]:
    """Neighbours without a partner, each once, by colour and place."""
    found: dict[tuple[int, int], dict[int, None]] = {}
    for number, place in near:
        if number >= 0 and partners[number] is None:
            found.setdefault((colours[number], place), {})[number] = None
    return found


def _gaps(
    line: Sequence[int], partners: Sequence[int | None], backbone: set[int]
) -> dict[int, list[int]]:
    """The nodes without a partner, by the number of backbone pairs before them."""
    found: dict[int, list[int]] = {}
    gap = 0
    for position, number in enumerate(line):
        if position in backbone:
            gap += 1
        elif partners[number] is None:
            found.setdefault(gap, []).append(number)
    return found
