"""ONNX's attention: its two layouts, its cache, and the recurrent kind."""

from typing import Any

import pytest

from graphlint.graph import TensorType
from tests.costs.helpers import counted, refused

# 2 sequences, 4 heads of queries over 2 of keys and values; heads of 7, values of 3.
QUERIES, KEYS, PAST = 5, 6, 9
QUERY, KEY, VALUE = [2, 4, 5, 7], [2, 2, 6, 7], [2, 2, 6, 3]
CACHE, CACHED_VALUES = [2, 2, 9, 7], [2, 2, 9, 3]
FLAT = ([2, 5, 28], [2, 6, 14], [2, 6, 6])
HEADS = {"q_num_heads": 4, "kv_num_heads": 2}


def work(keys: int) -> tuple[int, int]:
    """Multiply-adds and element operations, 5 for every score."""
    scores = 2 * 4 * QUERIES * keys
    return scores * (7 + 3), 5 * scores


@pytest.mark.parametrize(
    ("inputs", "attributes"), [((QUERY, KEY, VALUE), {}), (FLAT, HEADS)], ids=["heads", "flat"]
)
def test_both_layouts_attend_alike(inputs: Any, attributes: dict[str, int]) -> None:
    made = [[2, 4, 5, 3], [2, 2, 15, 7], [2, 2, 15, 3]]
    found = counted("Attention", *inputs, outputs=made[:1], **attributes)
    assert (found.multiply_adds, found.element_operations) == work(KEYS)
    cached = (*inputs, None, CACHE, CACHED_VALUES)
    found = counted("Attention", *cached, outputs=made, **attributes)
    assert (found.multiply_adds, found.element_operations) == work(KEYS + PAST)
    masked = (*inputs, [5, 6], None, None, [2])
    found = counted("Attention", *masked, outputs=made[:1], **attributes)
    assert (found.multiply_adds, found.element_operations) == work(KEYS)


def test_keys_have_as_many_heads_as_queries_unless_told_otherwise() -> None:
    given = ([2, 5, 28], [2, 6, 28], [2, 6, 12])
    found = counted("Attention", *given, outputs=[[2, 5, 12]], q_num_heads=4)
    assert (found.multiply_adds, found.element_operations) == work(KEYS)


def test_heads_that_are_not_told_are_not_guessed() -> None:
    reason = refused("Attention", *FLAT, outputs=[[2, 5, 12]], domain="")
    assert reason == "a 3-D attention lacks its q_num_heads"


def test_a_query_of_unknown_rank() -> None:
    given = (TensorType(1, None), KEY, VALUE)
    reason = refused("Attention", *given, outputs=[[2, 4, 5, 3]], domain="", **HEADS)
    assert reason == "the shape of 'a' is unknown"


def test_flex_attention_attends_like_attention() -> None:
    found = counted(
        "FlexAttention", *(QUERY, KEY, VALUE), outputs=[[2, 4, 5, 3]], domain="ai.onnx.preview"
    )
    assert (found.multiply_adds, found.element_operations) == work(KEYS)


@pytest.mark.parametrize(
    ("rule", "visits", "decays"),
    [
        # a state's heads take an update (and a correction); each head of queries reads one out
        ({"update_rule": "linear"}, 2 + 4, 0),
        ({"update_rule": "gated"}, 2 + 4, 2),
        ({"update_rule": "delta"}, 2 * 2 + 4, 0),
        ({"update_rule": "gated_delta"}, 2 * 2 + 4, 2),
        ({}, 2 * 2 + 4, 2),
    ],
)
@pytest.mark.parametrize("domain", ["", "com.microsoft"])
def test_linear_attention(rule: dict[str, str], visits: int, decays: int, domain: str) -> None:
    """4 heads of queries over 2 states of 7 · 3, for 5 steps of 2 sequences."""
    given = ([2, 5, 28], [2, 5, 14], [2, 5, 6], [2, 2, 7, 3])
    made = [[2, 5, 12], [2, 2, 7, 3]]
    found = counted("LinearAttention", *given, outputs=made, domain=domain, **HEADS, **rule)
    assert found.multiply_adds == 2 * 5 * 7 * 3 * visits
    assert found.element_operations == 2 * 5 * 7 * 3 * decays


def test_linear_attention_with_more_states_than_queries() -> None:
    """Every state is read out, though queries are shared."""
    given = ([2, 5, 7], [2, 5, 7], [2, 5, 12])
    attributes = {"q_num_heads": 1, "kv_num_heads": 4, "update_rule": "linear"}
    found = counted("LinearAttention", *given, outputs=[[2, 5, 12]], **attributes)
    assert found.multiply_adds == 2 * 5 * 7 * 3 * (4 + 4)
