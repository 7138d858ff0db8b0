"""Strings, n-grams, images and boxes: operators whose work hangs on what the data says.

Counting convention: `docs/counting.md`, "Unknown by decision". String tensors have no fixed size,
so whatever reads or writes one is unknown; what remains is moved whole.
"""

from __future__ import annotations

from graphlint.costs.contract import Category, Operation, Work, operators
from graphlint.costs.recipes import data_dependent, moved, per_input_element

__all__ = ["HANDLES", "MICROSOFT"]


def suppressed(operation: Operation) -> Work:
    """NonMaxSuppression: every score is looked at; how many boxes stay, the data decides."""
    return Work(element_operations=operation.input(1).elements)


HANDLES = {
    **operators("StringConcat StringSplit StringNormalizer RegexFullMatch", moved, Category.OTHER),
    **operators("TfIdfVectorizer", per_input_element(1), Category.OTHER),
    **operators(
        "ImageDecoder",
        data_dependent("how large the decoded image is stands in its data"),
        Category.OTHER,
    ),
    **operators("NonMaxSuppression", suppressed, Category.OTHER, control=(2, 3, 4)),
}

MICROSOFT = {
    **operators("Tokenizer MurmurHash3", moved, Category.OTHER),
    **operators("IsAllFinite", moved, Category.REDUCTION),
    **operators(
        "DynamicTimeWarping",
        data_dependent("the length of the path that it finds depends on its data"),
        Category.OTHER,
    ),
    **operators(
        "BifurcationDetector",
        data_dependent("how many tokens it accepts depends on its data"),
        Category.OTHER,
    ),
    **operators(
        "WordConvEmbedding",
        data_dependent("how many characters a word has depends on its data"),
        Category.CONVOLUTION,
    ),
}
