"""Networks put together layer by layer, with weights made up: the paper's.

A `Chain` carries widths along, so that a block reads as the paper has it; `copies.Net` is told each
shape, and takes any operator. They stay two: names, attributes, biases and the draws of weights
differ, and profiles can be compared only while each network is, byte for byte, what it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto

_OPSET, _IR = 17, 8


class Chain:
    """A network under way: each method appends a layer and gives the name of its output.

    Weights are drawn from a seeded normal distribution whose width keeps that of the activations,
    so that no network slows down over numbers that vanish or overflow.
    """

    def __init__(self) -> None:
        import numpy as np

        self._random = np.random.default_rng(0)
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._channels: dict[str, int] = {}
        self._side = 0

    def input(self, channels: int, side: int) -> str:
        """The network's input: an image of so many channels, rows and columns."""
        self._channels["x"] = channels
        self._side = side
        return "x"

    def conv(self, value: str, channels: int, *, kernel: int = 1, groups: int = 1) -> str:
        """A convolution with a bias, as large out as in."""
        import numpy as np
        from onnx import numpy_helper

        within = self._channels[value] // groups
        shape = (channels, within, kernel, kernel)
        weight = self._random.standard_normal(shape, np.float32)
        weight /= math.sqrt(within * kernel**2)
        name = f"w{len(self._nodes)}"
        bias = np.zeros(channels, np.float32)
        self._weights += [
            numpy_helper.from_array(weight, name),
            numpy_helper.from_array(bias, f"{name}.bias"),
        ]
        pad = kernel // 2
        return self._append(
            "Conv",
            [value, name, f"{name}.bias"],
            channels,
            kernel_shape=[kernel, kernel],
            pads=[pad] * 4,
            group=groups,
        )

    def relu(self, value: str) -> str:
        """A ReLU."""
        return self._append("Relu", [value], self._channels[value])

    def add(self, one: str, other: str) -> str:
        """Two values of one shape added."""
        return self._append("Add", [one, other], self._channels[one])

    def concat(self, values: Sequence[str]) -> str:
        """Values one behind the other along the channels."""
        channels = sum(self._channels[value] for value in values)
        return self._append("Concat", list(values), channels, axis=1)

    def _append(self, op: str, inputs: list[str], channels: int, **attributes: Any) -> str:
        from onnx import helper

        name = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        self._channels[name] = channels
        return name

    def model(self, output: str) -> ModelProto:
        """The network that gives `output`."""
        from onnx import TensorProto, helper

        first, last = (
            helper.make_tensor_value_info(
                name, TensorProto.FLOAT, [1, self._channels[name], self._side, self._side]
            )
            for name in ("x", output)
        )
        graph = helper.make_graph(self._nodes, "network", [first], [last], self._weights)
        opset = helper.make_opsetid("", _OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=_IR)
