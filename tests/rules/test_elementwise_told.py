"""G4: what each kind of element-wise operator is told as, and at the edges what absorbs what."""

import pytest

from graphlint_rules import G4
from tests.rules.linting import operators, sites

SIZE = 4 * 8 * 14 * 14  # bytes of the activation that most of these models work on: 6.125 KiB

SUM, GATE, NORMALISATION, SCALE, ACTIVATION = (
    "splits its input and concatenates",
    "a gate reads and writes",
    "folds into its weights at export",
    "fold the constant into the weights of a neighbour",
    "put the activation right behind a convolution",
)


def after_conv(body: str, more_outputs: str = "") -> str:
    return f"""
        net (float[1,8,14,14] x, float[8,8,1,1] w, float[8] p)
            => (float[1,8,14,14] y{more_outputs})
        <float two = {{2}}, float three = {{3}}, float zero = {{0}}, float six = {{6}},
         float[8,1,1] channel = {{1, 1, 1, 1, 1, 1, 1, 1}}> {{
            c = Conv(x, w)
            {body}
        }}
    """


# What is told


TOLD = [
    pytest.param("y = Add(x, c)", "Add of activations", 3 * SIZE, SUM, id="sum"),
    pytest.param("y = Sub(x, c)", "Sub of activations", 3 * SIZE, SUM, id="difference"),
    pytest.param("y = Sum(x, c, w1)", "Sum of activations", 4 * SIZE, SUM, id="sum of three"),
    pytest.param("y = Mul(x, c)", "Mul of activations", 3 * SIZE, GATE, id="gate"),
    pytest.param("y = Min(x, c)", "Min of activations", 3 * SIZE, GATE, id="minimum"),
    pytest.param("y = Mean(x, c)", "Mean of activations", 3 * SIZE, GATE, id="mean"),
    pytest.param("y = Pow(x, c)", "Pow of activations", 3 * SIZE, GATE, id="power"),
    pytest.param(
        "r = Relu(c) y = BatchNormalization(r, p, p, p, p)",
        "BatchNormalization that stays",
        2 * SIZE + 4 * 8,
        NORMALISATION,
        id="normalisation",
    ),
    pytest.param(
        "r = Relu(c) y = Mul(r, two)", "Mul with a constant that stays", 2 * SIZE + 4, SCALE,
        id="scale",
    ),
    pytest.param(
        "r = Relu(c) y = Sub(two, r)", "Sub with a constant that stays", 2 * SIZE + 4, SCALE,
        id="bias",
    ),
    pytest.param(
        "m = MaxPool <kernel_shape = [1, 1]> (c) y = Sigmoid(m)", "Sigmoid that stays", 2 * SIZE,
        ACTIVATION, id="activation",
    ),
    pytest.param(
        "m = MaxPool <kernel_shape = [1, 1]> (c) y = Mul(m, m)", "Mul that stays", 2 * SIZE,
        ACTIVATION, id="square",
    ),
    pytest.param(
        "m = MaxPool <kernel_shape = [1, 1]> (c) y = Div(two, m)", "Div that stays", 2 * SIZE + 4,
        ACTIVATION, id="reciprocal",
    ),
    pytest.param(
        "r = Relu(c) y = Div(r, two)", "Div with a constant that stays", 2 * SIZE + 4, SCALE,
        id="division",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("body", "title", "moved", "advice"), TOLD)
def test_what_is_told(body: str, title: str, moved: int, advice: str) -> None:
    model = after_conv(body).replace("float[8] p)", "float[8] p, float[1,8,14,14] w1)")
    [site] = sites(G4, model)
    assert site.message == f"{title}, 8×14×14: moves {moved / 1024:.1f} KiB."
    assert site.excess_bytes == moved
    assert advice in site.help


def test_what_follows_a_normalisation_is_told_by_the_normalisation() -> None:
    body = "r = Relu(c) n = BatchNormalization(r, p, p, p, p) m = Mul(n, channel) y = Relu(m)"
    [site] = sites(G4, after_conv(body))
    assert operators(site) == ["BatchNormalization", "Mul", "Relu"]
    assert site.message == "BatchNormalization that stays, 8×14×14: moves 12.3 KiB."
    assert site.excess_bytes == 2 * SIZE + 4 * 8


def test_a_vector_is_told_without_a_batch() -> None:
    model = "net (float[8] x, float[8] w) => (float[8] y) { y = Add(x, w) }"
    assert [site.message for site in sites(G4, model)] == ["Add of activations, 1: moves 96 B."]


def test_every_round_counts_and_one_is_told() -> None:
    def model(times: int) -> str:
        return f"""
            net (float[1,8,8,8] x) => (float[1,8,8,8] y) <int64 times = {{{times}}}> {{
                keep = Constant <value_int = 1> ()
                go = Cast <to = 9> (keep)
                y = Loop(times, go, x) <body = body (int64 i, bool c, float[1,8,8,8] r)
                    => (bool e, float[1,8,8,8] t) {{
                    e = Identity(c)
                    p = Relu(r)
                    q = Sigmoid(p)
                    s = Mul(p, q)
                    t = Add(s, x)
                }}>
            }}
        """

    size = 4 * 8 * 8 * 8
    expected = [  # Sigmoid and Mul move five tensors, one operator two
        ("x·sigmoid(x) in 2 nodes, 8×8×8: moves 10.0 KiB; one operator 4.00 KiB.", 3 * size),
        ("Relu that stays, 8×8×8: moves 4.00 KiB.", 2 * size),
        ("Add of activations, 8×8×8: moves 6.00 KiB.", 3 * size),
    ]
    for rounds in (1, 7):
        found = [(site.message, site.excess_bytes) for site in sites(G4, model(rounds))]
        assert found == [(message, rounds * excess) for message, excess in expected]
    assert sites(G4, model(0)) == []


@pytest.mark.parametrize(
    ("call", "shape", "kind"),
    [
        ("com.microsoft.FusedConv(x, w, b, x)", "1,8,14,14", "8×14×14"),
        ("com.microsoft.NhwcFusedConv(x, w, b, x)", "1,14,14,8", "14×14×8"),
        ("com.microsoft.nchwc.Conv(x, w, b, x)", "1,8,14,14", "8×14×14"),
    ],
)
def test_fused_sums(call: str, shape: str, kind: str) -> None:
    def model(call: str) -> str:
        return f"""
            <ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1, "com.microsoft.nchwc" : 1]>
            net (float[{shape}] x, float[8,8,1,1] w, float[8] b) => (float[{shape}] y)
            <int64 times = {{3}}> {{
                keep = Constant <value_int = 1> ()
                go = Cast <to = 9> (keep)
                y = Loop(times, go, x) <body = body (int64 i, bool c, float[{shape}] r)
                    => (bool e, float[{shape}] t) {{
                    e = Identity(c)
                    t = {call.replace("x", "r")}
                }}>
            }}
        """

    [site] = sites(G4, model(call))
    assert site.message == f"Fused sum, {kind}: reads 6.12 KiB more."
    assert site.excess_bytes == 3 * SIZE
    assert SUM in site.help
    assert sites(G4, model(call.replace("b, x", "b"))) == []


# Which values are activations


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("float", True),
        ("float16", True),
        ("bfloat16", True),
        ("double", True),
        ("int8", True),  # as quantised models have them
        ("uint8", True),
        ("int16", True),
        ("uint16", True),
        ("int32", False),  # numbers that count and index
        ("uint32", False),
        ("int64", False),
        ("uint64", False),
    ],
)
def test_types_of_activations(kind: str, found: bool) -> None:
    model = f"net ({kind}[1,8] x, {kind}[1,8] w) => ({kind}[1,8] y) {{ y = Add(x, w) }}"
    assert bool(sites(G4, model)) is found


@pytest.mark.parametrize(("shape", "found"), [("1,1", False), ("1,2", True), ("1", False)])
def test_a_single_number_is_no_activation(shape: str, found: bool) -> None:
    model = f"net (float[{shape}] x, float[{shape}] w) => (float[{shape}] y) {{ y = Add(x, w) }}"
    assert bool(sites(G4, model)) is found


def test_a_scale_that_the_data_makes_is_one_number() -> None:
    body = "m = ReduceMax <keepdims = 0> (x) y = Mul(c, m)"
    assert sites(G4, after_conv(body)) == []


def test_what_only_computes_sizes_is_told_nowhere() -> None:
    model = """
        net (float[1,8,14,14] x) => (float[1,8,28,28] y)
        <float[4] twice = {1, 1, 2, 2}, float[4] ones = {1, 1, 1, 1}> {
            s = Shape(x)
            f = Cast <to = 1> (s)
            g = Mul(f, twice)
            h = Add(f, g)
            k = Div(g, f)
            y = Resize(x, , k)
        }
    """
    assert sites(G4, model) == []


# What absorbs, and what does not


ABSORBED = {
    "an activation behind a Concat": "j = Concat <axis = 2> (c) y = Relu(j)",
    "an activation behind a spelt one": "s = Sigmoid(c) t = Mul(c, s) y = Relu(t)",
    "a dropout that tells its mask": "d, mask = Dropout(c) y = Relu(d)",
    "a reciprocal": "y = Div(two, c)",
    "one number for all": "a = Mul(c, two) y = Sub(three, a)",
    "an activation in another format": "h = Cast <to = 10> (c) r = Relu(h) y = Cast <to = 1> (r)",
}


@pytest.mark.parametrize("name", ABSORBED)
def test_absorbed(name: str) -> None:
    found = [operators(site) for site in sites(G4, after_conv(ABSORBED[name]))]
    assert [each for each in found if each != ["Sigmoid", "Mul"]] == []


LEFT = {
    "a scale behind a spelt activation": (
        "s = Sigmoid(c) t = Mul(c, s) y = Mul(t, channel)",
        [["Sigmoid", "Mul"], ["Mul"]],
    ),
    "a scale behind a Concat": ("j = Concat <axis = 2> (c) y = Mul(j, two)", [["Mul"]]),
    "an activation behind an activation that stays joins it": (
        "m = MaxPool <kernel_shape = [1, 1]> (c) r = Relu(m) y = Sigmoid(r)",
        [["Relu", "Sigmoid"]],
    ),
    "a scale behind an activation that stays": (
        "m = MaxPool <kernel_shape = [1, 1]> (c) r = Relu(m) y = Mul(r, two)",
        [["Relu"], ["Mul"]],
    ),
    "what follows a scale that stays joins it": (
        "r = Relu(c) m = Mul(r, two) n = BatchNormalization(m, p, p, p, p) y = Relu(n)",
        [["Mul", "BatchNormalization", "Relu"]],
    ),
    "a scale behind a scale of every element": (
        "r = Relu(c) m = Mul(r, k) y = Mul(m, two)",
        [["Mul"], ["Mul"]],
    ),
    "a scale of two axes": ("y = Mul(c, plane)", [["Mul"]]),
    "a bias that makes the tensor larger": (
        "g = GlobalAveragePool(x) h = Conv(g, w) y = Add(h, row) ",
        [["Add"]],
    ),
    "behind a view that somebody else reads too": (
        "i = Identity(c) y = Relu(i) v = AveragePool <kernel_shape = [14, 14]> (i)",
        [["Relu"]],
    ),
}


@pytest.mark.parametrize("name", LEFT)
def test_left_over(name: str) -> None:
    body, expected = LEFT[name]
    ones = ", ".join(["1"] * 8 * 14 * 14)
    model = after_conv(body).replace(
        "<float two",
        f"<float[8,14,14] k = {{{ones}}}, float[14,14] plane = {{{ones[: 3 * 196 - 2]}}},"
        f" float[14] row = {{{ones[: 3 * 14 - 2]}}}, float two",
    )
    if "row" in body:
        model = model.replace("=> (float[1,8,14,14] y", "=> (float[1,8,1,14] y")
    assert [operators(site) for site in sites(G4, model)] == expected


def test_a_normalisation_in_training_is_not_absorbed() -> None:
    """It makes statistics, which nothing that is known before can stand for."""
    model = after_conv(
        "y, mean, var = BatchNormalization <training_mode = 1> (c, p, p, p, p)",
        ", float[8] mean, float[8] var",
    )
    [site] = sites(G4, model)
    assert site.message == "BatchNormalization that stays, 8×14×14: moves 12.3 KiB."
    assert site.excess_bytes == 2 * SIZE + 3 * 4 * 8


def test_a_quantised_concat_absorbs_an_activation() -> None:
    model = """
        net (uint8[1,8,4,4] x, uint8[8,8,1,1] w) => (uint8[1,16,4,4] y)
        <float s = {0.5}, uint8 z = {0}> {
            c = QLinearConv(x, s, z, w, s, z, s, z)
            j = com.microsoft.QLinearConcat <axis = 1> (s, z, c, s, z, x, s, z)
            y = com.microsoft.QLinearLeakyRelu(j, s, z, s, z)
        }
    """
    assert sites(G4, model) == []


def test_an_integer_convolution_absorbs_through_its_cast() -> None:
    model = """
        net (uint8[1,8,14,14] x, int8[8,8,1,1] w) => (float[1,8,14,14] y) <float two = {2}> {
            c = ConvInteger(x, w)
            f = Cast <to = 1> (c)
            m = Mul(f, two)
            y = Relu(m)
        }
    """
    assert sites(G4, model) == []
