"""Fingerprints of findings: what stays when a model is renamed, re-exported or re-ordered.

A site's fingerprint is made of the rule and of the site's nodes: operator, attributes, element
types and shapes. Names, positions, measured times and whatever stands around the site are no part
of it: sites that cost the same have the same fingerprint, wherever they are, and a baseline counts
how many of them a model has.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from graphlint.graph import ABSENT, GraphView, Node, TensorType


def fingerprint(view: GraphView, code: str, nodes: Iterable[Node]) -> str:
    """The fingerprint of a rule's site: 32 hexadecimal digits."""
    text = "\n".join([code, *sorted(_signature(view, node) for node in nodes)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def of_finding(sites: Iterable[str]) -> str:
    """The fingerprint of a finding: the one that most of its sites have.

    So a site more or less seldom changes it. Of equally frequent ones the smallest stands.
    """
    counts = Counter(sites)
    return min(counts, key=lambda digest: (-counts[digest], digest))


def _signature(view: GraphView, node: Node) -> str:
    attributes = sorted(
        f"{name}={value!r}"
        for name, value in node.attributes.items()
        if isinstance(value, int | float | str | tuple)
    )
    shapes = (_shape(view, key) for key in (*node.inputs, *node.outputs))
    return "|".join((f"{node.domain}.{node.op}", ",".join(attributes), ",".join(shapes)))


def _shape(view: GraphView, key: str) -> str:
    type_ = view.type(key)
    if key == ABSENT or not isinstance(type_, TensorType) or type_.shape is None:
        return "?"
    return f"{type_.dtype}:" + "x".join(
        str(dim) if isinstance(dim, int) else "?" for dim in type_.shape
    )
