"""Sites in a body count for every round, and weights are found where an operator keeps them."""

import pytest

from graphlint.rule import Rule
from graphlint_rules.g1_unequal_channel_width import RULE as G1
from graphlint_rules.g2_excessive_group_convolution import RULE as G2
from tests.rules.linting import sites

ONCE = """
    net (float[1,64,8,8] x, float[64,32,1,1] w) => (float[1,64,8,8] y) {
        y = Conv <group = 2> (x, w)
    }
"""
FIVE_TIMES = """
    net (float[1,64,8,8] x, float[64,32,1,1] w) => (float[1,64,8,8] y)
    <int64 times = {5}> {
        keep = Constant <value_int = 1> ()
        go = Cast <to = 9> (keep)
        y = Loop(times, go, x) <body = body (int64 i, bool c, float[1,64,8,8] s)
            => (bool d, float[1,64,8,8] t) {
            d = Identity(c)
            t = Conv <group = 2> (s, w)
        }>
    }
"""


def test_a_grouped_convolution_in_a_loop_counts_every_round() -> None:
    [once] = sites(G2, ONCE)
    [often] = sites(G2, FIVE_TIMES)
    assert once.excess_bytes is not None
    assert once.excess_bytes > 0
    assert often.excess_bytes == 5 * once.excess_bytes
    assert often.message == once.message


@pytest.mark.parametrize(
    "product",
    [
        "MatMulInteger(x, w, z, z)",
        "QLinearMatMul(x, s, z, w, s, z, s, z)",
    ],
)
def test_a_quantised_linear_layer_has_its_weight_in_place(product: str) -> None:
    made = "int32" if "Integer" in product else "uint8"
    zeros = "ConstantOfShape <value: tensor = uint8[1] {0}>"
    model = f"""
        net (uint8[196,64] x) => ({made}[196,256] y)
        <int64[2] shape = {{64, 256}}, float s = {{0.5}}, uint8 z = {{1}}> {{
            w = {zeros} (shape)
            y = {product}
        }}
    """
    [site] = sites(G1, model, linear_layers=True)
    assert "64→256" in site.message
    assert "196" in site.message


MESSAGES = [
    # in 16 KiB, out 64 KiB, weight 64 KiB; at equal widths in and out take 64 KiB together
    pytest.param(
        G1,
        "net (float[1,64,8,8] x, float[256,64,1,1] w) => (float[1,256,8,8] y) { y = Conv(x, w) }",
        "64→256, 8×8: moves 144.0 KiB; equal widths at the same multiply-adds 128.0 KiB (×1.12).",
        id="G1",
    ),
    pytest.param(
        G1,
        """
        net (uint8[1,64,8,8] x, uint8[256,64,1,1] w, float s, uint8 z)
            => (uint8[1,256,8,8] y) {
            y = com.microsoft.QLinearConv(x, s, z, w, s, z, s, z)
        }
        """,
        "64→256, 8×8: moves 36.0 KiB; equal widths at the same multiply-adds 32.0 KiB (×1.12).",
        id="G1, quantised",
    ),
    # in 16 KiB, out 16 KiB, weight 4 KiB; half of the channels without groups
    pytest.param(
        G2,
        """
        net (float[1,64,8,8] x, float[64,16,1,1] w) => (float[1,64,8,8] y) {
            y = Conv <group = 4> (x, w)
        }
        """,
        "64→64, groups 4, 8×8: moves 36.0 KiB; ungrouped at the same multiply-adds 20.0 KiB "
        "(×1.80).",
        id="G2",
    ),
]


@pytest.mark.parametrize(("rule", "model", "message"), MESSAGES)
def test_what_a_site_says(rule: Rule, model: str, message: str) -> None:
    [site] = sites(rule, model)
    assert site.message == message


@pytest.mark.parametrize(("rows", "found"), [(1, 0), (2, 1)])
def test_a_linear_layer_of_one_row_is_no_convolution(rows: int, found: int) -> None:
    model = f"""
        net (float[{rows},64] x) => (float[{rows},256] y) <int64[2] shape = {{64, 256}}> {{
            w = ConstantOfShape(shape)
            y = MatMul(x, w)
        }}
    """
    assert len(sites(G1, model, linear_layers=True)) == found
