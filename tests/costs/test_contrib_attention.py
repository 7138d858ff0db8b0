"""ONNX Runtime's attention operators in the layouts that they take: 2 sequences, 3 heads."""

from typing import Any

import numpy as np
import pytest
from onnx import helper

from graphlint.costs import NodeCost
from tests.costs.helpers import Given, cost

HEADS = 3


def attended(
    op: str, *inputs: Given | None, outputs: list[list[int]], known: str = "", **attributes: Any
) -> NodeCost:
    """The cost of a node of com.microsoft that reads the inputs (a, b, …)."""
    names = ["" if given is None else chr(ord("a") + place) for place, given in enumerate(inputs)]
    made = [f"y{place}" for place in range(len(outputs))]
    node = helper.make_node(op, names, made, domain="com.microsoft", **attributes)
    types = {name: given for name, given in zip(names, inputs, strict=True) if given is not None}
    found = cost(node, types, dict(zip(made, outputs, strict=True)), static=list(known), version=1)
    assert found.unknown is None
    return found


def products(steps: int, keys: int, query: int, value: int, sequences: int = 2) -> tuple[int, int]:
    """Multiply-adds and element operations: widths over all heads, 5 for a score's softmax."""
    pairs = sequences * steps * keys
    return pairs * (query + value), 5 * pairs * HEADS


def counts(found: NodeCost) -> tuple[int, int]:
    return found.multiply_adds, found.element_operations


def int32(*numbers: int) -> np.ndarray[Any, Any]:
    return np.array(numbers, np.int32)


MULTI_HEAD = [
    # queries, keys and values apart, keys by head, keys and values or all three side by side
    pytest.param(([2, 5, 12], [2, 7, 12], [2, 7, 6]), 7, 6, id="apart"),
    pytest.param(([2, 5, 12], [2, 3, 7, 4], [2, 3, 7, 2]), 7, 6, id="keys by head"),
    pytest.param(([2, 5, 12], [2, 7, 3, 2, 4]), 7, 12, id="keys with values"),
    pytest.param(([2, 5, 3, 3, 4],), 5, 12, id="all by head"),
    pytest.param(([2, 5, 30],), 5, 6, id="all in a row"),
]


@pytest.mark.parametrize(("inputs", "keys", "value"), MULTI_HEAD)
def test_multi_head_attention(inputs: tuple[Any, ...], keys: int, value: int) -> None:
    made = [[2, 5, value]]
    found = attended("MultiHeadAttention", *inputs, outputs=made, num_heads=HEADS)
    assert counts(found) == products(5, keys, 12, value)


def test_multi_head_attention_looks_at_its_past() -> None:
    new, past = [2, 5, 12], [2, 3, 9, 4]
    given = (new, new, new, None, None, None, past, past)
    found = attended("MultiHeadAttention", *given, outputs=[new], num_heads=HEADS)
    assert counts(found) == products(5, 9 + 5, 12, 12)
    shared = (*given, int32(4))
    found = attended("MultiHeadAttention", *shared, outputs=[new], known="i", num_heads=HEADS)
    assert counts(found) == products(5, 4 + 5, 12, 12)


def test_the_one_step_decoder_looks_at_its_past() -> None:
    new, past = [2, 1, 12], [2, 3, 9, 4]
    given = (new, new, new, None, None, past, past)
    made = [new]
    op = "DecoderMaskedMultiHeadAttention"
    assert counts(attended(op, *given, outputs=made, num_heads=HEADS)) == products(1, 10, 12, 12)
    found = attended(op, *given, int32(6), outputs=made, known="h", num_heads=HEADS)
    assert counts(found) == products(1, 7, 12, 12)


@pytest.mark.parametrize("op", ["Attention", "DecoderMaskedSelfAttention"])
def test_merged_projections(op: str) -> None:
    x, weight = [2, 5, 8], [8, 36]
    projections = 2 * 5 * 8 * 36
    scores, softmax = products(5, 5, 12, 12)
    found = attended(op, x, weight, [36], outputs=[[2, 5, 12]], num_heads=HEADS)
    assert counts(found) == (projections + scores, softmax)
    sizes: dict[str, Any] = {"num_heads": HEADS, "qkv_hidden_sizes": [15, 15, 6]}
    scores, softmax = products(5, 5, 15, 6)
    found = attended(op, x, weight, [36], outputs=[[2, 5, 6]], **sizes)
    assert counts(found) == (projections + scores, softmax)
    cached = (x, weight, [36], None, [2, 2, 3, 9, 4])
    scores, softmax = products(5, 9 + 5, 12, 12)
    found = attended(op, *cached, outputs=[[2, 5, 12]], num_heads=HEADS)
    assert counts(found) == (projections + scores, softmax)
    shared = (*cached, None, int32(4))
    scores, softmax = products(5, 4 + 5, 12, 12)
    found = attended(op, *shared, outputs=[[2, 5, 12]], known="g", num_heads=HEADS)
    assert counts(found) == (projections + scores, softmax)


def test_ordered_attention_projects_three_times() -> None:
    x, scale = [2, 5, 8], [1]
    given = [x, *[scale] * 4, [8, 12], [8, 12], [8, 6], *[scale] * 3, [12], [12], [6]]
    found = attended("QOrderedAttention", *given, outputs=[[2, 5, 6]], num_heads=HEADS)
    scores, softmax = products(5, 5, 12, 6)
    assert counts(found) == (2 * 5 * 8 * 30 + scores, softmax)


def test_grouped_queries_beside_their_keys() -> None:
    """Three heads of queries, one of keys and one of values in a row of 5 · 4."""
    given = ([2, 5, 20], None, None, None, None, [2], int32(5))
    attributes = {"num_heads": HEADS, "kv_num_heads": 1}
    found = attended("GroupQueryAttention", *given, outputs=[[2, 5, 12]], known="g", **attributes)
    assert counts(found) == products(5, 5, 12, 12)


@pytest.mark.parametrize(
    ("static", "cached", "keys", "projected"),
    [
        pytest.param(False, False, 5, 5 + 2 * 5, id="self"),
        pytest.param(True, False, 7, 5 + 2 * 7, id="cross"),
        pytest.param(False, True, 9 + 5, 5 + 2 * 5, id="self, cached"),
        pytest.param(True, True, 9, 5, id="cross, cached"),
    ],
)
def test_decoder_attention(static: bool, cached: bool, keys: int, projected: int) -> None:
    past, flags = [2, 3, 9, 4], [np.array(one) for one in (static, cached, False, False)]
    given = ([5, 2, 12], [7, 2, 12], [12, 12], [12, 24], [36], None, past, past, *flags)
    found = attended(
        "DecoderAttention", *given, outputs=[[5, 2, 12]], known="ijkl", num_heads=HEADS
    )
    scores, softmax = products(5, keys, 12, 12)
    assert counts(found) == (2 * 12 * 12 * projected + scores, softmax)


def test_packed_attention_knows_its_sequences() -> None:
    """Sequences of 2 and 4 tokens: 2² + 4² pairs."""
    offsets, ends = [2, 4], int32(0, 2, 6)
    scores, softmax = products(1, 20, 12, 12, sequences=1)
    given = ([6, 8], [8, 36], [36], offsets, ends)
    found = attended("PackedAttention", *given, outputs=[[6, 12]], known="e", num_heads=HEADS)
    assert counts(found) == (6 * 8 * 36 + scores, softmax)
    for query in ([6, 12], [6, 3, 3, 4]):
        apart = (query, None, None, None, offsets, ends)
        found = attended(
            "PackedMultiHeadAttention", *apart, outputs=[[6, 12]], known="f", num_heads=HEADS
        )
        assert counts(found) == (scores, softmax)


def test_packed_attention_without_padding() -> None:
    given = ([8, 8], [8, 36], [36], [2, 4], [3])
    found = attended("PackedAttention", *given, outputs=[[8, 12]], num_heads=HEADS)
    scores, softmax = products(4, 4, 12, 12)
    assert counts(found) == (8 * 8 * 36 + scores, softmax)


def test_position_biases() -> None:
    given = ([2, 5, 12], [12], [4, 8], [4, 8])
    found = attended("GatedRelativePositionBias", *given, outputs=[[2, 3, 5, 5]])
    assert counts(found) == (120 * 8, 2 * 150)
    table = ([32, 3], np.array(5, np.int64), np.array(5, np.int64))
    found = attended("RelativePositionBias", *table, outputs=[[1, 3, 5, 5]], known="bc")
    assert (found.read_elements, found.write_elements) == (75, 75)
    small = ([8, 3], np.array(5, np.int64), np.array(5, np.int64))
    found = attended("RelativePositionBias", *small, outputs=[[1, 3, 5, 5]], known="bc")
    assert found.read_elements == 24


@pytest.mark.parametrize(
    ("attributes", "packed"),
    [({}, 2), ({"expert_weight_bits": 8}, 1), ({"fc1_expert_weight_bits": 8}, 1)],
)
def test_packed_experts(attributes: dict[str, Any], packed: int) -> None:
    """Two of four experts for each of 5 tokens; a byte holds one or two elements."""
    given = ([5, 8], [5, 4], [4, 16, 4], [4, 16])
    found = attended("QMoE", *given, outputs=[[5, 8]], k=2, **attributes)
    assert found.multiply_adds == 5 * 2 * 16 * 4 * packed
