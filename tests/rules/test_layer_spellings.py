"""Layers in every spelling have the same figures; what is broken or empty has none, or zeros."""

import pytest

from graphlint.findings import Severity
from graphlint_rules import G1, G2, G4
from graphlint_rules.figures import by, times
from tests.rules.linting import sites

HEADER = """
    <ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1, "com.microsoft.nchwc" : 1,
     "com.ms.internal.nhwc" : 17]>
"""
FIRST, LAST = "1,64,8,12", "1,8,12,64"

# Four groups of 16→8 on 8×12, with a bias, and where there are two zero points, of two types.
CONVOLUTIONS = {
    "Conv": (FIRST, "float", "Conv <group = 4> (x, w, b)"),
    "FusedConv": (FIRST, "float", "com.microsoft.FusedConv <group = 4> (x, w, b)"),
    "NhwcConv": (LAST, "float", "com.microsoft.NhwcConv <group = 4> (x, w, b)"),
    "NhwcFusedConv": (LAST, "float", "com.microsoft.NhwcFusedConv <group = 4> (x, w, b)"),
    "blocked Conv": (FIRST, "float", "com.microsoft.nchwc.Conv <group = 4> (x, w, b)"),
    "internal Conv": (LAST, "float", "com.ms.internal.nhwc.Conv <group = 4> (x, w, b)"),
    "ConvInteger": (FIRST, "uint8", "ConvInteger <group = 4> (x, w, z, zero)"),
    "QLinearConv": (FIRST, "uint8", "QLinearConv <group = 4> (x, s, z, w, s, zero, s, z)"),
    "contributed QLinearConv": (
        FIRST,
        "uint8",
        "com.microsoft.QLinearConv <group = 4> (x, s, z, w, s, zero, s, z)",
    ),
    "contributed QLinearConv with channels last": (
        LAST,
        "uint8",
        "com.microsoft.QLinearConv <group = 4, channels_last = 1> (x, s, z, w, s, zero, s, z)",
    ),
    "internal QLinearConv": (
        LAST,
        "uint8",
        "com.ms.internal.nhwc.QLinearConv <group = 4> (x, s, z, w, s, zero, s, z)",
    ),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str) -> None:
    shape, kind, call = CONVOLUTIONS[name]
    weight = "float" if kind == "float" else "int8"
    result = "int32" if name == "ConvInteger" else kind
    model = f"""
        {HEADER}
        net ({kind}[{shape}] x, {weight}[32,16,1,1] w, float[32] b)
            => ({result}[{shape.replace("64", "32")}] y)
        <float s = {{0.5}}, uint8 z = {{0}}, int8 zero = {{0}}> {{ y = {call} }}
    """
    [grouped], [wide] = sites(G2, model), sites(G1, model)
    assert grouped.message.startswith("64→32, groups 4, 8×12: moves ")
    assert wide.message.startswith("64→32, groups 4, 8×12: moves ")
    assert sites(G4, model) == []


@pytest.mark.parametrize(
    ("x", "weight", "y", "told"),
    [
        ("1,8,9", "8,4,1", "1,8,9", "8→8, groups 2, 9"),
        ("1,8,9", "8,4,3", "1,8,7", "8→8, 3 kernel, groups 2, 7"),
        ("1,8,9,7", "8,4,3,1", "1,8,7,7", "8→8, 3×1 kernel, groups 2, 7×7"),
        ("1,8,9,7,5", "8,4,1,1,1", "1,8,9,7,5", "8→8, groups 2, 9×7×5"),
        ("5,8,9,7", "8,4,1,1", "5,8,9,7", "8→8, groups 2, 9×7, batch 5"),
    ],
)
def test_sizes_as_they_are_told(x: str, weight: str, y: str, told: str) -> None:
    model = f"""
        net (float[{x}] x, float[{weight}] w) => (float[{y}] y) {{ y = Conv <group = 2> (x, w) }}
    """
    [site] = sites(G2, model)
    assert site.message.startswith(f"{told}: moves ")


def test_the_excess_of_every_round_and_the_figures_of_one() -> None:
    def model(times: int) -> str:
        return f"""
            net (float[1,64,8,8] x, float[1,8,8,8] d, float[64,1,3,3] k, float[8,64,1,1] v)
                => (float[1,64,8,8] y, float[1,8,8,8] z) <int64 times = {{{times}}}> {{
                keep = Constant <value_int = 1> ()
                go = Cast <to = 9> (keep)
                y, z = Loop(times, go, x, d) <body = body
                    (int64 i, bool c, float[1,64,8,8] s, float[1,8,8,8] r)
                    => (bool e, float[1,64,8,8] t, float[1,8,8,8] u) {{
                    e = Identity(c)
                    t = Conv <group = 64, pads = [1, 1, 1, 1]> (s, k)
                    u = Conv(t, v)
                }}>
            }}
        """

    for rule, excess, message in (
        (
            G1,  # 64 (8 + 64 − 2·√512) positions and channels: 4608 − 2896 elements
            4 * 1712,
            "64→8, 8×8: moves 20.0 KiB; equal widths at the same multiply-adds 13.3 KiB (×1.50).",
        ),
        (
            G4,
            2 * 16384 + 4 * 64 * 9,
            "Depthwise convolution, 64→64, 3×3 kernel, groups 64, 8×8: moves 34.2 KiB.",
        ),
    ):
        for rounds in (1, 3):
            [site] = sites(rule, model(rounds))
            assert site.excess_bytes == rounds * excess
            assert site.message == message
        assert sites(rule, model(0)) == []


def test_a_convolution_of_constants_is_folded_before_the_model_runs() -> None:
    model = """
        net (float[1,16,4,4] x) => (float[1,16,4,4] y)
        <int64[4] data = {1, 8, 4, 4}, int64[4] weight = {16, 4, 1, 1}> {
            d = ConstantOfShape(data)
            w = ConstantOfShape(weight)
            c = Conv <group = 2> (d, w)
            y = Add(x, c)
        }
    """
    assert sites(G1, model) == []
    assert sites(G2, model) == []


def test_only_the_branch_that_counts_is_told() -> None:
    """Of an If the dearer branch runs."""
    model = """
        net (float[1,64,8,8] x, float[8,64,1,1] v, float[16,64,1,1] w, bool go)
            => (float[1,C,8,8] y) {
            y = If(go) <
                then_branch = one () => (float[1,8,8,8] p) { p = Conv(x, v) },
                else_branch = two () => (float[1,16,8,8] q) { q = Conv(x, w) }
            >
        }
    """
    [site] = sites(G1, model)
    assert site.message.startswith("64→16, 8×8: ")


# What is broken, empty or unknown


@pytest.mark.parametrize(
    ("x", "weight", "y", "attributes"),
    [
        pytest.param("1,64,8", "8,64,1", "1,8,8", "<group = 0>", id="no group"),
        pytest.param("1,64,8", "8,64,1", "1,8,8", "<group = -2>", id="fewer than none"),
        pytest.param("1,64,8", "8,64,1", "1,8,8", "<group = 2.0>", id="groups as a float"),
        pytest.param("1,64", "8,64", "1,8", "", id="no positions"),
        pytest.param("1,64,8", "0,64,1", "1,0,8", "", id="no output channels"),
        pytest.param("1,64,8,8", "8,64,1", "1,8,8,8", "", id="a weight of another rank"),
        pytest.param("1,64,N", "8,64,1", "1,8,N", "", id="an unknown size"),
    ],
)
def test_what_is_no_layer(x: str, weight: str, y: str, attributes: str) -> None:
    model = f"""
        {HEADER}
        net (float[{x}] x, float[{weight}] w) => (float[{y}] y) {{
            y = com.microsoft.FusedConv {attributes} (x, w)
        }}
    """
    for rule in (G1, G2, G4):
        assert sites(rule, model) == []


@pytest.mark.parametrize("shape", ["0,8,4,4", "1,8,0,4"])
def test_an_empty_tensor_is_no_fault(shape: str) -> None:
    model = f"""
        net (float[{shape}] x, float[8,4,1,1] w, float[8,1,1,1] d) => (float[{shape}] y) {{
            c = Conv <group = 2> (x, w)
            y = Conv <group = 8> (c, d)
        }}
    """
    [grouped] = sites(G2, model)
    assert grouped.excess_bytes == 0
    [depthwise] = sites(G4, model)
    assert depthwise.severity is Severity.INFO
    assert depthwise.excess_bytes == 4 * 8
    assert sites(G1, model) == []


# Linear layers

ZEROS = "ConstantOfShape <value: tensor = int8[1] {0}>"
LINEAR = {
    "MatMul": ("float", "float", "ConstantOfShape", "MatMul(x, w)"),
    "FusedMatMul": ("float", "float", "ConstantOfShape", "com.microsoft.FusedMatMul(x, w)"),
    "MatMulInteger": ("uint8", "int32", ZEROS, "MatMulInteger(x, w, z, zero)"),
    "QLinearMatMul": ("uint8", "uint8", ZEROS, "QLinearMatMul(x, s, z, w, s, zero, s, z)"),
}


def linear(
    call: str,
    *,
    x: str = "2,7,64",
    y: str = "2,7,256",
    weight: str = "64, 256",
    kind: str = "float",
    result: str = "float",
    zeros: str = "ConstantOfShape",
) -> str:
    dims = weight.count(",") + 1
    return f"""
        {HEADER}
        net ({kind}[{x}] x) => ({result}[{y}] y)
        <int64[{dims}] shape = {{{weight}}}, float s = {{0.5}}, uint8 z = {{0}},
         int8 zero = {{0}}> {{
            w = {zeros} (shape)
            y = {call}
        }}
    """


@pytest.mark.parametrize("name", LINEAR)
def test_linear_layers(name: str) -> None:
    kind, result, zeros, call = LINEAR[name]
    model = linear(call, kind=kind, result=result, zeros=zeros)
    [site] = sites(G1, model, linear_layers=True)
    assert site.message.startswith("64→256, 2×7: moves ")
    assert site.excess_bytes == 14 * (16 - 8) ** 2 * (4 if kind == "float" else 1)


@pytest.mark.parametrize(
    ("call", "weight", "found"),
    [
        ("Gemm(x, w)", "64, 256", 1),
        ("Gemm <transB = 1> (x, w)", "256, 64", 1),
        ("Gemm <transA = 0, transB = 1> (x, w)", "256, 64", 1),
        ("com.microsoft.FusedMatMul <transB = 1> (x, w)", "256, 64", 1),
        ("com.microsoft.FusedMatMul <transA = 1> (x, w)", "64, 256", 0),
    ],
)
def test_transposed_linear_layers(call: str, weight: str, found: int) -> None:
    x = "64,14" if "transA = 1" in call else "14,64"
    told = [
        site.message
        for site in sites(G1, linear(call, x=x, y="14,256", weight=weight), linear_layers=True)
    ]
    # 64·14 and 256·14 numbers and 64·256 of the weight; at equal widths 2·128·14 and the weight
    assert (
        told
        == ["64→256, 14: moves 81.5 KiB; equal widths at the same multiply-adds 78.0 KiB (×1.04)."]
        * found
    )


@pytest.mark.parametrize(
    ("x", "y", "weight"),
    [
        pytest.param("1,64", "1,256", "64, 256", id="one row"),
        pytest.param("64", "256", "64, 256", id="a vector"),
        pytest.param("2,7,64", "2,7,256", "2, 64, 256", id="a weight for each of a batch"),
        pytest.param("7,64", "7", "64", id="a weight for one output"),
        pytest.param("7,64", "7,0", "64, 0", id="no output"),
        pytest.param("7,0", "7,64", "0, 64", id="no input"),
        pytest.param("N,64", "N,256", "64, 256", id="an unknown number of rows"),
        pytest.param("7,64", "7,100", "64, 100", id="below the ratio"),
    ],
)
def test_what_is_no_linear_layer_of_unequal_widths(x: str, y: str, weight: str) -> None:
    assert sites(G1, linear("MatMul(x, w)", x=x, y=y, weight=weight), linear_layers=True) == []


def test_a_product_of_two_activations_is_no_linear_layer() -> None:
    model = """
        net (float[7,64] x, float[64,256] w) => (float[7,256] y) { y = MatMul(x, w) }
    """
    assert sites(G1, model, linear_layers=True) == []


def test_a_linear_layer_in_a_loop_counts_every_round() -> None:
    model = """
        net (float[7,64] x) => (float[7,64] y)
        <int64 times = {3}, int64[2] shape = {64, 256}> {
            keep = Constant <value_int = 1> ()
            go = Cast <to = 9> (keep)
            w = ConstantOfShape(shape)
            y = Loop(times, go, x) <body = body (int64 i, bool c, float[7,64] r)
                => (bool e, float[7,64] t) {
                e = Identity(c)
                u = MatMul(r, w)
                t = MaxPool <kernel_shape = [4], strides = [4]> (u)
            }>
        }
    """
    [site] = sites(G1, model, linear_layers=True)
    assert site.excess_bytes == 3 * 4 * 7 * 64
    assert site.message == (
        "64→256, 7: moves 72.8 KiB; equal widths at the same multiply-adds 71.0 KiB (×1.02)."
    )


# Widths and groups at the edge


@pytest.mark.parametrize(
    ("c1", "c2", "groups", "ratio", "found"),
    [
        (8, 16, 1, 2.0, True),
        (8, 15, 1, 2.0, False),
        (16, 8, 1, 2.0, True),
        (15, 8, 1, 2.0, False),
        (1, 8, 1, 2.0, True),
        (8, 16, 8, 2.0, False),  # depthwise
        (8, 8, 1, 1.0, False),  # nothing in excess
        (8, 9, 1, 1.0, True),
    ],
)
def test_unequal_widths(c1: int, c2: int, groups: int, ratio: float, found: bool) -> None:
    model = f"""
        net (float[1,{c1},9,9] x, float[{c2},{c1 // groups},1,1] w) => (float[1,{c2},9,9] y) {{
            y = Conv <group = {groups}> (x, w)
        }}
    """
    assert bool(sites(G1, model, min_ratio=ratio)) is found


@pytest.mark.parametrize(
    ("channels", "groups", "least", "found"),
    [
        (8, 1, 2, False),
        (8, 2, 2, True),
        (8, 2, 3, False),
        (8, 4, 4, True),
        (8, 8, 2, False),
        (2, 2, 2, False),
    ],
)
def test_groups(channels: int, groups: int, least: int, found: bool) -> None:
    model = f"""
        net (float[1,{channels},9,9] x, float[8,{channels // groups},1,1] w)
            => (float[1,8,9,9] y) {{ y = Conv <group = {groups}> (x, w) }}
    """
    assert bool(sites(G2, model, min_groups=least)) is found


@pytest.mark.parametrize(("kernel", "named"), [(1, True), (3, False)])
def test_shufflenet_s_units_are_named_for_1x1_convolutions_alone(kernel: int, named: bool) -> None:
    model = f"""
        net (float[1,8,9,9] x, float[8,4,{kernel},{kernel}] w)
            => (float[1,8,{10 - kernel},{10 - kernel}] y) {{ y = Conv <group = 2> (x, w) }}
    """
    [site] = sites(G2, model)
    assert ("ShuffleNet V2" in site.help) is named


# Figures


def test_how_often_a_part_is_in_the_whole_is_rounded_down() -> None:
    assert times(100, 199) == "×1.99"
    assert times(1000, 1999) == "×1.99"
    assert times(3, 9) == "×3.00"
    assert times(100, 1205) == "×12.05"
    assert times(0, 9) == "×∞"


def test_sizes_are_told_by_their_extents() -> None:
    assert by((28, 14)) == "28×14"
    assert by((7,)) == "7"
    assert by(()) == "1"
