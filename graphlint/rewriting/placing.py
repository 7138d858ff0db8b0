"""Where new nodes come to stand among the others, which keep their order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from graphlint.errors import RewriteError
from graphlint.node_order import label, sorted_positions
from graphlint.rewriting.captures import reads

if TYPE_CHECKING:
    from onnx import NodeProto

    from graphlint.rewriting.main_graph import MainGraph


def place(
    main: MainGraph, gone: Collection[int], nodes: Sequence[NodeProto], wanted: Sequence[int]
) -> tuple[list[int], list[int]]:
    """The order of the new nodes, and for each in it the position that it comes to stand before.

    A node comes as near to its wanted position as it can: behind all that it reads, and before all
    that reads it. `gone` are the positions of the nodes that go. Where the graph is not sorted, the
    new nodes are at least sorted among themselves.

    Raises:
        RewriteError: others would have to move.
        ModelError: the new nodes make a cycle.
    """
    makers = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    order = list(sorted_positions("the rewritten graph", nodes, makers))
    read = [list(reads(node)) for node in nodes]
    before = [[makers[name] for name in names if name in makers] for names in read]
    earliest = [_behind_producers(main, gone, names) for names in read]
    latest = [_before_readers(main, gone, node) for node in nodes]
    for index in order:
        earliest[index] = max([earliest[index], *(earliest[maker] for maker in before[index])])
    for index in reversed(order):
        for maker in before[index]:
            latest[maker] = min(latest[maker], latest[index])
    if main.is_sorted:
        _refuse_moving(nodes, earliest, latest)
    slots = list(wanted)
    for index in order:
        made_at = (slots[maker] for maker in before[index])
        slots[index] = min(max([slots[index], earliest[index], *made_at]), latest[index])
    # No node has a later slot than one that reads from it: sorting by them keeps the order right.
    order.sort(key=slots.__getitem__)
    ordered = [slots[index] for index in order]
    if not main.is_sorted:
        _refuse_cycles(main, gone, nodes)
    return order, ordered


def _behind_producers(main: MainGraph, gone: Collection[int], names: Sequence[str]) -> int:
    """The first position behind all nodes that stay and make one of the values."""
    made_at = (main.producers.get(name) for name in names)
    return max((at + 1 for at in made_at if at is not None and at not in gone), default=0)


def _before_readers(main: MainGraph, gone: Collection[int], node: NodeProto) -> int:
    """The last position before all nodes that stay and read what the node makes."""
    read_at = (at for name in node.output for at in main.readers.get(name, ()))
    return min((at for at in read_at if at not in gone), default=len(main.nodes))


def _refuse_moving(
    nodes: Sequence[NodeProto], earliest: Sequence[int], latest: Sequence[int]
) -> None:
    for index, node in enumerate(nodes):
        if earliest[index] > latest[index]:
            raise RewriteError(
                f"{label(node, index)}: can't be placed",
                cause="it reads what is computed only after what it makes is read",
                hint="let the new nodes read no more than the old ones did",
            )


def _refuse_cycles(main: MainGraph, gone: Collection[int], nodes: Sequence[NodeProto]) -> None:
    kept = [node for position, node in enumerate(main.nodes) if position not in gone]
    everything = [*kept, *nodes]
    producers = {name: i for i, node in enumerate(everything) for name in node.output if name}
    sorted_positions("the rewritten graph", everything, producers)
