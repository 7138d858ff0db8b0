"""The topological order of a graph's nodes: the file's own wherever it is one."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from graphlint.errors import ModelError

if TYPE_CHECKING:
    import onnx


def subgraphs(
    attributes: Iterable[onnx.AttributeProto],
) -> Iterator[tuple[str, onnx.GraphProto]]:
    """The graphs that attributes hold, each with its attribute's name (and position in a list)."""
    for attribute in attributes:
        if attribute.HasField("g"):
            yield attribute.name, attribute.g
        for position, graph in enumerate(attribute.graphs):
            yield f"{attribute.name}[{position}]", graph


def label(node: onnx.NodeProto, position: int) -> str:
    """The node as errors name it."""
    return repr(node.name) if node.name else f"node #{position} ({node.op_type})"


def sorted_positions(
    path: str, nodes: Sequence[onnx.NodeProto], producers: Mapping[str, int]
) -> Sequence[int]:
    """Positions of `nodes` in topological order: the file's own order wherever it is one.

    Raises:
        ModelError: the nodes form a cycle; the cause shows it.
    """
    if _is_sorted(nodes, producers):
        return range(len(nodes))
    needs = [[producers[name] for name in _reads(node) if name in producers] for node in nodes]
    waiting = [len(set(sources)) for sources in needs]
    users: list[list[int]] = [[] for _ in nodes]
    for position, sources in enumerate(needs):
        for source in set(sources):
            users[source].append(position)
    ready = [position for position, count in enumerate(waiting) if count == 0]
    order = []
    while ready:
        position = heapq.heappop(ready)
        order.append(position)
        for user in users[position]:
            waiting[user] -= 1
            if waiting[user] == 0:
                heapq.heappush(ready, user)
    if len(order) < len(nodes):
        raise ModelError(
            f"{path}: the graph has a cycle",
            cause=_cycle(nodes, needs, set(order)),
            hint="ONNX graphs are acyclic: export the model again",
        )
    return order


def _is_sorted(nodes: Sequence[onnx.NodeProto], producers: Mapping[str, int]) -> bool:
    for position, node in enumerate(nodes):
        for name in _reads(node):
            if producers.get(name, -1) >= position:
                return False
    return True


def _reads(node: onnx.NodeProto) -> Iterable[str]:
    """Names that the node reads, those that its bodies take from outside among them."""
    attributes = node.attribute
    if attributes and any(attribute.HasField("g") or attribute.graphs for attribute in attributes):
        return [*node.input, *_captured(node)]
    return node.input[:]


def _captured(node: onnx.NodeProto) -> set[str]:
    """Names that the node's bodies take from outside."""
    captured: set[str] = set()
    for _, body in subgraphs(node.attribute):
        local = {info.name for info in body.input} | {t.name for t in body.initializer}
        local |= {name for inner in body.node for name in inner.output}
        used = {info.name for info in body.output}
        for inner in body.node:
            used.update(_reads(inner))
        captured |= used - local
    return captured


def _cycle(nodes: Sequence[onnx.NodeProto], needs: Sequence[Sequence[int]], done: set[int]) -> str:
    """One cycle among the nodes that could not be sorted, as `a → b → a`, at most ten long."""
    trail: list[int] = []
    current = next(position for position in range(len(nodes)) if position not in done)
    while current not in trail:
        trail.append(current)
        current = next(source for source in needs[current] if source not in done)
    cycle = [*trail[trail.index(current) :], current][::-1]
    labels = [label(nodes[position], position) for position in cycle]
    if len(labels) > 10:
        labels = [*labels[:5], f"… {len(labels) - 9} more …", *labels[-4:]]
    return " → ".join(labels)
