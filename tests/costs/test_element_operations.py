"""Element operations: the table of `docs/counting.md`, row by row, and what its rows leave open."""

from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.costs.helpers import Given, cost

X = [2, 3, 4, 5]
ELEMENTS = 120
MS = "com.microsoft"


def case(
    name: str,
    operations: int,
    *inputs: Given | None,
    output: list[int] | None = None,
    outputs: int = 1,
    domain: str = "",
    known: str = "",
    version: int = 24,
    **attributes: Any,
) -> Any:
    """A node that reads the inputs (a, b, …), and its element operations."""
    given = inputs or (X,)
    names = ["" if one is None else chr(ord("a") + place) for place, one in enumerate(given)]
    made = ["y", "m", "s"][:outputs]
    node = helper.make_node(name, names, made, domain=domain, **attributes)
    types = {key: one for key, one in zip(names, given, strict=True) if one is not None}
    shape = X if output is None else output
    settings = {"static": list(known), "version": version}
    return pytest.param(node, types, dict.fromkeys(made, shape), settings, operations, id=name)


def number(value: int) -> np.ndarray[Any, Any]:
    return np.array(value, np.int64)


CASES = [
    # element-wise: 1 for every output element and function
    *(case(name, ELEMENTS) for name in "Relu Sigmoid Gelu Cast Clip CumSum Not Affine".split()),
    *(case(name, ELEMENTS, X, X) for name in "Add Mul Pow Where Greater CastLike".split()),
    case("Sum", 0, X),
    case("Max", ELEMENTS, X, X),
    case("Min", 2 * ELEMENTS, X, X, X),
    case("Mean", 3 * ELEMENTS, X, X, X),
    case("SwiGLU", 2 * ELEMENTS),
    case("RotaryEmbedding", 3 * ELEMENTS, X, [4, 2], [4, 2]),
    case("RotaryEmbedding", 3 * ELEMENTS, X, [8, 2], [8, 2], [2, 4]),
    case("RotaryEmbedding", 3 * ELEMENTS, X, [1], [8, 2], [8, 2], domain=MS),
    *(case(name, ELEMENTS, domain=MS) for name in ("Gelu", "QuickGelu", "ScaledSiLU", "FastGelu")),
    *(case(name, 2 * ELEMENTS, X, [5], domain=MS) for name in ("BiasGelu", "BiasAdd", "FastGelu")),
    case("BiasSplitGelu", 4 * ELEMENTS, domain=MS),
    case("BiasDropout", ELEMENTS, X, [5], domain=MS),
    case("BiasDropout", 2 * ELEMENTS, X, [5], X, domain=MS),
    case("BitmaskBiasDropout", ELEMENTS, X, [5], None, [], domain=MS),
    case("ComplexMul", 3 * ELEMENTS, X, X, domain=MS),
    case("SwiGLU", 2 * ELEMENTS, X, X, domain=MS),
    case("SampleOp", ELEMENTS, domain=MS),
    *(case(name, ELEMENTS, X, [1], [1], X, domain=MS) for name in ("QLinearAdd", "QLinearMul")),
    *(
        case(f"QLinear{name}", ELEMENTS, X, [1], [1], [1], [1], domain=MS)
        for name in ("Sigmoid", "LeakyRelu", "ReduceMean")
    ),
    case("QOrderedGelu", ELEMENTS, X, [1], [1], domain=MS),
    case("MulInteger", ELEMENTS, X, [1], X, [1], domain=MS),
    case("QLinearWhere", ELEMENTS, X, X, [1], [1], X, domain=MS),
    # fused convolutions
    case("FusedConv", 0, [1, 3, 4, 5], [6, 3, 1, 1], output=[1, 6, 4, 5], domain=MS),
    case(
        "FusedConv",
        ELEMENTS,
        [1, 3, 4, 5],
        [6, 3, 1, 1],
        output=[1, 6, 4, 5],
        domain=MS,
        activation="Relu",
    ),
    case(
        "FusedConv",
        2 * ELEMENTS,
        [1, 3, 4, 5],
        [6, 3, 1, 1],
        [6],
        [1, 6, 4, 5],
        output=[1, 6, 4, 5],
        domain=MS,
        activation="Relu",
    ),
    case("FusedConv", ELEMENTS, [1, 3, 4, 5], [6, 3, 1, 1], None, [1, 6, 4, 5], domain=MS),
    case("CausalConvWithState", 0, [2, 3, 20], [3, 1, 2], output=[2, 3, 20]),
    case("CausalConvWithState", 0, [2, 3, 20], [3, 1, 2], output=[2, 3, 20], activation="none"),
    case("CausalConvWithState", 120, [2, 3, 20], [3, 1, 2], output=[2, 3, 20], activation="silu"),
    # products with and without a fused activation
    *(
        case(name, operations, [3, 7], [7, 5], output=[3, 5], domain=MS, **named)
        for name in ("FusedGemm", "GemmFloat8", "FusedMatMulActivation")
        for named, operations in (
            ({}, 0),
            ({"activation": "NONE"}, 0),
            ({"activation": "Relu"}, 3 * 5),
        )
    ),
    case("GemmFastGelu", 3 * 5, [3, 7], [7, 5], output=[3, 5], domain=MS),
    case("MatMulInteger16", 0, [3, 7], [7, 5], output=[3, 5], domain=MS),
    # samples: batch 1, 2 channels, kernel 3 × 3, 4 positions
    case("DeformConv", 4 * 72, [1, 2, 4, 4], [5, 2, 3, 3], [1, 18, 2, 2], output=[1, 5, 2, 2]),
    case(
        "DeformConv",
        5 * 72,
        [1, 2, 4, 4],
        [5, 2, 3, 3],
        [1, 18, 2, 2],
        None,
        [1, 9, 2, 2],
        output=[1, 5, 2, 2],
    ),
    # normalisation
    case("BatchNormalization", 2 * ELEMENTS, X, [3], [3], [3], [3]),
    case("BatchNormalization", 7 * ELEMENTS, X, [3], [3], [3], [3], training_mode=1),
    case("BatchNormalization", 7 * ELEMENTS, X, [3], [3], [3], [3], version=14, training_mode=1),
    case("BatchNormalization", 2 * ELEMENTS, X, [3], [3], [3], [3], version=9, training_mode=1),
    case("BatchNormalization", 2 * ELEMENTS, X, [3], [3], [3], [3], version=7),
    case("BatchNormalization", 7 * ELEMENTS, X, [3], [3], [3], [3], version=9, outputs=2),
    case("BatchNormalization", 7 * ELEMENTS, X, [3], [3], [3], [3], version=6),
    case("BatchNormalization", 2 * ELEMENTS, X, [3], [3], [3], [3], version=6, is_test=1),
    *(
        case(f"{name}Normalization", 7 * ELEMENTS, X, [3], [3])
        for name in ("Layer", "Instance", "Group")
    ),
    case("BatchNormalization", 7 * ELEMENTS, X, [3], [3], [3], [3], version=13, outputs=3),
    case("BatchNormalization", 2 * ELEMENTS, X, [3], [3], [3], [3], version=13),
    case("RMSNormalization", 4 * ELEMENTS, X, [5]),
    case("SimplifiedLayerNormalization", 4 * ELEMENTS, X, [5], domain=MS),
    case("LayerNormalization", 7 * ELEMENTS, X, [5], domain=MS),
    case("GroupNorm", 7 * ELEMENTS, X, [5], [5], domain=MS),
    case("QOrderedLayerNormalization", 7 * ELEMENTS, X, [1], [5], [5], [1], domain=MS),
    case("QLinearSoftmax", 5 * ELEMENTS, X, [1], [1], [1], [1], domain=MS),
    case("MeanVarianceNormalization", 5 * ELEMENTS),
    case("LpNormalization", 3 * ELEMENTS),
    case("LRN", (5 + 3) * ELEMENTS, size=5),
    case("LRN", (1 + 3) * ELEMENTS),
    case("Hardmax", 2 * ELEMENTS),
    case("Softmax", 5 * ELEMENTS),
    case("LogSoftmax", 5 * ELEMENTS),
    case("BiasSoftmax", 6 * ELEMENTS, X, X, domain=MS),
    case("SkipLayerNormalization", 8 * ELEMENTS, X, X, [5], domain=MS),
    case("SkipLayerNormalization", 9 * ELEMENTS, X, X, [5], None, [5], domain=MS),
    case("SkipSimplifiedLayerNormalization", 5 * ELEMENTS, X, X, [5], domain=MS),
    case("SkipSimplifiedLayerNormalization", 6 * ELEMENTS, X, X, [5], [5], domain=MS),
    case("SkipGroupNorm", 8 * ELEMENTS, X, [5], [5], X, domain=MS),
    case("SkipGroupNorm", 9 * ELEMENTS, X, [5], [5], X, [5], domain=MS),
    # words and positions summed; words, positions and segments
    case(
        "QEmbedLayerNormalization",
        8 * 30,
        [2, 3],
        None,
        [9, 5],
        [7, 5],
        None,
        *[[5], [5]],
        output=[2, 3, 5],
        domain=MS,
    ),
    case(
        "EmbedLayerNormalization",
        8 * 30,
        [2, 3],
        None,
        [9, 5],
        [7, 5],
        None,
        [5],
        [5],
        output=[2, 3, 5],
        domain=MS,
    ),
    case(
        "EmbedLayerNormalization",
        9 * 30,
        [2, 3],
        [2, 3],
        [9, 5],
        [7, 5],
        [2, 5],
        [5],
        [5],
        output=[2, 3, 5],
        domain=MS,
    ),
    # pooling
    case("MaxPool", 9 * 12, output=[2, 3, 1, 2], kernel_shape=[3, 3]),
    case("AveragePool", 6 * 12, output=[2, 3, 1, 2], kernel_shape=[2, 3]),
    # a window that hangs over the end, as `ceil_mode` allows, counts like the others
    case("MaxPool", 9 * 24, output=[2, 3, 2, 2], kernel_shape=[3, 3], strides=[2, 3], ceil_mode=1),
    case("LpPool", 2 * 96, output=[2, 3, 4, 4], kernel_shape=[1, 2]),
    case("NhwcMaxPool", 9 * 12, output=[2, 1, 2, 3], domain=MS, kernel_shape=[3, 3]),
    case(
        "QLinearAveragePool",
        9 * 12,
        X,
        [1],
        [1],
        [1],
        [1],
        output=[2, 3, 1, 2],
        domain=MS,
        kernel_shape=[3, 3],
    ),
    case(
        "QLinearGlobalAveragePool", ELEMENTS, X, [1], [1], [1], [1], output=[2, 3, 1, 1], domain=MS
    ),
    *(
        case(f"Global{name}Pool", ELEMENTS, output=[2, 3, 1, 1])
        for name in ("Max", "Average", "Lp")
    ),
    case("MaxRoiPool", ELEMENTS, X, [7, 5], output=[7, 3, 2, 2], pooled_shape=[2, 2]),
    case("MaxUnpool", ELEMENTS, X, X, [4], output=[2, 3, 8, 10], kernel_shape=[2, 2]),
    case("RoiAlign", 4 * 9 * 24, X, [2, 4], [2], output=[2, 3, 2, 2], sampling_ratio=3),
    case("RoiAlign", 4 * ELEMENTS, X, [2, 4], [2], output=[2, 3, 2, 2]),
    case("RoiAlign", 4 * 24, X, [2, 4], [2], output=[2, 3, 2, 2], sampling_ratio=1),
    case("CropAndResize", 4 * 24, X, [2, 4], [2], [2], output=[2, 3, 2, 2], domain=MS),
    # reductions
    *(case(name, ELEMENTS, X, [1], output=[2]) for name in "ReduceSum ReduceMean TopK".split()),
    *(case(name, ELEMENTS, output=[2]) for name in "ArgMax Unique NonZero".split()),
    case("ReduceSumInteger", ELEMENTS, output=[2], domain=MS),
    case("Det", 2 * 27 // 3, [2, 3, 3], output=[2]),
    case("Inverse", 2 * 27, [2, 3, 3], output=[2, 3, 3], domain=MS),
    case("NegativeLogLikelihoodLoss", 8, [8, 3], [8], output=[]),
    case("NegativeLogLikelihoodLoss", 2 * 8, [8, 3], [8], [3], output=[]),
    case("SoftmaxCrossEntropyLoss", 6 * 24, [8, 3], [8], output=[]),
    # quantisation
    case("QuantizeLinear", 2 * ELEMENTS, X, [1], [1]),
    case("DequantizeLinear", 2 * ELEMENTS, X, [1], [1]),
    case("DynamicQuantizeLinear", 4 * ELEMENTS, outputs=3),
    case("QuantizeWithOrder", ELEMENTS, X, [1], domain=MS),
    case("QuantizeBFP", 2 * ELEMENTS, output=[2, 77], domain=MS),
    case("DequantizeBFP", 2 * ELEMENTS, [2, 77], [4], [4], domain=MS),
    # movement
    case("Resize", 0, output=[2, 3, 8, 10], mode="nearest"),
    case("Resize", 0, output=[2, 3, 8, 10]),
    case("Resize", 4 * 480, output=[2, 3, 8, 10], mode="linear"),
    case("Resize", 4 * 480, X, None, [4], output=[2, 3, 8, 10], mode="linear"),
    case("Resize", ELEMENTS, mode="linear"),
    case("Resize", 4 * 240, output=[2, 3, 4, 10], mode="cubic"),
    case("Upsample", 4 * 480, X, [4], output=[2, 3, 8, 10], mode="bilinear", version=9),
    case("Upsample", 0, X, [4], output=[2, 3, 8, 10], mode="another", version=9),
    case("Resize", 2 * 240, output=[2, 3, 8, 5], mode="linear"),
    case("Resize", 16 * 480, output=[2, 3, 8, 10], mode="cubic"),
    case("GridSample", 4 * 24, X, [2, 2, 2, 2], output=[2, 3, 2, 2]),
    case("GridSample", 16 * 24, X, [2, 2, 2, 2], output=[2, 3, 2, 2], mode="cubic"),
    case("GridSample", 0, X, [2, 2, 2, 2], output=[2, 3, 2, 2], mode="nearest"),
    *(
        case("GridSample", taps * 24, X, [2, 2, 2, 2], output=[2, 3, 2, 2], version=16, mode=mode)
        for mode, taps in (("bilinear", 4), ("bicubic", 16))
    ),
    case("GridSample", 8 * 72, [2, 3, 4, 5, 6], [2, 3, 2, 2, 3], output=[2, 3, 3, 2, 2]),
    case("Col2Im", ELEMENTS, [2, 6, 10], [2], [2], output=[2, 3, 4, 5]),
    case("AffineGrid", 80, [2, 2, 3], [4], output=[2, 4, 5, 2]),
    case("QLinearConcat", ELEMENTS, [1], [1], [2, 3, 4, 2], [1], [1], [2, 3, 4, 3], domain=MS),
    case("NonMaxSuppression", 2 * 3 * 9, [2, 9, 4], [2, 3, 9], [1], output=[4, 3]),
    case("TfIdfVectorizer", 12, [3, 4], output=[3, 9]),
    *(case(name, 0) for name in "Transpose Reshape Concat Identity Shape Dropout".split()),
    case("Dropout", 3 * ELEMENTS, X, None, np.array(True), known="c"),
    case("Dropout", 3 * ELEMENTS, version=6),
    case("Dropout", 0, version=6, is_test=1),
    case("Dropout", 0, X, None, np.array(False), known="c"),
    case("Dropout", 0, version=7),
    case("BitmaskDropout", 0, domain=MS, version=1),
    case("BitmaskDropout", 3 * ELEMENTS, X, None, np.array(True), known="c", domain=MS, version=1),
    # recurrent: 7 steps of 2 sequences, hidden 4
    case("RNN", 14 * 4 * 1, [7, 2, 3], [1, 4, 3], [1, 4, 4], hidden_size=4),
    case("GRU", 14 * 4 * 8, [7, 2, 3], [1, 12, 3], [1, 12, 4], hidden_size=4),
    case("LSTM", 14 * 2 * 4 * 9, [7, 2, 3], [2, 16, 3], [2, 16, 4]),
    case("DynamicQuantizeLSTM", 14 * 4 * 9, [7, 2, 3], [1, 3, 16], [1, 4, 16], domain=MS),
    case("GRU", 14 * 4 * 8, [7, 2, 3], [1, 12, 3], [1, 12, 4], *[None] * 4, [1, 12], hidden_size=4),
    case(
        "LSTM",
        14 * 4 * 12,
        [7, 2, 3],
        [1, 16, 3],
        [1, 16, 4],
        *[None] * 4,
        [1, 12],
        hidden_size=4,
    ),
    # signals: 5 · n · ⌈log₂ n⌉ for each of the lines
    case("DFT", 6 * 5 * 4 * 2, [6, 4, 1]),
    case("DFT", 4 * 5 * 6 * 3, [6, 4, 1], None, number(0), known="c"),
    case("DFT", 6 * 5 * 8 * 3, [6, 4, 1], number(8), known="b"),
    case("DFT", 4 * 5 * 6 * 3, [6, 4, 1], version=17, axis=0),
    case("DFT", 6 * 5 * 4 * 2, [6, 4, 1], version=17),
    case("DFT", 6 * 5 * 4 * 2, [6, 4, 1], version=19),
    case("DFT", 24 * 5 * 9 * 4, [3, 9, 8, 2], version=19),
    case("DFT", 27 * 5 * 8 * 3, [3, 9, 8, 2], version=20),
    case("DFT", 5 * 5 * 1 * 0, [5, 1, 1]),
    case("DFT", 5 * 5 * 2 * 1, [5, 2, 1]),
    case("DFT", 0, [5, 0, 1]),
    case("STFT", 2 * 5 * (5 * 16 * 4 + 16), [2, 99, 1], number(8), [16], output=[2, 5, 9, 2]),
    case(
        "STFT",
        2 * 5 * 5 * 16 * 4,
        [2, 99, 1],
        number(8),
        None,
        number(16),
        output=[2, 5, 9, 2],
        known="d",
    ),
    case("Rfft", 5 * 48 * 3, [6, 8], output=[6, 5, 2], domain=MS, signal_ndim=1),
    case("Rfft", 5 * 48 * 6, [6, 8], output=[5, 5, 2], domain=MS, signal_ndim=2),
    case("Rfft", 5 * 48 * 3, [6, 8], output=[6, 5, 2], domain=MS),
    case("Irfft", 5 * 48 * 3, [6, 5, 2], output=[6, 8], domain=MS, signal_ndim=1),
    # optimisers: two tensors of 20 and 15 trained elements
    *(
        case(
            name,
            each * 35,
            *([], []),
            *[[4, 5], [3, 5]] * groups,
            output=[4, 5],
            domain="ai.onnx.preview.training",
            version=1,
        )
        for name, groups, each in (("Momentum", 3, 5), ("Adagrad", 3, 7), ("Adam", 4, 12))
    ),
    # generators
    case("RandomNormalLike", ELEMENTS),
    case("Bernoulli", ELEMENTS),
    case("HannWindow", 8, [], output=[8]),
    case("EyeLike", ELEMENTS),
    case("Range", 8, [], [], [], output=[8]),
    case("Range", 8, [], [], [], output=[8], domain=MS),
    case("RandomUniform", ELEMENTS),
    case("MelWeightMatrix", 40, [], [], [], [], [], output=[8, 5]),
    # whatever else is moved without being computed with
    *(case(name, 0, X, [1]) for name in "Gather Slice Split Expand Tile Pad ScatterND".split()),
    *(case(name, 0, X, [4], domain="ai.onnx.ml") for name in ("Scaler", "TreeEnsemble")),
]

FIXED = [
    one
    for one in CASES
    if one.values[0].op_type not in ("BatchNormalization", "RandomNormalLike", "EyeLike")
]
"""Without what writes one output alone, or trains where it writes more."""


@pytest.mark.parametrize(("node", "inputs", "outputs", "known", "operations"), CASES)
def test_the_table(
    node: Any, inputs: dict[str, Any], outputs: dict[str, Any], known: Any, operations: int
) -> None:
    found = cost(node, inputs, outputs, **known)
    assert found.unknown is None
    assert found.element_operations == operations


@pytest.mark.parametrize(("node", "inputs", "outputs", "known", "operations"), FIXED)
def test_what_else_is_asked_for_is_written_and_nothing_more(
    node: Any, inputs: dict[str, Any], outputs: dict[str, Any], known: Any, operations: int
) -> None:
    """A mask, indices or statistics that come with the result are not counted as operations."""
    further = type(node)()
    further.CopyFrom(node)
    further.output.append("further")
    found = cost(further, inputs, {**outputs, "further": [7, 11]}, **known)
    assert (found.unknown, found.element_operations) == (None, operations)
