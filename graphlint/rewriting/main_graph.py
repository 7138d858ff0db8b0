"""A model's main graph by names: who makes a value, who reads it, and which names are taken."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from graphlint.errors import RewriteError
from graphlint.graph import ABSENT, Node
from graphlint.node_order import subgraphs
from graphlint.rewriting.captures import captured, defined, node_names

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto


class MainGraph:
    """The main graph of a model as it is now; nodes go by their positions.

    `producers` has the position of the node that makes a value, `readers` those of the nodes that
    read it, in bodies too. `leaving` are values that something other than a node needs: the outputs
    of the model, what its training information mentions, parameters of quantisation. `bodies` has
    the graphs that nodes hold. `is_sorted` says whether every node stands behind those that it
    reads from.
    """

    def __init__(self, proto: ModelProto) -> None:
        self.proto = proto
        self.nodes: list[NodeProto] = list(proto.graph.node)
        self.producers: dict[str, int] = {}
        self.readers: dict[str, list[int]] = {}
        self.initializers = {t.name: i for i, t in enumerate(proto.graph.initializer)}
        self.inputs = {info.name: i for i, info in enumerate(proto.graph.input)}
        self.leaving = set(_leaving(proto))
        self.bodies: dict[int, list[GraphProto]] = {}
        for position, node in enumerate(self.nodes):
            for name in node.output[:]:
                if name != ABSENT:
                    self.producers[name] = position
            if bodies := [body for _, body in subgraphs(node.attribute)]:
                self.bodies[position] = bodies
        self.is_sorted = True
        for position in range(len(self.nodes)):
            for name in self.reads(position):
                self.readers.setdefault(name, []).append(position)
                if self.producers.get(name, -1) >= position:
                    self.is_sorted = False

    def reads(self, position: int) -> list[str]:
        """The names that a node and its bodies read, possibly repeated."""
        names = [name for name in self.nodes[position].input[:] if name != ABSENT]
        for body in self.bodies.get(position, ()):
            names += captured(body)
        return names

    def find(self, node: Node) -> int:
        """The position of a view's node.

        Raises:
            RewriteError: it does not stand in the main graph as the view shows it.
        """
        given = next((key for key in node.outputs if key != ABSENT), None)
        position = self.producers.get(given) if given is not None else None
        if position is not None and _is_same(node, self.nodes[position]):
            return position
        raise RewriteError(
            f"{node.path}: can't be replaced",
            cause="it is no node of the main graph of this model",
            hint="a rewrite leaves nodes of bodies and of local functions as they are",
        )

    def is_known(self, name: str) -> bool:
        """Whether a value of this name can be read in the main graph."""
        return (
            name in self.producers
            or name in self.initializers
            or name in self.inputs
            or any(name == sparse.values.name for sparse in self.proto.graph.sparse_initializer)
        )

    def taken(self, gone: Collection[int], gone_initializers: Collection[str]) -> Iterator[str]:
        """The names of values in all graphs and functions, without those of what goes."""
        graph = self.proto.graph
        yield from (info.name for info in graph.output)
        yield from (name for name in self.inputs if name not in gone_initializers)
        yield from (name for name in self.initializers if name not in gone_initializers)
        yield from (sparse.values.name for sparse in graph.sparse_initializer)
        yield from self.leaving
        yield from (name for name, maker in self.producers.items() if maker not in gone)
        for position, bodies in self.bodies.items():
            if position not in gone:
                for body in bodies:
                    yield from defined(body)
        for function in self.proto.functions:
            yield from (*function.input, *function.output)
            for node in function.node:
                yield from node_names(node)


def _is_same(node: Node, proto: NodeProto) -> bool:
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    return (
        (node.op, node.domain, node.name) == (proto.op_type, domain, proto.name)
        and node.scope == ""
        and node.inputs == tuple(proto.input[:])
        and node.outputs == tuple(proto.output[:])
    )


def _leaving(proto: ModelProto) -> Iterator[str]:
    yield from (info.name for info in proto.graph.output)
    for annotation in proto.graph.quantization_annotation:
        yield from (entry.value for entry in annotation.quant_parameter_tensor_names)
    for training in proto.training_info:
        for graph in (training.initialization, training.algorithm):
            yield from defined(graph)
        for entry in (*training.initialization_binding, *training.update_binding):
            yield from (entry.key, entry.value)
