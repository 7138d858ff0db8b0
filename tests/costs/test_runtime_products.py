"""ONNX Runtime's spellings of products and convolutions count like the plain ones."""

from typing import Any

import pytest
from onnx import TensorProto

from graphlint.graph import TensorType
from tests.costs.helpers import Given, counted

MS = "com.microsoft"
NHWC = "com.ms.internal.nhwc"
ONE = [1]
"""A scale or a zero point."""


def case(op: str, multiply_adds: int, *inputs: Given | None, output: list[int], **more: Any) -> Any:
    settings = {"domain": MS, **more}
    return pytest.param(op, multiply_adds, inputs, output, settings, id=f"{op}-{multiply_adds}")


ROWS, DEPTH, COLUMNS = 6, 7, 5
A, B, Y = [2, 3, 7], [7, 5], [2, 3, 5]
PRODUCT = ROWS * DEPTH * COLUMNS

PRODUCTS = [
    *(
        case(op, PRODUCT, A, B, output=Y)
        for op in "FusedMatMul TransposeMatMul MatMulInteger16 GemmFastGelu FusedGemm".split()
    ),
    *(
        case(op, PRODUCT, A, B, ONE, ONE, ONE, ONE, output=Y)
        for op in ("MatMulIntegerToFloat", "DynamicQuantizeMatMul")
    ),
    case("QLinearMatMul", PRODUCT, A, ONE, ONE, B, *[ONE] * 4, output=Y, domain=""),
    case("QOrderedMatMul", PRODUCT, A, ONE, B, ONE, ONE, output=Y),
    case("QGemm", PRODUCT, [6, 7], ONE, ONE, B, ONE, ONE, output=[6, 5]),
    case("QGemm", PRODUCT, [7, 6], ONE, ONE, B, ONE, ONE, output=[6, 5], transA=1),
    case("GemmFloat8", PRODUCT, [7, 6], B, None, ONE, ONE, output=[6, 5], transA=1),
    # transposed within the matrix, or with the batch between its rows and columns
    case("FusedMatMul", PRODUCT, [2, 7, 3], [2, 7, 5], output=Y, transA=1),
    case("FusedMatMul", PRODUCT, [3, 2, 7], [2, 7, 5], output=Y, transBatchA=1),
    case("FusedMatMul", PRODUCT, [7, 2, 3], [2, 7, 5], output=Y, transBatchA=1, transA=1),
    case("FusedMatMul", PRODUCT, [7, 6], B, output=[6, 5], transA=1),
    case("FusedMatMul", 7 * 5, [7], B, output=[5], transA=1),
    case("CDist", 6 * 5 * 7, [6, 7], [5, 7], output=[6, 5]),
    # weights that are packed: their own shapes say little
    *(
        case(op, PRODUCT, A, [5, 4], ONE, ONE, output=Y, **sizes)
        for op in ("MatMulNBits", "MatMulBnb4", "MatMulPacked")
        for sizes in ({}, {"K": 7, "N": 5})
    ),
    case("MatMulFpQ4", PRODUCT, A, [99], [2], output=Y),
    case("MatMulBlockQuantizedFp4Weight", PRODUCT, A, [5, 4], ONE, ONE, output=Y),
    case("MatMulBlockQuantizedFp8Weight", PRODUCT, A, [5, 7], ONE, ONE, output=Y),
    # several packed weights behind one input
    case(
        "MatMulNBitsMlp",
        2 * PRODUCT,
        *(A, None, [7], [5, 4], ONE, None, [5, 4], ONE),
        output=Y,
        K=7,
        N=5,
    ),
    case(
        "MatMulNBitsQkv",
        ROWS * DEPTH * (8 + 3 + 3),
        *(A, None, [7], [8, 4], ONE, None, [3, 4], ONE, None, [3, 4], ONE),
        output=[2, 3, 8],
        K=7,
        Nq=8,
        Nkv=3,
    ),
    # in a recurrent layer, whose weights are stored with the input's width before the gates'
    case("DynamicQuantizeLSTM", 14 * 16 * (3 + 4), [7, 2, 3], [1, 3, 16], [1, 4, 16], output=[7]),
]

IMAGE, KERNEL, MADE = [2, 6, 9, 8], [4, 3, 5, 2], [2, 4, 5, 7]
"""Two groups: each of 4 channels made looks at 3 of 6."""
CONVOLUTION = 2 * 4 * 5 * 7 * 3 * 5 * 2
LAST, LAST_MADE = [2, 9, 8, 6], [2, 5, 7, 4]
SPREAD = 2 * 6 * 9 * 8 * 3 * 5 * 2
"""Transposed: each of the input's elements is spread over 3 channels of its group."""
UP, UP_MADE = [6, 3, 5, 2], [2, 6, 13, 9]

CONVOLUTIONS = [
    *(
        case(op, CONVOLUTION, image, KERNEL, [4], output=made, domain=domain, group=2)
        for op, domain, image, made in (
            ("FusedConv", MS, IMAGE, MADE),
            ("NhwcConv", MS, LAST, LAST_MADE),
            ("NhwcFusedConv", MS, LAST, LAST_MADE),
            ("Conv", "com.microsoft.nchwc", IMAGE, MADE),
            ("Conv", NHWC, LAST, LAST_MADE),
        )
    ),
    *(
        case(
            "QLinearConv",
            CONVOLUTION,
            *(image, ONE, ONE, KERNEL, ONE, ONE, ONE, ONE, [4]),
            output=made,
            domain=domain,
        )
        for domain, image, made in ((MS, IMAGE, MADE), (NHWC, LAST, LAST_MADE))
    ),
    case("ConvTransposeWithDynamicPads", SPREAD, IMAGE, UP, [4], [6], output=UP_MADE),
    case("ConvTranspose", SPREAD, LAST, UP, [6], output=[2, 13, 9, 6], domain=NHWC),
    case(
        "QLinearConvTranspose",
        SPREAD,
        *(LAST, ONE, ONE, UP, ONE, ONE, ONE, ONE, [6]),
        output=[2, 13, 9, 6],
        domain=NHWC,
    ),
    *(
        case("CausalConvWithState", 2 * 6 * 9 * 4, [2, 6, 9], [6, 1, 4], output=[2, 6, 9], **more)
        for more in ({}, {"domain": ""})
    ),
]


@pytest.mark.parametrize(
    ("op", "multiply_adds", "inputs", "output", "settings"), [*PRODUCTS, *CONVOLUTIONS]
)
def test_multiply_adds(
    op: str, multiply_adds: int, inputs: Any, output: list[int], settings: dict[str, Any]
) -> None:
    state = [77, 3]
    found = counted(op, *inputs, outputs=[output, state], **settings)
    assert found.multiply_adds == multiply_adds


def test_a_packed_weight_of_which_only_the_matrix_is_known() -> None:
    """Parameters are what it holds: the input's width by the output's."""
    weight = TensorType(TensorProto.UINT8, (5, 4))
    found = counted("MatMulNBits", A, weight, [5], outputs=[Y], stored="bc", domain=MS)
    assert (found.parameters, found.weight_bytes) == (7 * 5, 5 * 4 + 5 * 4)


# Tables that are packed: rows of 6, two elements to a byte, a scale for every 3


@pytest.mark.parametrize(
    ("attributes", "kind", "each"),
    [
        ({}, TensorProto.UINT8, 2),
        ({"bits": 4}, TensorProto.UINT8, 2),
        ({"bits": 8}, TensorProto.UINT8, 1),
        ({"bits": 2}, TensorProto.UINT8, 4),
        ({"bits": 4}, TensorProto.INT4, 1),
        ({}, TensorProto.FLOAT8E4M3FN, 1),
    ],
)
def test_rows_of_a_packed_table(attributes: dict[str, int], kind: int, each: int) -> None:
    """`each` is how many elements stand in one of the table's own; 8 of 100 rows are taken."""
    table, width = TensorType(kind, (100, 3)), 3 * each
    scales, zeros = [100, 2], TensorType(TensorProto.UINT8, (100, 1))
    found = counted(
        "GatherBlockQuantized",
        *(table, [2, 4], scales, zeros),
        outputs=[[2, 4, width]],
        stored="acd",
        domain=MS,
        **attributes,
    )
    assert found.parameters == 100 * width
    assert found.weight_elements == 8 * (3 + 2 + 1)
    assert found.element_operations == 2 * 8 * width
    assert found.read_elements == 8


def test_a_small_packed_table_is_read_once() -> None:
    table, scales = TensorType(TensorProto.UINT8, (2, 3)), [2, 1]
    given = (table, [9], scales)
    found = counted("GatherBlockQuantized", *given, outputs=[[9, 6]], stored="ac", domain=MS)
    assert found.weight_elements == 2 * 3 + 2
    assert found.parameters == 2 * 6
