"""What a unit of ShuffleNet V1 looks like, and a builder that writes its layers as ONNX nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper

SIZE = 6
_RUNTIME = tuple(map(int, onnxruntime.__version__.split(".")[:2]))
NEWEST = 25 if _RUNTIME >= (1, 24) else 21  # what the installed runtime is sure to run


@dataclass(frozen=True)
class Form:
    """A unit: its figures and its spelling. `width` is that of the input.

    `norm`: BatchNormalization `kept`, `folded`, `half` (kept after the depthwise one only) or
    `scaled` (Mul and Add). `activated`: what has the last activation, `joined`, `branch` or `none`.
    `constants`: `initializer`, `node`, `filled` (ConstantOfShape), `expanded` (biases) or `cast`.
    `place` of the shuffle: `before` or `after` the depthwise convolution, or `none`.
    """

    stride: int = 1
    groups: int = 2
    width: int = 16
    mid: int = 8
    branch: int = 16
    first_groups: int = 2
    kernel: int = 3
    dilation: int = 1
    norm: str = "folded"
    bias: bool = True
    activation: str = "Relu"
    activated: str = "joined"
    shuffle: str = "five"
    place: str = "before"
    branch_first: bool = True
    join: str = "Add"
    constants: str = "initializer"
    pool: str = "counted"
    unrolled: str = ""
    batch: int | str = 1
    size: int | str = SIZE
    opset: int = 17
    half: bool = False

    @property
    def width_out(self) -> int:
        """Channels of the output."""
        return self.branch + (self.width if self.stride == 2 else 0)


class Builder:
    """Writes nodes. Names are numbers: nothing may hang on them."""

    def __init__(self, form: Form, seed: int = 0) -> None:
        self.form = form
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.random = np.random.default_rng(seed)
        self.dtype = np.float16 if form.half else np.float32

    def name(self) -> str:
        """A new name."""
        return f"v{len(self.nodes) + len(self.initializers)}"

    def op(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """A node; the name of its first output."""
        return self.ops(op, *inputs, outputs=outputs, **attributes)[0]

    def ops(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        """A node; the names of its outputs."""
        made = [f"{self.name()}_{index}" for index in range(outputs)]
        domain = "custom" if op == "ChannelShuffle" else ""
        self.nodes.append(helper.make_node(op, inputs, made, domain=domain, **attributes))
        return made

    def constant(self, array: np.ndarray) -> str:
        """A constant in the form's spelling."""
        kind = self.form.constants
        if kind == "node":
            return self.op("Constant", value=numpy_helper.from_array(array))
        if kind == "cast" and array.dtype.kind == "f":
            double = self.initializer(array.astype(np.float64))
            return self.op("Cast", double, to=helper.np_dtype_to_tensor_dtype(array.dtype))
        if kind == "filled" and array.dtype.kind == "f" and array.ndim:
            shape = self.initializer(np.array(array.shape, np.int64))
            return self.op(
                "ConstantOfShape", shape, value=numpy_helper.from_array(array.ravel()[:1])
            )
        if kind == "expanded" and array.dtype.kind == "f" and array.ndim == 1:
            shape = self.initializer(np.array(array.shape, np.int64))
            return self.op("Expand", self.initializer(array[:1]), shape)
        return self.initializer(array)

    def initializer(self, array: np.ndarray) -> str:
        """An initializer."""
        name = self.name()
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def ints(self, *numbers: int) -> str:
        """A vector of int64."""
        return self.constant(np.array(numbers, np.int64))

    def weight(self, *shape: int) -> np.ndarray:
        """Random numbers."""
        return (self.random.standard_normal(shape) * 0.4).astype(self.dtype)

    # Operators whose settings became inputs.

    def unsqueeze(self, x: str, axis: int) -> str:
        """Unsqueeze."""
        if self.form.opset < 13:
            return self.op("Unsqueeze", x, axes=[axis])
        return self.op("Unsqueeze", x, self.ints(axis))

    def split(self, x: str, parts: int, width: int) -> list[str]:
        """Equal parts of the channels."""
        sizes = [width // parts] * parts
        if self.form.opset < 13:
            return self.ops("Split", x, outputs=parts, axis=1, split=sizes)
        return self.ops("Split", x, self.ints(*sizes), outputs=parts, axis=1)

    def slice(self, x: str, start: int, end: int) -> str:
        """A part of the channels."""
        if self.form.opset < 10:
            return self.op("Slice", x, axes=[1], starts=[start], ends=[end])
        return self.op("Slice", x, self.ints(start), self.ints(end), self.ints(1))

    def pad(self, x: str, pad: int) -> str:
        """Zeros around the image."""
        pads = [0, 0, pad, pad, 0, 0, pad, pad]
        if self.form.opset < 11:
            return self.op("Pad", x, pads=pads)
        return self.op("Pad", x, self.ints(*pads))

    def act(self, x: str, op: str, width: int) -> str:
        """An activation."""
        if op == "Clip" and self.form.opset < 11:
            return self.op("Clip", x, min=0.0, max=6.0)
        if op == "Clip":
            bounds = [self.initializer(np.array(bound, self.dtype)) for bound in (0, 6)]
            return self.op("Clip", x, *bounds)
        if op == "PRelu":
            return self.op("PRelu", x, self.constant(abs(self.weight(width, 1, 1))))
        if op == "LeakyRelu":
            return self.op("LeakyRelu", x, alpha=0.1)
        if op == "spelt HardSwish":
            return self.op("Mul", self.op("HardSigmoid", x, alpha=1 / 6, beta=0.5), x)
        return self.op(op, x) if op else x

    # Layers.

    def conv(
        self, x: str, inputs: int, outputs: int, groups: int = 1, kernel: int = 1, stride: int = 1
    ) -> str:
        """A convolution with its normalisation."""
        form = self.form
        dilation = form.dilation if kernel > 1 else 1
        pad = dilation * (kernel // 2)
        settings = {
            "kernel_shape": [kernel, kernel],
            "strides": [stride, stride],
            "pads": [pad] * 4,
            "dilations": [dilation, dilation],
        }
        if form.unrolled and 1 < groups < inputs:
            y = self.unrolled(x, inputs, outputs, groups, settings)
        else:
            weight = self.constant(self.weight(outputs, inputs // groups, kernel, kernel))
            operands = [weight, *([self.constant(self.weight(outputs))] if form.bias else [])]
            y = self.op("Conv", x, *operands, group=groups, **settings)
        return self.normalised(y, outputs, kernel)

    def unrolled(
        self, x: str, inputs: int, outputs: int, groups: int, settings: Mapping[str, Any]
    ) -> str:
        """A group convolution in parts."""
        step = inputs // groups
        if self.form.unrolled == "split":
            parts = self.split(x, groups, inputs)
        else:
            parts = [self.slice(x, at * step, (at + 1) * step) for at in range(groups)]
        made = [
            self.op(
                "Conv", part, self.constant(self.weight(outputs // groups, step, 1, 1)), **settings
            )
            for part in parts
        ]
        return self.op("Concat", *made, axis=1)

    def normalised(self, x: str, width: int, kernel: int) -> str:
        """What is left of a normalisation."""
        norm = self.form.norm
        if norm == "kept" or (norm == "half" and kernel > 1):
            parameters = [self.weight(width) for _ in range(3)]
            variance = abs(self.weight(width)) + self.dtype(0.5)
            operands = [self.constant(array) for array in (*parameters, variance)]
            return self.op("BatchNormalization", x, *operands, epsilon=1e-3)
        if norm == "scaled":
            x = self.op("Mul", x, self.constant(self.weight(1, width, 1, 1)))
            return self.op("Add", self.constant(self.weight(width, 1, 1)), x)
        return x

    def average(self, x: str) -> str:
        """The pooling of a unit with stride 2."""
        settings: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2]}
        kind = self.form.pool
        if kind == "padded":
            return self.op("AveragePool", self.pad(x, 1), **settings)
        if kind == "same":
            return self.op("AveragePool", x, auto_pad="SAME_UPPER", **settings)
        if kind == "ceil":
            return self.op("AveragePool", x, ceil_mode=1, **settings)
        counted = int(kind == "counted")
        return self.op("AveragePool", x, pads=[1] * 4, count_include_pad=counted, **settings)
