"""Multiply-adds against the loop nest that each operator stands for, run step by step."""

from itertools import product

import numpy as np
import pytest
from onnx import helper

from graphlint.costs import NodeCost
from tests.costs.helpers import cost


def taps(sizes: list[int], kernel: list[int], **window: list[int]) -> int:
    """How often a kernel is laid on an input, times its elements: every placement visited."""
    axes = len(kernel)
    strides = window.get("strides", [1] * axes)
    dilations = window.get("dilations", [1] * axes)
    pads = window.get("pads", [0] * 2 * axes)
    ranges = []
    for axis in range(axes):
        length = sizes[axis] + pads[axis] + pads[axis + axes]
        reach = (kernel[axis] - 1) * dilations[axis]
        ranges.append(range(0, length - reach, strides[axis]))
    return sum(1 for _ in product(*ranges, *map(range, kernel)))


def convolution_nest(x: list[int], w: list[int], group: int = 1, **window: list[int]) -> int:
    """The seven loops of a convolution."""
    count = 0
    placements = taps(x[2:], w[2:], **window)
    for _batch, out in product(range(x[0]), range(w[0])):
        own_group = out * group // w[0]
        for channel in range(x[1]):
            if channel * group // x[1] == own_group:
                count += placements
    return count


CONVOLUTIONS = [
    ([2, 3, 7], [4, 3, 3], 1, {}),
    ([1, 4, 9], [8, 2, 2], 2, {"strides": [2], "pads": [1, 0]}),
    ([1, 3, 8, 8], [5, 3, 3, 3], 1, {"pads": [1, 1, 1, 1]}),
    ([2, 6, 9, 7], [4, 3, 3, 1], 2, {"strides": [2, 1], "dilations": [2, 1]}),
    ([1, 6, 5, 5], [6, 1, 3, 3], 6, {"pads": [1, 1, 1, 1]}),
    ([1, 4, 5, 5], [8, 1, 3, 3], 4, {"strides": [2, 2]}),
    ([1, 6, 5, 5], [9, 2, 1, 1], 3, {}),
    ([1, 2, 4, 5, 6], [3, 2, 2, 3, 1], 1, {"pads": [0, 1, 0, 1, 0, 2], "strides": [1, 2, 3]}),
]


@pytest.mark.parametrize(("x", "w", "group", "window"), CONVOLUTIONS)
def test_conv(x: list[int], w: list[int], group: int, window: dict[str, list[int]]) -> None:
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], group=group, **window)
    found = cost(node, {"x": x, "w": w, "b": [w[0]]}, constants=["w", "b"])
    assert found.multiply_adds == convolution_nest(x, w, group, **window)


@pytest.mark.parametrize(("x", "w", "group", "window"), CONVOLUTIONS)
def test_quantised_conv_counts_like_the_plain_one(
    x: list[int], w: list[int], group: int, window: dict[str, list[int]]
) -> None:
    node = helper.make_node("ConvInteger", ["x", "w"], ["y"], group=group, **window)
    arrays = {"x": np.zeros(x, np.uint8), "w": np.zeros(w, np.int8)}
    assert cost(node, arrays).multiply_adds == convolution_nest(x, w, group, **window)
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"]
    node = helper.make_node("QLinearConv", names, ["y"], group=group, **window)
    scales = dict.fromkeys(("xs", "ws", "ys"), np.ones((), np.float32))
    zeros = dict.fromkeys(("xz", "yz"), np.zeros((), np.uint8))
    found = cost(node, {**arrays, **scales, **zeros, "wz": np.zeros((), np.int8)})
    assert found.multiply_adds == convolution_nest(x, w, group, **window)


@pytest.mark.parametrize(
    ("x", "w", "group", "window"),
    [
        ([1, 3, 5], [3, 4, 3], 1, {}),
        ([2, 4, 5, 6], [4, 3, 2, 3], 2, {"strides": [2, 3], "pads": [1, 0, 1, 0]}),
        ([1, 2, 3, 4, 3], [2, 5, 2, 2, 1], 1, {"dilations": [2, 1, 1]}),
        ([1, 6, 4, 4], [6, 1, 3, 3], 6, {"output_padding": [1, 1], "strides": [2, 2]}),
    ],
)
def test_conv_transpose(
    x: list[int], w: list[int], group: int, window: dict[str, list[int]]
) -> None:
    """Every input element is spread over the kernel, in every output channel of its group."""
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], group=group, **window)
    steps = product(*map(range, x), range(w[1]), *map(range, w[2:]))
    assert cost(node, {"x": x, "w": w}).multiply_adds == sum(1 for _ in steps)


def test_deform_conv_is_a_conv_on_sampled_taps() -> None:
    x, w = [2, 4, 6, 6], [6, 2, 3, 3]
    node = helper.make_node("DeformConv", ["x", "w", "o"], ["y"], group=2, pads=[1, 1, 1, 1])
    found = cost(node, {"x": x, "w": w, "o": [2, 18, 6, 6]}, {"y": [2, 6, 6, 6]})
    assert found.multiply_adds == convolution_nest(x, w, 2, pads=[1, 1, 1, 1])
    assert found.element_operations == 4 * 2 * 4 * 9 * 36


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([3, 4], [4, 5]),
        ([2, 3, 4], [4, 5]),
        ([2, 1, 3, 4], [5, 4, 2]),
        ([4], [4]),
        ([4], [2, 4, 3]),
        ([2, 3, 4], [4]),
        ([1, 3, 4], [7, 4, 2]),
    ],
)
@pytest.mark.parametrize("operator", ["MatMul", "MatMulInteger"])
def test_matmul(a: list[int], b: list[int], operator: str) -> None:
    """Every output element of numpy's product, once for every element of the inner axis."""
    kind = np.float32 if operator == "MatMul" else np.uint8
    arrays = {"a": np.ones(a, kind), "b": np.ones(b, kind)}
    made = np.matmul(arrays["a"], arrays["b"])
    ones = int(np.matmul(np.ones(a), np.ones(b)).sum())
    node = helper.make_node(operator, ["a", "b"], ["y"])
    assert cost(node, arrays, {"y": np.asarray(made)}).multiply_adds == ones


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
def test_gemm(trans_a: int, trans_b: int) -> None:
    rows, depth, columns = 3, 5, 7
    a = [depth, rows] if trans_a else [rows, depth]
    b = [columns, depth] if trans_b else [depth, columns]
    node = helper.make_node("Gemm", ["a", "b", "c"], ["y"], transA=trans_a, transB=trans_b)
    found = cost(node, {"a": a, "b": b, "c": [columns]}, constants=["b", "c"])
    assert found.multiply_adds == rows * depth * columns
    assert found.parameters == depth * columns + columns


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [[2, 3], [3, 4]]),
        ("ij,jk", [[2, 3], [3, 4]]),
        ("bij,bjk->bik", [[2, 3, 4], [2, 4, 5]]),
        ("...ij,...jk->...ik", [[2, 1, 3, 4], [5, 4, 6]]),
        ("i,j->ij", [[3], [4]]),
        ("ij,ij->", [[3, 4], [3, 4]]),
        ("bhqd , bhkd -> bhqk", [[1, 2, 3, 4], [1, 2, 5, 4]]),
        ("ab,bc,cd->ad", [[2, 3], [3, 4], [4, 5]]),
        ("ii,i->i", [[3, 3], [3]]),
        ("aB,Bc->ac", [[2, 3], [3, 2]]),
        ("ij,ij->i", [[1, 3], [4, 3]]),
        ("ij,ij->i", [[4, 3], [1, 3]]),
        ("i...,i->...", [[4, 2, 3], [4]]),
    ],
)
def test_einsum(equation: str, shapes: list[list[int]]) -> None:
    """One visit of every combination of indices, for each operand after the first.

    Ones summed over every index are as many as there are combinations.
    """
    arrays = [np.ones(shape) for shape in shapes]
    left = equation.replace(" ", "").split("->")[0]
    everything = np.einsum(f"{left}->..." if "..." in left else f"{left}->", *arrays)
    combinations = int(everything.sum())
    names = [f"x{place}" for place in range(len(shapes))]
    node = helper.make_node("Einsum", names, ["y"], equation=equation)
    made = np.asarray(np.einsum(equation.replace(" ", ""), *arrays), np.float32)
    found = cost(node, dict(zip(names, shapes, strict=True)), {"y": made})
    assert found.multiply_adds == combinations * (len(shapes) - 1)


@pytest.mark.parametrize(
    ("equation", "operations"),
    [("ij->ji", 0), ("ij->i", 12), ("ii", 9), ("ji", 0), ("...j->...", 12), ("...j->j...", 0)],
)
def test_einsum_of_one_operand_multiplies_nothing(equation: str, operations: int) -> None:
    shape = [3, 3] if equation == "ii" else [3, 4]
    node = helper.make_node("Einsum", ["x"], ["y"], equation=equation)
    made = np.asarray(np.einsum(equation, np.ones(shape)), np.float32)
    found = cost(node, {"x": shape}, {"y": made})
    assert (found.multiply_adds, found.element_operations) == (0, operations)


def recurrent_nest(steps: int, batch: int, width: int, hidden: int, gates: int) -> int:
    """Each gate of each hidden element looks at the input and at the state before."""
    count = 0
    for _ in product(range(steps), range(batch), range(gates), range(hidden)):
        count += sum(1 for _ in range(width)) + sum(1 for _ in range(hidden))
    return count


@pytest.mark.parametrize("layout", [0, 1])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("operator", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_recurrent(operator: str, gates: int, direction: str, layout: int) -> None:
    steps, batch, width, hidden = 5, 2, 3, 4
    directions = 2 if direction == "bidirectional" else 1
    node = helper.make_node(
        operator,
        ["x", "w", "r", "b"],
        ["y", "h"],
        hidden_size=hidden,
        direction=direction,
        layout=layout,
    )
    shapes = {
        "x": [batch, steps, width] if layout else [steps, batch, width],
        "w": [directions, gates * hidden, width],
        "r": [directions, gates * hidden, hidden],
        "b": [directions, 2 * gates * hidden],
    }
    found = cost(node, shapes, constants=["w", "r", "b"], version=14)
    assert found.multiply_adds == directions * recurrent_nest(steps, batch, width, hidden, gates)
    assert found.write_elements == directions * batch * hidden * (steps + 1)


def attention_nest(batch: int, heads: int, queries: int, keys: int, head: int, value: int) -> int:
    """Scores, then weighted values: one multiply-add per element of either inner product."""
    scores = sum(1 for _ in product(*map(range, (batch, heads, queries, keys, head))))
    return scores + sum(1 for _ in product(*map(range, (batch, heads, queries, keys, value))))


@pytest.mark.parametrize("past", [0, 3])
def test_attention(past: int) -> None:
    batch, heads, groups, queries, keys, head, value = 2, 4, 2, 3, 5, 6, 7
    names = ["q", "k", "v", *(["", "pk", "pv"] if past else [])]
    outputs = ["y", *(["nk", "nv"] if past else [])]
    node = helper.make_node("Attention", names, outputs)
    found = cost(
        node,
        {
            "q": [batch, heads, queries, head],
            "k": [batch, groups, keys, head],
            "v": [batch, groups, keys, value],
            "pk": [batch, groups, past, head],
            "pv": [batch, groups, past, value],
        },
        {
            "y": [batch, heads, queries, value],
            "nk": [batch, groups, past + keys, head],
            "nv": [batch, groups, past + keys, value],
        },
    )
    assert found.multiply_adds == attention_nest(batch, heads, queries, past + keys, head, value)
    assert found.element_operations == 5 * batch * heads * queries * (past + keys)


def test_attention_of_three_dimensions_counts_the_same() -> None:
    node = helper.make_node("Attention", ["q", "k", "v"], ["y"], q_num_heads=4, kv_num_heads=2)
    found = cost(node, {"q": [2, 3, 24], "k": [2, 5, 12], "v": [2, 5, 14]}, {"y": [2, 3, 28]})
    assert found.multiply_adds == attention_nest(2, 4, 3, 5, 6, 7)


def microsoft_cost(
    operator: str,
    inputs: dict[str, object],
    outputs: dict[str, object],
    known: tuple[str, ...] = (),
    **attributes: object,
) -> NodeCost:
    node = helper.make_node(
        operator, list(inputs), list(outputs), domain="com.microsoft", **attributes
    )
    return cost(node, inputs, outputs, constants=known, version=1)  # type: ignore[arg-type]


def test_microsoft_attention_contains_its_projections() -> None:
    found = microsoft_cost(
        "Attention",
        {"x": [2, 5, 8], "w": [8, 36], "b": [36]},
        {"y": [2, 5, 12]},
        known=("w", "b"),
        num_heads=3,
    )
    assert found.multiply_adds == 2 * 5 * 8 * 36 + attention_nest(2, 3, 5, 5, 4, 4)


def test_grouped_query_attention_counts_every_query_head() -> None:
    inputs = {
        "q": [1, 2, 32],
        "k": [1, 2, 8],
        "v": [1, 2, 8],
        "pk": [1, 1, 6, 8],
        "pv": [1, 1, 6, 8],
        "l": np.zeros(1, np.int32),
        "t": np.array(8, np.int32),
    }
    outputs = {"y": [1, 2, 32], "nk": [1, 1, 8, 8], "nv": [1, 1, 8, 8]}
    found = microsoft_cost(
        "GroupQueryAttention", inputs, outputs, ("t",), num_heads=4, kv_num_heads=1
    )
    assert found.multiply_adds == attention_nest(1, 4, 2, 8, 8, 8)


def test_packed_weights_count_by_what_they_hold() -> None:
    found = microsoft_cost(
        "MatMulNBits",
        {
            "a": [2, 3, 64],
            "b": np.zeros((10, 2, 16), np.uint8),
            "s": np.zeros((10, 2), np.float32),
        },
        {"y": [2, 3, 10]},
        known=("b", "s"),
        K=64,
        N=10,
        bits=4,
        block_size=32,
    )
    assert found.multiply_adds == 2 * 3 * 64 * 10
    assert found.parameters == 64 * 10
    assert found.weight_bytes == 10 * 2 * 16 + 10 * 2 * 4


def test_mixture_of_experts_counts_the_experts_taken() -> None:
    experts, hidden, inner, tokens = 4, 8, 16, 1
    found = microsoft_cost(
        "MoE",
        {
            "x": [tokens, hidden],
            "p": [tokens, experts],
            "w1": [experts, inner, hidden],
            "b1": [experts, inner],
            "w2": [experts, hidden, inner],
        },
        {"y": [tokens, hidden]},
        known=("w1", "w2"),
        k=2,
    )
    assert found.multiply_adds == 2 * 2 * hidden * inner
    assert found.weight_elements == 2 * 2 * hidden * inner
    assert found.parameters == 2 * experts * hidden * inner


def test_linear_attention_runs_its_recurrence() -> None:
    batch, steps, heads, key, value = 2, 3, 4, 5, 6
    count = 0
    for _ in product(range(batch), range(steps), range(heads), range(key), range(value)):
        count += 2  # the state takes an outer product and is read out
    node = helper.make_node(
        "LinearAttention",
        ["q", "k", "v"],
        ["y", "s"],
        q_num_heads=heads,
        kv_num_heads=heads,
        update_rule="linear",
    )
    found = cost(
        node,
        {"q": [2, 3, heads * key], "k": [2, 3, heads * key], "v": [2, 3, heads * value]},
        {"y": [2, 3, heads * value], "s": [2, heads, key, value]},
    )
    assert found.multiply_adds == count
