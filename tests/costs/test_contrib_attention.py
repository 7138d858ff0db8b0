"""ONNX Runtime's attention operators in the layouts that they take: 2 sequences, 4 heads of 5."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from graphlint.costs import NodeCost
from graphlint.graph import TensorType
from tests.costs.helpers import Given, counted, refused

HEADS = 4
WIDTH, VALUES = 20, 12
"""Of all heads together: queries and keys, and values where they are narrower."""

QUERY = [2, 6, WIDTH]
CACHE = [2, HEADS, 9, 5]
FULL = [2, HEADS, 9 + 6, 5]
"""A cache of 9 keys or values, and what it is after 6 more."""


def attended(
    op: str, *inputs: Given | None, outputs: list[Any], known: str = "", **more: Any
) -> NodeCost:
    """The cost of a node of com.microsoft that reads a, b, c …"""
    attributes = {"num_heads": HEADS, **more}
    return counted(
        op, *inputs, outputs=outputs, known=known, domain="com.microsoft", version=1, **attributes
    )


def products(steps: int, keys: int, query: int, value: int, sequences: int = 2) -> tuple[int, int]:
    """Multiply-adds and element operations: widths over all heads, 5 for a score's softmax."""
    pairs = sequences * steps * keys
    return pairs * (query + value), 5 * pairs * HEADS


def counts(found: NodeCost) -> tuple[int, int]:
    return found.multiply_adds, found.element_operations


def int32(*numbers: int) -> np.ndarray[Any, Any]:
    return np.array(numbers, np.int32)


def packed(*shape: int) -> TensorType:
    return TensorType(TensorProto.UINT8, shape)


MULTI_HEAD = [
    # queries, keys and values apart, keys by head, keys and values or all three side by side
    pytest.param((QUERY, [2, 7, WIDTH], [2, 7, VALUES]), 7, VALUES, id="apart"),
    pytest.param((QUERY, [2, 4, 7, 5], [2, 4, 7, 3]), 7, VALUES, id="keys by head"),
    pytest.param((QUERY, [2, 7, 4, 2, 5]), 7, WIDTH, id="keys with values"),
    pytest.param(([2, 6, 4, 3, 5],), 6, WIDTH, id="all by head"),
    pytest.param(([2, 6, 2 * WIDTH + VALUES],), 6, VALUES, id="all in a row"),
]


@pytest.mark.parametrize("op", ["MultiHeadAttention", "DecoderMaskedMultiHeadAttention"])
@pytest.mark.parametrize(("inputs", "keys", "value"), MULTI_HEAD)
def test_multi_head_attention(op: str, inputs: tuple[Any, ...], keys: int, value: int) -> None:
    made = [[2, 6, value], [2, 4, keys, 5], [2, 4, keys, value // 4]]
    found = attended(op, *inputs, outputs=made)
    assert counts(found) == products(6, keys, WIDTH, value)


def test_multi_head_attention_looks_at_its_past() -> None:
    given = (QUERY, QUERY, QUERY, None, None, None, CACHE, [2, HEADS, 8, 5])
    found = attended("MultiHeadAttention", *given, outputs=[QUERY, FULL, FULL])
    assert counts(found) == products(6, 9 + 6, WIDTH, WIDTH)
    shared = (*given, int32(4), [2, 1, 99])
    found = attended("MultiHeadAttention", *shared, outputs=[QUERY], known="i")
    assert counts(found) == products(6, 4 + 6, WIDTH, WIDTH)
    reason = refused("MultiHeadAttention", *shared, outputs=[QUERY], num_heads=HEADS)
    assert "the value of 'i' is not known" in reason


def test_the_one_step_decoder_looks_at_its_past() -> None:
    new = [2, 1, WIDTH]
    given = (new, new, new, None, None, CACHE, [2, HEADS, 8, 5])
    op = "DecoderMaskedMultiHeadAttention"
    assert counts(attended(op, *given, outputs=[new])) == products(1, 9 + 1, WIDTH, WIDTH)
    found = attended(op, *given, int32(6), outputs=[new], known="h")
    assert counts(found) == products(1, 6 + 1, WIDTH, WIDTH)


@pytest.mark.parametrize("op", ["Attention", "DecoderMaskedSelfAttention"])
def test_merged_projections(op: str) -> None:
    x, weight, bias = [2, 6, 8], [8, 3 * WIDTH], [3 * WIDTH]
    projections = 2 * 6 * 8 * 3 * WIDTH
    past, present = [2, 2, HEADS, 9, 5], [2, 2, HEADS, 15, 5]
    cases: list[tuple[tuple[Any, ...], str, int]] = [
        ((x, weight, bias), "", 6),
        ((x, weight, bias, None, past), "", 9 + 6),
        ((x, weight, bias, None, past, None, int32(4)), "g", 4 + 6),
    ]
    for given, known, keys in cases:
        scores, softmax = products(6, keys, WIDTH, WIDTH)
        found = attended(op, *given, outputs=[QUERY, present], known=known)
        assert counts(found) == (projections + scores, softmax)


@pytest.mark.parametrize("op", ["Attention", "DecoderMaskedSelfAttention"])
def test_queries_wider_than_values(op: str) -> None:
    scores, softmax = products(6, 6, 24, 12)
    found = attended(
        op, [2, 6, 8], [8, 60], [60], outputs=[[2, 6, 12]], qkv_hidden_sizes=[24, 24, 12]
    )
    assert counts(found) == (2 * 6 * 8 * 60 + scores, softmax)


def test_quantised_attention_has_its_past_elsewhere() -> None:
    given = ([2, 6, 8], [8, 3 * WIDTH], [3 * WIDTH], [1], [1], None, [1], [1])
    for past, keys in (((), 6), (([2, 2, HEADS, 9, 5],), 9 + 6)):
        scores, softmax = products(6, keys, WIDTH, WIDTH)
        found = attended("QAttention", *given, *past, outputs=[QUERY])
        assert counts(found) == (2 * 6 * 8 * 3 * WIDTH + scores, softmax)


def test_ordered_attention_projects_three_times() -> None:
    x, scale = [2, 6, 8], [1]
    weights = ([8, WIDTH], [8, WIDTH], [8, VALUES])
    biases = ([WIDTH], [WIDTH], [VALUES])
    given = (x, *[scale] * 4, *weights, *[scale] * 3, *biases, *[scale] * 3)
    for past, keys in (((), 6), ((None, [2, 2, HEADS, 9, 5]), 9 + 6)):
        scores, softmax = products(6, keys, WIDTH, VALUES)
        found = attended("QOrderedAttention", *given, *past, outputs=[[2, 6, VALUES]])
        assert counts(found) == (2 * 6 * 8 * (2 * WIDTH + VALUES) + scores, softmax)


# Grouped queries: 4 heads of queries share one head of keys and one of values

GROUPED = {"num_heads": HEADS, "kv_num_heads": 1}
LENGTHS = [2]


def test_grouped_queries_beside_their_keys() -> None:
    """In a row of 4 + 2 + 2 heads."""
    given = ([2, 6, 40], None, None, None, None, LENGTHS, int32(6))
    found = attended("GroupQueryAttention", *given, outputs=[QUERY], known="g", kv_num_heads=2)
    assert counts(found) == products(6, 6, WIDTH, WIDTH)


def test_grouped_queries_of_a_prompt_attend_to_themselves() -> None:
    given = (QUERY, [2, 6, 5], [2, 6, 5], None, None, LENGTHS, [1])
    found = attended("GroupQueryAttention", *given, outputs=[QUERY], **GROUPED)
    assert counts(found) == products(6, 6, WIDTH, WIDTH)


def test_grouped_queries_look_at_a_cache_that_grows() -> None:
    past, present = [2, 1, 9, 5], [2, 1, 15, 5]
    given = (QUERY, [2, 6, 5], [2, 6, 5], past, past, LENGTHS, [1])
    made = [QUERY, present, present]
    found = attended("GroupQueryAttention", *given, outputs=made, **GROUPED)
    assert counts(found) == products(6, 9 + 6, WIDTH, WIDTH)
    for shared in ([QUERY, past, past], [QUERY, None, present], [QUERY]):
        reason = refused("GroupQueryAttention", *given, outputs=shared, **GROUPED)
        assert reason.startswith("how much of its key cache is filled")
    filled = (*given[:6], int32(8))
    found = attended("GroupQueryAttention", *filled, outputs=made, known="g", **GROUPED)
    assert counts(found) == products(6, 8, WIDTH, WIDTH)


@pytest.mark.parametrize(("rows", "read"), [(100, 2 * 6 * 3), (7, 7 * 3)])
def test_grouped_queries_take_rows_of_their_rotation(rows: int, read: int) -> None:
    """A row of cosines and one of sines for each of 2 · 6 tokens, never more than there are."""
    tables = [rows, 3], [rows, 3]
    given = (QUERY, [2, 6, 5], [2, 6, 5], None, None, int32(6, 6), int32(6), *tables)
    plain = attended("GroupQueryAttention", *given[:7], outputs=[QUERY], known="fg", **GROUPED)
    found = attended("GroupQueryAttention", *given, outputs=[QUERY], known="fg", **GROUPED)
    assert found.read_elements - plain.read_elements == 2 * read
    assert plain.read_elements == 2 * 6 * (WIDTH + 5 + 5)


@pytest.mark.parametrize(
    ("static", "cached", "keys", "projected"),
    [
        pytest.param(False, False, 6, 6 + 2 * 6, id="self"),
        pytest.param(True, False, 7, 6 + 2 * 7, id="cross"),
        pytest.param(False, True, 9 + 6, 6 + 2 * 6, id="self, cached"),
        pytest.param(True, True, 9, 6, id="cross, cached"),
    ],
)
def test_decoder_attention(static: bool, cached: bool, keys: int, projected: int) -> None:
    """Steps first; the flags, which only data can be, say what is projected and what is cached."""
    flags = [np.array(one) for one in (static, cached, False, True)]
    weights = ([20, 20], [20, 40], [60])
    given = ([6, 2, WIDTH], [7, 2, WIDTH], *weights, None, CACHE, [2, HEADS, 8, 5], *flags)
    found = attended("DecoderAttention", *given, outputs=[[6, 2, WIDTH], FULL, FULL], known="ijkl")
    scores, softmax = products(6, keys, WIDTH, WIDTH)
    assert counts(found) == (2 * WIDTH * WIDTH * projected + scores, softmax)


# Packed: only real tokens, sequence after sequence


def test_packed_attention_knows_its_sequences() -> None:
    """Sequences of 2 and 5 tokens: 2² + 5² pairs."""
    offsets, ends = [2, 5], int32(0, 2, 7)
    scores, softmax = products(1, 4 + 25, WIDTH, VALUES, sequences=1)
    given = ([7, 8], [8, 52], [52], offsets, ends)
    sizes = {"qkv_hidden_sizes": [WIDTH, WIDTH, VALUES]}
    found = attended("PackedAttention", *given, outputs=[[7, VALUES]], known="e", **sizes)
    assert counts(found) == (7 * 8 * 52 + scores, softmax)
    apart = ([7, WIDTH], [7, WIDTH], [7, VALUES], None, offsets, ends)
    found = attended("PackedMultiHeadAttention", *apart, outputs=[[7, VALUES]], known="f")
    assert counts(found) == (scores, softmax)


def test_packed_attention_with_all_three_by_head() -> None:
    given = ([7, 4, 3, 5], None, None, None, [2, 5], int32(0, 2, 7))
    found = attended("PackedMultiHeadAttention", *given, outputs=[[7, WIDTH]], known="f")
    assert counts(found) == products(1, 4 + 25, WIDTH, WIDTH, sequences=1)


def test_packed_attention_without_padding() -> None:
    """As many tokens as places: all sequences are as long as the longest."""
    given = ([15, 8], [8, 3 * WIDTH], [3 * WIDTH], [3, 5], [4])
    found = attended("PackedAttention", *given, outputs=[[15, WIDTH]])
    scores, softmax = products(5, 5, WIDTH, WIDTH, sequences=3)
    assert counts(found) == (15 * 8 * 3 * WIDTH + scores, softmax)
    fewer = ([14, 8], *given[1:])
    reason = refused("PackedAttention", *fewer, outputs=[[14, WIDTH]], num_heads=HEADS)
    assert reason.startswith("the lengths of its packed sequences")


# Biases by position


def test_gates_of_a_position_bias() -> None:
    """Every head of every token, 2 · 6 · 4 vectors of 5, onto 8 gates."""
    given = (QUERY, [WIDTH], [1, 4, 6, 6], [5, 8], [8], [1, 4, 1, 1])
    found = attended("GatedRelativePositionBias", *given, outputs=[[2, 4, 6, 6]])
    assert counts(found) == (2 * 6 * 4 * 5 * 8, 2 * 2 * 4 * 6 * 6)


@pytest.mark.parametrize(("buckets", "read"), [(64, 4 * 6 * 7), (8, 8 * 4)])
def test_a_relative_position_takes_its_bucket(buckets: int, read: int) -> None:
    lengths = (np.array(6, np.int64), np.array(7, np.int64))
    made = [[1, 4, 6, 7]]
    found = attended("RelativePositionBias", [buckets, 4], *lengths, outputs=made, known="bc")
    assert (found.read_elements, found.write_elements) == (read, 4 * 6 * 7)
    assert counts(found) == (0, 0)


# Mixtures of experts: 7 of them, matrices of 16 · 8 and 8 · 11


@pytest.mark.parametrize(("tokens", "shape"), [(15, [15, 8]), (15, [3, 5, 8])])
def test_every_token_passes_its_experts(tokens: int, shape: list[int]) -> None:
    given = (shape, [15, 7], [7, 16, 8], [7, 16], [7, 8, 11], [7, 8], [7, 11, 8], [7, 11])
    for attributes, experts in (({}, 1), ({"k": 2}, 2)):
        found = attended("MoE", *given, outputs=[shape], **attributes)
        assert found.multiply_adds == tokens * experts * (16 * 8 + 8 * 11 + 11 * 8)
    without_third = attended("MoE", *given[:6], outputs=[shape])
    assert without_third.multiply_adds == tokens * (16 * 8 + 8 * 11)


@pytest.mark.parametrize(("tokens", "experts"), [(2, 2), (3, 3), (9, 7)])
def test_no_more_experts_are_read_than_tokens_ask_for(tokens: int, experts: int) -> None:
    x = [tokens, 8]
    given = (x, [tokens, 7], [7, 16, 8], [7, 16], [7, 8, 11])
    found = attended("MoE", *given, outputs=[x])
    others = tokens * 8 + tokens * 7 + 7 * 16
    assert found.read_elements == others + experts * (16 * 8 + 8 * 11)


@pytest.mark.parametrize(
    ("attributes", "widths"),
    [
        ({}, (2, 2, 2)),
        ({"expert_weight_bits": 8}, (1, 1, 1)),
        ({"expert_weight_bits": 2}, (4, 4, 4)),
        ({"fc1_expert_weight_bits": 8}, (1, 2, 2)),
        ({"expert_weight_bits": 8, "fc2_expert_weight_bits": 4}, (1, 2, 1)),
        ({"fc3_expert_weight_bits": 8}, (2, 2, 1)),
    ],
)
def test_experts_in_bytes(attributes: dict[str, int], widths: tuple[int, ...]) -> None:
    """`widths` says how many elements a byte of the three matrices holds."""
    one, two, three = packed(7, 16, 4), packed(7, 8, 6), packed(7, 16, 5)
    given = ([15, 8], [15, 7], one, [7, 16], None, two, [7, 8], None, three, [7, 16])
    found = attended("QMoE", *given, outputs=[[15, 8]], k=2, **attributes)
    held = 64 * widths[0] + 48 * widths[1] + 80 * widths[2]
    assert found.multiply_adds == 15 * 2 * held
    stored = counted(
        "QMoE", *given, outputs=[[15, 8]], stored="cfi", domain="com.microsoft", **attributes
    )
    assert stored.parameters == 7 * held
    assert stored.weight_bytes == 7 * (64 + 48 + 80)


def test_experts_of_eight_bit_floats_hold_an_element_a_byte() -> None:
    one, two = (TensorType(TensorProto.FLOAT8E4M3FN, shape) for shape in ((7, 16, 8), (7, 8, 16)))
    given = ([15, 8], [15, 7], one, None, None, two)
    found = attended("QMoE", *given, outputs=[[15, 8]], quant_type="fp8")
    assert found.multiply_adds == 15 * 2 * 16 * 8


# What a node has to say


@pytest.mark.parametrize(
    "op",
    ["Attention", "QAttention", "MultiHeadAttention", "GroupQueryAttention", "PackedAttention"],
)
def test_without_heads_nothing_is_counted(op: str) -> None:
    given = (QUERY, [20, 60], [60], [1], int32(0, 6), [1], int32(6))
    reason = refused(op, *given, outputs=[QUERY], known="eg")
    assert reason == f"{op} lacks its num_heads"


def test_linear_attention_is_that_of_onnx() -> None:
    attributes = {"q_num_heads": 4, "kv_num_heads": 4, "update_rule": "linear"}
    given = (QUERY, QUERY, [2, 6, VALUES])
    made = [[2, 6, VALUES], [2, 4, 5, 3]]
    found = attended("LinearAttention", *given, outputs=made, **attributes)
    assert found.multiply_adds == 2 * 6 * 4 * (5 * 3) * 2
