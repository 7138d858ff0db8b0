"""G4: what is absorbed, what stays, and what a spelt-out activation costs beyond one operator."""

import pytest

from graphlint.findings import Severity
from graphlint_rules import G4
from tests.rules.linting import operators, sites

SIZE = 4 * 8 * 14 * 14  # bytes of the activation that most of these models work on


def after_conv(body: str, *, more_outputs: str = "") -> str:
    return f"""
        net (float[1,8,14,14] x, float[8,8,1,1] w, float[8] p)
            => (float[1,8,14,14] y{more_outputs})
        <float two = {{2}}, float three = {{3}}, float zero = {{0}}, float six = {{6}},
         float half = {{0.5}}, float one = {{1}}, float root = {{1.4142}},
         float[8,1,1] channel = {{1, 1, 1, 1, 1, 1, 1, 1}}, float step = {{1}},
         uint8 z = {{0}}, int64[4] same = {{1, 8, 14, 14}}> {{
            c = Conv(x, w)
            {body}
        }}
    """


ABSORBED = {
    "activation": "y = Relu(c)",
    "activation with bounds": "y = Clip(c, zero, six)",
    "clip spelt as Min and Max": "a = Max(c, zero) y = Min(a, six)",
    "scale": "y = Mul(c, channel)",
    "bias on the left": "y = Add(channel, c)",
    "difference": "y = Sub(c, two)",
    "BatchNormalization": "y = BatchNormalization(c, p, p, p, p)",
    "Caffe's chain": "n = BatchNormalization(c, p, p, p, p) m = Mul(n, channel)"
    " a = Add(m, channel) y = Relu(a)",
    "behind views": "r = Reshape(c, same) i = Identity(r) y = Relu(i)",
    "behind a Transpose": "t = Transpose <perm = [0, 1, 3, 2]> (c) y = Relu(t)",
    "behind casts": "h = Cast <to = 10> (c) f = Cast <to = 1> (h) y = Relu(f)",
    "behind a change of number format": "q = QuantizeLinear(c, step, z)"
    " d = DequantizeLinear(q, step, z) y = Relu(d)",
    "whose shape is asked for": "h = Shape(c) y = Relu(c)",
}


@pytest.mark.parametrize("name", ABSORBED)
def test_absorbed_behind_a_convolution(name: str) -> None:
    assert sites(G4, after_conv(ABSORBED[name])) == []


LEFT = {
    "a constant for every element": (
        "k = ConstantOfShape(same) y = Add(c, k)",
        [["Add"]],
    ),
    "a scale behind the activation": ("r = Relu(c) y = Mul(r, two)", [["Mul"]]),
    "BatchNormalization behind the activation": (
        "r = Relu(c) y = BatchNormalization(r, p, p, p, p)",
        [["BatchNormalization"]],
    ),
    "BatchNormalization that stays takes in what follows": (
        "r = Relu(c) n = BatchNormalization(r, p, p, p, p) m = Mul(n, channel) y = Relu(m)",
        [["BatchNormalization", "Mul", "Relu"]],
    ),
    "an activation behind a pool": (
        "m = MaxPool <kernel_shape = [1, 1]> (c) y = Relu(m)",
        [["Relu"]],
    ),
    "the square": ("r = Relu(c) m = MaxPool <kernel_shape = [1, 1]> (r) y = Mul(m, m)", [["Mul"]]),
    "a scale behind a join": ("a = Add(x, c) y = Mul(a, two)", [["Add"], ["Mul"]]),
    "two activations joined": ("y = Max(x, c)", [["Max"]]),
    "several joined": ("y = Sum(x, c, x)", [["Sum"]]),
    "a join takes in one activation alone": (
        "a = Sub(x, c) y = LeakyRelu(a)",
        [["Sub"]],
    ),
}


@pytest.mark.parametrize("name", LEFT)
def test_left_over(name: str) -> None:
    body, expected = LEFT[name]
    assert [operators(site) for site in sites(G4, after_conv(body))] == expected


def test_what_is_read_elsewhere_absorbs_nothing() -> None:
    model = after_conv("y = Relu(c) v = AveragePool <kernel_shape = [14, 14]> (c)")
    assert [operators(site) for site in sites(G4, model)] == [["Relu"]]
    model = after_conv("y = Relu(c)", more_outputs=", float[1,8,14,14] c")
    assert [operators(site) for site in sites(G4, model)] == [["Relu"]]


def test_excess_is_all_that_is_read_and_written() -> None:
    [add] = sites(G4, after_conv("y = Add(x, c)"))
    assert add.excess_bytes == 3 * SIZE
    assert add.message == "Add of activations, 8×14×14: moves 18.4 KiB."
    [gate] = sites(G4, after_conv("g = GlobalAveragePool(c) y = Mul(c, g)"))
    assert gate.excess_bytes == 2 * SIZE + 4 * 8
    [norm] = sites(
        G4,
        after_conv("j = Concat <axis = 1> (c) k = Add(x, j) y = BatchNormalization(k, p, p, p, p)"),
    )[1:]
    assert norm.excess_bytes == 2 * SIZE + 4 * 8


SPELT = {
    "x·sigmoid(x)": ("s = Sigmoid(c) y = Mul(c, s)", 2, 5),
    "x·hardsigmoid(x)": ("s = HardSigmoid(c) y = Mul(s, c)", 2, 5),
    "x·clip(x + 3)/6": (
        "a = Add(c, three) b = Clip(a, zero, six) d = Div(b, six) y = Mul(c, d)",
        4,
        9,
    ),
    "x·tanh(softplus(x))": ("s = Softplus(c) t = Tanh(s) y = Mul(c, t)", 3, 7),
    "x·(1 + erf(x/√2))/2": (
        "a = Div(c, root) e = Erf(a) b = Add(e, one) m = Mul(c, b) y = Mul(m, half)",
        5,
        11,
    ),
    "x·(1 + tanh(…))/2": (
        "q = Pow(c, three) k = Mul(q, half) n = Add(c, k) l = Mul(n, two) t = Tanh(l)"
        " b = Add(t, one) h = Mul(c, half) y = Mul(h, b)",
        8,
        18,
    ),
}


@pytest.mark.parametrize("spelling", SPELT)
def test_spelt_activations_cost_what_exceeds_one_operator(spelling: str) -> None:
    body, nodes, tensors = SPELT[spelling]
    [site] = sites(G4, after_conv(body))
    assert site.message.startswith(f"{spelling} in {nodes} nodes, 8×14×14: moves ")
    assert len(site.nodes) == nodes
    assert site.excess_bytes == pytest.approx((tensors - 2) * SIZE, abs=64)


def test_division_may_stand_behind_the_product() -> None:
    body = "a = Add(c, three) b = Clip(a, zero, six) m = Mul(c, b) y = Div(m, six)"
    [site] = sites(G4, after_conv(body))
    assert site.message.startswith("x·clip(x + 3)/6 in 4 nodes")


def test_spelt_activations_in_a_quantised_model() -> None:
    body = """
        q = QuantizeLinear(c, step, z)
        d = DequantizeLinear(q, step, z)
        e = DequantizeLinear(q, step, z)
        s = Sigmoid(d)
        t = QuantizeLinear(s, step, z)
        u = DequantizeLinear(t, step, z)
        y = Mul(e, u)
    """
    [site] = sites(G4, after_conv(body))
    assert site.message.startswith("x·sigmoid(x) in 2 nodes")
    assert site.excess_bytes == 3 * SIZE


def test_a_hard_sigmoid_gate() -> None:
    body = "a = Add(c, three) b = Clip(a, zero, six) d = Div(b, six) y = Mul(x, d)"
    spelt, gate = sites(G4, after_conv(body))
    assert spelt.message.startswith("clip(x + 3)/6 in 3 nodes")
    assert operators(gate) == ["Mul"]


def test_a_gate_of_another_tensor_is_no_spelt_activation() -> None:
    [site] = sites(G4, after_conv("d = Conv(x, w) s = Sigmoid(d) y = Mul(c, s)"))
    assert site.message.startswith("Mul of activations")


def test_attention_scales_are_absorbed_and_masks_are_not() -> None:
    model = """
        net (float[1,4,16,8] q, float[1,4,8,16] k, float[1,1,16,16] mask)
            => (float[1,4,16,16] y) <float scale = {0.35}> {
            m = MatMul(q, k)
            s = Mul(m, scale)
            a = Add(s, mask)
            y = Softmax(a)
        }
    """
    assert [operators(site) for site in sites(G4, model)] == [["Add"]]


def test_quantised_sums() -> None:
    model = """
        net (uint8[1,8,14,14] x, uint8[1,8,14,14] y) => (uint8[1,8,14,14] z)
        <float s = {0.5}, uint8 o = {0}> {
            z = com.microsoft.QLinearAdd(x, s, o, y, s, o, s, o)
        }
    """
    [site] = sites(G4, model)
    assert operators(site) == ["QLinearAdd"]


def test_dynamic_quantisation_scales_are_single_numbers() -> None:
    model = """
        net (float[1,8,14,14] x, int8[8,8,1,1] w) => (float[1,8,14,14] y)
        <float ws = {0.5}, int8 wz = {0}> {
            q, s, z = DynamicQuantizeLinear(x)
            c = ConvInteger(q, w, z, wz)
            f = Cast <to = 1> (c)
            t = Mul(s, ws)
            y = Mul(f, t)
        }
    """
    assert sites(G4, model) == []


def test_sums_that_the_runtime_fused_still_read_their_operand() -> None:
    model = """
        net (float[1,8,14,14] x, float[8,8,1,1] w, float[8] b) => (float[1,8,14,14] y) {
            y = com.microsoft.FusedConv <activation = "Relu"> (x, w, b, x)
        }
    """
    [site] = sites(G4, model)
    assert site.excess_bytes == SIZE


def test_depthwise_convolutions_are_information_unless_switched_off() -> None:
    model = """
        net (float[1,8,14,14] x, float[16,1,3,3] w) => (float[1,16,14,14] y) {
            y = Conv <group = 8, pads = [1, 1, 1, 1]> (x, w)
        }
    """
    [site] = sites(G4, model)
    assert site.severity is Severity.INFO
    assert site.excess_bytes == 3 * SIZE + 4 * 16 * 9
    assert sites(G4, model, depthwise=False) == []


def test_numbers_that_count_are_no_activations() -> None:
    model = """
        net (int64[1,128] ids, int64[1,128] more) => (int64[1,128] y) { y = Add(ids, more) }
    """
    assert sites(G4, model) == []


def test_what_depends_on_no_data_is_no_site() -> None:
    model = """
        net (float[1,8,14,14] x) => (float[1,8,14,14] y) <int64[4] shape = {1, 8, 14, 14}> {
            a = ConstantOfShape(shape)
            b = Relu(a)
            c = Mul(a, b)
            y = Add(x, c)
        }
    """
    assert [operators(site) for site in sites(G4, model)] == [["Add"]]
