"""How much two nodes are alike, for aligning what is not the same."""

from __future__ import annotations

from graphlint.structure import NodeStructure

SAME = 8.0
"""Nodes that are alike in everything; all others score less."""


class Similarity(dict[tuple[int, int], float]):
    """Scores of pairs of colours, each made when it is first asked for; 0 for what is no pair."""

    def __init__(self, examples: dict[int, NodeStructure]) -> None:
        """`examples` has a node of each colour; without them, only the same colours score."""
        super().__init__()
        self._examples = examples

    def __missing__(self, pair: tuple[int, int]) -> float:
        a, b = pair
        score = SAME if a == b else self._different(a, b)
        self[pair] = score
        return score

    def _different(self, a: int, b: int) -> float:
        known = a in self._examples and b in self._examples
        return _score(self._examples[a], self._examples[b]) if known else 0.0


def _score(a: NodeStructure, b: NodeStructure) -> float:
    """One for the kind, up to four for the facts in common; none for nodes far from each other."""
    if a.family != b.family:
        return 0.0
    if a.kind != b.kind and a.dims != b.dims:
        return 0.0
    if not have_common_size(a, b) and not have_common_width(a, b):
        return 0.0
    common = len(set(a.facts) & set(b.facts))
    return float(a.kind == b.kind) + 4 * common / max(len(a.facts), len(b.facts), 1)


def have_common_size(a: NodeStructure, b: NodeStructure) -> bool:
    """Whether the outputs differ in no more than their first two dimensions: batch and channels."""
    return _ends(a)[1] == _ends(b)[1]


def have_common_width(a: NodeStructure, b: NodeStructure) -> bool:
    """Whether the outputs have batch and channels in common."""
    return _ends(a)[0] == _ends(b)[0]


def _ends(node: NodeStructure) -> tuple[object, object]:
    if node.dims is None:
        return None, None
    rank = len(node.dims)
    return (rank, node.dims[:2]), (rank, node.dims[2:])
