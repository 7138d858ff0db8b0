"""Shapes of values: against onnx's own inference, against real outputs, and where both give up."""

from __future__ import annotations

import time
import tracemalloc
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from graphlint import shapes
from graphlint.bindings import Bindings
from graphlint.costs import HANDLES
from graphlint.graph import GraphView, TensorType
from graphlint.model import load
from graphlint.shapes import infer
from tests.conftest import Save
from tests.models import FIXTURES, Typed, graph, model, shaped, view_of

node = helper.make_node


def number(value: Any, name: str, kind: Any = np.int64) -> TensorProto:
    return numpy_helper.from_array(np.array(value, kind), name)


def without_declared_shapes(proto: ModelProto) -> ModelProto:
    """The model with nothing said of the shapes of what it computes."""
    bare = ModelProto()
    bare.CopyFrom(proto)
    del bare.graph.value_info[:]
    for info in bare.graph.output:
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")
    return bare


# Against onnx

LIGHT = sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))


@pytest.mark.parametrize("path", [*LIGHT, *FIXTURES], ids=lambda path: path.stem)
def test_shapes_are_those_of_onnx_wherever_it_has_them(path: Path) -> None:
    proto = without_declared_shapes(onnx.load(path))
    view = shaped(proto, Bindings(dims=dict.fromkeys(_sizes(proto), 224)))
    for info, key in zip(_graph_inputs(proto), view.inputs, strict=True):
        shape = view.shape(key)
        if shape is not None:  # both sides get the sizes that graphlint assumes
            for dim, size in zip(info.type.tensor_type.shape.dim, shape, strict=True):
                dim.dim_value = size
    inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    compared = 0
    for info in (*inferred.graph.value_info, *inferred.graph.output):
        dims = info.type.tensor_type.shape.dim
        if all(dim.HasField("dim_value") for dim in dims):
            assert view.shape(info.name) == tuple(dim.dim_value for dim in dims), info.name
            compared += 1
    assert compared > 0


def _sizes(proto: ModelProto) -> set[str]:
    """The symbolic dimensions that have no default: those behind the batch."""
    dims = [dim for info in proto.graph.input for dim in info.type.tensor_type.shape.dim[1:]]
    return {dim.dim_param for dim in dims if dim.dim_param}


def _graph_inputs(proto: ModelProto) -> list[onnx.ValueInfoProto]:
    stored = {tensor.name for tensor in proto.graph.initializer}
    return [info for info in proto.graph.input if info.name not in stored]


# What real outputs show, and why a shape is not known before the model runs.
UNKNOWN_BEFORE_THE_RUN = {
    "Compress": "as many as the condition is true for",
    "ImageDecoder": "the image's size stands in its bytes",
    "Loop": "its condition is computed",
    "MaxUnpool": "onnx does not read output_shape",
    "NonMaxSuppression": "as many boxes as are left",
    "NonZero": "as many as are not zero",
    "StringNormalizer": "stop words are left out",
    "StringSplit": "as many as the longest has",
    "Unique": "as many as are different",
    "FlexAttention": "onnx has no inference for its bodies",
}


def test_shapes_are_those_of_the_outputs_of_onnx_own_cases() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    compared, failures = 0, []
    for case in cases:
        if case.model is None or not case.data_sets:
            continue
        inputs, outputs = case.data_sets[0]
        proto = without_declared_shapes(case.model)
        proto.graph.initializer.extend(_settings(proto, inputs))
        view, _ = infer(view_of(proto))
        for key, output in zip(view.outputs, outputs, strict=True):
            if not isinstance(output, np.ndarray):
                continue
            shape = view.shape(key)
            if shape == output.shape:
                compared += 1
            elif shape is not None:
                failures.append(f"{case.name}: {key} is {output.shape}, not {shape}")
            elif not _may_be_unknown(case.name, proto):
                failures.append(f"{case.name}: {key} is unknown ({view.reasons.get(key)})")
            else:
                assert view.reasons[key]
    assert failures == [], "\n".join(failures)
    assert compared > 1500


def _settings(proto: ModelProto, inputs: Sequence[Any]) -> list[TensorProto]:
    """The inputs that hold shapes, axes and the like, as constants, which they are in practice."""
    control = set()
    for proto_node in proto.graph.node:
        handle = HANDLES.get((proto_node.domain, proto_node.op_type))
        if handle is not None:
            control |= {k for i, k in enumerate(proto_node.input) if i in handle.control}
    constants = []
    for info, value in zip(proto.graph.input, inputs, strict=False):
        if not isinstance(value, np.ndarray | np.generic):
            continue
        array = np.asarray(value)
        if info.name in control or (array.dtype in (np.int32, np.int64) and array.ndim < 2):
            constants.append(numpy_helper.from_array(array, info.name))
    return constants


def _may_be_unknown(name: str, proto: ModelProto) -> bool:
    operators = {proto_node.op_type for proto_node in proto.graph.node}
    return bool(operators & UNKNOWN_BEFORE_THE_RUN.keys()) or name.startswith(
        (
            "test_affine_grid_",  # spelt with an If whose branches differ in rank
            "test_range_float16_",  # half-precision floats, which onnx does not range over
            "test_range_bfloat16_",
        )
    )


# Shape arithmetic


def chunks(rank4: str, count: int, constants: list[TensorProto]) -> list[NodeProto]:
    """`chunk(2, dim=1)`, `count` times in a row, as PyTorch's exporter writes it."""
    constants += [number(1, "one"), number([1], "ones"), number([2], "twos"), number([0], "zeros")]
    nodes, value = [], rank4
    for i in range(count):
        nodes += [
            node("Shape", [value], [f"shape{i}"]),
            node("Gather", [f"shape{i}", "ones"], [f"size{i}"], axis=0),
            node("Add", [f"size{i}", "ones"], [f"plus{i}"]),
            node("Div", [f"plus{i}", "twos"], [f"half{i}"]),
            node("Mul", [f"half{i}", "ones"], [f"end{i}"]),
            node("Slice", [value, "zeros", f"end{i}", "ones"], [f"left{i}"]),
            node("Mul", [f"half{i}", "twos"], [f"end2_{i}"]),
            node("Slice", [value, f"end{i}", f"end2_{i}", "ones"], [f"right{i}"]),
            node("Concat", [f"right{i}", f"left{i}"], [f"value{i}"], axis=1),
        ]
        value = f"value{i}"
    return nodes


def test_chains_of_chunks_resolve_without_value_info() -> None:
    constants: list[TensorProto] = []
    nodes = chunks("x", 3, constants)
    proto = model(nodes, {"x": ["N", 24, "H", 8]}, {"value2": None}, constants)
    assert "give --dim H=…" in reason(proto, "left2")
    view = shaped(proto, Bindings(dims={"H": 4}))
    assert view.shape("left2") == view.shape("right2") == (1, 12, 4, 8)
    assert view.shape("value2") == (1, 24, 4, 8)


def test_a_batch_that_passes_through_shape_gather_concat_and_reshape_is_kept() -> None:
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["n"], axis=0),
        node("Unsqueeze", ["n", "axes"], ["n1"]),
        node("Concat", ["n1", "rest"], ["target"], axis=0),
        node("Reshape", ["x", "target"], ["y"]),
    ]
    constants = [number(0, "zero"), number([0], "axes"), number([3, 8, -1], "rest")]
    proto = model(nodes, {"x": ["N", 24, 5, 5]}, {"y": None}, constants)
    assert shaped(proto).shape("y") == (1, 3, 8, 25)
    assert shaped(proto, Bindings(dims={"N": 7})).shape("y") == (7, 3, 8, 25)


def test_parts_of_a_shape_are_known_where_the_rest_is_not() -> None:
    nodes = [
        node("Shape", ["x"], ["channels"], start=1, end=2),
        node("Expand", ["k", "channels"], ["y"]),
    ]
    proto = model(nodes, {"x": ["N", 24, "H", "W"], "k": [1]}, {"y": None})
    assert shaped(proto).shape("y") == (24,)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({}, [2, 3, 4]),
        ({"start": 1}, [3, 4]),
        ({"start": -1}, [4]),
        ({"end": -1}, [2, 3]),
        ({"start": -9, "end": 9}, [2, 3, 4]),
        ({"start": 2, "end": 1}, []),
    ],
)
def test_a_shape_may_be_asked_for_in_part(attributes: dict[str, Any], expected: list[int]) -> None:
    view = shaped(model([node("Shape", ["x"], ["s"], **attributes)], {"x": [2, 3, 4]}, {"s": None}))
    assert view.data["s"].tolist() == expected
    assert view.shape("s") == (len(expected),)


def test_constant_of_shape_is_a_constant_whose_numbers_are_known() -> None:
    value = helper.make_tensor("v", TensorProto.INT64, [1], [5])
    nodes = [
        node("ConstantOfShape", ["two"], ["c"], value=value),
        node("ConstantOfShape", ["c"], ["y"]),
    ]
    view = shaped(model(nodes, {}, {"y": None}, [number([2], "two")]))
    assert view.data["c"].tolist() == [5, 5]
    assert view.shape("y") == (5, 5)
    assert view.constants["c"].shape == (2,)


# Sizes that must not be made


def huge(op: str) -> tuple[ModelProto, tuple[int, ...]]:
    million = 10**6
    if op == "Range":
        numbers = [number(0, "a"), number(10**12, "b"), number(1, "c")]
        return model([node("Range", ["a", "b", "c"], ["y"])], {}, {"y": None}, numbers), (10**12,)
    if op == "ConstantOfShape":
        size = [number([million, million], "s")]
        return model([node(op, ["s"], ["y"])], {}, {"y": None}, size), (million, million)
    if op == "Expand":
        numbers = [number([1.0], "a", np.float32), number([million, million], "s")]
        return model([node(op, ["a", "s"], ["y"])], {}, {"y": None}, numbers), (million, million)
    if op == "Tile":
        numbers = [number([1.0], "a", np.float32), number([10**12], "s")]
        return model([node(op, ["a", "s"], ["y"])], {}, {"y": None}, numbers), (10**12,)
    if op == "Pad":
        numbers = [number([1.0], "a", np.float32), number([0, 10**12 - 1], "s")]
        return model([node(op, ["a", "s"], ["y"])], {}, {"y": None}, numbers), (10**12,)
    if op == "OneHot":
        numbers = [number([1], "a"), number(10**12, "d"), number([0, 1], "v")]
        proto = model([node(op, ["a", "d", "v"], ["y"])], {}, {"y": None}, numbers)
        return proto, (1, 10**12)
    # a shape that is computed, not stored
    nodes = [
        node("Mul", ["s", "s"], ["s2"]),
        node("ConstantOfShape", ["s2"], ["c"]),
        node("NonZero", ["c"], ["n"]),
        node("Relu", ["c"], ["y"]),
    ]
    return model(nodes, {}, {"y": None}, [number([million], "s")]), (10**12,)


@pytest.mark.parametrize(
    "op", ["Range", "ConstantOfShape", "Expand", "Tile", "Pad", "OneHot", "computed"]
)
def test_huge_values_are_never_made(op: str) -> None:
    proto, expected = huge(op)
    shaped(huge("Range")[0])  # what is loaded once is no part of the measure
    tracemalloc.start()
    start = time.process_time()
    view = shaped(proto)
    spent = time.process_time() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert view.shape("y") == expected
    assert peak < 20 * 2**20
    assert spent < 2


def test_sizes_beyond_64_bits_are_unknown_not_wrong() -> None:
    nodes = [
        node("Concat", ["x", "x", "x", "x"], ["y"], axis=0),
        node("Size", ["wide"], ["s"]),
        node("Flatten", ["wide"], ["f"], axis=2),
        node("Tile", ["x", "four"], ["t"]),
    ]
    inputs = {"x": [2**62, 3], "wide": [2**40, 2**40]}
    outputs = {"y": None, "s": None, "f": None, "t": None}
    view = shaped(model(nodes, inputs, outputs, [number([4, 1], "four")]))
    for key in ("y", "f", "t"):
        shape = view.shape(key)
        assert shape is None or shape in ((2**64, 3), (2**80, 1)), key
    assert "s" not in view.data


def test_dims_of_a_huge_tensor_are_known_one_by_one() -> None:
    view = shaped(model([node("Shape", ["x"], ["s"])], {"x": [2**40, 2**40]}, {"s": None}))
    assert view.data["s"].tolist() == [2**40, 2**40]


# Control flow


def conditional(then: list[int], other: list[int], rank: int | None = None) -> ModelProto:
    def body(shape: list[int]) -> onnx.GraphProto:
        sizes = [number(shape, "s")]
        return graph([node("Expand", ["x", "s"], ["v"])], {}, {"v": None}, sizes)

    branch = node("If", ["c"], ["y"], then_branch=body(then), else_branch=body(other))
    inputs: Typed = {"c": (TensorProto.BOOL, []), "x": [1]}
    return model([branch, node("Relu", ["y"], ["z"])], inputs, {"z": None})


def test_branches_of_an_if_share_what_they_have_in_common() -> None:
    assert shaped(conditional([2, 3], [2, 3])).shape("z") == (2, 3)
    assert shaped(conditional([2, 3], [2, 4])).types["z"] == TensorType(1, (2, None))
    assert shaped(conditional([2, 3], [2])).types["z"] == TensorType(1, None)


@pytest.mark.parametrize(("condition", "expected"), [(True, (2, 3)), (False, (5,))])
def test_a_known_condition_decides(condition: bool, expected: tuple[int, ...]) -> None:
    proto = conditional([2, 3], [5])
    proto.graph.initializer.append(number(condition, "c", np.bool_))
    view = shaped(proto)
    assert view.shape("z") == expected
    assert sorted(n for path, n in view.executions.items() if path) == [0, 1]


def loop(shape: Mapping[str, Any], nodes: list[NodeProto], trips: int | None) -> ModelProto:
    body = graph(
        [node("Identity", ["k"], ["k2"]), *nodes],
        {"i": (TensorProto.INT64, []), "k": (TensorProto.BOOL, []), "v": None},
        {"k2": (TensorProto.BOOL, []), "v2": None, "scan": None},
    )
    limits = [] if trips is None else [number(trips, "n")]
    inputs: dict[str, Any] = dict(shape) | ({"n": (TensorProto.INT64, [])} if trips is None else {})
    main = node("Loop", ["n", "", "x"], ["y", "ys"], body=body, name="loop")
    return model([main], inputs, {"y": None, "ys": None}, limits)


KEPT = [node("Relu", ["v"], ["v2"]), node("Transpose", ["v"], ["scan"])]
GROWING = [node("Concat", ["v", "v"], ["v2"], axis=0), node("Identity", ["v"], ["scan"])]


def test_a_loop_keeps_what_it_carries_and_stacks_what_it_scans() -> None:
    view = shaped(loop({"x": [2, 3]}, KEPT, 7))
    assert view.shape("y") == (2, 3)
    assert view.shape("ys") == (7, 3, 2)
    assert view.executions["loop/body"] == 7
    assert view.shape("loop/body::v2") == (2, 3)


def test_a_loop_of_unknown_length_says_so() -> None:
    view = shaped(loop({"x": [2, 3]}, KEPT, None))
    assert view.shape("y") == (2, 3)
    assert view.types["ys"] == TensorType(1, (None, 3, 2))
    assert "trip count of loop (Loop)" in view.reasons["ys"]
    assert "trip count of loop (Loop)" in str(view.executions["loop/body"])


def test_a_loop_whose_value_grows_keeps_the_rest_of_the_shape() -> None:
    view = shaped(loop({"x": [2, 3]}, GROWING, 7))
    assert view.types["y"] == TensorType(1, (None, 3))
    assert view.types["loop/body::v2"] == TensorType(1, (None, 3))


def test_loops_nest_without_multiplying_the_time() -> None:
    inner = graph([node("Relu", ["w"], ["v2"])], {}, {"v2": None})
    body = node("Identity", ["w"], ["v2"])
    for level in range(12):
        inner = graph(
            [node("Identity", ["k"], ["k2"]), body],
            {"i": (TensorProto.INT64, []), "k": (TensorProto.BOOL, []), "w": None},
            {"k2": (TensorProto.BOOL, []), "v2": None},
        )
        body = node("Loop", ["n", "", "w" if level < 11 else "x"], ["v2"], body=inner)
    body.output[0] = "y"
    start = time.process_time()
    view = shaped(model([body], {"x": [2, 3]}, {"y": None}, [number(2, "n")]))
    assert time.process_time() - start < 2
    assert view.shape("y") == (2, 3)
    assert max(n for n in view.executions.values() if isinstance(n, int)) == 2**12


@pytest.mark.parametrize(("axis", "steps"), [(0, 5), (1, 2), (-1, 3)])
def test_a_scan_takes_its_axis_away_and_gives_it_back(axis: int, steps: int) -> None:
    body = graph(
        [node("Identity", ["s"], ["s2"]), node("Relu", ["e"], ["o"])],
        {"s": None, "e": None},
        {"s2": None, "o": None},
    )
    scan = node(
        "Scan",
        ["s0", "xs"],
        ["s1", "ys"],
        body=body,
        num_scan_inputs=1,
        scan_input_axes=[axis],
        scan_output_axes=[1],
        name="scan",
    )
    view = shaped(model([scan], {"s0": [4], "xs": [5, 2, 3]}, {"s1": None, "ys": None}))
    element = [size for i, size in enumerate([5, 2, 3]) if i != axis % 3]
    assert view.shape("scan/body::o") == tuple(element)
    assert view.shape("ys") == (element[0], steps, element[1])
    assert view.shape("s1") == (4,)
    assert view.executions["scan/body"] == steps


def test_scan_8_has_a_batch() -> None:
    body = graph(
        [node("Identity", ["s"], ["s2"]), node("Relu", ["e"], ["o"])],
        {"s": None, "e": None},
        {"s2": None, "o": None},
    )
    scan = node("Scan", ["", "s0", "xs"], ["s1", "ys"], body=body, num_scan_inputs=1, name="scan")
    proto = model([scan], {"s0": [2, 4], "xs": [2, 7, 3]}, {"s1": None, "ys": None}, opset=8)
    view = shaped(proto)
    assert view.shape("scan/body::o") == (3,)
    assert view.shape("s1") == (2, 4)
    assert view.shape("ys") == (2, 7, 3)
    assert view.executions["scan/body"] == 14


# What is not known, and why


def reason(proto: ModelProto, key: str, bindings: Bindings | None = None) -> str:
    view = shaped(proto, bindings)
    assert view.shape(key) is None
    return view.reasons[key]


def test_an_unknown_size_names_the_flag_that_gives_it() -> None:
    nodes = [
        node("Relu", ["x"], ["a"]),
        node("Shape", ["a"], ["s"]),
        node("ConstantOfShape", ["s"], ["c"]),
        node("Relu", ["c"], ["y"]),
    ]
    for key in ("a", "c", "y"):
        proto = model(nodes, {"x": ["N", 3, "H", "W"]}, {"y": None})
        assert reason(proto, key) == "the input 'x' is 1x3xHxW: give --dim H=… --dim W=…"
        proto = model(nodes, {"x": [1, 3, None, None]}, {"y": None})
        assert reason(proto, key) == "the input 'x' is 1x3x?x?: give --input-shape x:1x3x?x?"
        proto = model(nodes, {"x": None}, {"y": None})
        assert "no declared rank: give --input-shape x:…" in reason(proto, key)


def test_each_value_is_unknown_for_its_own_reason() -> None:
    nodes = [
        node("One", ["x"], ["a"], domain="custom"),
        node("Relu", ["a"], ["b"]),
        node("Two", ["x"], ["c"], domain="custom"),
        node("Relu", ["c"], ["d"]),
    ]
    proto = model(nodes, {"x": [1]}, {"b": None, "d": None})
    del proto.graph.output[:]
    view = shaped(proto)
    assert "custom.One " in view.reasons["b"]
    assert "custom.Two " in view.reasons["d"]


def test_a_size_from_data_says_which() -> None:
    nodes = [node("Reshape", ["x", "s"], ["y"])]
    proto = model(nodes, {"x": [4], "s": (TensorProto.INT64, [2])}, {"y": None})
    assert reason(proto, "y") == "the size of 'y' depends on the data (Reshape reads it from 's')"
    nodes = [node("OneHot", ["i", "d", "v"], ["y"])]
    inputs = {"i": (TensorProto.INT64, [3]), "d": (TensorProto.INT64, []), "v": [2]}
    assert "reads it from 'd'" in reason(model(nodes, inputs, {"y": None}), "y")
    proto = model([node("NonZero", ["x"], ["y"])], {"x": [4]}, {"y": None})
    assert reason(proto, "y") == "the size of 'y' depends on the data (NonZero)"


def test_a_failure_names_the_node_and_stays_there() -> None:
    nodes = [
        node("MatMul", ["x", "x"], ["a"], name="one"),
        node("MatMul", ["x", "x"], ["b"], name="two"),
        node("Relu", ["x"], ["y"]),
    ]
    view = shaped(model(nodes, {"x": [2, 3]}, {"a": None, "b": None, "y": None}))
    assert view.reasons["a"].startswith("shape inference fails at one (MatMul)")
    assert view.reasons["b"].startswith("shape inference fails at two (MatMul)")
    assert view.shape("y") == (2, 3)


def test_operators_that_the_opset_lacks_are_named() -> None:
    proto = model([node("Gelu", ["x"], ["y"])], {"x": [2]}, {"y": None}, opset=11)
    assert reason(proto, "y") == "opset 11 has no operator Gelu"


def test_a_custom_operator_is_shaped_by_what_is_declared() -> None:
    nodes = [node("Custom", ["x"], ["a"], domain="my.domain"), node("Relu", ["a"], ["y"])]
    declared = [helper.make_tensor_value_info("a", TensorProto.FLOAT, ["N", 5])]
    proto = model(nodes, {"x": ["N", 3]}, {"y": None}, value_info=declared)
    assert shaped(proto, Bindings(dims={"N": 4})).shape("y") == (4, 5)
    del proto.graph.value_info[:]
    assert "declare its output shapes in value_info" in reason(proto, "y")


# Memory of what was inferred


def test_the_same_operator_with_other_numbers_is_inferred_anew() -> None:
    nodes = [
        node("Reshape", ["x", "s1"], ["a"]),
        node("Reshape", ["x", "s2"], ["b"]),
        node("Reshape", ["x", "s1"], ["c"]),
        node("Transpose", ["x"], ["d"], perm=[0, 1, 2]),
        node("Transpose", ["x"], ["e"], perm=[2, 1, 0]),
    ]
    sizes = [number([6, 4], "s1"), number([4, 6], "s2")]
    outputs = dict.fromkeys("abcde")
    view = shaped(model(nodes, {"x": [2, 3, 4]}, outputs, sizes))
    assert [view.shape(key) for key in "abc"] == [(6, 4), (4, 6), (6, 4)]
    assert [view.shape(key) for key in "de"] == [(2, 3, 4), (4, 3, 2)]


def test_the_same_operator_with_other_inputs_left_out_is_inferred_anew() -> None:
    nodes = [
        node("Resize", ["x", "", "scales"], ["a"]),
        node("Resize", ["x", "", "", "sizes"], ["b"]),
    ]
    sizes = [number([1, 1, 2, 2], "scales", np.float32), number([1, 3, 5, 6], "sizes")]
    view = shaped(model(nodes, {"x": [1, 3, 4, 4]}, {"a": None, "b": None}, sizes))
    assert view.shape("a") == (1, 3, 8, 8)
    assert view.shape("b") == (1, 3, 5, 6)


def test_the_same_operator_in_two_opsets_is_inferred_by_each() -> None:
    old = helper.make_function(
        "local", "F", ["a"], ["b"], [node("Softmax", ["a"], ["b"])], [helper.make_opsetid("", 11)]
    )
    nodes = [
        node("F", ["x"], ["p"], domain="local"),
        node("Softmax", ["x"], ["q"]),
        node("Gemm", ["x", "x"], ["y"], transB=1),
    ]
    outputs = {"p": None, "q": None, "y": None}
    view = shaped(model(nodes, {"x": [2, 3]}, outputs, functions=[old]))
    assert [view.shape(key) for key in "pqy"] == [(2, 3), (2, 3), (2, 2)]


# Numbers in the file


def test_large_constants_are_read_from_the_file_where_a_shape_needs_them(save: Save) -> None:
    indices = number([3] * 400, "long")
    nodes = [
        node("Gather", ["sizes", "long"], ["many"]),
        node("Slice", ["many", "zero", "two"], ["target"]),
        node("ConstantOfShape", ["target"], ["y"]),
    ]
    constants = [number([1, 2, 3, 7], "sizes"), indices, number([0], "zero"), number([2], "two")]
    found = load(str(save(model(nodes, {}, {"y": None}, constants))))
    (left,) = [t for t in found.proto.graph.initializer if t.name == "long"]
    assert not left.raw_data
    assert shaped_with(found.proto, found.payload).shape("y") == (7, 7)


def shaped_with(proto: ModelProto, payload: shapes.Payload) -> GraphView:
    return infer(view_of(proto), payload=payload)[0]


def test_broken_constants_are_no_numbers() -> None:
    broken = TensorProto(name="s", dims=[2], data_type=TensorProto.INT64, raw_data=b"12345")
    proto = model([node("Reshape", ["x", "s"], ["y"])], {"x": [4]}, {"y": None}, [broken])
    view = shaped(proto)
    assert view.shape("y") is None


def test_declared_types_serve_where_nothing_is_inferred() -> None:
    nodes = [node("Relu", ["x"], ["a"]), node("Relu", ["a"], ["y"])]
    proto = model(nodes, {"x": ["N", 3]}, {"y": ["N", 3]})
    view, notes = shapes.declared_only(view_of(proto), Bindings(), "it hung")
    assert view.shape("y") == (1, 3)
    assert view.shape("a") is None
    assert view.reasons == {"a": "it hung"}
    assert notes == ("batch size ('N') taken as 1",)


@pytest.mark.parametrize(
    "broken",
    [
        node("Shape", ["x"], ["y"], start="a", end=[1]),
        node("Shape", ["x"], []),
        node("Shape", [], ["y"]),
        node("ConstantOfShape", ["s"], []),
        node("Identity", [], ["y"]),
        node("Loop", [], ["y"], body=graph([], {}, {})),
        node("If", [], ["y"], then_branch=graph([], {}, {})),
        node("Scan", ["x"], ["y"], body=graph([], {}, {}), num_scan_inputs="many"),
        node("Scan", ["x"], ["y"], body=graph([], {}, {}), num_scan_inputs=9),
        node("Scan", ["x"], ["y"], body=graph([], {}, {}), num_scan_inputs=-1, scan_input_axes=3),
        node("Conv", ["x", "x"], ["y"], kernel_shape="x", pads=1.5),
        node("Relu", [""], ["y"]),
        node("Concat", ["x"] * 3, ["y"], axis=99),
        node("Transpose", ["s"], ["y"], perm=[7]),
        node("Gather", ["s", "s"], ["y"], axis=5),
    ],
    ids=lambda proto: proto.op_type,
)
def test_nodes_that_make_no_sense_are_unknown_and_raise_nothing(broken: NodeProto) -> None:
    proto = model([broken], {"x": [2, 3]}, {}, [number([2, 3], "s")])
    view = shaped(proto)
    assert len(view.nodes) == 1
