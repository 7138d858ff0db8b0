"""The head of a classifier: global pooling, and one layer behind it whose width can change."""

from __future__ import annotations

import numpy as np
import pytest

from graphlint.rewrites import Refusal
from graphlint_rules.rewrites.v1.heads import Head, find_head
from tests.rewrites.subjects import written

# Four channels of 3 × 3; two classes.
X = "m (float[2,4,3,3] x, float[2,4] rows, float[2] fed) => (y)"
STORED = """<float[2,4] w = {1, 2, 3, 4, 5, 6, 7, 8}, float[4,2] t = {1, 5, 2, 6, 3, 7, 4, 8},
    float[2,4,1,1] k = {1, 2, 3, 4, 5, 6, 7, 8}, float[2,2,1,1] grouped = {1, 2, 5, 6},
    float[2,3] narrow = {1, 2, 3, 4, 5, 6}, float[2] b = {10, 20}, float[1,2] row = {10, 20},
    float[2,1] column = {10, 20}, float[1] one = {10}, int64[2] flat = {0, 4},
    int64[2] open = {-1, 4}, int64[2] first = {2, -1}, int64[2] tall = {4, 2},
    int64[1] four = {4}, int64[1] two = {2}, int64[1] once = {1}, int64 position = {0},
    int64[8] none = {0, 0, 0, 0, 0, 0, 0, 0}, int64[8] more = {0, 0, 1, 1, 0, 0, 1, 1}>"""
POOL = "p = GlobalAveragePool (x)"
FLAT = f"{POOL} f = Flatten (p)"

WEIGHT = np.arange(1, 9).reshape(2, 4)
BIAS = np.array([10, 20])

HEADS: dict[str, tuple[str, int, int, int]] = {
    # The factor of the weight, that of the bias, and of how many nodes the classifier is.
    "Gemm": (f"{FLAT} y = Gemm <transB = 1> (f, w, b)", 1, 1, 1),
    "Gemm with factors": (
        f"{FLAT} y = Gemm <transB = 1, alpha = 3.0, beta = 2.0> (f, w, b)",
        3,
        2,
        1,
    ),
    "Gemm, not transposed": (f"{FLAT} y = Gemm (f, t, row)", 1, 1, 1),
    "Gemm without bias": (f"{FLAT} y = Gemm (f, t)", 1, 0, 1),
    "MatMul": (f"{FLAT} y = MatMul (f, t)", 1, 0, 1),
    "MatMul and Add": (f"{FLAT} s = MatMul (f, t) y = Add (s, b)", 1, 1, 2),
    "Add and MatMul": (f"{FLAT} s = MatMul (f, t) y = Add (b, s)", 1, 1, 2),
    "MatMul and something fed": (f"{FLAT} s = MatMul (f, t) y = Add (s, fed)", 1, 0, 1),
    "MatMul and another function": (f"{FLAT} s = MatMul (f, t) y = Mul (s, b)", 1, 0, 1),
    "1×1": (f"{POOL} y = Conv (p, k, b)", 1, 1, 1),
    "activated before": (f"a = Relu (x) {FLAT.replace('(x)', '(a)')} y = Gemm (f, t, b)", 1, 1, 1),
    "padded by nothing": (
        f"a = Pad (x, none) {FLAT.replace('(x)', '(a)')} y = Gemm (f, t, b)",
        1,
        1,
        1,
    ),
    "copied": (
        f"i = Identity (x) {FLAT.replace('(x)', '(i)')} d = Dropout (f)"
        " c = Cast <to = 1> (d) y = Gemm (c, t)",
        1,
        0,
        1,
    ),
    "mean over the image": (
        "f = ReduceMean <axes = [2, 3], keepdims = 0> (x) y = Gemm (f, t, b)",
        1,
        1,
        1,
    ),
    "mean from the end": (
        "p = ReduceMean <axes = [-1, -2]> (x) f = Squeeze (p) y = Gemm (f, t, b)",
        1,
        1,
        1,
    ),
    "average of it all": (
        "p = AveragePool <kernel_shape = [3, 3]> (x) f = Reshape (p, flat) y = Gemm (f, t, b)",
        1,
        1,
        1,
    ),
    "dropped out, with a mask": (
        f"{FLAT} d, mask = Dropout (f) y = Gemm (d, t, b)",
        1,
        1,
        1,
    ),
    "flattened twice": (
        f"{FLAT} u = Unsqueeze (f, two) v = Flatten (u) y = Gemm (v, t, b)",
        1,
        1,
        1,
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_has_its_numbers(name: str) -> None:
    text, weight, bias, count = HEADS[name]
    head = find_head(written(f"{X} {STORED} {{ {text} }}"), "x")
    assert isinstance(head, Head), head
    np.testing.assert_array_equal(head.weight, weight * WEIGHT)
    np.testing.assert_array_equal(head.bias, bias * BIAS)
    assert len(head.classifier_nodes) == count
    assert (head.input, head.output) == ("x", head.classifier_nodes[-1].outputs[0])
    assert head.features == head.classifier_nodes[0].input(0)
    pools = [node.op for node in head.nodes if "Pool" in node.op or "Mean" in node.op]
    assert len(pools) == 1


def test_one_number_may_be_every_bias() -> None:
    head = find_head(written(f"{X} {STORED} {{ {FLAT} y = Gemm (f, t, one) }}"), "x")
    assert isinstance(head, Head)
    assert head.bias.tolist() == [10, 10]


NO_HEADS = {
    "the maximum": "p = GlobalMaxPool (x) f = Flatten (p) y = Gemm (f, t)",
    "mean over a row": "p = ReduceMean <axes = [3]> (x) f = Flatten (p) y = Relu (f)",
    "mean over channels": "p = ReduceMean <axes = [1, 2, 3]> (x) y = Relu (p)",
    "a part of the image": "p = AveragePool <kernel_shape = [2, 2]> (x) y = Relu (p)",
    "more than the image": (
        "p = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [3, 3]> (x)"
        " f = Flatten (p) y = Gemm (f, t)"
    ),
    "nothing pooled": "f = Flatten (x) y = Relu (f)",
    "padded": f"a = Pad (x, more) {FLAT.replace('(x)', '(a)')} y = Gemm (f, t)",
    "turned": f"{FLAT} u = Transpose (f) y = MatMul (w, u)",
    "as the other operand": f"{FLAT} y = Gemm <transB = 1> (w, f)",
    "other numbers behind": f"{FLAT} y = Exp (f)",
    "images and channels mixed": f"{FLAT} u = Reshape (f, tall) y = MatMul (u, w)",
    "a weight that is fed": f"{FLAT} y = Gemm <transB = 1> (f, rows)",
    "a weight that is fed to MatMul": f"{FLAT} r = Transpose (rows) y = MatMul (f, r)",
    "a bias that is fed": f"{FLAT} y = Gemm (f, t, fed)",
    "turned images": f"{FLAT} y = Gemm <transA = 1> (f, narrow)",
    "a bias for every image": f"{FLAT} y = Gemm (f, t, column)",
    "1×1, and nothing pooled": "y = Conv (x, k)",
    "odd settings": f"{FLAT} y = Gemm <transB: float = 1.0> (f, w)",
    "in groups": f"{POOL} y = Conv <group = 2> (p, grouped)",
}


@pytest.mark.parametrize("name", NO_HEADS)
def test_what_is_no_head(name: str) -> None:
    refused = find_head(written(f"{X} {STORED} {{ {NO_HEADS[name]} }}"), "x")
    assert isinstance(refused, Refusal)
    assert "comes no global pooling with a classifier after it" in refused.reason
    last = refused.reason.split()[1]
    assert [node.outputs[0] for node in refused.nodes] == ([] if last == "x" else [last])


@pytest.mark.parametrize(("copies", "is_found"), [(10, True), (11, False)])
def test_a_head_is_looked_for_a_few_nodes_far(copies: int, is_found: bool) -> None:
    """The pooling and ten more."""
    steps = [f"v{number + 1} = Identity (v{number})" for number in range(copies)]
    text = f"v0 = ReduceMean <axes = [2, 3], keepdims = 0> (x) {' '.join(steps)}"
    found = find_head(written(f"{X} {STORED} {{ {text} y = Gemm (v{copies}, t) }}"), "x")
    assert isinstance(found, Head) is is_found


SEEN = {
    "an output": (f"{FLAT} y = Relu (f)", "y, p", "p is an output of the model: no classifier"),
    "two readers": (
        f"{FLAT} y = Gemm (f, t) z = Exp (p)",
        "y",
        "p is read by Flatten #1(Flatten), Exp",
    ),
    "no reader": (POOL, "rows", "p is read by nothing"),
    "the width is read": (
        f"{FLAT} s = Shape (f) y = Gemm (f, t) z = Neg (s)",
        "y, z",
        "f also feeds Shape",
    ),
    "nobody reads it": (f"{FLAT} s = Gemm (f, t)", "rows", "nothing reads s"),
}


@pytest.mark.parametrize("name", SEEN)
def test_who_else_sees_the_head(name: str) -> None:
    text, outputs, reason = SEEN[name]
    refused = find_head(written(f"{X.replace('(y)', f'({outputs})')} {STORED} {{ {text} }}"), "x")
    assert isinstance(refused, Refusal)
    assert reason in refused.reason


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("f = Reshape (p, flat)", (0, 4)),
        ("f = Reshape (p, open)", (-1, 4)),
        ("f = Reshape (p, first)", None),
        ("f = Flatten (p)", None),
        (
            "s = Shape (p) g = Gather (s, position) h = Reshape (g, once)"
            " c = Concat <axis = 0> (h, four) f = Reshape (p, c)",
            (-1, 4),
        ),
        ("n = Identity (open) f = Reshape (p, n)", (-1, 4)),
    ],
)
def test_targets_that_have_the_width(text: str, target: tuple[int, ...] | None) -> None:
    subject = written(f"{X} {STORED} {{ {POOL} {text} y = Gemm (f, t) }}")
    head = find_head(subject, "x")
    assert isinstance(head, Head), head
    assert [each.target for each in head.targets] == ([] if target is None else [target])
    assert all((each.position, each.node.op) == (1, "Reshape") for each in head.targets)


def test_the_target_of_a_map_has_the_width() -> None:
    stored = STORED.replace(">", ", int64[4] map = {0, 4, 1, 1}>")
    subject = written(f"{X} {stored} {{ {POOL} f = Reshape (p, map) y = Conv (f, k) }}")
    head = find_head(subject, "x")
    assert isinstance(head, Head)
    assert [each.target for each in head.targets] == [(0, 4, 1, 1)]
