"""A model that computes the same and reads differently: other names, another order of the nodes."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Sequence

import onnx


def renamed(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """The model with new names for its nodes and values, bodies and functions included."""
    chance = random.Random(seed)
    made: dict[str, str] = {"": ""}

    def name(old: str) -> str:
        return made.setdefault(old, f"{chance.randrange(10**6)}.{len(made)}")

    other = onnx.ModelProto()
    other.CopyFrom(model)
    for node in _nodes(other):
        node.name = f"node{chance.randrange(10**9)}"
        node.input[:] = map(name, node.input)
        node.output[:] = map(name, node.output)
    for graph in _graphs(other):
        for info in (*graph.input, *graph.output, *graph.value_info):
            info.name = name(info.name)
        for tensor in graph.initializer:
            tensor.name = name(tensor.name)
        for sparse in graph.sparse_initializer:
            sparse.values.name = name(sparse.values.name)
    for function in other.functions:
        function.input[:] = map(name, function.input)
        function.output[:] = map(name, function.output)
        for info in function.value_info:
            info.name = name(info.name)
    return other


def reordered(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """The model with the nodes of every graph in another topological order."""
    chance = random.Random(seed)
    other = onnx.ModelProto()
    other.CopyFrom(model)
    for owner in (*_graphs(other), *other.functions):
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in owner.node]
        order = _order(nodes, chance)
        del owner.node[:]
        owner.node.extend(nodes[position] for position in order)
    return other


def _order(nodes: Sequence[onnx.NodeProto], chance: random.Random) -> list[int]:
    producers = {name: place for place, node in enumerate(nodes) for name in node.output if name}
    needs = [{producers[n] for n in _reads(node) if n in producers} for node in nodes]
    users: list[list[int]] = [[] for _ in nodes]
    for place, sources in enumerate(needs):
        for source in sources:
            users[source].append(place)
    ready = [(chance.random(), place) for place, sources in enumerate(needs) if not sources]
    heapq.heapify(ready)
    order = []
    while ready:
        _, place = heapq.heappop(ready)
        order.append(place)
        for user in users[place]:
            needs[user].discard(place)
            if not needs[user]:
                heapq.heappush(ready, (chance.random(), user))
    return order


def _reads(node: onnx.NodeProto) -> set[str]:
    """The names that the node takes from the graph around it, for its bodies too."""
    names = set(node.input)
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            inside = {info.name for info in body.output}.union(*map(_reads, body.node))
            made = {name for inner in body.node for name in inner.output}
            made |= {info.name for info in body.input} | {t.name for t in body.initializer}
            names |= inside - made
    return names


def _graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    yield model.graph
    holders: list[onnx.NodeProto] = [*model.graph.node]
    for function in model.functions:
        holders += function.node
    while holders:
        node = holders.pop()
        for attribute in node.attribute:
            for body in ([attribute.g] if attribute.HasField("g") else []) + [*attribute.graphs]:
                yield body
                holders += body.node


def _nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    for graph in _graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node
