"""G1 and G2: the figures of a site, and every spelling of a convolution."""

from math import isqrt, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphlint_rules import G1, G2
from graphlint_rules.convolution_sites import Convolution, Tensor
from graphlint_rules.g1_unequal_channel_width import excess_bytes as width_excess
from graphlint_rules.g2_excessive_group_convolution import excess_bytes as group_excess
from tests.rules.linting import operators, sites

widths = st.integers(1, 4096)


def pointwise(c1: int, c2: int, hw: int, groups: int = 1, bits: int = 32) -> Convolution:
    return Convolution(
        nodes=(),
        channels_in=c1,
        channels_out=c2,
        groups=groups,
        kernel=(1, 1),
        input=Tensor((1, c1, hw), bits),
        output=Tensor((1, c2, hw), bits),
        spatial=(hw,),
        moved=0,
        executions=1,
    )


@given(widths, widths, st.integers(1, 10**4))
def test_width_excess_is_the_papers_distance_from_its_bound(c1: int, c2: int, hw: int) -> None:
    elements = hw * (sqrt(c1) - sqrt(c2)) ** 2
    found = width_excess(pointwise(c1, c2, hw, bits=8))
    assert found == pytest.approx(elements, abs=1.5, rel=1e-9)
    assert found >= 0
    assert (found == 0) == (c1 == c2) or elements < 1


@given(widths, widths, st.integers(1, 10**4), st.integers(2, 64))
def test_group_excess_is_what_narrower_widths_save(c1: int, c2: int, hw: int, g: int) -> None:
    elements = hw * (c1 + c2) * (1 - 1 / sqrt(g))
    assert group_excess(pointwise(c1, c2, hw, g, 8)) == pytest.approx(elements, abs=2, rel=1e-9)


def test_half_bytes_count_half() -> None:
    assert width_excess(pointwise(64, 256, 49, bits=4)) == 49 * (8 - 16) ** 2 // 2


def test_input_and_output_count_by_their_own_shapes() -> None:
    [site] = sites(
        G2,
        """
        net (float[1,64,56,56] x, float[64,16,3,3] w) => (float[1,64,28,28] y) {
            y = Conv <group = 4, pads = [1, 1, 1, 1], strides = [2, 2]> (x, w)
        }
        """,
    )
    assert site.excess_bytes == 4 * (64 * 56 * 56 + 64 * 28 * 28) // 2


def test_width_counts_the_positions_that_are_computed() -> None:
    [site] = sites(
        G1,
        """
        net (float[2,64,56,56] x, float[256,64,1,1] w) => (float[2,256,28,28] y) {
            y = Conv <strides = [2, 2]> (x, w)
        }
        """,
    )
    assert site.excess_bytes == 4 * 2 * 28 * 28 * (16 - 8) ** 2
    assert "64→256, 28×28, batch 2" in site.message


SPELLINGS = {
    "Conv, its weight a Constant node's": (
        "float",
        "shape = Constant <value_ints = [480, 40, 1, 1]> ()\n w = ConstantOfShape(shape)\n"
        "y = Conv <group = 3> (x, w)",
    ),
    "FusedConv": (
        "float",
        'y = com.microsoft.FusedConv <group = 3, activation = "Relu"> (x, f)',
    ),
    "QLinearConv": ("uint8", "y = QLinearConv <group = 3> (x, s, z, i, s, wz, s, z)"),
    "ConvInteger": ("uint8", "y = ConvInteger <group = 3> (x, i, z, wz)"),
    "quantised and back": (
        "float",
        "q = QuantizeLinear(x, s, z)\n d = DequantizeLinear(q, s, z)\n"
        "w = DequantizeLinear(i, s, wz)\n y = Conv <group = 3> (d, w)",
    ),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings(name: str) -> None:
    kind, body = SPELLINGS[name]
    result = "int32" if name == "ConvInteger" else kind
    model = f"""
        net ({kind}[1,120,28,28] x, float[480,40,1,1] f, int8[480,40,1,1] i)
            => ({result}[1,480,28,28] y)
        <float s = {{0.5}}, uint8 z = {{0}}, int8 wz = {{0}}> {{ {body} }}
    """
    [wide] = sites(G1, model)
    [grouped] = sites(G2, model)
    assert "120→480, groups 3, 28×28" in wide.message
    assert "120→480, groups 3, 28×28" in grouped.message
    in_bytes = 4 if kind == "float" else 1
    assert wide.excess_bytes == in_bytes * (600 * 784 - isqrt(4 * 120 * 480 * 784**2))


def test_channels_last() -> None:
    model = """
        net (float[1,28,30,64] x, float[256,64,1,1] w) => (float[1,28,30,256] y) {
            y = com.microsoft.NhwcFusedConv (x, w)
        }
    """
    [site] = sites(G1, model)
    assert "64→256, 28×30" in site.message
    assert site.excess_bytes == 4 * 28 * 30 * 64


def test_a_single_input_channel_is_not_depthwise() -> None:
    model = """
        net (float[1,1,28,28] x, float[32,1,1,1] w) => (float[1,32,28,28] y) { y = Conv(x, w) }
    """
    assert len(sites(G1, model)) == 1


def test_min_ratio() -> None:
    model = """
        net (float[1,64,28,28] x, float[128,64,1,1] w) => (float[1,128,28,28] y) { y = Conv(x, w) }
    """
    assert len(sites(G1, model)) == 1
    assert sites(G1, model, min_ratio=2.01) == []


def test_min_groups() -> None:
    model = """
        net (float[1,64,28,28] x, float[64,32,1,1] w) => (float[1,64,28,28] y) {
            y = Conv <group = 2> (x, w)
        }
    """
    assert len(sites(G2, model)) == 1
    assert sites(G2, model, min_groups=3) == []


@pytest.mark.parametrize(
    ("operator", "tokens", "excess"),
    [("MatMul(x, w)", "2,98,", 196 * 64 * 4), ("Gemm(x, w)", "196,", 196 * 64 * 4)],
)
def test_linear_layers_when_asked_for(operator: str, tokens: str, excess: int) -> None:
    model = f"""
        net (float[{tokens}64] x) => (float[{tokens}256] y) <int64[2] shape = {{64, 256}}> {{
            w = ConstantOfShape(shape)
            y = {operator}
        }}
    """
    assert sites(G1, model) == []
    [site] = sites(G1, model, linear_layers=True)
    assert site.excess_bytes == excess


@pytest.mark.parametrize("activation", ["Relu", "LeakyRelu", ""])
def test_unrolled_groups_are_one_site_of_their_own_figures(activation: str) -> None:
    end = f"e = {activation}(c)\n f = {activation}(d)" if activation else "e = Identity(c) f = d"
    end = end.replace("f = d", "f = Identity(d)")
    unrolled = f"""
        net (float[1,128,28,28] x, float[16,64,1,1] v, float[16,64,1,1] w)
            => (float[1,32,28,28] y) {{
            a, b = Split <axis = 1> (x)
            c = Conv(a, v)
            d = Conv(b, w)
            {end}
            y = Concat <axis = 1> (e, f)
        }}
    """
    rolled = """
        net (float[1,128,28,28] x, float[32,64,1,1] w) => (float[1,32,28,28] y) {
            y = Conv <group = 2> (x, w)
        }
    """
    for rule in (G1, G2):
        [parts], [whole] = sites(rule, unrolled), sites(rule, rolled)
        assert parts.message == whole.message
        assert parts.excess_bytes == whole.excess_bytes
        assert operators(parts) == ["Conv", "Conv", "Concat"]


def test_unlike_parts_are_no_groups() -> None:
    assert (
        sites(
            G2,
            """
            net (float[1,128,28,28] x, float[16,64,1,1] v, float[16,64,3,3] w)
                => (float[1,32,28,28] y) {
                a, b = Split <axis = 1> (x)
                c = Conv(a, v)
                d = Conv <pads = [1, 1, 1, 1]> (b, w)
                y = Concat <axis = 1> (c, d)
            }
            """,
        )
        == []
    )


def test_sites_of_a_loop_count_every_round() -> None:
    [site] = sites(
        G1,
        """
        net (float[1,64,8,8] x, float[64,256,1,1] w, float[256,64,1,1] v) => (float[1,64,8,8] y)
        <int64 times = {5}> {
            keep = Constant <value_int = 1> ()
            go = Cast <to = 9> (keep)
            y = Loop(times, go, x) <body = body (int64 i, bool c, float[1,64,8,8] s)
                => (bool d, float[1,64,8,8] t) {
                d = Identity(c)
                u = Conv(s, v)
                t = MaxPool <kernel_shape = [1, 1]> (s)
            }>
        }
        """,
    )
    assert site.excess_bytes == 5 * 4 * 64 * 64


def test_unknown_shapes_are_no_sites() -> None:
    model = """
        net (float[1,64,H,W] x, float[256,64,1,1] w) => (float[1,256,H,W] y) { y = Conv(x, w) }
    """
    assert sites(G1, model) == []
