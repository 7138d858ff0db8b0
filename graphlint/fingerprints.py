"""Fingerprints of findings: what stays when a model is renamed, re-exported or re-ordered.

A fingerprint is made of the rule and of one site's nodes: operator, attributes, shapes, and the
operators around. Names, positions and measured times are no part of it. Of like sites, the one
whose fingerprint sorts first stands for all, so that a site more or less changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from graphlint.graph import ABSENT, GraphView, Node, TensorType
from graphlint.rule import Site


def fingerprint(view: GraphView, code: str, sites: Iterable[Site]) -> str:
    """The fingerprint of a finding: 32 hexadecimal digits."""
    return min(_digest(code, [_signature(view, node) for node in site.nodes]) for site in sites)


def _digest(code: str, signatures: list[str]) -> str:
    text = "\n".join([code, *sorted(signatures)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _signature(view: GraphView, node: Node) -> str:
    attributes = sorted(
        f"{name}={value!r}"
        for name, value in node.attributes.items()
        if isinstance(value, int | float | str | tuple)
    )
    producers = (view.producer(key) for key in node.inputs)
    readers = (reader for key in node.outputs for reader in view.readers(key))
    return "|".join(
        (
            _operator(node),
            ",".join(attributes),
            ",".join(_shape(view, key) for key in (*node.inputs, *node.outputs)),
            ",".join(
                sorted(_operator(n) for n in producers if n is not None and n.op != "Constant")
            ),
            ",".join(sorted(map(_operator, readers))),
        )
    )


def _operator(node: Node) -> str:
    return f"{node.domain}.{node.op}"


def _shape(view: GraphView, key: str) -> str:
    type_ = view.type(key)
    if key == ABSENT or not isinstance(type_, TensorType) or type_.shape is None:
        return "?"
    return f"{type_.dtype}:" + "x".join(
        str(dim) if isinstance(dim, int) else "?" for dim in type_.shape
    )
