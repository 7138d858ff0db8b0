"""What each input of an operator is: data or a weight, a setting, a scale or zero point.

A setting that is known beforehand moves nothing. A scale, a zero point or a running mean is read,
but it is no parameter.
"""

from typing import Any

import pytest
from onnx import TensorProto, defs, helper

from graphlint.costs import HANDLES
from graphlint.graph import TensorType
from tests.costs.helpers import cost

MS = "com.microsoft"

# The settings of ONNX's own operators, by the names that their schemas give them.
SETTINGS = """
    Adagrad R T
    Adam R T
    AffineGrid size
    ArrayFeatureExtractor Y
    Attention nonpad_kv_seqlen
    BlackmanWindow size
    CastLike target_type
    CenterCropPad shape
    Clip min max
    Col2Im image_shape block_shape
    Compress condition
    ConstantOfShape input
    CumProd axis
    CumSum axis
    DFT dft_length axis
    Dropout ratio training_mode
    Expand shape
    EyeLike input
    GRU sequence_lens
    Gather indices
    GatherElements indices
    GatherND indices
    HammingWindow size
    HannWindow size
    LSTM sequence_lens
    MaxUnpool output_shape
    Momentum R T
    MelWeightMatrix num_mel_bins dft_length sample_rate lower_edge_hertz upper_edge_hertz
    NonMaxSuppression max_output_boxes_per_class iou_threshold score_threshold
    OneHot depth values
    Pad pads constant_value axes
    RNN sequence_lens
    RandomNormalLike input
    RandomUniformLike input
    Range start limit delta
    ReduceL1 axes
    ReduceL2 axes
    ReduceLogSum axes
    ReduceLogSumExp axes
    ReduceMax axes
    ReduceMean axes
    ReduceMin axes
    ReduceProd axes
    ReduceSum axes
    ReduceSumSquare axes
    Reshape shape
    Resize roi scales sizes
    ReverseSequence sequence_lens
    RotaryEmbedding position_ids
    STFT frame_step frame_length
    Scatter indices
    ScatterElements indices
    ScatterND indices
    SequenceAt position
    SequenceErase position
    SequenceInsert position
    Slice starts ends axes steps
    Split split
    SplitToSequence split
    Squeeze axes
    TensorScatter write_indices
    Tile repeats
    TopK K
    Trilu k
    Unsqueeze axes
    Upsample scales
"""
KNOWN = {line.split()[0]: set(line.split()[1:]) for line in SETTINGS.strip().splitlines()}


@pytest.mark.parametrize(
    ("domain", "op"), sorted((domain, op) for domain, op in HANDLES if defs.has(op, domain))
)
def test_settings_are_those_of_the_schema(domain: str, op: str) -> None:
    names = [given.name for given in defs.get_schema(op, domain).inputs]
    control = HANDLES[domain, op].control
    assert {names[place] for place in control if place < len(names)} == KNOWN.get(op, set())


def quantised(
    op: str, roles: str, parameters: int, domain: str = MS, output: str = "v", **attributes: Any
) -> Any:
    """A node whose inputs and output have these `SHAPES`."""
    return pytest.param(op, roles, parameters, domain, output, attributes, id=op)


COMPUTED = "xviqtjl"
"""The letters that are not stored in the model."""

SHAPES: dict[str, list[int] | TensorType] = {
    "x": [2, 3],
    "v": [2, 4],
    "w": [3, 4],
    "b": [4],
    "d": [2, 4],
    "p": [5, 5],
    "s": [7],
    # an image and a kernel, a sequence and the weights of its gates
    "i": [1, 2, 4, 4],
    "k": [3, 2, 1, 1],
    "q": [5, 2, 3],
    "g": [1, 16, 3],
    "r": [1, 16, 4],
    # tokens, the weights and biases of their projections, their identities and lengths
    "t": [2, 3, 4],
    "m": [4, 12],
    "n": [12],
    "u": [9, 4],
    "j": [2, 3],
    "l": [2],
    # five experts of 6 · 4 elements, two to a byte, and their biases
    "e": TensorType(TensorProto.UINT8, (5, 6, 2)),
    "f": [5, 6],
}
QUANTISED = [
    quantised("MatMulInteger", "xwss", 12, ""),
    quantised("QLinearMatMul", "xsswssss", 12, ""),
    quantised("MatMulIntegerToFloat", "xwssssb", 12 + 4),
    quantised("DynamicQuantizeMatMul", "xwssb", 12 + 4),
    quantised("QOrderedMatMul", "xswssbds", 12 + 4 + 8),
    quantised("QGemm", "xsswssbss", 12 + 4),
    quantised("GemmFloat8", "xwbsss", 12 + 4),
    quantised("MatMulNBits", "xpsssb", 12 + 4, K=3, N=4),
    quantised("MatMulNBits", "xpsss", 12),
    quantised("MatMulBnb4", "xps", 12, K=3, N=4),
    quantised("MatMulPacked", "xps", 12, K=3, N=4),
    quantised("MatMulBlockQuantizedFp4Weight", "xpsssb", 12 + 4),
    quantised("MatMulBlockQuantizedFp8Weight", "xpssb", 12 + 4),
    quantised("MatMulNBitsMlp", "x--ps-ps", 24, K=3, N=4),
    quantised("MatMulNBitsQkv", "x--ps-ps-ps", 12 + 2 * 6, K=3, Nq=4, Nkv=2),
    quantised("QLinearAdd", "vssbssss", 4),
    quantised("QLinearMul", "vssbssss", 4),
    quantised("QLinearSigmoid", "vssss", 0),
    quantised("QLinearLeakyRelu", "vssss", 0),
    quantised("QLinearSoftmax", "vssss", 0),
    quantised("QLinearReduceMean", "vssss", 0),
    quantised("QLinearWhere", "vvssbssss", 4),
    quantised("MulInteger", "vsbs", 4),
    quantised("QOrderedGelu", "vss", 0),
    quantised("QOrderedLayerNormalization", "vsbbs", 4 + 4),
    quantised("QLinearConv", "isskssssb", 6 + 4, ""),
    quantised("QLinearConv", "isskssssb", 6 + 4),
    quantised("QLinearConv", "isskssssb", 6 + 4, "com.ms.internal.nhwc"),
    quantised("QLinearConvTranspose", "isskssssb", 6 + 4, "com.ms.internal.nhwc"),
    quantised("ConvInteger", "ikss", 6, ""),
    quantised("QLinearAveragePool", "issss", 0, kernel_shape=[2, 2]),
    quantised("QLinearGlobalAveragePool", "issss", 0),
    quantised("DynamicQuantizeLSTM", "qgr-----ssss", 48 + 64),
    quantised("QLinearAveragePool", "issss", 0, "com.ms.internal.nhwc", kernel_shape=[2, 2]),
    quantised("QLinearGlobalAveragePool", "issss", 0, "com.ms.internal.nhwc"),
    quantised("QuantizeLinear", "vss", 0, ""),
    quantised("DequantizeLinear", "vss", 0, ""),
    quantised("QuantizeLinear", "vss", 0),
    quantised("DequantizeLinear", "vss", 0),
    quantised("QuantizeWithOrder", "vs", 0),
    quantised("DequantizeWithOrder", "vs", 0),
    quantised("QLinearConcat", "ssbssdss", 4 + 8),
    quantised("QLinearConcat", "ssvssdssbss", 8 + 4),
    quantised("QAttention", "tmnss-ss", 48 + 12, num_heads=2),
    quantised("QOrderedAttention", "tssssmmmsssnnnsss", 3 * (48 + 12), num_heads=2),
    quantised("GroupQueryAttention", "ttt--ll-----ss", 0, num_heads=2, kv_num_heads=2),
    quantised("QMoE", "xvesfesfesfsssvssssss", 3 * (5 * 24 + 30)),
    quantised("QEmbedLayerNormalization", "jjuuubb-" + 10 * "s", 3 * 36 + 8, output="t"),
]


@pytest.mark.parametrize(("op", "roles", "parameters", "domain", "output", "attributes"), QUANTISED)
def test_scales_and_zero_points_are_read_but_are_no_parameters(
    op: str, roles: str, parameters: int, domain: str, output: str, attributes: dict[str, Any]
) -> None:
    names = ["" if role == "-" else f"{role}{place}" for place, role in enumerate(roles)]
    node = helper.make_node(op, names, ["y"], domain=domain, **attributes)
    types = {name: SHAPES[name[0]] for name in names if name}
    stored = [name for name in types if name[0] not in COMPUTED]
    found = cost(node, types, {"y": SHAPES[output]}, constants=stored)
    assert found.unknown is None
    assert found.parameters == parameters
    assert found.weight_elements >= 7 * roles.count("s")
