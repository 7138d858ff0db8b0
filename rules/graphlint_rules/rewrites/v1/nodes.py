"""All nodes that go when a unit goes, and who else sees what they make."""

from __future__ import annotations

from collections.abc import Container, Iterable

from graphlint.graph import ABSENT, GraphView, Node
from graphlint.rewrites import Subject
from graphlint_rules.rewrites.v1.given_numbers import is_given


def result_of(node: Node) -> str:
    """The value that the node makes; of several outputs the first."""
    return node.outputs[0]


def nodes_that_go(subject: Subject, own: Iterable[Node]) -> tuple[Node, ...]:
    """`own` with the Constants, Casts and shape arithmetic that only they read, in order."""
    members = {node.index: node for node in own}
    waiting = list(members.values())
    while waiting:
        for key in waiting.pop().inputs:
            node = subject.view.producer(key)
            if node is not None and node.index not in members and _serves(subject, node, members):
                members[node.index] = node
                waiting.append(node)
    return tuple(members[index] for index in sorted(members))


def _serves(subject: Subject, node: Node, members: Container[int]) -> bool:
    """Whether the node makes numbers that are known without an input, and for `members` alone."""
    view = subject.view
    return all(
        is_given(subject, key) and seen_outside(view, key, members) is None
        for key in node.outputs
        if key != ABSENT
    )


def seen_outside(view: GraphView, key: str, inside: Container[int]) -> str | None:
    """How a value is seen by anything but the nodes `inside`, None where it isn't."""
    if view.is_output(key):
        return "is an output of the model"
    outside = (node for node in view.readers(key) if node.index not in inside)
    reader = next(outside, None)
    return None if reader is None else f"also feeds {reader.op} {reader.path}"
