"""Control flow and sequences: bodies are counted apart, sequences only refer to their tensors.

Counting convention: `docs/counting.md`, "Control flow" and "Sequences".
"""

from __future__ import annotations

from graphlint.costs.contract import Category, Operation, Work, operators
from graphlint.costs.recipes import data_dependent, nothing

__all__ = ["HANDLES", "MICROSOFT"]


def gathered(operation: Operation) -> Work:
    """ConcatFromSequence: the sequence's tensors together hold what the output holds."""
    return Work(reads={0: operation.output(0).elements})


def split(operation: Operation) -> Work:
    """SplitToSequence: the pieces together hold what the input holds."""
    return Work(writes={0: operation.input(0).elements})


HANDLES = {
    **operators("If Loop Scan SequenceMap", nothing, Category.CONTROL),
    **operators("SequenceConstruct SequenceEmpty SequenceLength", nothing, Category.VIEW),
    **operators("SequenceInsert", nothing, Category.VIEW, control=(2,)),
    **operators("SequenceAt SequenceErase", nothing, Category.VIEW, control=(1,)),
    **operators("ConcatFromSequence", gathered, Category.MOVEMENT),
    **operators("SplitToSequence", split, Category.MOVEMENT, control=(1,)),
}

_DECODING = data_dependent("how often its decoder runs is decided while decoding")

MICROSOFT = {
    **operators("BeamSearch GreedySearch Sampling WhisperBeamSearch", _DECODING, Category.CONTROL),
    **operators(
        "EPContext Snpe",
        data_dependent("it is a compiled blob of an execution provider"),
        Category.OTHER,
    ),
}
