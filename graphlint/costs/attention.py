"""Attention of the ONNX operator set: the products Q·Kᵀ and scores·V, and the recurrent kind.

Counting convention: `docs/counting.md`, "Attention". Masks, causal or given, save nothing: the
products count dense, over all keys, past ones included.
"""

from __future__ import annotations

from graphlint.costs.contract import Category, Operation, UnknownCost, Work, operators
from graphlint.costs.recipes import attribute_text

__all__ = ["HANDLES", "PREVIEW", "linear_attention"]

_SOFTMAX = 5


def attention(operation: Operation) -> Work:
    """Attention-23: 4-D (batch, heads, steps, head) or 3-D (batch, steps, heads * head)."""
    heads, queries, head = _query(operation)
    batch = operation.input(0).shape[0]
    values = operation.input(2).shape  # as many as keys, though they may be wider
    packed = len(values) == 3
    keys = values[1 if packed else 2]
    if operation.has_input(4):
        keys += operation.input(4).shape[2]
    value_head = values[-1]
    if packed:
        value_head //= int(operation.attribute("kv_num_heads", 0)) or heads
    scores = batch * heads * queries * keys
    return Work(multiply_adds=scores * (head + value_head), element_operations=_SOFTMAX * scores)


def _query(operation: Operation) -> tuple[int, int, int]:
    """Heads, steps and head size of the query."""
    query = operation.input(0)
    if query.rank == 4:
        _, heads, steps, head = query.shape
        return heads, steps, head
    _, steps, width = query.shape
    heads = int(operation.attribute("q_num_heads", 0))
    if not heads:
        raise UnknownCost("a 3-D attention lacks its q_num_heads")
    return heads, steps, width // heads


def linear_attention(operation: Operation) -> Work:
    """LinearAttention: at every step the state takes an outer product and is read out.

    The delta rules read the state once more, to correct what it already holds.
    """
    batch, steps, query_width = operation.input(0).shape
    query_heads = int(operation.attribute("q_num_heads"))
    state_heads = int(operation.attribute("kv_num_heads"))
    cell = (query_width // query_heads) * (operation.input(2).shape[-1] // state_heads)
    rule = attribute_text(operation, "update_rule", "gated_delta")
    updates = state_heads * (2 if "delta" in rule else 1)
    decays = state_heads if "gated" in rule else 0
    return Work(
        multiply_adds=batch * steps * cell * (updates + max(query_heads, state_heads)),
        element_operations=batch * steps * cell * decays,
    )


HANDLES = {
    **operators("Attention", attention, Category.MATMUL, control=(6,)),
    **operators("LinearAttention", linear_attention, Category.MATMUL),
}

PREVIEW = operators("FlexAttention", attention, Category.MATMUL)
