"""Models of any size for `scale.py` and for the tests of growth: few weights, many nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

_SIZE = 8


def chain(nodes: int) -> ModelProto:
    """Alternating Relu and Sigmoid nodes."""
    made = [
        helper.make_node("Sigmoid" if i % 2 else "Relu", [f"x{i}"], [f"x{i + 1}"], name=f"node{i}")
        for i in range(nodes)
    ]
    return _model(made, {"x0": [1, 8, 4, 4]}, f"x{nodes}", [1, 8, 4, 4])


def branches(nodes: int) -> ModelProto:
    """Inception's modules one behind the other, of 8 nodes: four branches and their Concat."""
    wide = [_weight(f"w{kernel}", 8, 32, kernel) for kernel in (1, 3)]
    narrow = [_weight("v3", 8, 8, 3)]
    made = []
    for i in range(max(1, nodes // 8)):
        x, name = f"x{i}", f"m{i}"
        made += [
            _conv(x, "w1", f"{name}a"),
            _conv(x, "w1", f"{name}b0"),
            _conv(f"{name}b0", "v3", f"{name}b", 1),
            _conv(x, "w3", f"{name}c0", 1),
            _conv(f"{name}c0", "v3", f"{name}c", 1),
            helper.make_node(
                "MaxPool", [x], [f"{name}d0"], f"{name}/pool", kernel_shape=[3, 3], pads=[1] * 4
            ),
            _conv(f"{name}d0", "w1", f"{name}d"),
            helper.make_node(
                "Concat", [f"{name}{branch}" for branch in "abcd"], [f"x{i + 1}"], name, axis=1
            ),
        ]
    shape = [1, 32, _SIZE, _SIZE]
    return _model(made, {"x0": shape}, f"x{len(made) // 8}", shape, [*wide, *narrow])


def residual(nodes: int) -> ModelProto:
    """Bottlenecks one behind the other, of 7 nodes, each around a value that forks."""
    weights = [_weight("down", 4, 16, 1), _weight("same", 4, 4, 3), _weight("up", 16, 4, 1)]
    made = []
    for i in range(max(1, nodes // 7)):
        x, name = f"x{i}", f"unit{i}"
        made += [
            _conv(x, "down", f"{name}a"),
            helper.make_node("Relu", [f"{name}a"], [f"{name}b"], f"{name}/relu1"),
            _conv(f"{name}b", "same", f"{name}c", 1),
            helper.make_node("Relu", [f"{name}c"], [f"{name}d"], f"{name}/relu2"),
            _conv(f"{name}d", "up", f"{name}e"),
            helper.make_node("Add", [f"{name}e", x], [f"{name}f"], f"{name}/add"),
            helper.make_node("Relu", [f"{name}f"], [f"x{i + 1}"], f"{name}/relu3"),
        ]
    shape = [1, 16, _SIZE, _SIZE]
    return _model(made, {"x0": shape}, f"x{len(made) // 7}", shape, weights)


def v1_units(nodes: int) -> ModelProto:
    """ShuffleNet V1's units of stride 1 one behind the other, of 9 nodes: what rewrite matches."""
    return _v1_units(nodes, 3)


def ungrouped_units(nodes: int) -> ModelProto:
    """The same with convolutions in one group, into whose weights the shuffles can be folded."""
    return _v1_units(nodes, 1)


def _v1_units(nodes: int, groups: int) -> ModelProto:
    wide = 24
    mid = wide // 4
    tensors = [
        numpy_helper.from_array(np.array([1, 3, mid // 3, _SIZE, _SIZE]), "apart"),
        numpy_helper.from_array(np.array([1, mid, _SIZE, _SIZE]), "together"),
    ]
    made = []
    for i in range(max(1, nodes // 9)):
        x, name = f"x{i}", f"unit{i}"
        tensors += [
            _weight(f"{name}w1", mid, wide // groups, 1),
            _weight(f"{name}w2", mid, 1, 3),
            _weight(f"{name}w3", wide, mid // groups, 1),
        ]
        made += [
            _conv(x, f"{name}w1", f"{name}a", group=groups),
            helper.make_node("Relu", [f"{name}a"], [f"{name}b"], f"{name}/relu1"),
            helper.make_node("Reshape", [f"{name}b", "apart"], [f"{name}c"], f"{name}/apart"),
            helper.make_node(
                "Transpose", [f"{name}c"], [f"{name}d"], f"{name}/swap", perm=[0, 2, 1, 3, 4]
            ),
            helper.make_node("Reshape", [f"{name}d", "together"], [f"{name}e"], f"{name}/together"),
            _conv(f"{name}e", f"{name}w2", f"{name}f", 1, group=mid),
            _conv(f"{name}f", f"{name}w3", f"{name}g", group=groups),
            helper.make_node("Add", [f"{name}g", x], [f"{name}h"], f"{name}/add"),
            helper.make_node("Relu", [f"{name}h"], [f"x{i + 1}"], f"{name}/relu2"),
        ]
    shape = [1, wide, _SIZE, _SIZE]
    return _model(made, {"x0": shape}, f"x{len(made) // 9}", shape, tensors)


def findings(number: int) -> ModelProto:
    """So many 1×1 convolutions of unequal widths, no two of the same figures: a finding each.

    Their weights are said to lie in an external file `weights.bin`, all at its beginning: see
    `write_findings`.
    """
    made, tensors = [], []
    widths = ((a, b) for b in range(3, 1 << 16) for a in range(1, b // 2 + 1) if 2 * a < b)
    for i, (narrow, wide) in zip(range(number), widths, strict=False):
        tensors.append(_external(f"w{i}", [wide, narrow, 1, 1], 0))
        made += [
            helper.make_node("ReduceMean", ["x"], [f"r{i}"], axes=[1]),
            helper.make_node("Concat", [f"r{i}"] * narrow, [f"n{i}"], axis=1),
            helper.make_node("Conv", [f"n{i}", f"w{i}"], [f"y{i}"], f"conv{i}"),
        ]
    return _model(made, {"x": [1, 8, 32, 32]}, "y0", [1, 3, 32, 32], tensors)


def inputs(number: int) -> ModelProto:
    """A Sum of so many inputs of the graph, two at a time."""
    made = [
        helper.make_node("Add", [f"s{i}" if i else "x0", f"x{i + 1}"], [f"s{i + 1}"], f"add{i}")
        for i in range(number - 1)
    ]
    given = {f"x{i}": [1, 8, 4, 4] for i in range(number)}
    return _model(made, given, f"s{number - 1}", [1, 8, 4, 4])


def nested(depth: int) -> ModelProto:
    """An If in an If and so on, `depth` bodies deep."""

    def body(level: int) -> onnx.GraphProto:
        result = helper.make_tensor_value_info(f"y{level}", TensorProto.FLOAT, [2])
        if level == depth:
            inner = helper.make_node("Relu", ["x"], [f"y{level}"])
        else:
            inside = body(level + 1)
            inner = helper.make_node(
                "If", ["c"], [f"y{level}"], then_branch=inside, else_branch=_end(level)
            )
        return helper.make_graph([inner], f"g{level}", [], [result])

    def _end(level: int) -> onnx.GraphProto:
        result = helper.make_tensor_value_info(f"e{level}", TensorProto.FLOAT, [2])
        return helper.make_graph(
            [helper.make_node("Relu", ["x"], [f"e{level}"])], f"h{level}", [], [result]
        )

    graph = body(0)
    graph.input.extend(
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
        ]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def external(megabytes: int, layers: int = 10) -> ModelProto:
    """Convolutions whose weights, so many megabytes in all, lie in `weights.bin`."""
    channels = 1000
    rows = megabytes * 10**6 // (4 * channels * layers)
    made, tensors = [], []
    for i in range(layers):
        tensors.append(_external(f"w{i}", [rows, channels, 1, 1], i * rows * channels * 4))
        made.append(helper.make_node("Conv", ["x", f"w{i}"], [f"y{i}"], f"conv{i}"))
    return _model(made, {"x": [1, channels, 7, 7]}, "y0", [1, rows, 7, 7], tensors)


def write_external(folder: Path, make: Callable[[int], ModelProto], size: int) -> Path:
    """The model with a sparse file for its weights: it has their size and takes no disk."""
    model = make(size)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    ends = (
        int(place["offset"]) + int(place["length"])
        for tensor in model.graph.initializer
        for place in [{entry.key: entry.value for entry in tensor.external_data}]
    )
    with (folder / "weights.bin").open("wb") as stream:
        stream.truncate(max(ends))
    return path


def _external(name: str, dims: Sequence[int], offset: int) -> TensorProto:
    tensor = TensorProto(
        name=name, dims=dims, data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL
    )
    length = 4 * int(np.prod(dims))
    for key, value in (("location", "weights.bin"), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _conv(x: str, weight: str, result: str, pad: int = 0, group: int = 1) -> NodeProto:
    return helper.make_node(
        "Conv", [x, weight], [result], f"{result}/conv", pads=[pad] * 4, group=group
    )


def _weight(name: str, out: int, into: int, kernel: int) -> TensorProto:
    return numpy_helper.from_array(np.ones((out, into, kernel, kernel), np.float32), name)


def _model(
    nodes: Sequence[NodeProto],
    given: dict[str, list[int]],
    output: str,
    shape: Sequence[int],
    tensors: Sequence[TensorProto] = (),
) -> ModelProto:
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in given.items()]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
    graph = helper.make_graph(list(nodes), "scale", values, [result], list(tensors))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
