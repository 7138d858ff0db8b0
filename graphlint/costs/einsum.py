"""Einsum: its equation, and the multiply-adds of the contraction that it spells.

Counting convention: `docs/counting.md`, "Matrix products"; operator specification, Einsum-12.
"""

from __future__ import annotations

from collections import Counter
from math import prod

from graphlint.costs.contract import Operation, UnknownCost, Work
from graphlint.costs.recipes import attribute_text

__all__ = ["contraction"]

_ELLIPSIS = "..."


def contraction(operation: Operation) -> Work:
    """The product of all index extents, once for every operand after the first.

    With one operand nothing is multiplied; where an index is summed over, each input element is
    added once.
    """
    terms, output = _parse(attribute_text(operation, "equation", ""))
    shapes = [operation.input(position).shape for position in range(len(operation.inputs))]
    if len(terms) != len(shapes):
        raise UnknownCost(f"the equation has {len(terms)} terms for {len(shapes)} operands")
    labelled = [_labels(term, len(shape)) for term, shape in zip(terms, shapes, strict=True)]
    extents = _extents(labelled, shapes)
    if len(terms) > 1:
        return Work(multiply_adds=prod(extents.values()) * (len(terms) - 1))
    (labels,), (shape,) = labelled, shapes
    summed = {label for label in labels if not label.startswith(_ELLIPSIS)} - set(output)
    return Work(element_operations=prod(shape) if summed else 0)


def _parse(equation: str) -> tuple[list[str], str]:
    """The terms and the output of an equation, which may leave the output to be implied."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    if not arrow:
        counts = Counter(character for character in left if character.isalpha())
        right = "".join(sorted(label for label, times in counts.items() if times == 1))
    return left.split(","), right


def _labels(term: str, rank: int) -> list[str]:
    """One label per dimension; those under an ellipsis are numbered from the right."""
    if _ELLIPSIS not in term:
        labels = list(term)
    else:
        before, _, after = term.partition(_ELLIPSIS)
        hidden = rank - len(before) - len(after)
        labels = [*before, *(f"{_ELLIPSIS}{place}" for place in range(hidden, 0, -1)), *after]
    if len(labels) != rank:
        raise UnknownCost(f"the equation's term {term!r} does not fit an operand of rank {rank}")
    return labels


def _extents(labelled: list[list[str]], shapes: list[tuple[int, ...]]) -> dict[str, int]:
    """Every index with its extent; a dimension of 1 is broadcast."""
    extents: dict[str, int] = {}
    for labels, shape in zip(labelled, shapes, strict=True):
        for label, dim in zip(labels, shape, strict=True):
            known = extents.get(label, 1)
            extents[label] = dim if known == 1 else known
    return extents
