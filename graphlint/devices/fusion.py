"""Which kernels a runtime makes of a graph's nodes: what it folds, fuses and lays out anew.

These are ONNX Runtime's rules for float32 graphs, as its optimised graphs show them. From `basic`
on it folds constants, normalisations behind convolutions and paddings before them, and makes one
product of MatMul and Add; from `extended` on an activation joins the convolution or product before
it; at `all` a sum does too, and convolutions work on channels in blocks ("blocked"): values are
reordered where they enter and leave that layout. What does not follow these rules in some version
of the runtime makes a prediction worse, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import prod

from graphlint.costs.totals import Costs
from graphlint.devices.profile import DeviceProfile
from graphlint.graph import ABSENT, GraphView, Node

__all__ = ["ALONE", "Edges", "Schedule", "is_blockable", "schedule"]

LEVELS = ("disable", "basic", "extended", "all")

_ALIGNED = 4
"""The runtime blocks only channels that are a multiple of this."""

_ACTIVATIONS = frozenset("Relu Clip Sigmoid Tanh LeakyRelu HardSigmoid".split())
_BLOCKED_ACTIVATIONS = _ACTIVATIONS | {"HardSwish"}
_POOLS = frozenset("MaxPool AveragePool GlobalMaxPool GlobalAveragePool".split())
_ELIMINATED = frozenset({"Identity", "Dropout"})
_FOLLOWERS = _BLOCKED_ACTIVATIONS.union("Add Sum Mul Gelu QuickGelu BatchNormalization".split())
"""Operators that work on blocked values where all their inputs are blocked."""


@dataclass(frozen=True, slots=True)
class Edges:
    """The layouts around a graph that stands inside another one.

    `blocked` are its inputs that come blocked, and its outputs that are taken blocked. What is
    around it `adapts` where it takes on whatever layout the graph has.
    """

    blocked: frozenset[str] = frozenset()
    adapts: bool = False


ALONE = Edges()
"""Of a model: what comes in and goes out is not blocked."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How the nodes of a view run.

    `leaders` gives for every node that runs the one whose kernel it is part of, itself for one
    with a kernel of its own; `free` are nodes that are gone before the model runs. `blocked` are
    the leaders that compute blocked values. `reorders` are values, by the leader that has them
    reordered: before it, or behind it for an output of the model. `made_blocked` and
    `taken_blocked` are the values that a kernel writes and reads blocked.
    """

    leaders: Mapping[int, int]
    free: frozenset[int]
    blocked: frozenset[int]
    reorders: Mapping[int, tuple[str, ...]]
    made_blocked: frozenset[str]
    taken_blocked: frozenset[str]

    def members(self) -> Mapping[int, tuple[int, ...]]:
        """The nodes of each leader's kernel, in order."""
        groups: dict[int, list[int]] = {}
        for node, leader in self.leaders.items():
            groups.setdefault(leader, []).append(node)
        return {leader: tuple(sorted(nodes)) for leader, nodes in groups.items()}


def is_blockable(channels_in: int, channels_out: int, groups: int, block: int) -> bool:
    """Whether the runtime lets a convolution work on blocks of channels."""
    if block <= 1:
        return False
    if groups == 1:
        return channels_in < block or channels_in % _ALIGNED == 0
    if channels_in == groups == channels_out:
        return channels_out % _ALIGNED == 0
    return channels_in % (groups * block) == 0 and channels_out % (groups * block) == 0


def schedule(
    view: GraphView, costs: Costs, profile: DeviceProfile, edges: Edges = ALONE
) -> Schedule:
    """The kernels that the profile's runtime makes of the main graph's nodes."""
    level = LEVELS.index(profile.device.optimization)
    blocks = level == 3 and profile.device.provider == "cpu"
    return _Scheduling(view, costs, level, profile.channel_block if blocks else 1, edges).result()


@dataclass(slots=True)
class _Kernel:
    """What has joined a leader so far, and whether its values are blocked."""

    blocked: bool
    has_sum: bool = False
    has_activation: bool = False
    has_bias: bool = False


@dataclass(slots=True)
class _Scheduling:
    view: GraphView
    costs: Costs
    level: int
    block: int
    edges: Edges
    leaders: dict[int, int] = field(default_factory=dict)
    kernels: dict[int, _Kernel] = field(default_factory=dict)
    free: set[int] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)

    def result(self) -> Schedule:
        view = self.view
        for node in view.nodes:
            if node.scope == "":
                self._place(node)
        blocked = frozenset(index for index, kernel in self.kernels.items() if kernel.blocked)
        made = frozenset(
            key
            for index, leader in self.leaders.items()
            if leader in blocked
            for key in view.nodes[index].outputs
        )
        taken = frozenset(
            self._source(key)
            for index, leader in self.leaders.items()
            for key in self._values(view.nodes[index])
            if self._wants_blocked(view.nodes[index], leader, key)
        )
        return Schedule(self.leaders, frozenset(self.free), blocked, self._reorders(), made, taken)

    def _place(self, node: Node) -> None:
        if self._is_free(node):
            self.free.add(node.index)
            if node.op in _ELIMINATED:
                self.aliases[node.outputs[0]] = self._source(node.input(0))
            return
        host = self._host(node)
        if host is None:
            self.leaders[node.index] = node.index
            self.kernels[node.index] = _Kernel(self._is_blocked(node), has_bias=_has_bias(node))
            self._take_padding(node)
        else:
            self.leaders[node.index] = host

    def _is_free(self, node: Node) -> bool:
        if node.index in self.costs.shape_arithmetic or node.op == "Constant":
            return True
        if self.level == 0:
            return False
        return node.op in _ELIMINATED or self.view.static_values.issuperset(
            key for key in node.outputs if key != ABSENT
        )

    def _source(self, key: str) -> str:
        """The value itself, behind what is eliminated."""
        return self.aliases.get(key, key)

    def _producer(self, key: str) -> Node | None:
        return self.view.producer(self._source(key))

    def _alone(self, key: str) -> bool:
        """Whether one node reads the value, behind what is eliminated too."""
        reader = self.view.only_reader(key)
        while reader is not None and reader.index in self.free and reader.op in _ELIMINATED:
            reader = self.view.only_reader(reader.outputs[0])
        return reader is not None

    # What a node joins.

    def _host(self, node: Node) -> int | None:
        """The leader whose kernel runs the node too; None where it has its own."""
        if self.level == 0:
            return None
        for key in self._values(node):
            producer = self._producer(key)
            if producer is None or producer.index not in self.leaders:
                continue
            leader = self.leaders[producer.index]
            if self._alone(self._source(key)) and self._joins(node, key, leader):
                return leader
        return None

    def _joins(self, node: Node, key: str, leader: int) -> bool:
        first, kernel = self.view.nodes[leader], self.kernels[leader]
        if first.op == "Conv":
            return self._joins_convolution(node, key, kernel)
        if first.op in ("Gemm", "MatMul"):
            return self._joins_product(node, kernel, first)
        return self._is_quick_gelu(node, first)

    def _joins_convolution(self, node: Node, key: str, kernel: _Kernel) -> bool:
        if kernel.has_activation:
            return False
        if node.op in _ACTIVATIONS or (node.op == "HardSwish" and kernel.blocked):
            kernel.has_activation = self.level >= 2
            return kernel.has_activation
        if kernel.has_sum:
            return False
        if node.op == "BatchNormalization" or self._scales_channels(node, key):
            kernel.has_bias = True
            return True
        if node.op in ("Add", "Sum") and self._sums(node, kernel):
            kernel.has_sum = True
            return True
        return False

    def _scales_channels(self, node: Node, key: str) -> bool:
        others = [value for value in node.inputs if value != key]
        shape = self.view.shape(key)
        if node.op not in ("Mul", "Add") or len(others) != 1 or shape is None or len(shape) < 2:
            return False
        constant = self.view.shape(others[0]) if others[0] in self.view.static_values else None
        return constant is not None and prod(constant) == shape[1]

    def _sums(self, node: Node, kernel: _Kernel) -> bool:
        shapes = {self.view.shape(key) for key in node.inputs}
        if self.level < 3 or len(node.inputs) != 2 or len(shapes) != 1:
            return False
        if kernel.blocked:
            return all(self._blocked(key) for key in node.inputs)
        return node.op == "Add" and kernel.has_bias

    def _take_padding(self, node: Node) -> None:
        """A padding that only a convolution or pooling reads is run by it."""
        before = self._producer(node.input(0))
        takes = node.op == "Conv" or node.op in _POOLS
        if self.level == 0 or not takes or before is None or before.op != "Pad":
            return
        if self._alone(before.outputs[0]) and self.leaders.get(before.index) == before.index:
            self.leaders[before.index] = node.index

    def _joins_product(self, node: Node, kernel: _Kernel, first: Node) -> bool:
        if kernel.has_activation:
            return False
        if node.op == "Add" and first.op == "MatMul" and not kernel.has_sum:
            static = self.view.static_values
            kernel.has_sum = any(key in static for key in node.inputs)
            return kernel.has_sum
        is_gemm = first.op == "Gemm" or kernel.has_sum
        kernel.has_activation = self.level >= 2 and is_gemm and node.op in _ACTIVATIONS
        return kernel.has_activation

    def _is_quick_gelu(self, node: Node, first: Node) -> bool:
        """x · sigmoid(x), one kernel from `extended` on."""
        if self.level < 2 or node.op != "Mul" or first.op != "Sigmoid":
            return False
        return set(node.inputs) == {first.input(0), first.outputs[0]}

    # The layout of values.

    def _values(self, node: Node) -> Iterable[str]:
        static = self.view.static_values
        return [key for key in node.inputs if key != ABSENT and key not in static]

    def _blocked(self, key: str) -> bool:
        """Whether the value is computed blocked."""
        producer = self._producer(key)
        if producer is None:
            return self._source(key) in self.edges.blocked
        leader = self.leaders.get(producer.index)
        return leader is not None and self.kernels[leader].blocked

    def _is_blocked(self, node: Node) -> bool:
        shape = self.view.shape(node.outputs[0])
        if self.block <= 1 or shape is None or len(shape) != 4:
            return False
        if node.op == "Conv":
            weight = self.view.shape(node.input(1))
            groups = node.attribute("group", 1)
            return (
                weight is not None
                and node.input(1) in self.view.static_values
                and is_blockable(weight[1] * groups, weight[0], groups, self.block)
            )
        channels = shape[1]
        if node.op in _POOLS:
            return channels % self.block == 0
        inputs = all(self._blocked(key) for key in self._values(node))
        if node.op == "Concat":
            shapes = [self.view.shape(key) for key in node.inputs]
            aligned = all(each is not None and each[1] % self.block == 0 for each in shapes)
            return inputs and aligned and node.attribute("axis") in (1, -3)
        return inputs and node.op in _FOLLOWERS and self._same_shapes(node, shape)

    def _same_shapes(self, node: Node, shape: tuple[int, ...]) -> bool:
        return all(self.view.shape(key) == shape for key in self._values(node))

    def _wants_blocked(self, node: Node, leader: int, key: str) -> bool:
        """Whether a kernel takes a value blocked; a convolution of few channels takes it plain."""
        if not self.kernels[leader].blocked:
            return False
        shape = self.view.shape(key)
        is_stem = node.op == "Conv" and node.attribute("group", 1) == 1
        return not (is_stem and shape is not None and shape[1] < self.block)

    def _reorders(self) -> Mapping[int, tuple[str, ...]]:
        if self.block <= 1:
            return {}
        reorders: dict[int, list[str]] = {}
        done: set[tuple[str, bool]] = set()
        for node in self.view.nodes:
            leader = self.leaders.get(node.index)
            if leader is None:
                continue
            for key in map(self._source, self._values(node)):
                if self._runs_in(key, leader) or self._adapts(key):
                    continue
                wanted = self._wants_blocked(node, leader, key)
                if wanted != self._blocked(key) and (key, wanted) not in done:
                    done.add((key, wanted))
                    reorders.setdefault(leader, []).append(key)
            for key in node.outputs:
                if not self.view.is_output(key) or self.edges.adapts:
                    continue
                wanted = key in self.edges.blocked
                if wanted != self._blocked(key) and (key, wanted) not in done:
                    done.add((key, wanted))
                    reorders.setdefault(leader, []).append(key)
        return {leader: tuple(keys) for leader, keys in reorders.items()}

    def _adapts(self, key: str) -> bool:
        return self.edges.adapts and self._producer(key) is None

    def _runs_in(self, key: str, leader: int) -> bool:
        producer = self.view.producer(key)
        return producer is not None and self.leaders.get(producer.index) == leader


def _has_bias(node: Node) -> bool:
    return node.input(2) != ABSENT
