"""Multiply-adds of operators from the shapes of tensors that were there while a model ran.

A second opinion on `graphlint/costs`, which it does not import: formulas are written by the
operators' inputs and attributes instead of by weights and outputs, wherever there are two ways.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """One execution of a node: the shapes of its inputs and outputs, None for what is left out."""

    inputs: Sequence[Shape | None]
    outputs: Sequence[Shape | None]
    attributes: Mapping[str, Any]

    def into(self, position: int) -> Shape:
        """The shape of an input that has to be there."""
        shape = self.inputs[position]
        assert shape is not None
        return shape

    def out(self, position: int = 0) -> Shape:
        """The shape of an output that has to be there."""
        shape = self.outputs[position]
        assert shape is not None
        return shape

    def has(self, position: int) -> bool:
        """Whether an input is given."""
        return position < len(self.inputs) and self.inputs[position] is not None


def convolution(weight: int = 1) -> Callable[[Call], int]:
    """Images, filters, positions, channels of a group, taps."""

    def formula(call: Call) -> int:
        images, channels = call.into(0)[:2]
        filters, _, *kernel = call.into(weight)
        groups = call.attributes.get("group", 1)
        return images * filters * prod(call.out()[2:]) * (channels // groups) * prod(kernel)

    return formula


def transposed(call: Call) -> int:
    """Every input element goes to every tap of every filter of its group."""
    images, channels, *places = call.into(0)
    _, filters, *kernel = call.into(1)
    return images * channels * prod(places) * filters * prod(kernel)


def gemm(call: Call) -> int:
    """M, N and K, each from the operand that has it."""
    left, right = call.into(0), call.into(1)
    m, k = left[::-1] if call.attributes.get("transA", 0) else left
    n = right[0] if call.attributes.get("transB", 0) else right[1]
    return m * n * k


def matmul(right: int = 1) -> Callable[[Call], int]:
    """numpy.matmul: batches broadcast, vectors are matrices of one row or column."""

    def formula(call: Call) -> int:
        return _product(call.into(0), call.into(right))

    return formula


def fused_matmul(call: Call) -> int:
    """FusedMatMul, without the batches being transposed."""
    left, right = call.into(0), call.into(1)
    if call.attributes.get("transA", 0) and len(left) > 1:
        left = (*left[:-2], left[-1], left[-2])
    if call.attributes.get("transB", 0) and len(right) > 1:
        right = (*right[:-2], right[-1], right[-2])
    return _product(left, right)


def _product(left: Shape, right: Shape) -> int:
    left = left if len(left) > 1 else (1, *left)
    right = right if len(right) > 1 else (*right, 1)
    rank = max(len(left), len(right)) - 2
    padded = [(1,) * (rank - len(s) + 2) + s[:-2] for s in (left, right)]
    batch = prod(b if a == 1 else a for a, b in zip(*padded, strict=True))
    return batch * left[-2] * left[-1] * right[-1]


def blocks_of_bits(call: Call) -> int:
    """MatMulNBits: rows of the activation, times its packed matrix of K by N."""
    k, n = call.attributes["K"], call.attributes["N"]
    return prod(call.into(0)) // k * k * n


def recurrent(gates: int) -> Callable[[Call], int]:
    """Steps, batch, directions, gates, hidden size, and what each gate sees."""

    def formula(call: Call) -> int:
        first, second, width = call.into(0)
        directions, _, hidden = call.into(2)
        return first * second * directions * gates * hidden * (width + hidden)

    return formula


def einsum(call: Call) -> int:
    """All indices as one nest of loops, for every operand after the first."""
    equation = call.attributes["equation"].decode().replace(" ", "")
    terms = equation.split("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, (s for s in call.inputs if s is not None), strict=True):
        before, dots, after = term.partition("...")
        hidden = len(shape) - len(before) - len(after)
        # Under an ellipsis axes are counted from its right end.
        middle = [f"dots{hidden - place}" for place in range(hidden)] if dots else []
        for index, size in zip([*before, *middle, *after], shape, strict=True):
            sizes[index] = max(size, sizes.get(index, 1)) if size else 0
    return prod(sizes.values()) * (len(terms) - 1)


def attention(call: Call) -> int:
    """ai.onnx Attention: scores and their sums, past keys included."""
    query, key, value = call.into(0), call.into(1), call.into(2)
    if len(query) == 4:
        batch, heads, queries, width = query
        keys, value_width = key[2], value[3]
    else:
        heads = call.attributes["q_num_heads"]
        batch, queries, width = query[0], query[1], query[2] // heads
        keys, value_width = key[1], value[2] // call.attributes["kv_num_heads"]
    if call.has(4):
        keys += call.into(4)[2]
    return batch * heads * queries * keys * (width + value_width)


FORMULAS: Mapping[tuple[str, str], Callable[[Call], int]] = {
    ("", "Conv"): convolution(),
    ("", "ConvInteger"): convolution(),
    ("", "QLinearConv"): convolution(3),
    ("", "DeformConv"): convolution(),
    ("", "ConvTranspose"): transposed,
    ("", "Gemm"): gemm,
    ("", "MatMul"): matmul(),
    ("", "MatMulInteger"): matmul(),
    ("", "QLinearMatMul"): matmul(3),
    ("", "Einsum"): einsum,
    ("", "RNN"): recurrent(1),
    ("", "GRU"): recurrent(3),
    ("", "LSTM"): recurrent(4),
    ("", "Attention"): attention,
    ("com.microsoft", "FusedConv"): convolution(),
    ("com.microsoft", "FusedGemm"): gemm,
    ("com.microsoft", "QGemm"): lambda call: gemm(
        Call((call.inputs[0], call.inputs[3]), call.outputs, call.attributes)
    ),
    ("com.microsoft", "FusedMatMul"): fused_matmul,
    ("com.microsoft", "DynamicQuantizeMatMul"): matmul(),
    ("com.microsoft", "MatMulIntegerToFloat"): matmul(),
    ("com.microsoft", "MatMulNBits"): blocks_of_bits,
}
"""By domain and operator. What is not here is compared by its shapes alone."""
