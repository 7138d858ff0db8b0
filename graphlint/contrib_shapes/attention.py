"""Shapes of attention and its caches."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphlint.contrib_shapes.call import FLOAT, Call, Outputs, UnshapedError, over, plus, times
from graphlint.graph import Dim, TensorType

__all__ = ["MICROSOFT"]

Rule = Callable[[Call], Outputs]


def _heads(call: Call) -> int:
    heads = call.integer("num_heads")
    if not heads:
        raise UnshapedError
    return heads


def merged_projection(past: int, dtype: int = 0) -> Rule:
    """Attention with one weight for Q, K and V, and one cache of both."""

    def rule(call: Call) -> Outputs:
        batch, steps, _ = call.shape(0, rank=3)
        sizes = call.node.attribute("qkv_hidden_sizes")
        merged = call.shape(1, rank=2)[1]
        query = int(sizes[0]) if sizes else over(merged, 3)
        value = int(sizes[2]) if sizes else over(merged, 3)
        keys: Dim = steps
        if call.given(past):
            cached = call.shape(past, rank=5)[3]
            keys = cached if call.integer("past_present_share_buffer") else plus(cached, steps)
        heads = _heads(call)
        present = (2, batch, heads, keys, over(query, heads))
        element = call.dtype(dtype)
        return [TensorType(element, (batch, steps, value)), TensorType(element, present)]

    return rule


def ordered(call: Call) -> Outputs:
    """QOrderedAttention: as wide as its value projection."""
    batch, steps, _ = call.shape(0, rank=3)
    return [TensorType(call.dtype(0), (batch, steps, call.shape(7, rank=2)[1]))]


def multi_head(past: int) -> Rule:
    """MultiHeadAttention, its operands apart or packed, and its cache of keys and of values."""

    def rule(call: Call) -> Outputs:
        heads, element = _heads(call), call.dtype(0)
        query = call.shape(0)
        if len(query) == 5:  # (batch, steps, heads, 3, head)
            batch, steps, keys = query[0], query[1], query[1]
            head = value_head = query[4]
        elif len(query) != 3:
            raise UnshapedError
        else:
            batch, steps, width = query
            head, value_head, keys = _operand_heads(call, heads, width, steps)
        total = keys
        if call.given(past):
            cached = call.shape(past, rank=4)[2]
            shared = call.integer("past_present_share_buffer") or call.given(past + 2)
            total = cached if shared else plus(cached, keys)
        return [
            TensorType(element, (batch, steps, times(value_head, heads))),
            TensorType(element, (batch, heads, total, head)),
            TensorType(element, (batch, heads, total, value_head)),
            TensorType(element, (batch, heads, steps, total)),
        ]

    return rule


def _operand_heads(call: Call, heads: int, width: Dim, steps: Dim) -> tuple[Dim, Dim, Dim]:
    """Head sizes of query and value, and the number of new keys."""
    if not call.given(1):  # queries, keys and values side by side, taken for equally wide
        head = over(over(width, 3), heads)
        return head, head, steps
    key = call.shape(1)
    if len(key) == 5:  # (batch, keys, heads, 2, head)
        return over(width, heads), key[4], key[1]
    value = call.shape(2)
    if len(key) == 4 and len(value) == 4:  # (batch, heads, keys, head)
        return over(width, heads), value[3], key[2]
    if len(key) == 3 and len(value) == 3:
        return over(width, heads), over(value[2], heads), key[1]
    raise UnshapedError


def grouped_query(call: Call) -> Outputs:
    """GroupQueryAttention: the cache grows, unless past and present share a buffer."""
    heads, groups, element = _heads(call), call.integer("kv_num_heads"), call.dtype(0)
    batch, steps, width = call.shape(0, rank=3)
    head = over(width, heads) if call.given(1) else over(width, heads + 2 * groups)
    known = call.numbers(6)
    total: Dim = steps
    if call.given(3):
        cached = call.shape(3, rank=4)[2]
        # The capacity of a shared buffer, or the length that the run reaches: whichever is more.
        total = max(cached, known[0]) if known and isinstance(cached, int) else None
    cache = TensorType(call.dtype(3, element), (batch, groups, total, head))
    return [TensorType(element, (batch, steps, times(head, heads))), cache, cache]


def packed(projected: bool) -> Rule:
    """Attention over tokens without padding."""

    def rule(call: Call) -> Outputs:
        query = call.shape(0)
        if projected:
            sizes = call.node.attribute("qkv_hidden_sizes")
            value = int(sizes[2]) if sizes else over(call.shape(1, rank=2)[1], 3)
        elif len(query) == 4:  # (tokens, heads, 3, head)
            value = times(query[3], _heads(call))
        else:
            value = call.shape(2, rank=2)[1]
        return [TensorType(call.dtype(0), (query[0], value))]

    return rule


def cached_in_place(steps_packed: bool) -> Rule:
    """PagedAttention and SparseAttention: their caches stay as they are."""

    def rule(call: Call) -> Outputs:
        *tokens, width = call.shape(0, rank=2 if steps_packed else 3)
        if not call.given(1):
            heads = _heads(call)
            width = times(over(width, heads + 2 * call.integer("kv_num_heads")), heads)
        caches = [call.type(position) if call.given(position) else None for position in (3, 4)]
        return [TensorType(call.dtype(0), (*tokens, width)), *caches]

    return rule


def decoder(call: Call) -> Outputs:
    """DecoderAttention: as its query; how long its caches are, its flags decide."""
    steps, batch, width = call.shape(0, rank=3)
    heads = _heads(call)
    cache = TensorType(call.dtype(0), (batch, heads, None, over(width, heads)))
    return [TensorType(call.dtype(0), (steps, batch, width)), cache, cache]


def linear(call: Call) -> Outputs:
    """LinearAttention: a state for every head, and an output as wide as the more heads make it."""
    batch, steps, width = call.shape(0, rank=3)
    queries, states = call.integer("q_num_heads"), call.integer("kv_num_heads")
    if not queries or not states:
        raise UnshapedError
    value = over(call.shape(2, rank=3)[2], states)
    state: TensorType = (
        call.type(3)
        if call.given(3)
        else TensorType(call.dtype(0), (batch, states, over(width, queries), value))
    )
    output = (batch, steps, times(value, max(queries, states)))
    return [TensorType(call.dtype(0), output), state]


def position_bias(call: Call) -> Outputs:
    """RelativePositionBias: one value for every head and pair of positions."""
    lengths = [call.numbers(position) for position in (1, 2)]
    queries, keys = (known[0] if known else None for known in lengths)
    heads = call.shape(0, rank=2)[1]
    return [TensorType(call.dtype(0), (1, heads, queries, keys))]


def gated_position_bias(call: Call) -> Outputs:
    """GatedRelativePositionBias: for every sequence, the positions' bias times its gates."""
    query = call.shape(0)
    batch = query[0] if len(query) == 3 else call.shape(6, rank=2)[0]
    _, heads, queries, keys = call.shape(2, rank=4)
    return [TensorType(call.dtype(0, FLOAT), (batch, heads, queries, keys))]


MICROSOFT: Mapping[str, Rule] = {
    "Attention": merged_projection(past=4),
    "DecoderMaskedSelfAttention": merged_projection(past=4),
    "QAttention": merged_projection(past=8, dtype=3),
    "QOrderedAttention": ordered,
    "MultiHeadAttention": multi_head(past=6),
    "DecoderMaskedMultiHeadAttention": multi_head(past=5),
    "GroupQueryAttention": grouped_query,
    "PackedAttention": packed(projected=True),
    "PackedMultiHeadAttention": packed(projected=False),
    "PagedAttention": cached_in_place(steps_packed=True),
    "SparseAttention": cached_in_place(steps_packed=False),
    "DecoderAttention": decoder,
    "LinearAttention": linear,
    "LongformerAttention": lambda call: [call.type(0)],
    "QOrderedLongformerAttention": lambda call: [call.type(0)],
    "RelativePositionBias": position_bias,
    "GatedRelativePositionBias": gated_position_bias,
}
