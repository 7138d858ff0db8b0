"""Fuzzing with valid models: convolutional networks and what surrounds them, made by a grammar.

Every model passes `onnx.checker` with its shapes. It is checked in whole (`models`), and optimised
by ONNX Runtime, whose kernels are attributed to its nodes (`attribution`).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from benchmarks.fuzz_checks import checked, model_file
from benchmarks.fuzz_choices import Choices
from graphlint.bindings import Bindings
from graphlint.graph_builder import build
from graphlint.latency.anchors import read
from graphlint.latency.attribution import attribute
from graphlint.latency.session import Setup, open_session
from graphlint.model import load
from graphlint.results import ModelReport
from graphlint.shapes import infer

OPSET = 17
LEVELS = ("basic", "all")

Shape = tuple[int, ...]


def models(data: bytes) -> None:
    """A valid model has a report without errors, and no cost that is unknown."""
    sound_report(valid_model(data))


def attribution(data: bytes) -> None:
    """Every node and every kernel of an optimised model ends in one place."""
    model = valid_model(data)
    for level in LEVELS:
        attributed(model, level)


def sound_report(model: ModelProto) -> ModelReport:
    """The report on a valid model."""
    report = checked(model)
    assert not report.errors, report.errors
    assert not report.uncosted, report.uncosted
    return report


def attributed(model: ModelProto, level: str) -> None:
    """Optimise, attribute, and look for what is lost."""
    path = model_file()
    path.write_bytes(model.SerializeToString())
    folder = Path(tempfile.mkdtemp(dir=path.parent))
    try:
        saved = folder / "optimised.onnx"
        open_session(path, Setup(optimization=level), save_optimised=saved)
        optimised = onnx.load(str(saved), load_external_data=False)
    finally:
        shutil.rmtree(folder)
    given = load(str(path))
    view, _ = infer(build(given), Bindings.parse((), ()), given.payload)
    found = attribute(view, optimised)
    assert len(found.fates) == len(view.nodes)
    for node, fate in zip(view.nodes, found.fates, strict=True):
        runs = fate.how in ("own", "fused", "inexact")
        assert runs == bool(fate.groups), f"{node.op} is {fate.how} in {fate.groups}"
    covered = sorted(kernel for group in found.groups for kernel in group.kernels)
    assert covered == list(range(len(read(optimised).kernels))), "a kernel in no or two groups"


def valid_model(data: bytes) -> ModelProto:
    """A model that is made of the bytes; the checker has passed it."""
    model = _Network(Choices(data)).model()
    onnx.checker.check_model(model, full_check=True)
    return model


_WIDEST = 256
"""Channels and features beyond which nothing is built: square weights would fill the memory."""


class _Network:
    """Grows a graph: `shapes` has every float value that a layer may read."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self.shapes: dict[str, Shape] = {}
        self.count = 0
        self.is_named = not choices.chance(3)

    def model(self) -> ModelProto:
        choices = self.choices
        shape = (choices.one((1, 2)), choices.one((4, 8, 6, 12)), 8, choices.one((8, 6)))
        self.shapes["x"] = shape
        batch: list[int | str] = ["batch" if choices.chance(4) else shape[0]]
        if batch != [shape[0]]:
            self.shapes["x"] = shape = (1, *shape[1:])
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [*batch, *shape[1:]])
        value = "x"
        for _ in range(choices.number(1, 12)):
            if self.shapes[value][1] > _WIDEST:
                break
            if len(self.shapes[value]) == 4:
                value = choices.one(_IMAGE_LAYERS)(self, value)
            else:
                value = choices.one(_VECTOR_LAYERS)(self, value)
        outputs = [value]
        if choices.chance(3):
            outputs.append(choices.one([name for name in self.shapes if name != "x"]))
        graph = helper.make_graph(
            self.nodes,
            "network",
            [given],
            [
                helper.make_tensor_value_info(
                    name, TensorProto.FLOAT, [None] * len(self.shapes[name])
                )
                for name in dict.fromkeys(outputs)
            ],
            self.weights,
        )
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8
        )

    # What layers are made of

    def weight(self, *shape: int) -> str:
        """A new stored tensor, or one of this shape that is there."""
        if self.choices.chance(8):
            for tensor in self.weights:
                if tuple(tensor.dims) == shape and tensor.data_type == TensorProto.FLOAT:
                    return tensor.name
        numbers = np.linspace(0.1, 0.9, prod(shape), dtype=np.float32).reshape(shape)
        return self.stored(numbers)

    def stored(self, numbers: object) -> str:
        """A new stored tensor of these numbers; now and then a Constant makes it."""
        self.count += 1
        name = f"w{self.count}"
        tensor = numpy_helper.from_array(np.asarray(numbers), name)
        if self.choices.chance(6):
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.weights.append(tensor)
        return name

    def integers(self, *numbers: int) -> str:
        """A stored list of integers."""
        return self.stored(np.array(numbers, np.int64))

    def op(self, op: str, inputs: Sequence[str], shape: Shape | None, **attributes: Any) -> str:
        """A node of one output; the output may be read by any layer where its shape is given."""
        (output,) = self.ops(op, inputs, [shape], **attributes)
        return output

    def ops(
        self, op: str, inputs: Sequence[str], shapes: Sequence[Shape | None], **attributes: Any
    ) -> list[str]:
        """A node of several outputs."""
        self.count += 1
        outputs = [f"v{self.count}.{place}" for place in range(len(shapes))]
        node = helper.make_node(op, inputs, outputs, **attributes)
        node.name = f"{op}_{self.count}" if self.is_named else ""
        self.nodes.append(node)
        for output, shape in zip(outputs, shapes, strict=True):
            if shape is not None:
                self.shapes[output] = shape
        return outputs

    def like(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node whose output is shaped like its first input."""
        return self.op(op, inputs, self.shapes[inputs[0]], **attributes)


Layer = Callable[[_Network, str], str]


# Layers on images


def _conv(net: _Network, x: str) -> str:
    n, c, h, w = net.shapes[x]
    group = net.choices.one([g for g in (1, 2, 4, c) if c % g == 0])
    width = group * net.choices.one((1, 2, 4, 3))
    kernel = net.choices.one((1, 3, 5, 2))
    stride = net.choices.one((1, 1, 2))
    pad = kernel // 2
    size = [(side + 2 * pad - kernel) // stride + 1 for side in (h, w)]
    inputs = [x, net.weight(width, c // group, kernel, kernel)]
    if net.choices.chance(2):
        inputs.append(net.weight(width))
    return net.op(
        "Conv",
        inputs,
        (n, width, *size),
        group=group,
        pads=[pad] * 4,
        strides=[stride] * 2,
        kernel_shape=[kernel] * 2,
    )


def _norm(net: _Network, x: str) -> str:
    width = net.shapes[x][1]
    return net.like("BatchNormalization", x, *(net.weight(width) for _ in range(4)))


def _act(net: _Network, x: str) -> str:
    op = net.choices.one(("Relu", "Clip", "Sigmoid", "HardSwish", "LeakyRelu", "PRelu", "Swish"))
    if op == "Clip":
        return net.like(op, x, net.stored(np.float32(0)), net.stored(np.float32(6)))
    if op == "PRelu":
        return net.like(op, x, net.weight(1))
    if op == "Swish":
        return net.like("Mul", x, net.like("Sigmoid", x))
    return net.like(op, x)


def _pool(net: _Network, x: str) -> str:
    n, c, h, w = net.shapes[x]
    op = net.choices.one(("MaxPool", "AveragePool"))
    stride = net.choices.one((1, 2)) if min(h, w) > 1 else 1
    size = [(side + 2 - 3) // stride + 1 for side in (h, w)]
    return net.op(op, [x], (n, c, *size), kernel_shape=[3, 3], strides=[stride] * 2, pads=[1] * 4)


def _join(net: _Network, x: str) -> str:
    """Several branches that fork at one value, added or concatenated."""
    shape = net.shapes[x]
    branches = [_branch(net, x) for _ in range(net.choices.number(1, 3))]
    if net.choices.chance(2):
        branches.append(x)
    if net.choices.chance(2):
        alike = [value for value in branches if net.shapes[value] == shape]
        total = x
        for value in alike:
            total = net.like(net.choices.one(("Add", "Mul", "Max")), total, value)
        return total
    return _concat(net, branches)


def _branch(net: _Network, x: str) -> str:
    shape = net.shapes[x]
    for _ in range(net.choices.number(0, 3)):
        layer = net.choices.one((_plain, _act, _norm, _depthwise))
        x = layer(net, x)
    assert net.shapes[x] == shape
    return x


def _plain(net: _Network, x: str) -> str:
    width = net.shapes[x][1]
    return net.like("Conv", x, net.weight(width, width, 1, 1))


def _depthwise(net: _Network, x: str) -> str:
    width = net.shapes[x][1]
    return net.like("Conv", x, net.weight(width, 1, 3, 3), group=width, pads=[1] * 4)


def _concat(net: _Network, values: Sequence[str]) -> str:
    n, _, *rest = net.shapes[values[0]]
    width = sum(net.shapes[value][1] for value in values)
    return net.op("Concat", values, (n, width, *rest), axis=1)


def _split(net: _Network, x: str) -> str:
    n, c, *rest = net.shapes[x]
    if c % 2:
        return _act(net, x)
    halves = net.ops("Split", [x], [(n, c // 2, *rest)] * 2, axis=1)
    return _concat(net, [_branch(net, halves[0]), halves[1]])


def _chunk(net: _Network, x: str) -> str:
    """A Split that is spelt by Slices."""
    n, c, *rest = net.shapes[x]
    cut = net.integers(c // 2)
    first = net.op("Slice", [x, net.integers(0), cut, net.integers(1)], (n, c // 2, *rest))
    ends = [net.integers(c), net.integers(1)]
    second = net.op("Slice", [x, cut, *ends], (n, c - c // 2, *rest))
    return _concat(net, [second, _branch(net, first)])


def _shuffle(net: _Network, x: str) -> str:
    n, c, h, w = net.shapes[x]
    groups = net.choices.one([g for g in (2, 3, 4, 1) if c % g == 0])
    split = net.op("Reshape", [x, net.integers(0, groups, c // groups, h, w)], None)
    turned = net.op("Transpose", [split], None, perm=[0, 2, 1, 3, 4])
    if net.choices.chance(2):
        return net.op("Reshape", [turned, net.integers(-1, c, h, w)], (n, c, h, w))
    size = net.op("Shape", [x], None)
    return net.op("Reshape", [turned, size], (n, c, h, w))


def _gate(net: _Network, x: str) -> str:
    """Squeeze and excitation."""
    _n, c, *_ = net.shapes[x]
    squeezed = net.op("GlobalAveragePool", [x], None)
    hidden = net.op("Conv", [squeezed, net.weight(2, c, 1, 1)], None)
    wide = net.op("Conv", [net.op("Relu", [hidden], None), net.weight(c, 2, 1, 1)], None)
    return net.like("Mul", x, net.op(net.choices.one(("Sigmoid", "HardSigmoid")), [wide], None))


def _resize(net: _Network, x: str) -> str:
    n, c, h, w = net.shapes[x]
    scales = net.stored(np.array([1, 1, 2, 2], np.float32))
    mode = net.choices.one(("nearest", "linear"))
    if h * w > 256:
        return _pool(net, x)
    return net.op("Resize", [x, "", scales], (n, c, 2 * h, 2 * w), mode=mode)


def _pad(net: _Network, x: str) -> str:
    n, c, h, w = net.shapes[x]
    return net.op("Pad", [x, net.integers(0, 0, 1, 1, 0, 0, 1, 1)], (n, c, h + 2, w + 2))


def _detour(net: _Network, x: str) -> str:
    """There and back again: what an optimiser removes."""
    match net.choices.number(0, 4):
        case 0:
            return net.like("Identity", x)
        case 1:
            away = net.op("Transpose", [x], None, perm=[0, 2, 3, 1])
            return net.op("Transpose", [away], net.shapes[x], perm=[0, 3, 1, 2])
        case 2:
            return net.like("Dropout", x)
        case 3:
            narrow = net.op("Cast", [x], None, to=TensorProto.DOUBLE)
            return net.op("Cast", [narrow], net.shapes[x], to=TensorProto.FLOAT)
        case _:
            return net.like("Mul", x, net.stored(np.float32(1)))


def _either(net: _Network, x: str) -> str:
    """An If whose branches read values from outside."""
    total = net.op("ReduceSum", [x], None, keepdims=0)
    condition = net.op("Greater", [total, net.stored(np.float32(0))], None)
    shape = net.shapes[x]
    bodies = {}
    for name in ("then_branch", "else_branch"):
        op = net.choices.one(("Relu", "Sigmoid", "Identity", "Neg"))
        bodies[name] = _body(net, op, x, shape, [])
    return net.op("If", [condition], shape, **bodies)


def _loop(net: _Network, x: str) -> str:
    """A Loop that works on one value some fixed number of times."""
    shape = net.shapes[x]
    times = net.integers(net.choices.one((1, 3, 7)))
    going = net.stored(np.array(True))
    state = f"s{net.count}"
    flag, turn = f"c{net.count}", f"i{net.count}"
    inputs = [
        helper.make_tensor_value_info(turn, TensorProto.INT64, []),
        helper.make_tensor_value_info(flag, TensorProto.BOOL, []),
        helper.make_tensor_value_info(state, TensorProto.FLOAT, shape),
    ]
    body = _body(net, net.choices.one(("Relu", "Tanh", "Neg")), state, shape, inputs)
    kept = helper.make_node("Identity", [flag], [f"{flag}.kept"])
    body.node.append(kept)
    outputs = [helper.make_tensor_value_info(f"{flag}.kept", TensorProto.BOOL, [])]
    outputs += list(body.output)
    del body.output[:]
    body.output.extend(outputs)
    return net.op("Loop", [times, going, x], shape, body=body)


def _body(
    net: _Network, op: str, source: str, shape: Shape, inputs: Sequence[onnx.ValueInfoProto]
) -> GraphProto:
    net.count += 1
    output = f"b{net.count}"
    node = helper.make_node(op, [source], [output])
    info = helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
    return helper.make_graph([node], f"body{net.count}", inputs, [info])


# From images to vectors, and layers on those


def _flatten(net: _Network, x: str) -> str:
    n, c, h, w = net.shapes[x]
    return net.op("Flatten", [x], (n, c * h * w))


def _mean(net: _Network, x: str) -> str:
    n, c, *_ = net.shapes[x]
    return net.op("ReduceMean", [x], (n, c), axes=[2, 3], keepdims=0)


def _computed_flatten(net: _Network, x: str) -> str:
    """The way exporters spell a flattening: the batch is read from the shape."""
    n, c, h, w = net.shapes[x]
    size = net.op("Shape", [x], None)
    batch = net.op("Gather", [size, net.integers(0)], None, axis=0)
    wanted = net.op("Concat", [batch, net.integers(-1)], None, axis=0)
    return net.op("Reshape", [x, wanted], (n, c * h * w))


def _tokens(net: _Network, x: str) -> str:
    n, c, h, w = net.shapes[x]
    rows = net.op("Reshape", [x, net.integers(0, c, -1)], None)
    return net.op("Transpose", [rows], (n, h * w, c), perm=[0, 2, 1])


def _gemm(net: _Network, x: str) -> str:
    *rows, width = net.shapes[x]
    made = net.choices.one((8, 10, 3))
    if len(rows) > 1 or net.choices.chance(3):
        product = net.op("MatMul", [x, net.weight(width, made)], (*rows, made))
        return net.like("Add", product, net.weight(made)) if net.choices.chance(2) else product
    inputs = [x, net.weight(made, width), net.weight(made)]
    return net.op("Gemm", inputs, (*rows, made), transB=1)


def _layer_norm(net: _Network, x: str) -> str:
    width = net.shapes[x][-1]
    return net.like("LayerNormalization", x, net.weight(width), net.weight(width))


def _attend(net: _Network, x: str) -> str:
    if len(net.shapes[x]) != 3 or net.shapes[x][-1] > _WIDEST:
        return net.like("Softmax", x)
    _n, _length, width = net.shapes[x]
    query, key, value = (
        net.op("MatMul", [x, net.weight(width, width)], net.shapes[x]) for _ in range(3)
    )
    turned = net.op("Transpose", [key], None, perm=[0, 2, 1])
    scores = net.op("MatMul", [query, turned], None)
    shares = net.op("Softmax", [scores], None, axis=-1)
    return net.op("MatMul", [shares, value], net.shapes[x])


def _recurrent(net: _Network, x: str) -> str:
    if len(net.shapes[x]) != 3:
        return net.like("Tanh", x)
    length, n, width = net.shapes[x]
    op, gates = net.choices.one((("LSTM", 4), ("GRU", 3), ("RNN", 1)))
    hidden = 4
    weights = [net.weight(1, gates * hidden, width), net.weight(1, gates * hidden, hidden)]
    made = net.op(op, [x, *weights], None, hidden_size=hidden)
    return net.op("Squeeze", [made, net.integers(1)], (length, n, hidden))


def _vector_act(net: _Network, x: str) -> str:
    return net.like(net.choices.one(("Relu", "Tanh", "Softmax", "Erf", "Sqrt", "Exp")), x)


_IMAGE_LAYERS: tuple[Layer, ...] = (
    *(_conv, _conv, _norm, _act, _act, _pool, _join, _join, _split, _chunk, _shuffle, _gate),
    *(_resize, _pad, _detour, _either, _loop, _flatten, _mean, _computed_flatten, _tokens),
)
_VECTOR_LAYERS: tuple[Layer, ...] = (
    *(_gemm, _layer_norm, _attend, _recurrent, _vector_act, _gemm),
)
