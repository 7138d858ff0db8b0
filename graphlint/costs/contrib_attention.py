"""Attention of ONNX Runtime's com.microsoft operators, with the projections that they contain.

Counting convention: `docs/counting.md`, "Attention"; the shapes are those of ONNX Runtime's
`ContribOperators.md`. Masks and windows save nothing; a cache's length has to be known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from graphlint.costs.attention import linear_attention
from graphlint.costs.contract import Category, Operand, Operation, UnknownCost, Work, operators
from graphlint.costs.recipes import PACKED_BYTE, data_dependent, rows_taken, statistics

__all__ = ["MICROSOFT"]

_SOFTMAX = 5


@dataclass(frozen=True, slots=True)
class _Product:
    """Queries against keys: `scores` pairs per head, widths over all heads together."""

    pairs: int
    query_width: int
    value_width: int
    heads: int

    def work(
        self,
        projections: int = 0,
        reads: dict[int, int] | None = None,
        parameters: dict[int, int] | None = None,
    ) -> Work:
        """The two products, and the multiply-adds of the projections before them."""
        return Work(
            multiply_adds=projections + self.pairs * (self.query_width + self.value_width),
            element_operations=_SOFTMAX * self.pairs * self.heads,
            reads=reads or {},
            parameters=parameters or {},
        )


def _heads(operation: Operation) -> int:
    heads = int(operation.attribute("num_heads", 0))
    if not heads:
        raise UnknownCost(f"{operation.node.op} lacks its num_heads")
    return heads


def _number(operand: Operand) -> int:
    return int(operand.numbers().item())


def _past_length(operation: Operation, past: int, axis: int, length: int | None = None) -> int:
    """Keys in the cache: what the input `length` says where the buffer is shared, else all."""
    if not operation.has_input(past):
        return 0
    if length is not None and operation.has_input(length):
        return _number(operation.input(length))
    return operation.input(past).shape[axis]


def _projected_widths(operation: Operation, merged: int) -> tuple[int, int]:
    """Query and value widths of a merged projection: thirds, unless the node says otherwise."""
    sizes = operation.attribute("qkv_hidden_sizes")
    if sizes:
        return int(sizes[0]), int(sizes[2])
    return merged // 3, merged // 3


def merged_projection(
    past: int, length: int | None = None, scales: tuple[int, ...] = ()
) -> Callable[[Operation], Work]:
    """Attention, QAttention, DecoderMaskedSelfAttention: one weight projects Q, K and V."""
    fixed = statistics(*scales)

    def work(operation: Operation) -> Work:
        batch, steps, width = operation.input(0).shape
        merged = operation.input(1).shape[-1]
        query_width, value_width = _projected_widths(operation, merged)
        keys = steps + _past_length(operation, past, axis=3, length=length)
        product = _Product(batch * steps * keys, query_width, value_width, _heads(operation))
        return product.work(projections=batch * steps * width * merged, parameters=fixed)

    return work


def ordered(operation: Operation) -> Work:
    """QOrderedAttention: three separate projections."""
    batch, steps, width = operation.input(0).shape
    widths = [operation.input(position).shape[-1] for position in (5, 6, 7)]
    keys = steps + _past_length(operation, past=18, axis=3)
    product = _Product(batch * steps * keys, widths[0], widths[2], _heads(operation))
    return product.work(
        projections=batch * steps * width * sum(widths),
        parameters=statistics(1, 2, 3, 4, 8, 9, 10, 14, 15, 16),
    )


def multi_head(past: int, length: int) -> Callable[[Operation], Work]:
    """MultiHeadAttention and its one-step decoder: projected before, apart or packed."""

    def work(operation: Operation) -> Work:
        heads = _heads(operation)
        batch, steps, query_width, value_width, keys = _multi_head_sizes(operation, heads)
        keys += _past_length(operation, past, axis=2, length=length)
        return _Product(batch * steps * keys, query_width, value_width, heads).work()

    return work


def _multi_head_sizes(operation: Operation, heads: int) -> tuple[int, int, int, int, int]:
    """Batch, steps, query width, value width and new keys."""
    query = operation.input(0).shape
    if len(query) == 5:  # (batch, steps, heads, 3, head)
        width = query[2] * query[4]
        return query[0], query[1], width, width, query[1]
    batch, steps, width = query
    if not operation.has_input(1):  # (batch, steps, query + key + value)
        value_width = operation.output(0).shape[-1]
        return batch, steps, (width - value_width) // 2, value_width, steps
    key = operation.input(1).shape
    if len(key) == 5:  # (batch, keys, heads, 2, head)
        return batch, steps, width, key[2] * key[4], key[1]
    value = operation.input(2).shape
    if len(key) == 4:  # (batch, heads, keys, head)
        return batch, steps, width, heads * value[3], key[2]
    return batch, steps, width, value[2], key[1]


def grouped_query(operation: Operation) -> Work:
    """GroupQueryAttention: every query head attends, though heads share keys and values."""
    heads = _heads(operation)
    batch, steps, width = operation.input(0).shape
    if not operation.has_input(1):  # queries, keys and values side by side
        head = width // (heads + 2 * int(operation.attribute("kv_num_heads")))
        width = heads * head
    keys = _grouped_query_keys(operation, steps)
    reads = {
        table: rows_taken(operation.input(table), batch * steps * operation.input(table).shape[-1])
        for table in (7, 8)
        if operation.has_input(table)
    }
    product = _Product(batch * steps * keys, width, width, heads)
    return product.work(reads=reads, parameters=statistics(12, 13))


def _grouped_query_keys(operation: Operation, steps: int) -> int:
    """Keys attended to: as the input says, else past and new ones, unless they share a buffer."""
    total = operation.input(6)
    if total.data is not None:
        return _number(total)
    if not operation.has_input(3):
        return steps
    past = operation.input(3).shape[2]
    present = operation.outputs[1] if len(operation.outputs) > 1 else None
    if present is None or present.shape[2] != past + steps:
        raise UnknownCost("how much of its key cache is filled is not known before the model runs")
    return past + steps


def decoder(operation: Operation) -> Work:
    """DecoderAttention: (steps, batch, hidden); its flags say what is projected and cached."""
    heads = _heads(operation)
    steps, batch, width = operation.input(0).shape
    sources = operation.input(1).shape[0]
    static = bool(_number(operation.input(8)))
    cached = bool(_number(operation.input(9)))
    keys = new = sources if static else steps
    if cached and static:
        keys, new = operation.input(6).shape[2], 0
    elif cached:
        keys += operation.input(6).shape[2]
    projections = batch * width * width * (steps + 2 * new)
    return _Product(batch * steps * keys, width, width, heads).work(projections)


def packed(projected: bool) -> Callable[[Operation], Work]:
    """PackedAttention and PackedMultiHeadAttention: tokens without padding, each to its sequence.

    `projected` says whether the node contains the projections.
    """
    offsets = 3 if projected else 4

    def work(operation: Operation) -> Work:
        pairs = _packed_pairs(operation, offsets)
        query = operation.input(0).shape
        if projected:
            merged = operation.input(1).shape[-1]
            query_width, value_width = _projected_widths(operation, merged)
            product = _Product(pairs, query_width, value_width, _heads(operation))
            return product.work(projections=prod(query) * merged)
        value_width = operation.output(0).shape[-1]
        query_width = query[1] if len(query) == 2 else query[1] * query[3]
        return _Product(pairs, query_width, value_width, _heads(operation)).work()

    return work


def _packed_pairs(operation: Operation, offsets: int) -> int:
    """Σ length² over the sequences, which only the data or the lack of padding can tell."""
    lengths = operation.input(offsets + 1)
    if lengths.data is not None:
        return sum((end - start) ** 2 for start, end in pairwise(lengths.data.tolist()))
    batch, steps = operation.input(offsets).shape
    if operation.input(0).shape[0] == batch * steps:
        return batch * steps * steps
    raise UnknownCost("the lengths of its packed sequences are not known before the model runs")


def gated_position_bias(operation: Operation) -> Work:
    """GatedRelativePositionBias: the queries' projection onto the gates."""
    gates = operation.input(3).shape[-1]
    return Work(
        multiply_adds=operation.input(0).elements * gates,
        element_operations=operation.output(0).elements * 2,
    )


def position_bias(operation: Operation) -> Work:
    """RelativePositionBias: every pair of positions takes its bucket of a small table."""
    taken = operation.output(0).elements
    return Work(reads={0: rows_taken(operation.input(0), taken)})


def mixture(weights: tuple[int, ...], scales: tuple[int, ...] = ()) -> Callable[[Operation], Work]:
    """MoE and QMoE: every token passes `k` experts; no more experts are read than are asked for.

    `weights` are the positions of the experts' first, second and third matrices, `scales` those of
    scales and zero points.
    """
    fixed = statistics(*scales)

    def work(operation: Operation) -> Work:
        *tokens, _ = operation.input(0).shape
        passes = prod(tokens) * int(operation.attribute("k", 1))
        multiply_adds, reads, parameters = 0, {}, dict(fixed)
        for layer, position in enumerate(weights, start=1):
            if not operation.has_input(position):
                continue
            weight = operation.input(position)
            experts, *matrix = weight.shape
            stored = elements = prod(matrix)
            if weight.dtype == PACKED_BYTE:
                elements = stored * 8 // _expert_bits(operation, layer)
            multiply_adds += passes * elements
            reads[position] = min(passes, experts) * stored
            parameters[position] = experts * elements
        return Work(multiply_adds=multiply_adds, reads=reads, parameters=parameters)

    return work


def _expert_bits(operation: Operation, layer: int) -> int:
    """The width of an element in a layer's packed matrices."""
    common = int(operation.attribute("expert_weight_bits", 4))
    return int(operation.attribute(f"fc{layer}_expert_weight_bits", common))


MICROSOFT = {
    **operators("Attention", merged_projection(4, 6), Category.MATMUL, control=(6,)),
    **operators(
        "DecoderMaskedSelfAttention", merged_projection(4, 6), Category.MATMUL, control=(6, 7)
    ),
    **operators("QAttention", merged_projection(past=8, scales=(3, 4, 6, 7)), Category.MATMUL),
    **operators("QOrderedAttention", ordered, Category.MATMUL),
    **operators("MultiHeadAttention", multi_head(6, 8), Category.MATMUL, control=(8,)),
    **operators(
        "DecoderMaskedMultiHeadAttention", multi_head(5, 7), Category.MATMUL, control=(7, 8)
    ),
    **operators("GroupQueryAttention", grouped_query, Category.MATMUL, control=(5, 6, 9, 16)),
    **operators("DecoderAttention", decoder, Category.MATMUL, control=(8, 9, 10, 11)),
    **operators("PackedAttention", packed(projected=True), Category.MATMUL, control=(3, 4)),
    **operators(
        "PackedMultiHeadAttention", packed(projected=False), Category.MATMUL, control=(4, 5)
    ),
    **operators(
        "PagedAttention SparsePagedAttention DynamicSparseAttention",
        data_dependent("how much of its paged cache each sequence fills depends on its data"),
        Category.MATMUL,
    ),
    **operators(
        "SparseAttention",
        data_dependent("which blocks it attends to depends on its block mask"),
        Category.MATMUL,
    ),
    **operators(
        "LongformerAttention QOrderedLongformerAttention",
        data_dependent("how many tokens attend globally depends on its data"),
        Category.MATMUL,
    ),
    **operators("GatedRelativePositionBias", gated_position_bias, Category.MATMUL),
    **operators("RelativePositionBias", position_bias, Category.MOVEMENT, control=(1, 2)),
    **operators("LinearAttention", linear_attention, Category.MATMUL),
    **operators("MoE", mixture((2, 4, 6)), Category.MATMUL),
    **operators(
        "QMoE",
        mixture((2, 5, 8), scales=(3, 6, 9, 11, 12, 13, 15, 16, 17, 18, 19, 20)),
        Category.MATMUL,
    ),
}
