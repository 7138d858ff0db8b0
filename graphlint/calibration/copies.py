"""Networks of copies of one layer, in a row or side by side; every copy has its own weights.

Why it does not share a builder with the paper's networks is said in `network`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass
class Net:
    """A graph under construction; values are named by numbers."""

    inputs: list[Any] = field(default_factory=list)
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    values: int = 0

    def input(self, shape: tuple[int, ...]) -> str:
        """An input of the net."""
        from onnx import TensorProto, helper

        name = self._fresh()
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """A node; the names of its outputs."""
        from onnx import helper

        names = [self._fresh() for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names

    def weight(self, *shape: int) -> str:
        """Random numbers that keep the size of what they are multiplied with."""
        import numpy as np
        from onnx import numpy_helper

        name = self._fresh()
        random = np.random.default_rng(len(self.weights))
        scale = prod(shape[1:]) ** -0.5 if len(shape) > 1 else 1.0
        array = random.standard_normal(shape, dtype=np.float32) * np.float32(scale)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def numbers(self, *values: int) -> str:
        """Integers, stored."""
        import numpy as np
        from onnx import numpy_helper

        name = self._fresh()
        self.weights.append(numpy_helper.from_array(np.array(values, np.int64), name))
        return name

    def model(self) -> ModelProto:
        """The net as a model."""
        from onnx import TensorProto, helper

        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs
        ]
        graph = helper.make_graph(self.nodes, "layers", self.inputs, outputs, self.weights)
        opset = helper.make_opsetid("", 17)
        return helper.make_model(graph, opset_imports=[opset], ir_version=8)

    def _fresh(self) -> str:
        self.values += 1
        return f"v{self.values}"


Step = Callable[[Net, str, str], str]
"""Adds a copy of a layer to a net behind a value; the last is the net's input."""


def chain(shape: tuple[int, ...], steps: tuple[Step, ...], copies: int) -> ModelProto:
    """Copies of some steps, one behind the other."""
    net = Net()
    first = value = net.input(shape)
    for _ in range(copies):
        for step in steps:
            value = step(net, value, first)
    net.outputs = [value]
    return net.model()


def fan(shape: tuple[int, ...], step: Step, copies: int) -> ModelProto:
    """Copies side by side behind one input, a global pooling behind each."""
    net = Net()
    value = net.input(shape)
    for _ in range(copies):
        net.outputs += net.node("GlobalAveragePool", step(net, value, value))
    return net.model()


def reductions(shape: tuple[int, ...], copies: int) -> ModelProto:
    """Global poolings of as many inputs."""
    net = Net()
    for _ in range(copies):
        net.outputs += net.node("GlobalAveragePool", net.input(shape))
    return net.model()


def convolve(c1: int, c2: int, groups: int, kernel: int, stride: int) -> Step:
    """A convolution with a bias; as large out as in but for its stride."""

    def step(net: Net, value: str, first: str) -> str:
        weight = net.weight(c2, c1 // groups, kernel, kernel)
        pads, strides = [kernel // 2] * 4, [stride, stride]
        made = net.node(
            "Conv", value, weight, net.weight(c2), group=groups, pads=pads, strides=strides
        )
        return made[0]

    return step


def unary(op: str, **attributes: Any) -> Step:
    """An operator of one input."""
    return lambda net, value, first: net.node(op, value, **attributes)[0]


def sum_with_first(net: Net, value: str, first: str) -> str:
    """The sum with the net's input."""
    return net.node("Add", value, first)[0]


def product(inside: int, outside: int) -> Step:
    """A Gemm with a bias."""

    def step(net: Net, value: str, first: str) -> str:
        weight = net.weight(outside, inside)
        return net.node("Gemm", value, weight, net.weight(outside), transB=1)[0]

    return step


def layer_norm(channels: int) -> Step:
    """A LayerNormalization over the last dimension."""

    def step(net: Net, value: str, first: str) -> str:
        one, zero = net.weight(channels), net.weight(channels)
        return net.node("LayerNormalization", value, one, zero)[0]

    return step


def batch_norm(channels: int) -> Step:
    """A BatchNormalization."""

    def step(net: Net, value: str, first: str) -> str:
        numbers = [net.weight(channels) for _ in range(3)]
        variance = net.node("Abs", net.weight(channels))[0]  # folded
        return net.node("BatchNormalization", value, *numbers, variance)[0]

    return step


def split_and_join(net: Net, value: str, first: str) -> str:
    """The two halves of the channels, swapped."""
    halves = net.node("Split", value, outputs=2, axis=1)
    return net.node("Concat", *reversed(halves), axis=1)[0]


def shuffle(channels: int, groups: int, side: int) -> Step:
    """A channel shuffle: a transposition between two views."""

    def step(net: Net, value: str, first: str) -> str:
        split = net.numbers(1, groups, channels // groups, side, side)
        apart = net.node("Reshape", value, split)[0]
        turned = net.node("Transpose", apart, perm=[0, 2, 1, 3, 4])[0]
        return net.node("Reshape", turned, net.numbers(1, channels, side, side))[0]

    return step
