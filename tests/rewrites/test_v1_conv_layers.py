"""Convolutions with what is folded into them, and whose weights they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphlint.graph import TensorType
from graphlint_rules.rewrites.v1.branches import Strand, strand_before
from graphlint_rules.rewrites.v1.conv_layers import (
    conv_layer,
    convolution_at,
    is_dequantised,
    other_reader,
    scaling_at,
)
from graphlint_rules.rewrites.v1.given_numbers import given_numbers, is_given
from graphlint_rules.rewrites.v1.nodes import nodes_that_go, seen_outside
from graphlint_rules.rewrites.v1.units import ConvLayer
from tests.rewrites.subjects import made_by, written

# Two channels become two, doubled and trebled.
X = "m (float[1,2,3,3] x, float[2,2,1,1] fed) => (y)"
STORED = """<float[2,2,1,1] w = {2, 0, 0, 3}, float[2] b = {10, 20}, float[2] half = {0.5, 0.25},
    float[1,2,1,1] k = {2, 4}, float[2,1,1] c = {5, 6}, float[1] one = {1}, float zero = {0},
    float[2] ones = {1, 1}, float[3] three = {1, 1, 1}, float[2] below = {-1, -1},
    int64[4] tall = {2, 1, 1, 1},
    float[2,1,3,3] dw = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}>"""


def layer(text: str, opset: int = 17) -> tuple[ConvLayer | None, Strand]:
    """The convolution before `y` with all that follows it."""
    subject = written(f"{X} {STORED} {{ {text} }}", opset)
    strand = strand_before(subject, "y")
    assert strand is not None
    return conv_layer(subject, strand.convolution, strand.scalings), strand


# The diagonal of the weight, and the bias.
FOLDED: dict[str, tuple[str, list[float], list[float]]] = {
    "no bias": ("y = Conv (x, w)", [2, 3], [0, 0]),
    "a bias": ("y = Conv (x, w, b)", [2, 3], [10, 20]),
    "multiplied": ("z = Conv (x, w, b) y = Mul (z, k)", [4, 12], [20, 80]),
    "multiplied from the left": ("z = Conv (x, w, b) y = Mul (k, z)", [4, 12], [20, 80]),
    "divided": ("z = Conv (x, w, b) y = Div (z, k)", [1, 0.75], [5, 5]),
    "added": ("z = Conv (x, w, b) y = Add (c, z)", [2, 3], [15, 26]),
    "less": ("z = Conv (x, w, b) y = Sub (z, c)", [2, 3], [5, 14]),
    "taken from": ("z = Conv (x, w, b) y = Sub (c, z)", [-2, -3], [-5, -14]),
    "one number": ("z = Conv (x, w, b) y = Sub (one, z)", [-2, -3], [-9, -19]),
    "twice": ("z = Conv (x, w, b) s = Mul (z, k) y = Add (s, c)", [4, 12], [25, 86]),
    # (2x + 10 - 10) / √4 · 0.5 + 1, and the same with 3, 20, 20 and 0.25
    "normalised": (
        "z = Conv (x, w, b) y = BatchNormalization <epsilon = 3.0> (z, half, ones, b, ones)",
        [0.5, 0.375],
        [1, 1],
    ),
    "normalised by its own epsilon": (
        "z = Conv (x, w) y = BatchNormalization (z, ones, b, below, ones)",
        [2 / 1.00001**0.5, 3 / 1.00001**0.5],
        [10 + 1 / 1.00001**0.5, 20 + 1 / 1.00001**0.5],
    ),
    "in another type on the way": (
        "z = Conv (x, w, b) h = Cast <to = 10> (z) d = Cast <to = 1> (h) y = Mul (d, k)",
        [4, 12],
        [20, 80],
    ),
}


@pytest.mark.parametrize("name", FOLDED)
def test_what_follows_is_folded_in(name: str) -> None:
    text, diagonal, bias = FOLDED[name]
    made, strand = layer(text)
    assert made is not None
    np.testing.assert_allclose(made.weight[:, :, 0, 0], np.diag(diagonal), rtol=1e-6)
    np.testing.assert_allclose(made.bias, bias, rtol=1e-6)
    assert (made.width_in, made.width_out, made.groups) == (2, 2, 1)
    assert made.batch_norm is ("BatchNormalization" in text)
    folded = [node for node in strand.nodes if node.op not in ("Cast", "Conv")]
    assert [node.op for node in made.nodes[1:]] == [node.op for node in reversed(folded)]


NO_LAYERS = {
    "a weight that is fed": "y = Conv (x, fed)",
    "a bias that is fed": "s = ReduceMax <keepdims = 0> (fed) y = Conv (x, w, s)",
    "a bias of another length": "y = Conv (x, w, three)",
    "divided by nothing": "z = Conv (x, w) y = Div (z, zero)",
    "no variance": "z = Conv (x, w) y = BatchNormalization (z, ones, b, b, below)",
    "a scale of another length": "z = Conv (x, w) y = BatchNormalization (z, one, b, b, ones)",
    "a bias without end": "q = Div (ones, zero) y = Conv (x, w, q)",
    "a weight without end": (
        "q = Div (ones, zero) r = Reshape (q, tall) v = Mul (w, r) y = Conv (x, v)"
    ),
    "a column's own factor": "z = Conv (x, w) y = Mul (z, three)",
}


@pytest.mark.parametrize("name", NO_LAYERS)
def test_numbers_that_make_no_layer(name: str) -> None:
    made, _ = layer(NO_LAYERS[name])
    assert made is None


NO_SCALINGS = {
    "two values that are fed": "z = Conv (x, w) y = Add (z, x)",
    "one over it": "z = Conv (x, w) y = Div (k, z)",
    "a power": "z = Conv (x, w) y = Pow (z, k)",
    "a statistic of the image": (
        "z = Conv (x, w) y = BatchNormalization <training_mode = 1> (z, ones, b, b, ones)"
    ),
    "what is broadcast": "z = ReduceMean (x) y = Mul (z, dw)",
}


@pytest.mark.parametrize("name", NO_SCALINGS)
def test_what_is_not_folded(name: str) -> None:
    subject = written(f"{X} {STORED} {{ {NO_SCALINGS[name]} }}")
    assert scaling_at(subject, "y", 1) is None
    assert strand_before(subject, "y") is None


def test_a_normalisation_works_on_axis_1_only() -> None:
    text = "z = Conv (x, w) y = BatchNormalization (z, ones, b, b, ones)"
    subject = written(f"{X} {STORED} {{ {text} }}")
    assert scaling_at(subject, "y", 1) is not None
    assert scaling_at(subject, "y", -1) is None


# Which nodes are a convolution.

NO_CONVOLUTIONS = {
    "an input": ("z = Conv (x, w) y = Relu (z)", "x"),
    "another operator": ("y = Relu (x)", "y"),
    "transposed": ("y = ConvTranspose (x, w)", "y"),
    "more channels than there are": ("y = Conv (x, wide)", "y"),
    "groups of nothing": ("y = Conv <group = 0> (x, w)", "y"),
    "groups that do not divide": ("y = Conv <group = 2> (x, odd)", "y"),
    "a bare weight": ("y = Conv (x, b)", "y"),
    "a weight of nothing": ("y = Conv (x, empty)", "y"),
    "of a row": ("y = Conv (row, line)", "y"),
    "of something unknown": ("y = Conv (any, w)", "y"),
    "two dimensions less than its weight": ("y = Conv (row, w)", "y"),
}


@pytest.mark.parametrize("name", NO_CONVOLUTIONS)
def test_what_is_no_convolution(name: str) -> None:
    text, key = NO_CONVOLUTIONS[name]
    more = "float[2,3,1,1] wide = {1, 1, 1, 1, 1, 1}, float[3,1,1,1] odd = {1, 1, 1}"
    more += ", float[2,2,1] line = {1, 0, 0, 1}, float[0,2,1,1] empty = {}>"
    head = X.replace("(float", "(float[1,2,3] row, float any, float", 1)
    subject = written(f"{head} {STORED.replace('>', f', {more}')} {{ {text} }}")
    assert convolution_at(subject, key) is None


@pytest.mark.parametrize("key", ["x", "y"])
@pytest.mark.parametrize("shape", [None, (1, 2, 3), (1, 3, 3, 3), (1, 2, 3, 3, 3)])
def test_the_weights_are_those_of_the_channels(key: str, shape: tuple[int, ...] | None) -> None:
    """Of what is read and of what is made, whoever says so."""
    subject = written(f"{X} {STORED} {{ y = Conv (x, w) }}")
    assert convolution_at(subject, "y") is not None
    types = {**subject.view.types, key: TensorType(1, shape)}
    other = replace(subject, view=replace(subject.view, types=types))
    assert convolution_at(other, "y") is None


def test_kinds_of_convolutions() -> None:
    text = "z = Conv (x, w) y = Conv <group = 2, pads = [1, 1, 1, 1]> (z, dw)"
    subject = written(f"{X} {STORED} {{ {text} }}")
    point, deep = convolution_at(subject, "z"), convolution_at(subject, "y")
    assert point is not None
    assert deep is not None
    assert (point.is_pointwise, point.is_depthwise) == (True, False)
    assert (deep.is_pointwise, deep.is_depthwise) == (False, True)
    assert (deep.source, deep.groups, deep.shape) == ("z", 2, (2, 1, 3, 3))
    assert deep.main is made_by(subject)


PARTED = "m (float[1,4,3,3] x, float[1,4,3,3] other) => (y)"
PARTS = """<float[1,2,1,1] v = {1, 2}, float[1,2,1,1] w = {3, 4}, float[1] b = {5},
    float[1] c = {6}, float[1,2,3,3] wide = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    int64[2] halves = {2, 2}, int64[1] zero = {0}, int64[1] two = {2},
    int64[1] four = {4}, int64[1] one = {1}>"""


@pytest.mark.parametrize(
    "text",
    [
        "p, q = Split <axis = 1> (x, halves)",
        "p = Slice (x, zero, two, one) q = Slice (x, two, four, one)",
        "p, q = Split <axis = -3> (x, halves)",
    ],
)
def test_a_grouped_convolution_in_parts(text: str) -> None:
    axis = -3 if "-3" in text else 1
    text += f" r = Conv (p, v, b) s = Conv (q, w, c) y = Concat <axis = {axis}> (r, s)"
    subject = written(f"{PARTED} {PARTS} {{ {text} }}")
    found = convolution_at(subject, "y")
    assert found is not None
    assert (found.source, found.groups, found.shape) == ("x", 2, (2, 2, 1, 1))
    assert sorted(node.index for node in found.nodes) == [node.index for node in subject.view.nodes]
    assert [node.outputs[0] for node in found.parts] == ["r", "s"]
    made = conv_layer(subject, found)
    assert made is not None
    assert made.weight[:, :, 0, 0].tolist() == [[1, 2], [3, 4]]
    assert made.bias.tolist() == [5, 6]


NOT_IN_PARTS = {
    "the parts change places": (
        "p, q = Split <axis = 1> (x, halves) r = Conv (q, v) s = Conv (p, w)",
        "Concat <axis = 1> (r, s)",
    ),
    "a part twice": (
        "p, q = Split <axis = 1> (x, halves) r = Conv (p, v) s = Conv (p, w)",
        "Concat <axis = 1> (r, s)",
    ),
    "of two values": (
        "p, q = Split <axis = 1> (x, halves) t, u = Split <axis = 1> (other, halves)"
        " r = Conv (p, v) s = Conv (u, w)",
        "Concat <axis = 1> (r, s)",
    ),
    "other kernels": (
        "p, q = Split <axis = 1> (x, halves) r = Conv (p, v)"
        " s = Conv <pads = [1, 1, 1, 1]> (q, wide)",
        "Concat <axis = 1> (r, s)",
    ),
    "one behind the other": (
        "p, q = Split <axis = 1> (x, halves) r = Conv (p, v) s = Conv (q, w)",
        "Concat <axis = 2> (r, s)",
    ),
    "a part that is no convolution": (
        "p, q = Split <axis = 1> (x, halves) r = Conv (p, v) s = Relu (q)",
        "Concat <axis = 1> (r, s)",
    ),
    "one part": ("p, q = Split <axis = 1> (x, halves) r = Conv (p, v)", "Concat <axis = 1> (r)"),
    "not all of it": (
        "p = Slice (x, zero, two, one) q = Slice (x, one, three, one)"
        " r = Conv (p, v) s = Conv (q, w)",
        "Concat <axis = 1> (r, s)",
    ),
    "of no split": ("p = Relu (x) r = Conv (p, vw) s = Conv (p, vw)", "Concat <axis = 1> (r, s)"),
}


@pytest.mark.parametrize("name", NOT_IN_PARTS)
def test_what_is_no_convolution_in_parts(name: str) -> None:
    text, join = NOT_IN_PARTS[name]
    more = ", int64[1] three = {3}, float[1,4,1,1] vw = {1, 2, 3, 4}>"
    subject = written(f"{PARTED} {PARTS.replace('>', more)} {{ {text} y = {join} }}")
    assert convolution_at(subject, "y") is None


def test_a_bias_of_one_part_only() -> None:
    text = "p, q = Split <axis = 1> (x, halves) r = Conv (p, v, b) s = Conv (q, w)"
    subject = written(f"{PARTED} {PARTS} {{ {text} y = Concat <axis = 1> (r, s) }}")
    found = convolution_at(subject, "y")
    assert found is not None
    assert conv_layer(subject, found) is None


def test_zeros_in_front_are_pads() -> None:
    text = "z = Pad (x, p) y = Conv <group = 2, pads = [1, 1, 1, 1]> (z, dw)"
    more = ", int64[8] p = {0, 0, 1, 2, 0, 0, 3, 4}>"
    subject = written(f"{X} {STORED.replace('>', more)} {{ {text} }}")
    found = convolution_at(subject, "y")
    assert found is not None
    assert (found.source, found.window.pads) == ("x", (2, 3, 4, 5))
    assert [node.op for node in found.nodes] == ["Pad", "Conv"]


# Strands


@pytest.mark.parametrize(("copies", "is_read"), [(6, True), (7, False)])
def test_a_strand_takes_seven_steps(copies: int, is_read: bool) -> None:
    steps = [f"v{number + 1} = Identity (v{number})" for number in range(copies)]
    text = f"v0 = Conv (x, w) {' '.join(steps)} y = Identity (v{copies})"
    subject = written(f"{X} {STORED} {{ {text} }}")
    assert (strand_before(subject, "y") is not None) is is_read


@pytest.mark.parametrize(
    "text",
    [
        "z = Conv (x, w) s = Mul (z, k) t = Relu (s) u = Mul (t, k) y = Relu (u)",
        "z = Conv (x, w) s = Relu (z) y = Relu (s)",
        "z = Conv (x, w) s = Relu (z) y = Mul (s, k)",
        "z = Conv (x, w) y = Cast <to = 6> (z)",
        "y = Relu (x)",
        "z = Conv (x, w) y = Softmax (z)",
    ],
)
def test_what_is_no_strand(text: str) -> None:
    """Two activations, one before a scaling, and what changes the numbers otherwise."""
    assert strand_before(written(f"{X} {STORED} {{ {text} }}"), "y") is None


def test_a_strand_has_its_parts() -> None:
    text = "z = Conv (x, w) s = Mul (z, k) a = Relu (s) y = Gather <axis = 1> (a, i)"
    more = ", int64[2] i = {1, 0}>"
    subject = written(f"{X} {STORED.replace('>', more)} {{ {text} }}")
    strand = strand_before(subject, "y")
    assert strand is not None
    assert (strand.order, strand.is_moved, strand.activation.op) == ((1, 0), True, "Relu")
    assert [node.op for node in strand.moved] == ["Gather"]
    assert strand.activated_by is made_by(subject, "a")
    assert not strand.foreign
    assert {node.index for node in strand.nodes} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("text", "slope"),
    [
        ("g = Gather <axis = 1> (z, i) y = PRelu (g, s)", [20, 30, 10]),
        ("g = PRelu (z, s) y = Gather <axis = 1> (g, i)", [10, 20, 30]),
        ("y = PRelu (z, s)", [10, 20, 30]),
    ],
)
def test_slopes_are_in_the_order_of_the_convolution(text: str, slope: list[float]) -> None:
    """Gather takes channels 2, 0, 1: the first slope is that of channel 2 when it comes later."""
    stored = """<float[3,1,1,1] w = {1, 1, 1}, float[3,1,1] s = {10, 20, 30},
        int64[3] i = {2, 0, 1}>"""
    subject = written(f"m (float[1,1,2,2] x) => (y) {stored} {{ z = Conv (x, w) {text} }}")
    strand = strand_before(subject, "y")
    assert strand is not None
    assert strand.activation.slope is not None
    assert strand.activation.slope.tolist() == slope


@pytest.mark.parametrize("kind", [1, 10, 11, 16])
def test_float_types_hand_numbers_on(kind: int) -> None:
    subject = written(f"{X} {STORED} {{ z = Conv (x, w) y = Cast <to = {kind}> (z) }}")
    assert strand_before(subject, "y") is not None


@pytest.mark.parametrize("kind", [3, 6, 17, 20])
def test_coarser_types_do_not(kind: int) -> None:
    subject = written(f"{X} {STORED} {{ z = Conv (x, w) y = Cast <to = {kind}> (z) }}", opset=19)
    assert strand_before(subject, "y") is None


def test_channels_may_come_last_on_the_way() -> None:
    text = """z = Conv (x, w) t = Transpose <perm = [0, 2, 3, 1]> (z) p = PRelu (t, half)
        y = Transpose <perm = [0, 3, 1, 2]> (p)"""
    strand = strand_before(written(f"{X} {STORED} {{ {text} }}"), "y")
    assert strand is not None
    assert (strand.order, len(strand.nodes)) == ((0, 1), 4)
    assert strand.activation.slope is not None
    assert strand.activation.slope.tolist() == [0.5, 0.25]


# Numbers that are given, and who else reads them


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("g = CastLike (b, x)", [10, 20]),
        ("t = CastLike (one, x) n = Shape (b) g = Expand (t, n)", [1, 1]),
        (
            "t = CastLike (b, x) u = CastLike (t, x) v = CastLike (u, x) g = CastLike (v, x)",
            [10, 20],
        ),
        ("t = CastLike (x, b) g = Identity (t)", None),
        ("t = CastLike (b, x) g = Abs (t)", None),
        ("s = Shape (fed) f = Cast <to = 7> (fed) g = Expand (one, f)", None),
    ],
)
def test_numbers_that_only_borrow_their_type(text: str, given: list[float] | None) -> None:
    subject = written(f"{X} {STORED} {{ {text} y = Add (x, x) }}")
    assert is_given(subject, "g") is (given is not None)
    found = given_numbers(subject, "g")
    assert (None if found is None else found.ravel().tolist()) == given


def test_given_numbers_are_followed_a_few_steps() -> None:
    steps = [f"c{number + 1} = CastLike (c{number}, x)" for number in range(4)]
    subject = written(f"{X} {STORED} {{ c0 = CastLike (b, x) {' '.join(steps)} y = Add (x, x) }}")
    assert is_given(subject, "c3")
    assert given_numbers(subject, "c3") is not None
    assert not is_given(subject, "c4")
    assert given_numbers(subject, "c4") is None


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("y = Conv (x, w)", None),
        ("y = Conv (x, w) s = Shape (w) t = Size (w)", None),
        ("y = Conv (x, w) o = Conv (x, w)", "o"),
        ("i = Identity (w) y = Conv (x, i)", None),
        ("i = Identity (w) y = Conv (x, i) o = Conv (x, w)", "o"),
        ("i = Identity (w) t = Cast <to = 1> (i) y = Conv (x, t) o = Neg (i)", "o"),
        ("n = Abs (w) y = Conv (x, n) o = Conv (x, w)", None),
    ],
)
def test_who_else_reads_a_weight(text: str, other: str | None) -> None:
    subject = written(f"{X} {STORED} {{ {text} }}")
    conv = made_by(subject)
    found = other_reader(subject.view, conv.input(1), conv)
    assert (None if found is None else found.outputs[0]) == other


def test_a_weight_in_small_integers() -> None:
    stored = "<int8[2,2,1,1] q = {1, 0, 0, 1}, float s = {0.5}, float[2,2,1,1] w = {1, 0, 0, 1}>"
    text = "d = DequantizeLinear (q, s) z = Conv (x, d) y = Conv (z, w)"
    subject = written(f"{X} {stored} {{ {text} }}")
    assert [is_dequantised(subject.view, key) for key in ("d", "w", "z")] == [True, False, False]


# Nodes that go


def test_constants_go_with_those_that_alone_read_them() -> None:
    text = "k = Constant <value_float = 2.0> () e = Exp (k) y = Mul (x, e)"
    subject = written(f"{X} {{ {text} }}")
    assert [node.op for node in nodes_that_go(subject, [made_by(subject)])] == [
        "Constant",
        "Exp",
        "Mul",
    ]
    also = written(f"{X} {{ {text} z = Mul (x, k) }}")
    assert [node.op for node in nodes_that_go(also, [made_by(also)])] == ["Exp", "Mul"]
    fed = written(f"{X} {{ a = Relu (x) y = Mul (a, a) }}")
    assert [node.op for node in nodes_that_go(fed, [made_by(fed)])] == ["Mul"]


def test_who_sees_a_value() -> None:
    subject = written(f"{X} {{ a = Relu (x) b = Abs (a) y = Neg (a) }}")
    inside = {made_by(subject, "b").index}
    assert seen_outside(subject.view, "a", inside) == "also feeds Neg #2(Neg)"
    assert seen_outside(subject.view, "y", inside) == "is an output of the model"
    assert seen_outside(subject.view, "b", inside) is None
    assert seen_outside(subject.view, "a", {1, 2}) is None
