"""Places that are wired like a unit of ShuffleNet V1: a branch of three convolutions and a join."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphlint.graph import Node
from graphlint.rewrites import Subject
from graphlint_rules.rewrites.definitions import axis_of, is_standard
from graphlint_rules.rewrites.v1.activations import activating, read_activation
from graphlint_rules.rewrites.v1.branches import Strand, strand_before
from graphlint_rules.rewrites.v1.given_numbers import is_given
from graphlint_rules.rewrites.v1.images import image_size
from graphlint_rules.rewrites.v1.nodes import result_of
from graphlint_rules.rewrites.v1.units import NONE, Activation

_SUMS = frozenset({"Add", "Sum"})
_MOST_JOINED = 3  # a unit joins two; a third makes a near miss


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is wired like a unit. `axis` has the channels of the joined values, 1 or -1.

    `others` are the join's other operands; `branch_first` says whether the branch is its first.
    `activated_by` are the nodes of the joined value's activation, the last one first.
    """

    join: Node
    axis: int
    first: Strand
    depthwise: Strand
    last: Strand
    others: tuple[str, ...]
    branch_first: bool
    activated_by: tuple[Node, ...]
    output_activation: Activation

    @property
    def input(self) -> str:
        """What the branch reads."""
        return self.first.convolution.source

    @property
    def output(self) -> str:
        """What the unit makes."""
        return result_of((*self.activated_by, self.join)[0])

    @property
    def is_sum(self) -> bool:
        """Whether the branch is added, not concatenated."""
        return self.join.op in _SUMS

    @property
    def is_shuffled(self) -> bool:
        """Whether channels change their places on the way."""
        return self.first.is_moved or self.depthwise.is_moved

    @property
    def strands(self) -> tuple[Strand, Strand, Strand]:
        """First, depthwise, last."""
        return (self.first, self.depthwise, self.last)


def candidates(subject: Subject) -> Iterator[Candidate]:
    """Every place that is wired like a unit, shuffled or not, in the order of their joins."""
    for node in subject.view.nodes:
        if (node.op in _SUMS or node.op == "Concat") and is_standard(node):
            found = max(_at(subject, node), key=_likeness, default=None)
            if found is not None:
                yield found


def _likeness(candidate: Candidate) -> tuple[bool, bool]:
    """Of two operands that are branches, that is the unit's which reads the other, and shuffles."""
    return (candidate.input in candidate.others, candidate.is_shuffled)


def _at(subject: Subject, join: Node) -> Iterator[Candidate]:
    if any(is_given(subject, key) for key in join.inputs):  # a bias
        return
    for position, key in enumerate(join.inputs[:_MOST_JOINED]):
        for axis in _axes(subject, join):
            branch = _branch(subject, key, axis)
            if branch is not None:
                others = (*join.inputs[:position], *join.inputs[position + 1 :])
                yield Candidate(
                    join,
                    axis,
                    *branch,
                    others,
                    position == 0,
                    *_activation_after(subject, join, axis),
                )


def _axes(subject: Subject, join: Node) -> tuple[int, ...]:
    """The axes on which the channels may lie."""
    if image_size(subject.view, result_of(join)) is None:
        return ()
    if join.op in _SUMS:
        return (1, -1)
    return tuple(axis for axis in (1, -1) if axis_of(join, 4) == axis % 4)


def _branch(subject: Subject, key: str, axis: int) -> tuple[Strand, Strand, Strand] | None:
    last = strand_before(subject, key, axis)
    if last is None or not last.convolution.is_pointwise or last.is_moved:
        return None
    middle = strand_before(subject, last.convolution.source)
    if middle is None or middle.convolution.is_pointwise:
        return None
    first = strand_before(subject, middle.convolution.source)
    if first is None or not first.convolution.is_pointwise:
        return None
    return first, middle, last


def _activation_after(
    subject: Subject, join: Node, axis: int
) -> tuple[tuple[Node, ...], Activation]:
    """The nodes that activate what is joined, and how."""
    key = result_of(join)
    for reader in subject.view.readers(key):
        found = activating(subject.view, reader)
        known = None if found is None else read_activation(subject, found, axis)
        if found is not None and known is not None and found.source == key:
            return found.nodes, known
    return (), NONE
