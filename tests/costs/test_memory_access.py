"""Memory access against the arrays that onnx's reference implementation really makes."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper
from onnx.reference import ReferenceEvaluator

from graphlint.costs import element_bits
from graphlint.graph import TensorType
from tests.costs.helpers import OPSET, Array, cost

RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> Array:
    return RANDOM.random(shape, dtype=np.float32)


def halves(*shape: int) -> Array:
    return floats(*shape).astype(np.float16)


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


@dataclass
class Case:
    """A node with its inputs; `weights` are stored in the model, `settings` too but move nothing.

    `reads` says in bytes what is read of an input that isn't read whole.
    """

    node: NodeProto
    inputs: dict[str, Array]
    weights: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    reads: dict[str, Callable[[list[Array]], int]] = field(default_factory=dict)
    moves: bool = True
    version: int = OPSET


def case(
    operator: str,
    inputs: dict[str, Array],
    outputs: str = "y",
    order: list[str] | None = None,
    weights: str = "",
    settings: str = "",
    reads: dict[str, Callable[[list[Array]], int]] | None = None,
    moves: bool = True,
    version: int = OPSET,
    **attributes: Any,
) -> Any:
    node = helper.make_node(operator, order or list(inputs), outputs.split(), **attributes)
    made = Case(
        node,
        inputs,
        tuple(weights.split()),
        tuple(settings.split()),
        reads or {},
        moves,
        version,
    )
    return pytest.param(made, id=f"{operator}-{version}-{len(inputs)}")


def as_output(outputs: list[Array]) -> int:
    """As many bytes as the first output has."""
    return outputs[0].nbytes


def elements_of_output(size: int) -> Callable[[list[Array]], int]:
    return lambda outputs: outputs[0].size * size


X = {"x": floats(2, 6, 5, 4)}
A = {"a": floats(3, 4)}

CASES = [
    case("Conv", {**X, "w": floats(8, 3, 3, 3), "b": floats(8)}, weights="w b", group=2),
    case("Conv", {**X, "w": floats(8, 6, 1, 1)}),
    case("ConvTranspose", {**X, "w": floats(6, 2, 3, 3)}, weights="w"),
    case("Gemm", {**A, "b": floats(4, 5), "c": floats(5)}, weights="b c"),
    case("MatMul", {"a": halves(2, 3, 4), "b": halves(4, 5)}, weights="b"),
    case("Add", {**A, "b": floats(4)}, weights="b"),
    case("Add", {**A, "b": floats(3, 1)}),
    case("Sum", {**A, "b": floats(3, 4), "c": floats(4)}),
    case("Where", {"c": floats(3, 1) > 0.5, **A, "b": floats(4)}),
    case("Greater", {**A, "b": floats(3, 4)}),
    case("Relu", X),
    case("Clip", {**X, "l": np.float32(0), "h": np.float32(6)}, settings="l h"),
    case("Clip", {**X, "l": np.float32(0), "h": np.float32(6)}, settings="l"),
    case("PRelu", {**X, "s": floats(6, 1, 1)}, weights="s"),
    case("Cast", A, to=TensorProto.FLOAT16),
    case("CastLike", {**A, "t": halves(1)}, reads={"t": lambda _: 0}),
    case("Pow", {**A, "e": np.float32(2)}, weights="e"),
    case(
        "BatchNormalization",
        {**X, "s": floats(6), "b": floats(6), "m": floats(6), "v": floats(6)},
        weights="s b m v",
    ),
    case("InstanceNormalization", {**X, "s": floats(6), "b": floats(6)}, weights="s b"),
    case("LayerNormalization", {**A, "s": floats(4)}, "y m d", weights="s"),
    case("RMSNormalization", {**A, "s": floats(4)}, weights="s"),
    case("Softmax", A),
    case("LRN", X, size=3),
    case("MaxPool", X, "y i", kernel_shape=[2, 2], strides=[2, 2]),
    case("AveragePool", X, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    case("GlobalAveragePool", X),
    case("ReduceMean", {**X, "axes": ints(1, 2)}, settings="axes"),
    case("ReduceSum", X, keepdims=0),
    case("ArgMax", A),
    case("TopK", {**A, "k": ints(2)}, "y i", settings="k"),
    case("CumSum", {**A, "axis": np.array(1)}, settings="axis"),
    case("Transpose", X, perm=[0, 2, 3, 1]),
    case("Concat", {**A, "b": floats(2, 4)}, axis=0),
    case("Concat", {**A, "b": floats(2, 4)}, axis=0, weights="b"),
    case("Split", {**X, "s": ints(2, 4)}, "y z", settings="s", axis=1),
    case("Tile", {**A, "r": ints(2, 3)}, settings="r"),
    case("Expand", {"x": floats(3, 1), "s": ints(2, 3, 4)}, settings="s"),
    case("Pad", {**A, "p": ints(1, 0, 0, 2), "v": np.float32(0)}, settings="p v"),
    case(
        "Slice",
        {**X, "b": ints(1), "e": ints(5), "a": ints(1), "s": ints(2)},
        settings="b e a s",
        reads={"x": as_output},
    ),
    case("Slice", {**X, "b": ints(1), "e": ints(5)}, reads={"x": as_output}),
    case("Gather", {"t": floats(100, 8), "i": ints(3, 5, 3)}, weights="t", reads={"t": as_output}),
    case("Gather", {**X, "i": ints(1, 0)}, settings="i", reads={"x": as_output}, axis=1),
    # A table of two rows, taken from five times, is not read more than once.
    case("Gather", {"t": floats(2, 8), "i": ints(0, 1, 0, 1, 0)}),
    case("GatherElements", {**A, "i": np.zeros((2, 4), np.int64)}, reads={"a": as_output}),
    case("GatherND", {**X, "i": np.zeros((3, 2), np.int64)}, reads={"x": as_output}),
    case("ScatterND", {**A, "i": ints(0, 2).reshape(2, 1), "u": floats(2, 4)}),
    case("ScatterElements", {**A, "i": ints(0, 2).reshape(1, 2), "u": floats(1, 2)}),
    case("OneHot", {"i": ints(1, 2, 0), "d": ints(3)[0], "v": floats(2)}, settings="d v"),
    case("DepthToSpace", {"x": floats(1, 8, 2, 3)}, blocksize=2),
    case("SpaceToDepth", {"x": floats(1, 2, 4, 6)}, blocksize=2),
    case("Resize", {**X, "s": floats(4) * 0 + 2}, order=["x", "", "s"], settings="s"),
    case("Trilu", {**A, "k": np.array(1)}, settings="k"),
    case("CenterCropPad", {**A, "s": ints(2, 6)}, settings="s", reads={"a": lambda _: 4 * 2 * 4}),
    case("EyeLike", A, reads={"a": lambda _: 0}),
    case("Range", {"s": ints(0)[0], "l": ints(9)[0], "d": ints(2)[0]}, settings="s l d"),
    case("ConstantOfShape", {"s": ints(2, 3)}, settings="s", moves=False),
    case("ConstantOfShape", {"s": ints(2, 3)}),
    case("Reshape", {**X, "s": ints(2, -1)}, settings="s", moves=False),
    case("Flatten", X, moves=False),
    case("Squeeze", {"x": floats(1, 3, 1), "a": ints(0)}, settings="a", moves=False),
    case("Squeeze", {"x": floats(1, 3, 1)}, axes=[0], version=11, moves=False),
    case("Unsqueeze", {"x": floats(3, 4), "a": ints(0)}, settings="a", moves=False),
    case("Identity", A, moves=False),
    case("Shape", A, moves=False),
    case("Size", A, moves=False),
    case("Dropout", A, moves=False),
    case("Dropout", A, "y m", reads={"a": lambda _: 0, "y": lambda _: 0}),
    case(
        "QuantizeLinear",
        {**A, "s": np.float32(0.1), "z": np.uint8(3)},
        weights="s z",
    ),
    case(
        "DequantizeLinear",
        {"a": np.ones((3, 4), np.uint8), "s": floats(4), "z": np.ones(4, np.uint8)},
        weights="s z",
    ),
    case("DynamicQuantizeLinear", A, "y s z"),
    case("MatMulInteger", {"a": np.ones((3, 4), np.uint8), "b": np.ones((4, 5), np.int8)}),
    case("Einsum", {**A, "b": floats(4, 5)}, equation="ij,jk->ik"),
    case(
        "LSTM",
        {"x": floats(5, 2, 3), "w": floats(1, 16, 3), "r": floats(1, 16, 4)},
        "y h",
        weights="w r",
        hidden_size=4,
    ),
    case("HannWindow", {"s": np.array(8)}, settings="s"),
    case("Compress", {**A, "c": np.array([True, False, True])}, axis=0, reads={"a": as_output}),
    case("NonZero", A),
    case("GridSample", {**X, "g": floats(2, 3, 3, 2)}),
    case("Mul", A, order=["a", "a"]),
]


@pytest.mark.parametrize("given", CASES)
def test_bytes_are_those_of_the_real_arrays(given: Case) -> None:
    node = given.node
    made = _run(node, given)
    outputs = dict(zip(node.output, made, strict=True))
    found = cost(
        node,
        {name: np.asarray(array) for name, array in given.inputs.items()},
        {name: np.asarray(array) for name, array in outputs.items()},
        constants=(*given.weights, *given.settings),
        version=given.version,
    )
    assert found.unknown is None
    if not given.moves:
        assert found.memory_access_bytes == found.memory_access_elements == 0
        return
    read = {
        name: given.reads[name](made) if name in given.reads else np.asarray(array).nbytes
        for name, array in given.inputs.items()
        if name not in given.settings
    }
    written = {name: array.nbytes for name, array in outputs.items() if name not in given.reads}
    assert found.weight_bytes == sum(read.pop(name) for name in given.weights)
    assert found.read_bytes == sum(read.values())
    assert found.write_bytes == sum(written.values())


def _run(node: NodeProto, given: Case) -> list[Array]:
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(np.asarray(array).dtype), array.shape
            )
            for name, array in given.inputs.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", given.version)])
    made = ReferenceEvaluator(model).run(None, dict(given.inputs))
    return [np.asarray(array) for array in made]


@pytest.mark.parametrize(
    ("dtype", "elements", "expected"),
    [
        (TensorProto.INT4, 15, 8),
        (TensorProto.UINT4, 16, 8),
        (TensorProto.FLOAT4E2M1, 1, 1),
        (TensorProto.UINT2, 9, 3),
        (TensorProto.FLOAT8E4M3FN, 7, 7),
        (TensorProto.BFLOAT16, 7, 14),
        (TensorProto.BOOL, 7, 7),
        (TensorProto.COMPLEX128, 2, 32),
    ],
)
def test_small_types_are_packed(dtype: int, elements: int, expected: int) -> None:
    node = helper.make_node("Transpose", ["x"], ["y"])
    type_ = TensorType(dtype, (elements,))
    found = cost(node, {"x": type_}, {"y": type_})
    assert (found.read_bytes, found.write_bytes) == (expected, expected)
    assert found.read_elements == elements


@pytest.mark.parametrize("name", sorted({*TensorProto.DataType.keys()} - {"UNDEFINED"}))
def test_every_element_type_has_a_size_that_numpy_agrees_with(name: str) -> None:
    dtype = TensorProto.DataType.Value(name)
    if name == "STRING":
        return
    packed = any(name.startswith(small) for small in ("INT4", "UINT4", "FLOAT4", "FLOAT6"))
    if packed or name in ("INT2", "UINT2"):
        digits = next(int(character) for character in name if character.isdigit())
        assert element_bits(dtype) == digits
    else:
        assert element_bits(dtype) == helper.tensor_dtype_to_np_dtype(dtype).itemsize * 8


def test_a_sequence_is_read_when_it_is_concatenated() -> None:
    from onnx import TypeProto

    from graphlint.costs import HANDLES, Operand, Operation
    from graphlint.costs.count import count
    from graphlint.graph import OtherType
    from tests.costs.helpers import node_of

    proto = TypeProto()
    proto.sequence_type.elem_type.tensor_type.elem_type = TensorProto.FLOAT16
    sequence = Operand("s", OtherType("sequence", proto.SerializeToString()))
    joined = Operand("y", TensorType(TensorProto.FLOAT16, (6, 4)))
    node = helper.make_node("ConcatFromSequence", ["s"], ["y"], axis=0)
    found = count(
        Operation(node_of(node), (sequence,), (joined,)), HANDLES["", "ConcatFromSequence"]
    )
    assert (found.read_bytes, found.write_bytes) == (48, 48)


def test_parameters_are_what_is_trained() -> None:
    names = ["x", "s", "b", "m", "v"]
    node = helper.make_node("BatchNormalization", names, ["y"])
    shapes = {"x": [1, 6, 2, 2], **{name: [6] for name in names[1:]}}
    found = cost(node, shapes, {"y": [1, 6, 2, 2]}, constants=names[1:])
    assert (found.parameters, found.weight_elements) == (12, 24)


def test_a_single_stored_number_is_moved_but_is_no_parameter() -> None:
    node = helper.make_node("Mul", ["x", "c"], ["y"])
    found = cost(node, {"x": [5], "c": np.float32(2)}, constants=["c"])
    assert (found.parameters, found.weight_bytes) == (0, 4)


def test_a_tensor_given_twice_is_read_once() -> None:
    node = helper.make_node("Attention", ["x", "x", "x"], ["y"])
    found = cost(node, {"x": [1, 2, 3, 4]}, {"y": [1, 2, 3, 4]})
    assert found.read_elements == math.prod([1, 2, 3, 4])


def test_training_moves_what_inference_does_not() -> None:
    inputs = {"x": [4, 5], "r": np.float32(0.5), "t": np.array(True)}
    node = helper.make_node("Dropout", ["x", "r", "t"], ["y", "m"])
    found = cost(node, inputs, constants=["r", "t"])
    assert (found.read_bytes, found.write_bytes) == (80, 100)
    old = helper.make_node("Dropout", ["x"], ["y"])
    assert cost(old, {"x": [4, 5]}, {"y": [4, 5]}, version=6).write_bytes == 80
    assert cost(old, {"x": [4, 5]}, {"y": [4, 5]}, version=7).write_bytes == 0


def test_embedding_reads_the_rows_that_it_takes() -> None:
    node = helper.make_node(
        "EmbedLayerNormalization",
        ["i", "", "w", "p", "", "g", "b"],
        ["y"],
        domain="com.microsoft",
    )
    shapes = {"w": [1000, 8], "p": [512, 8], "g": [8], "b": [8]}
    found = cost(
        node,
        {"i": np.zeros((2, 5), np.int32), **shapes},
        {"y": [2, 5, 8]},
        constants=list(shapes),
        version=1,
    )
    assert found.weight_elements == 2 * 5 * 8 + 5 * 8 + 16
    assert found.parameters == 1000 * 8 + 512 * 8 + 16
    assert found.read_bytes == 40
