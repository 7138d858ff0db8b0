"""What nodes read, the values that their bodies take from outside among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from graphlint.node_order import subgraphs

if TYPE_CHECKING:
    import onnx


def reads(node: onnx.NodeProto) -> Iterable[str]:
    """The names that a node reads, in order, possibly repeated; empty ones are left out."""
    names = [name for name in node.input[:] if name]
    if node.attribute:
        for _, body in subgraphs(node.attribute):
            names.extend(captured(body))
    return names


def captured(graph: onnx.GraphProto) -> Iterator[str]:
    """The names that a body takes from the graphs around it."""
    own = {info.name for info in graph.input} | {tensor.name for tensor in graph.initializer}
    own.update(sparse.values.name for sparse in graph.sparse_initializer)
    for node in graph.node:
        own.update(node.output[:])
    for node in graph.node:
        yield from (name for name in reads(node) if name not in own)
    yield from (info.name for info in graph.output if info.name not in own)


def defined(graph: onnx.GraphProto) -> Iterator[str]:
    """The names of all values that a graph and the bodies inside it define or mention."""
    yield from (info.name for info in (*graph.input, *graph.output))
    yield from (tensor.name for tensor in graph.initializer)
    yield from (sparse.values.name for sparse in graph.sparse_initializer)
    for node in graph.node:
        yield from node_names(node)


def node_names(node: onnx.NodeProto) -> Iterator[str]:
    """The names of all values that a node and its bodies define or mention."""
    yield from node.input[:]
    yield from node.output[:]
    if node.attribute:
        for _, body in subgraphs(node.attribute):
            yield from defined(body)
