"""Activations in several nodes: what counts as one, where it ends, and what is said of it."""

import pytest

from graphlint_rules import G4
from tests.rules.linting import operators, sites

SIZE = 4 * 8 * 14 * 14


def after_conv(body: str, more_outputs: str = "") -> str:
    return f"""
        net (float[1,8,14,14] x, float[8,8,1,1] w, float[1,8,1,1] g, bool go)
            => (float[1,8,14,14] y{more_outputs})
        <float two = {{2}}, float three = {{3}}, float zero = {{0}}, float six = {{6}},
         float half = {{0.5}}, float one = {{1}}, float[1] root = {{1.4142}},
         float cube = {{0.044}}, float[8,1,1] channel = {{1, 1, 1, 1, 1, 1, 1, 1}}> {{
            c = Conv(x, w)
            {body}
        }}
    """


def told(body: str, more_outputs: str = "") -> list[tuple[str, list[str]]]:
    """What is said before the figures, and the operators of the site."""
    return [
        (site.message.split(", ")[0], operators(site))
        for site in sites(G4, after_conv(body, more_outputs))
    ]


# Spellings: nodes, tensors and single numbers that they move, and the operator that does the same

SWISH = "HardSwish (opset 14) or Swish (opset 24)"
HARD_SWISH = "HardSwish (opset 14)"
TANH_GELU = "Gelu (opset 20, approximate)"
ANY = "a single activation operator, or a ReLU,"
SPELLINGS = [
    ("s = Sigmoid(c) y = Mul(c, s)", "x·sigmoid(x)", 2, 5, 0, SWISH),
    ("s = HardSigmoid(c) y = Mul(s, c)", "x·hardsigmoid(x)", 2, 5, 0, HARD_SWISH),
    (
        "a = Add(c, three) b = Clip(a, zero, six) d = Div(b, six) y = Mul(c, d)",
        "x·clip(x + 3)/6",
        4,
        9,
        2,  # Clip's bounds are settings
        HARD_SWISH,
    ),
    (
        "a = Add(c, three) b = Clip(a, zero, six) m = Mul(c, b) y = Div(m, six)",
        "x·clip(x + 3)/6",
        4,
        9,
        2,  # Clip's bounds are settings
        HARD_SWISH,
    ),
    (
        "a = Add(c, three) b = Max(a, zero) d = Min(b, six) e = Mul(d, half) y = Mul(c, e)",
        "x·clip(x + 3)/6",
        5,
        11,
        4,
        HARD_SWISH,
    ),
    (
        "s = Softplus(c) t = Tanh(s) y = Mul(c, t)",
        "x·tanh(softplus(x))",
        3,
        7,
        0,
        "Mish (opset 18)",
    ),
    (
        "a = Div(c, root) e = Erf(a) b = Add(e, one) m = Mul(c, b) y = Mul(m, half)",
        "x·(1 + erf(x/√2))/2",
        5,
        11,
        3,
        "Gelu (opset 20)",
    ),
    (
        "q = Pow(c, three) k = Mul(q, cube) n = Add(c, k) t = Tanh(n) b = Add(t, one)"
        " h = Mul(c, half) y = Mul(h, b)",
        "x·(1 + tanh(…))/2",
        7,
        16,
        4,
        TANH_GELU,
    ),
    (
        "q = Mul(c, c) r = Mul(q, c) k = Mul(r, cube) n = Add(c, k) t = Tanh(n) b = Add(t, one)"
        " h = Mul(c, half) y = Mul(h, b)",
        "x·(1 + tanh(…))/2",
        8,
        19,
        3,
        TANH_GELU,
    ),
    (
        "n = Neg(c) e = Exp(n) b = Add(e, one) y = Div(c, b)",
        "an activation",
        4,
        9,
        1,
        ANY,
    ),
    ("a = Relu(c) n = Neg(c) b = Relu(n) y = Sub(a, b)", "an activation", 4, 9, 0, ANY),
    ("s = Sigmoid(c) y = Max(c, s)", "an activation", 2, 5, 0, ANY),
]


@pytest.mark.parametrize(("body", "spelling", "nodes", "tensors", "numbers", "operator"), SPELLINGS)
def test_spellings(
    body: str, spelling: str, nodes: int, tensors: int, numbers: int, operator: str
) -> None:
    [site] = sites(G4, after_conv(body))
    moved = tensors * SIZE + 4 * numbers
    assert site.message == (
        f"{spelling} in {nodes} nodes, 8×14×14: moves {moved / 1024:.1f} KiB; "
        "one operator 12.2 KiB."
    )
    assert site.excess_bytes == moved - 2 * SIZE
    assert site.help == f"{operator} does the same in one operator, which can be fused"
    assert [node.index for node in site.nodes] == list(range(1, nodes + 1))


@pytest.mark.parametrize("name", ["a", "b", "p", "q", "x", "zz"])
def test_an_activation_of_the_models_own_input(name: str) -> None:
    model = f"""
        net (float[1,8,4,4] {name}) => (float[1,8,4,4] y) {{
            s = Sigmoid({name})
            y = Mul({name}, s)
        }}
    """
    [site] = sites(G4, model)
    assert site.message.startswith("x·sigmoid(x) in 2 nodes")


def test_one_behind_the_other() -> None:
    body = "s = Sigmoid(c) t = Mul(c, s) u = Sigmoid(t) y = Mul(t, u)"
    assert told(body) == [("x·sigmoid(x) in 2 nodes", ["Sigmoid", "Mul"])] * 2


def test_of_one_within_another_the_whole_is_told() -> None:
    """x·tanh(x·sigmoid(x)) holds x·sigmoid(x)."""
    body = "s = Sigmoid(c) t = Mul(c, s) u = Tanh(t) y = Mul(c, u)"
    assert told(body) == [("an activation in 4 nodes", ["Sigmoid", "Mul", "Tanh", "Mul"])]


# Where it ends


@pytest.mark.parametrize(("conversions", "found"), [(22, True), (23, False)])
def test_the_most_nodes_of_an_activation_are_24(conversions: int, found: bool) -> None:
    way = " ".join(f"i{n + 1} = Identity(i{n})" for n in range(conversions))
    body = f"i0 = Sigmoid(c) {way} y = Mul(c, i{conversions})"
    spelt = [message for message, _ in told(body) if "sigmoid" in message]
    assert spelt == ["x·sigmoid(x) in 2 nodes"] * found


NOT_SPELT = {
    "a part that somebody else reads": (
        "s = Sigmoid(c) y = Mul(c, s) v = AveragePool <kernel_shape = [14, 14]> (s)",
        "",
        ["Sigmoid", "Mul"],
    ),
    "a part that leaves the model": (
        "s = Sigmoid(c) y = Mul(c, s)",
        ", float[1,8,14,14] s",
        ["Sigmoid", "Mul"],
    ),
    "a part that is no pointwise operator": (
        "m = MaxPool <kernel_shape = [1, 1]> (c) s = Sigmoid(m) y = Mul(c, s)",
        "",
        ["Sigmoid", "Mul"],
    ),
    "a gate of smaller size": ("s = Sigmoid(g) y = Mul(c, s)", "", ["Sigmoid", "Mul"]),
    "a smaller value that is made larger": (
        "r = Sigmoid(g) e = Mul(c, g) y = Mul(e, r)",
        "",
        ["Sigmoid", "Mul", "Mul"],
    ),
    "of no function": ("a = Mul(c, c) y = Add(c, a)", "", ["Mul", "Add"]),
    "of negation alone": ("n = Neg(c) y = Mul(c, n)", "", ["Mul"]),
    "of one operand": (
        "s = Sigmoid(c) m = MaxPool <kernel_shape = [1, 1]> (s) y = Mul(m, m)",
        "",
        ["Mul"],
    ),
}


@pytest.mark.parametrize("name", NOT_SPELT)
def test_what_is_none(name: str) -> None:
    body, outputs, expected = NOT_SPELT[name]
    found = told(body, outputs)
    assert [nodes[0] for _, nodes in found] == expected
    assert all(" in " not in message for message, _ in found)


def test_asking_for_the_size_of_a_part_is_no_reading() -> None:
    body = "s = Sigmoid(c) y = Mul(c, s) h = Shape(s)"
    assert told(body, ", int64[4] h") == [("x·sigmoid(x) in 2 nodes", ["Sigmoid", "Mul"])]


def test_an_activation_ends_where_a_body_begins() -> None:
    body = """
        s = Sigmoid(c)
        y = If(go) <
            then_branch = one () => (float[1,8,14,14] p) { p = Mul(c, s) },
            else_branch = two () => (float[1,8,14,14] q) { q = Identity(c) }
        >
    """
    assert [nodes for _, nodes in told(body)] == [["Sigmoid"], ["Mul"]]


@pytest.mark.parametrize(
    ("last", "nodes"),
    [
        ("y = Mul(t, half)", ["Sigmoid", "Mul", "Mul"]),
        ("y = Div(t, root)", ["Sigmoid", "Mul", "Div"]),
        ("y = Add(t, half)", ["Sigmoid", "Mul"]),
        ("y = Mul(t, channel)", ["Sigmoid", "Mul"]),
        ("y = Mul(t, g)", ["Sigmoid", "Mul"]),
        (
            "u = Mul(t, half) v = MaxPool <kernel_shape = [1, 1]> (t) y = Add(u, v)",
            ["Sigmoid", "Mul"],
        ),
    ],
)
def test_one_scale_may_stand_behind_the_product(last: str, nodes: list[str]) -> None:
    found = told(f"s = Sigmoid(c) t = Mul(c, s) {last}")
    assert found[0] == (f"x·sigmoid(x) in {len(nodes)} nodes", nodes)


def test_a_scale_in_a_body_stands_behind_no_product() -> None:
    body = """
        s = Sigmoid(c)
        t = Mul(c, s)
        y = If(go) <
            then_branch = one () => (float[1,8,14,14] p) { p = Mul(t, half) },
            else_branch = two () => (float[1,8,14,14] q) { q = Identity(c) }
        >
    """
    assert [nodes for _, nodes in told(body)] == [["Sigmoid", "Mul"], ["Mul"]]


# clip(x + 3)/6


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("a = Add(c, three) b = Clip(a, zero, six) d = Div(b, six)", True),
        ("a = Add(three, c) b = Clip(a, zero, six) d = Mul(b, half)", True),
        ("a = Sub(c, three) b = Clip(a, zero, six) d = Mul(half, b)", True),
        ("a = Mul(c, three) b = Clip(a, zero, six) d = Div(b, six)", False),
        ("a = Add(c, channel) b = Clip(a, zero, six) d = Div(b, six)", False),
        ("a = Add(c, three) b = Clip(a, zero, six) d = Mul(b, channel)", False),
        ("a = Add(c, three) b = Clip(a, zero, six) d = Add(b, six)", False),
        ("a = Add(c, three) b = Relu(a) d = Div(b, six)", False),
        ("a = Add(c, x) b = Clip(a, zero, six) d = Div(b, six)", False),
        ("b = Clip(c, zero, six) d = Div(b, six)", False),
        ("a = Add(c, three) b = Clip(a, zero, six) d = Div(b, six) e = Relu(b)", False),
        ("a = Add(c, three) b = Clip(a, zero, six) d = Div(b, six) e = Relu(a)", False),
    ],
)
def test_hard_sigmoids(body: str, found: bool) -> None:
    """Each is a gate of another tensor."""
    hard = [site for site in sites(G4, after_conv(f"{body} y = Mul(x, d)")) if len(site.nodes) == 3]
    assert bool(hard) is found
    for site in hard:
        assert site.message == (
            "clip(x + 3)/6 in 3 nodes, 8×14×14: moves 36.8 KiB; one operator 12.2 KiB."
        )
        assert site.excess_bytes == 4 * SIZE + 2 * 4
        assert site.help.startswith("HardSigmoid does the same")
        assert [node.index for node in site.nodes] == [1, 2, 3]


def test_a_hard_sigmoid_ends_where_a_body_begins() -> None:
    body = """
        a = Add(c, three)
        b = Clip(a, zero, six)
        y = If(go) <
            then_branch = one () => (float[1,8,14,14] p) { p = Div(b, six) },
            else_branch = two () => (float[1,8,14,14] q) { q = Identity(c) }
        >
    """
    assert all(" in 3 nodes" not in message for message, _ in told(body))
