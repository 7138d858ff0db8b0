"""The counted nodes of a structure as numbers, and colours that stand for what is around a node.

Colours of both models come from one `Palette`: the same colour means the same thing in either.
Nothing is hashed to fewer bits, so that a colour never stands for two things.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from graphlint.structure import NodeStructure, Structure

Colours = list[int]
"""A colour for every node of a flow."""


class Palette(dict[Hashable, int]):
    """Numbers for things, the same for equal things."""

    def __missing__(self, thing: Hashable) -> int:
        colour = self[thing] = len(self)
        return colour


class Flow:
    """A structure's nodes without the free ones, numbered anew in topological order.

    `indices` are their places in the structure. `inputs` and `readers` hold a node's neighbours as
    pairs of node and place of the input; the place is 0 where inputs may change places. What is not
    computed by a node (model inputs, weights) stands in `inputs` as a negative number.
    """

    def __init__(self, structure: Structure) -> None:
        self.indices = [i for i, node in enumerate(structure.nodes) if not node.free]
        numbers = {index: number for number, index in enumerate(self.indices)}
        self.nodes: list[NodeStructure] = [structure.nodes[index] for index in self.indices]
        self.inputs = [_placed(node, numbers) for node in self.nodes]
        self.outputs = [numbers.get(index, index) for index in structure.outputs]
        self.readers: list[list[tuple[int, int]]] = [[] for _ in self.nodes]
        for number, inputs in enumerate(self.inputs):
            for producer, place in inputs:
                if producer >= 0:
                    self.readers[producer].append((number, place))

    def __len__(self) -> int:
        return len(self.nodes)

    def coloured(self, palette: Palette, key: Callable[[NodeStructure], Hashable]) -> Colours:
        """Colours by what is known of each node alone."""
        return [palette[key(node)] for node in self.nodes]

    def with_ancestors(self, palette: Palette, own: Colours) -> Colours:
        """Colours by a node and all that it is computed from."""
        colours: Colours = []
        for number, inputs in enumerate(self.inputs):
            around = [(place, p if p < 0 else colours[p]) for p, place in inputs]
            colours.append(palette["ancestors", own[number], *sorted(around)])
        return colours

    def with_descendants(self, palette: Palette, own: Colours) -> Colours:
        """Colours by a node and all that is computed from it, to the model's outputs."""
        left: dict[int, list[int]] = {}
        for place, number in enumerate(self.outputs):
            left.setdefault(number, []).append(place)
        colours = [0] * len(self)
        for number in reversed(range(len(self))):
            around = [(place, colours[reader]) for reader, place in self.readers[number]]
            outputs = tuple(left.get(number, ()))
            colours[number] = palette["descendants", own[number], outputs, *sorted(around)]
        return colours

    def with_neighbours(self, palette: Palette, colours: Colours) -> Colours:
        """Colours by a node's colour and those of its neighbours."""
        return [
            palette[
                "neighbours",
                colours[number],
                tuple(sorted((place, p if p < 0 else colours[p]) for p, place in inputs)),
                tuple(sorted((place, colours[r]) for r, place in self.readers[number])),
            ]
            for number, inputs in enumerate(self.inputs)
        ]

    def line(self) -> list[int]:
        """The nodes in an order that does not depend on the exporter's: depth first, from the
        outputs, inputs before their readers."""
        seen = [False] * len(self)
        order: list[int] = []
        roots = [n for n in self.outputs if n >= 0]
        roots += [n for n in range(len(self)) if not self.readers[n]]
        for root in roots:
            stack = [(root, False)]
            while stack:
                number, done = stack.pop()
                if done:
                    order.append(number)
                elif not seen[number]:
                    seen[number] = True
                    stack.append((number, True))
                    stack += [(p, False) for p, _ in reversed(self.inputs[number]) if p >= 0]
        return order


def _placed(node: NodeStructure, numbers: dict[int, int]) -> Sequence[tuple[int, int]]:
    places = enumerate(node.inputs)
    return [
        (numbers[producer] if producer >= 0 else producer, 0 if node.unordered else place)
        for place, producer in places
    ]
