"""Matrix products: output elements * the extent that is summed over.

Counting convention: `docs/counting.md`, "Matrix products". Batches broadcast, so the output's
elements, not the operands', say how often the inner product is taken. Biases are not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphlint.costs import einsum
from graphlint.costs.contract import Category, Operation, Work, operators
from graphlint.costs.recipes import activations, statistics

__all__ = ["HANDLES", "MICROSOFT"]


def inner_product(*scales: int) -> Callable[[Operation], Work]:
    """MatMul and its quantised spellings: the last dimension of the first operand is summed over.

    `scales` are the positions of scales and zero points, which are no parameters.
    """
    fixed = statistics(*scales)

    def work(operation: Operation) -> Work:
        return Work(
            multiply_adds=operation.output(0).elements * _depth(operation), parameters=fixed
        )

    return work


def gemm(*scales: int) -> Callable[[Operation], Work]:
    """Gemm, transposed or not; a fused activation is one operation per output element."""
    fixed = statistics(*scales)

    def work(operation: Operation) -> Work:
        depth = operation.input(0).shape[0 if operation.attribute("transA", 0) else -1]
        outputs = operation.output(0).elements
        return Work(
            multiply_adds=outputs * depth,
            element_operations=outputs * activations(operation),
            parameters=fixed,
        )

    return work


def fused_matmul(operation: Operation) -> Work:
    """FusedMatMul: operands transposed within a matrix (`transA`) or over the batch."""
    shape = operation.input(0).shape
    outputs = operation.output(0).elements
    depth = shape[-1]
    if operation.attribute("transA", 0) and len(shape) > 1:
        depth = shape[0] if operation.attribute("transBatchA", 0) else shape[-2]
    return Work(
        multiply_adds=outputs * depth,
        element_operations=outputs * activations(operation),
    )


def activated(operation: Operation) -> Work:
    """GemmFastGelu: a product with an activation behind it, one operation per output element."""
    outputs = operation.output(0).elements
    return Work(multiply_adds=outputs * _depth(operation), element_operations=outputs)


def packed_weight(*scales: int) -> Callable[[Operation], Work]:
    """A product with a packed weight of `K` * `N`, which its own shape does not tell."""
    fixed = statistics(*scales)

    def work(operation: Operation) -> Work:
        depth = int(operation.attribute("K", 0)) or _depth(operation)
        width = int(operation.attribute("N", 0)) or operation.output(0).shape[-1]
        return Work(
            multiply_adds=operation.output(0).elements * depth,
            parameters={**fixed, 1: depth * width},
        )

    return work


def fused_projections(
    widths: Mapping[int, str], scales: tuple[int, ...]
) -> Callable[[Operation], Work]:
    """MatMulNBitsMlp and MatMulNBitsQkv: one input through several packed weights.

    `widths` are the attributes that say how wide each weight is, by the weight's position.
    """
    fixed = statistics(*scales)

    def work(operation: Operation) -> Work:
        depth = int(operation.attribute("K"))
        made = {weight: int(operation.attribute(name)) for weight, name in widths.items()}
        return Work(
            multiply_adds=operation.input(0).elements * sum(made.values()),
            parameters={**fixed, **{weight: depth * width for weight, width in made.items()}},
        )

    return work


def distances(operation: Operation) -> Work:
    """CDist: every pair of rows, one multiply-add for every component of their difference."""
    return Work(multiply_adds=operation.output(0).elements * _depth(operation))


def _depth(operation: Operation) -> int:
    return operation.input(0).shape[-1]


HANDLES = {
    **operators("MatMul", inner_product(), Category.MATMUL),
    **operators("MatMulInteger", inner_product(2, 3), Category.MATMUL),
    **operators("QLinearMatMul", inner_product(1, 2, 4, 5, 6, 7), Category.MATMUL),
    **operators("Gemm", gemm(), Category.MATMUL),
    **operators("Einsum", einsum.contraction, Category.MATMUL),
}

MICROSOFT = {
    **operators("FusedMatMul FusedMatMulActivation TransposeMatMul", fused_matmul, Category.MATMUL),
    **operators("FusedGemm", gemm(), Category.MATMUL),
    **operators("GemmFloat8", gemm(3, 4, 5), Category.MATMUL),
    **operators("QGemm", gemm(1, 2, 4, 5, 7, 8), Category.MATMUL),
    **operators("MatMulInteger16", inner_product(), Category.MATMUL),
    **operators("GemmFastGelu", activated, Category.MATMUL),
    **operators("MatMulIntegerToFloat", inner_product(2, 3, 4, 5), Category.MATMUL),
    **operators("DynamicQuantizeMatMul", inner_product(2, 3), Category.MATMUL),
    **operators("QOrderedMatMul", inner_product(1, 3, 4, 7), Category.MATMUL),
    **operators("SparseToDenseMatMul", inner_product(), Category.MATMUL),
    **operators("MatMulNBits", packed_weight(2, 3, 4), Category.MATMUL),
    **operators("MatMulBnb4", packed_weight(2), Category.MATMUL),
    **operators("MatMulFpQ4", packed_weight(), Category.MATMUL, control=(2,)),
    **operators("MatMulBlockQuantizedFp4Weight", packed_weight(2, 3, 4), Category.MATMUL),
    **operators("MatMulBlockQuantizedFp8Weight", packed_weight(2, 3), Category.MATMUL),
    **operators("MatMulPacked", packed_weight(2), Category.MATMUL),
    **operators("MatMulNBitsMlp", fused_projections({3: "N", 6: "N"}, (4, 7)), Category.MATMUL),
    **operators(
        "MatMulNBitsQkv",
        fused_projections({3: "Nq", 6: "Nkv", 9: "Nkv"}, (4, 7, 10)),
        Category.MATMUL,
    ),
    **operators("CDist", distances, Category.MATMUL),
}
