"""Shapes of ONNX Runtime's own operators against the arrays that it really makes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, load, numpy_helper

from graphlint.contrib_shapes import infer
from graphlint.graph import TensorType
from tests.costs.helpers import node_of

ort = pytest.importorskip("onnxruntime")

RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> Any:
    return RANDOM.random(shape, dtype=np.float32)


def quantised(*shape: int, kind: Any = np.uint8) -> Any:
    return RANDOM.integers(0, 100, shape).astype(kind)


SCALE, ZERO = np.float32(0.1), np.uint8(3)
IDS = np.ones((2, 5), np.int32)
PAIR = {"a": quantised(2, 1, 4), "as": SCALE, "az": ZERO, "b": quantised(3, 4), "bs": SCALE}
ONE = {"x": quantised(2, 4, 6, 6), "xs": SCALE, "xz": ZERO, "ys": SCALE, "yz": ZERO}
IMAGE = {"x": floats(2, 4, 7, 6)}
CONV = {**IMAGE, "w": floats(6, 2, 3, 3), "b": floats(6)}
TOKENS = {"x": floats(2, 5, 8), "s": floats(2, 5, 8), "g": floats(8)}


def case(operator: str, inputs: dict[str, Any], outputs: str = "y", **attributes: Any) -> Any:
    order = attributes.pop("order", list(inputs))
    node = helper.make_node(operator, order, outputs.split(), domain="com.microsoft", **attributes)
    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    return pytest.param(node, arrays, id=f"{operator}-{len(inputs)}-{len(attributes)}")


CASES = [
    case("FusedConv", CONV, group=2, activation="Relu", strides=[2, 1], pads=[1, 0, 1, 2]),
    case("FusedConv", CONV, group=2, activation="Relu", auto_pad="SAME_UPPER", strides=[2, 2]),
    case("FusedConv", CONV, group=2, activation="Relu", dilations=[2, 1], kernel_shape=[3, 3]),
    case(
        "FusedGemm", {"a": floats(4, 3), "b": floats(5, 4)}, transA=1, transB=1, activation="Relu"
    ),
    case("FusedMatMul", {"a": floats(2, 4, 3), "b": floats(2, 5, 4)}, transA=1, transB=1),
    case("FusedMatMul", {"a": floats(3, 2, 4), "b": floats(2, 4, 5)}, transBatchA=1),
    case(
        "FusedMatMul",
        {"a": floats(3, 2, 4), "b": floats(5, 2, 4)},
        transBatchA=1,
        transB=1,
        transBatchB=1,
    ),
    case("QLinearAdd", {**PAIR, "bz": ZERO, "ys": SCALE, "yz": ZERO}),
    case("QLinearMul", {**PAIR, "bz": ZERO, "ys": SCALE, "yz": ZERO}),
    case("QLinearSigmoid", ONE),
    case("QLinearLeakyRelu", ONE, alpha=0.1),
    case("QLinearSoftmax", ONE, axis=1, opset=13),
    case("QLinearAveragePool", ONE, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    case("QLinearAveragePool", ONE, kernel_shape=[2, 3], channels_last=1),
    case("QLinearGlobalAveragePool", ONE, channels_last=0),
    case("QLinearGlobalAveragePool", ONE, channels_last=1),
    case(
        "QLinearConcat",
        {
            "ys": SCALE,
            "yz": ZERO,
            "a": quantised(2, 3),
            "as": SCALE,
            "az": ZERO,
            "b": quantised(2, 5),
        },
        order=["ys", "yz", "a", "as", "az", "b", "as", "az"],
        axis=1,
    ),
    case(
        "QLinearConv",
        {
            "x": quantised(1, 8, 8, 4),
            "xs": SCALE,
            "xz": ZERO,
            "w": quantised(6, 4, 3, 3),
            "ws": SCALE,
            "wz": ZERO,
            "ys": SCALE,
            "yz": ZERO,
        },
        channels_last=1,
        pads=[1, 1, 1, 1],
    ),
    case(
        "QGemm", {"a": quantised(3, 4), "s": SCALE, "z": ZERO, "b": quantised(4, 5)}, order="aszbsz"
    ),
    case("NhwcMaxPool", {"x": quantised(1, 7, 6, 4)}, kernel_shape=[3, 3], strides=[2, 2]),
    case(
        "MatMulIntegerToFloat",
        {"a": quantised(2, 3, 4), "b": quantised(4, 5), "s": SCALE, "z": ZERO},
        order=["a", "b", "s", "s", "z", "z"],
    ),
    case(
        "DynamicQuantizeMatMul", {"a": floats(2, 3, 4), "b": quantised(4, 5), "s": SCALE, "z": ZERO}
    ),
    case(
        "MatMulNBits",
        {"a": floats(2, 3, 64), "b": quantised(10, 2, 16), "s": floats(20)},
        K=64,
        N=10,
        bits=4,
        block_size=32,
    ),
    case(
        "MatMulBnb4",
        {"a": floats(2, 64), "b": quantised(320), "m": floats(10)},
        K=64,
        N=10,
        block_size=64,
        quant_type=1,
    ),
    case("Attention", {"x": floats(2, 5, 8), "w": floats(8, 36), "b": floats(36)}, num_heads=3),
    case(
        "Attention",
        {"x": floats(2, 5, 8), "w": floats(8, 36), "b": floats(36), "p": floats(2, 2, 3, 4, 4)},
        "y p2",
        order=["x", "w", "b", "", "p"],
        num_heads=3,
    ),
    case(
        "QAttention",
        {"x": quantised(2, 5, 8), "w": quantised(8, 36), "b": floats(36), "s": SCALE, "z": ZERO},
        order=["x", "w", "b", "s", "s", "", "z", "z"],
        num_heads=3,
    ),
    case(
        "MultiHeadAttention",
        {"q": floats(2, 5, 8), "k": floats(2, 6, 8), "v": floats(2, 6, 12)},
        num_heads=2,
    ),
    case(
        "MultiHeadAttention",
        {"q": floats(2, 5, 8), "k": floats(2, 6, 8), "v": floats(2, 6, 8), "p": floats(2, 2, 3, 4)},
        "y nk nv",
        order=["q", "k", "v", "", "", "", "p", "p"],
        num_heads=2,
    ),
    case(
        "GroupQueryAttention",
        {
            "q": floats(1, 2, 64),
            "k": floats(1, 2, 16),
            "v": floats(1, 2, 16),
            "p": floats(1, 1, 6, 16),
            "l": np.array([7], np.int32),
            "t": np.int32(8),
        },
        "y nk nv",
        order=["q", "k", "v", "p", "p", "l", "t"],
        num_heads=4,
        kv_num_heads=1,
    ),
    case(
        "RotaryEmbedding",
        {"x": floats(1, 3, 16), "p": np.zeros(1, np.int64), "c": floats(8, 4), "s": floats(8, 4)},
        num_heads=2,
    ),
    case("SkipLayerNormalization", TOKENS, "y m d r", order=["x", "s", "g", "g"]),
    case("SkipSimplifiedLayerNormalization", TOKENS, order=["x", "s", "g"]),
    case(
        "EmbedLayerNormalization",
        {"i": IDS, "w": floats(9, 8), "p": floats(6, 8), "g": floats(8)},
        "y m",
        order=["i", "", "w", "p", "", "g", "g"],
    ),
    case("BiasGelu", {"x": floats(2, 3, 4), "b": floats(4)}),
    case("FastGelu", {"x": floats(2, 3, 4)}),
    case("CDist", {"a": floats(3, 4), "b": floats(5, 4)}, metric="sqeuclidean"),
    case("Inverse", {"x": floats(2, 3, 3)}),
    case("Trilu", {"x": floats(3, 3)}),
    case("ExpandDims", {"x": floats(2, 3), "a": np.int32(1)}),
    case("UnfoldTensor", {"x": floats(2, 9)}, dim=1, size=3, step=2),
    case("Pad", {"x": floats(2, 3), "p": np.array([0, 1, 2, -1]), "v": np.float32(0)}),
    case("GatherND", {"x": floats(4, 3, 2), "i": np.zeros((5, 2), np.int64)}),
    case("Unique", {"x": floats(5)}, "y i c"),
    case(
        "CropAndResize",
        {
            "x": floats(1, 3, 8, 8),
            "r": floats(2, 4),
            "i": np.zeros(2, np.int32),
            "s": np.array([4, 5], np.int32),
        },
    ),
    case(
        "GatherBlockQuantized", {"x": quantised(6, 32), "i": IDS, "s": floats(6, 2)}, block_size=32
    ),
    case(
        "ConvTransposeWithDynamicPads",
        {"x": floats(1, 2, 4, 4), "w": floats(2, 3, 3, 3), "p": np.array([1, 0, 1, 0])},
        strides=[2, 2],
    ),
    case("MaxpoolWithMask", {**IMAGE, "m": np.ones((1, 4, 7, 6), np.int32)}, kernel_shape=[3, 3]),
    case("NGramRepeatBlock", {"i": np.ones((2, 5), np.int64), "s": floats(2, 9)}, ngram_size=2),
    case("QuantizeLinear", {"x": floats(2, 3), "s": SCALE, "z": ZERO}),
    case("DequantizeLinear", {"x": quantised(2, 3), "s": SCALE, "z": ZERO}),
    case(
        "MoE",
        {"x": floats(3, 8), "p": floats(3, 4), "a": floats(4, 16, 8), "b": floats(4, 8, 16)},
        order=["x", "p", "a", "", "b"],
        k=2,
    ),
]


def type_of(array: Any) -> TensorType:
    return TensorType(helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def assert_covers(guess: TensorType | None, real: TensorType, where: str) -> None:
    """Every size that is told is right; that some are not told is allowed."""
    assert guess is not None, where
    assert guess.shape is not None
    assert guess.dtype == real.dtype, where
    assert real.shape is not None
    assert len(guess.shape) == len(real.shape), where
    for told, size in zip(guess.shape, real.shape, strict=True):
        assert told in (size, None), (where, guess.shape, real.shape)


@pytest.mark.parametrize(("node", "inputs"), CASES)
def test_shapes_are_those_of_the_runtime(node: NodeProto, inputs: dict[str, Any]) -> None:
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(name, type_of(array).dtype, array.shape)
            for name, array in inputs.items()
        ],
        [ValueInfoProto(name=name) for name in node.output],
        # What an operator wants to be constant is, and nothing else may tell.
        [numpy_helper.from_array(array, name) for name, array in inputs.items() if name != "x"],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    try:
        session = ort.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        feeds = {given.name: inputs[given.name] for given in session.get_inputs()}
        made = session.run(None, feeds)
    except Exception as error:  # which operators the processor has depends on the runtime's version
        pytest.skip(str(error)[:200])
    given = [inputs.get(name) for name in node.input]
    guesses = infer(
        node_of(node, 1), [None if array is None else type_of(array) for array in given], given
    )
    assert guesses is not None
    for name, guess, array in zip(node.output, guesses, made, strict=True):
        if isinstance(array, np.ndarray | np.generic):  # not all versions make all optional outputs
            assert_covers(guess, type_of(np.asarray(array)), name)


def test_the_blocked_layout_of_an_optimised_model(tmp_path: Path) -> None:
    """What ONNX Runtime's own optimiser makes of two convolutions and a pooling."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MaxPool", ["b"], ["c"], kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("Conv", ["c", "v"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 9, 9])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 48, 1, 1])],
        [
            numpy_helper.from_array(floats(32, 16, 3, 3), "w"),
            numpy_helper.from_array(floats(48, 32, 1, 1), "v"),
        ],
    )
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 4
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    optimised = load(tmp_path / "optimised.onnx")
    types = {"x": TensorType(TensorProto.FLOAT, (1, 16, 9, 9))}
    for stored in optimised.graph.initializer:
        types[stored.name] = TensorType(stored.data_type, tuple(stored.dims))
    if not any(node.domain == "com.microsoft.nchwc" for node in optimised.graph.node):
        pytest.skip("this processor has no blocked layout")
    for node in optimised.graph.node:
        given = [types.get(name) for name in node.input]
        guesses = infer(node_of(node, 1), given, [None] * len(given))
        assert guesses is not None, node.op_type
        types.update(
            {name: guess for name, guess in zip(node.output, guesses, strict=True) if guess}
        )
    assert types["y"].shape == (1, 48, 1, 1)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1, 4, None, 6), (1, 6, None, 4)), (("N", 4, "H", 6), ("N", 6, None, 4))],
)
def test_open_sizes_are_carried_along(shape: Any, expected: Any) -> None:
    node = helper.make_node("FusedConv", ["x", "w"], ["y"], domain="com.microsoft")
    types = [TensorType(1, shape), TensorType(1, (6, 4, 3, 3))]
    guesses = infer(node_of(node, 1), types, [None, None])
    assert guesses == [TensorType(1, expected)]


def test_a_padded_convolution_keeps_a_symbolic_size() -> None:
    node = helper.make_node(
        "FusedConv", ["x", "w"], ["y"], domain="com.microsoft", pads=[1, 1, 1, 1]
    )
    types = [TensorType(1, ("N", 4, "H", "W")), TensorType(1, (6, 4, 3, 3))]
    assert infer(node_of(node, 1), types, [None, None]) == [TensorType(1, ("N", 6, "H", "W"))]


@pytest.mark.parametrize("shape", [None, ()])
def test_no_answer_where_the_rank_is_unknown_or_wrong(shape: Any) -> None:
    for operator in ("FusedConv", "MultiHeadAttention", "QLinearConcat", "FusedMatMul"):
        node = helper.make_node(operator, ["x", "w"], ["y"], domain="com.microsoft")
        type_ = TensorType(1, shape)
        assert infer(node_of(node, 1), [type_, type_], [None, None]) is None
