"""Is a place that is wired like a unit one that can be replaced? A match, or the reason why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphlint.graph import ABSENT, Node, TensorType
from graphlint.rewrites import Match, Refusal, Subject
from graphlint.rewriting.scratch import is_editable
from graphlint_rules.rewrites.shuffles.permutation import shuffle_groups
from graphlint_rules.rewrites.v1.branches import Strand
from graphlint_rules.rewrites.v1.candidates import Candidate
from graphlint_rules.rewrites.v1.conv_layers import conv_layer, is_dequantised, other_reader
from graphlint_rules.rewrites.v1.foreign_forms import QUANTISED
from graphlint_rules.rewrites.v1.given_numbers import is_given
from graphlint_rules.rewrites.v1.nodes import nodes_that_go, result_of, seen_outside
from graphlint_rules.rewrites.v1.pooling import read_pool
from graphlint_rules.rewrites.v1.units import ConvLayer, Pool, V1Unit
from graphlint_rules.rewrites.v1.windows import NO_PADS, follows_size


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is in the way: the node to look at, and the reason."""

    node: Node
    reason: str


def checked(subject: Subject, candidate: Candidate) -> Match | Refusal:
    """The unit, or why the place can't be replaced."""
    problem = next(_problems(subject, candidate), None)
    if problem is not None:
        return Refusal((problem.node,), problem.reason)
    pool = _pool(subject, candidate)
    assert not isinstance(pool, str)
    nodes = nodes_that_go(subject, _own_nodes(candidate, pool))
    problem = next(_leaks(subject, nodes, candidate.output), None)
    if problem is not None:
        return Refusal((problem.node,), problem.reason)
    layers = [
        conv_layer(subject, strand.convolution, strand.scalings) for strand in candidate.strands
    ]
    for layer, strand in zip(layers, candidate.strands, strict=True):
        if layer is None:
            reason = f"the weights of its {_named(strand)} depend on the input, or are no numbers"
            return Refusal((strand.convolution.main,), reason)
    first, depthwise, last = (layer for layer in layers if layer is not None)
    unit = _unit(candidate, nodes, (first, depthwise, last), pool)
    return Match(nodes, "ShuffleNet V1 unit", unit)


def _unit(
    candidate: Candidate,
    nodes: tuple[Node, ...],
    layers: tuple[ConvLayer, ConvLayer, ConvLayer],
    pool: Pool | None,
) -> V1Unit:
    after = candidate.depthwise.is_moved
    return V1Unit(
        nodes=nodes,
        input=candidate.input,
        output=candidate.output,
        join=candidate.join,
        stride=1 if candidate.is_sum else 2,
        first=layers[0],
        activation=candidate.first.activation,
        shuffle=(candidate.depthwise if after else candidate.first).order,
        shuffle_after_depthwise=after,
        depthwise=layers[1],
        window=candidate.depthwise.convolution.window,
        last=layers[2],
        output_activation=candidate.output_activation or candidate.last.activation,
        pool=pool,
        pool_first=not candidate.branch_first,
        activates_branch_only=bool(candidate.last.activation),
    )


def _own_nodes(candidate: Candidate, pool: Pool | None) -> tuple[Node, ...]:
    own = [node for strand in candidate.strands for node in strand.nodes]
    own += [candidate.join, *(() if pool is None else pool.nodes)]
    return (*own, *candidate.activated_by)


# What is in the way, the most telling first.


def _problems(subject: Subject, candidate: Candidate) -> Iterator[_Problem]:
    yield from _of_place(subject, candidate)
    yield from _of_shuffle(candidate)
    yield from _of_convolutions(subject, candidate)
    yield from _of_activations(candidate)
    yield from _of_join(subject, candidate)
    yield from _of_weights(subject, candidate)


def _of_place(subject: Subject, candidate: Candidate) -> Iterator[_Problem]:
    view = subject.view
    if not view.readers(candidate.output) and not view.is_output(candidate.output):
        yield _Problem(candidate.join, "nothing reads what it makes")
    if not is_editable(subject, candidate.join):
        reason = "it stands in a subgraph or a local function: only the main graph is rewritten"
        yield _Problem(candidate.join, reason)
    if candidate.axis != 1:
        reason = f"its {candidate.join.op} works on channels-last (NHWC) tensors"
        yield _Problem(candidate.join, reason)


def _of_shuffle(candidate: Candidate) -> Iterator[_Problem]:
    moved = [strand for strand in candidate.strands if strand.is_moved]
    if len(moved) > 1:
        yield _Problem(moved[1].moved[-1], "its channels are permuted twice")
    for strand in moved:
        if shuffle_groups(strand.order) is None:
            reason = "its channels are moved by a permutation that is no group shuffle"
            yield _Problem(strand.moved[-1], reason)


def _of_convolutions(subject: Subject, candidate: Candidate) -> Iterator[_Problem]:
    middle = candidate.depthwise.convolution
    if not middle.is_depthwise:
        kernel = "×".join(str(size) for size in middle.shape[2:])
        what = "is not depthwise" if middle.groups == 1 else f"has {middle.groups} groups"
        if middle.shape[1] == 1:
            what = "makes several channels of each"
        reason = f"its {kernel} convolution {middle.main.path} {what}: a unit has a depthwise one"
        yield _Problem(middle.main, reason)
    if follows_size(subject, middle.main):
        reason = (
            f"the pads of its Conv {middle.main.path} depend on a size that the model leaves open"
        )
        yield _Problem(middle.main, reason)
    for strand in (candidate.first, candidate.last):
        point = strand.convolution
        if point.window.strides != (1, 1) or point.window.pads != NO_PADS:
            reason = f"its {_named(strand)} has a stride or pads"
            yield _Problem(point.main, reason)
    wanted = (1, 1) if candidate.is_sum else (2, 2)
    if middle.window.strides != wanted:
        reason = (
            f"its depthwise convolution {middle.main.path} has strides {middle.window.strides}, "
            f"before {candidate.join.op} they are {wanted}"
        )
        yield _Problem(middle.main, reason)


def _of_activations(candidate: Candidate) -> Iterator[_Problem]:
    middle = candidate.depthwise
    if middle.activated_by is not None:
        op = middle.activated_by.op
        yield _Problem(
            middle.activated_by,
            f"a {op} follows its depthwise convolution {middle.convolution.main.path}: "
            "that is another unit",
        )
    for strand in (candidate.first, candidate.last):
        if strand.foreign and strand.activated_by is not None:
            op, path = strand.activated_by.op, strand.activated_by.path
            reason = f"its {op} {path} is no activation that units are known with"
            yield _Problem(strand.activated_by, reason)
    if candidate.last.activated_by is None:
        return
    if candidate.is_sum or candidate.activated_by:
        op = candidate.last.activated_by.op
        reason = f"a {op} follows its last convolution, before {candidate.join.op}"
        yield _Problem(candidate.last.activated_by, reason)


def _of_join(subject: Subject, candidate: Candidate) -> Iterator[_Problem]:
    join, view = candidate.join, subject.view
    if len(candidate.others) != 1:
        yield _Problem(join, f"its {join.op} joins {len(candidate.others) + 1} tensors, not two")
    if _dtype(subject, candidate.input) != _dtype(subject, candidate.output):
        yield _Problem(join, "its numbers are of another type than its input")
    (other,) = candidate.others
    if candidate.is_sum:
        if view.shape(other) != view.shape(result_of(join)):
            yield _Problem(join, f"its {join.op} broadcasts {other} to the branch's shape")
        if other != candidate.input:
            reason = f"its {join.op} adds {other}, which is not the unit's input {candidate.input}"
            yield _Problem(join, reason)
        return
    pool = _pool(subject, candidate)
    if isinstance(pool, str):
        yield _Problem(view.producer(other) or join, pool)
    elif pool is not None and pool.window.strides != (2, 2):
        yield _Problem(pool.nodes[-1], f"its pooling has strides {pool.window.strides}, not (2, 2)")


def _of_weights(subject: Subject, candidate: Candidate) -> Iterator[_Problem]:
    for strand in candidate.strands:
        for node in strand.convolution.parts:
            key = node.input(1)
            if is_dequantised(subject.view, key):
                yield _Problem(node, QUANTISED)
            if not is_given(subject, key):
                reason = f"the weights {key} of its Conv {node.path} depend on the input"
                yield _Problem(node, reason)
            other = other_reader(subject.view, key, node)
            if other is not None:
                reason = f"its Conv {node.path} shares its weights with {other.op} {other.path}"
                yield _Problem(node, reason)


def _leaks(subject: Subject, nodes: tuple[Node, ...], output: str) -> Iterator[_Problem]:
    """Values of the unit that somebody else sees, and nodes that can't go."""
    inside = {node.index for node in nodes}
    for node in nodes:
        if not is_editable(subject, node):
            reason = f"its {node.op} {node.path} stands in a subgraph or a local function"
            yield _Problem(node, reason)
        for key in node.outputs:
            seen = seen_outside(subject.view, key, inside)
            if seen is not None and key not in (ABSENT, output):
                yield _Problem(node, f"its {node.op} {node.path} {seen}")


def _pool(subject: Subject, candidate: Candidate) -> Pool | str | None:
    (other,) = candidate.others
    return None if candidate.is_sum else read_pool(subject, other, candidate.input)


def _named(strand: Strand) -> str:
    return f"Conv {strand.convolution.main.path}"


def _dtype(subject: Subject, key: str) -> int:
    type_ = subject.view.type(key)
    return type_.dtype if isinstance(type_, TensorType) else 0
