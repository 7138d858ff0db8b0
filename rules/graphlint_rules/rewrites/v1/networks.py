"""A whole network of ShuffleNet V1 units: the stem, the stages that they make up, and the head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from graphlint.graph import Node
from graphlint.rewrites import Refusal, Subject
from graphlint_rules.rewrites.definitions import standard_at
from graphlint_rules.rewrites.v1.branches import strand_before
from graphlint_rules.rewrites.v1.conv_layers import conv_layer, other_reader
from graphlint_rules.rewrites.v1.heads import Head, find_head
from graphlint_rules.rewrites.v1.nodes import nodes_that_go, seen_outside
from graphlint_rules.rewrites.v1.units import Activation, ConvLayer, SpatialShape, V1Unit

# arXiv 1707.01083, table 1: the first stage's output channels at 1×, for each number of groups; a
# stage has twice those of the one before. With one group there is no shuffle, and no unit is found.
_PAPER_WIDTHS: Mapping[int, int] = {2: 200, 3: 240, 4: 272, 8: 384}
_PAPER_UNITS = (4, 8, 4)
_PAPER_SCALES = (0.5, 1.0, 1.5, 2.0)
_PAPER_BOTTLENECK = 4


@dataclass(frozen=True, slots=True)
class Stem:
    """What comes before the first unit: one convolution, its activation, and a MaxPool or none.

    `nodes` are the convolution with what is folded into it, the activation, and what only these
    read; `result` is the activation's output. `pooling` are the nodes from there to the units.
    """

    source: str
    result: str
    conv: ConvLayer
    window: SpatialShape
    activation: Activation
    nodes: tuple[Node, ...]
    pooling: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """A unit with stride 2 and the units with stride 1 that follow it."""

    units: tuple[V1Unit, ...]

    @property
    def width(self) -> int:
        """Channels of its output."""
        return self.units[-1].width_out


@dataclass(frozen=True, slots=True)
class Network:
    """A classifier whose body is units of V1, each fed by the one before and by nothing else.

    `stem_output` is the first unit's input. `stem` is None where that is made by anything but a
    plain stem, whose width must then stay.
    """

    stem_output: str
    stem: Stem | None
    stages: tuple[Stage, ...]
    head: Head

    @property
    def units(self) -> tuple[V1Unit, ...]:
        """All units, in order."""
        return tuple(unit for stage in self.stages for unit in stage.units)


def find_network(subject: Subject, units: Sequence[V1Unit]) -> Network | Refusal:
    """The network that the units make up, or why its stages can't get other widths."""
    chain = _chain(units)
    if isinstance(chain, Refusal):
        return chain
    leak = _first_leak(subject, chain)
    if leak is not None:
        return leak
    head = find_head(subject, chain[-1].output)
    if isinstance(head, Refusal):
        return head
    first = chain[0].input
    return Network(first, _stem(subject, chain[0]), _stages(chain), head)


def paper_scale(network: Network) -> tuple[int, float] | None:
    """The groups and the scale, where the network is one of the paper's (table 1)."""
    if tuple(len(stage.units) for stage in network.stages) != _PAPER_UNITS:
        return None
    widths = tuple(stage.width for stage in network.stages)
    if any(unit.width_mid * _PAPER_BOTTLENECK != unit.width_out for unit in network.units):
        return None
    groups = {unit.last.groups for unit in network.units}
    number = min(groups)
    for scale in _PAPER_SCALES:
        first = _PAPER_WIDTHS.get(number, 0) * scale
        wanted = (first * 2**stage for stage, _ in enumerate(widths))
        # Widths are rounded to what the groups divide.
        near = all(abs(a - b) < 4 * number for a, b in zip(widths, wanted, strict=True))
        if near and groups == {number}:
            return number, scale
    return None


# Stages.


def _chain(units: Sequence[V1Unit]) -> tuple[V1Unit, ...] | Refusal:
    """The units one behind the other."""
    if not units:
        return Refusal((), "there are no units of ShuffleNet V1")
    following: dict[str, V1Unit] = {}
    for unit in units:
        if unit.input in following:
            reason = f"two units read {unit.input}: stages are not one behind the other"
            return Refusal((unit.join,), reason)
        following[unit.input] = unit
    made = {unit.output for unit in units}
    starts = [unit for unit in units if unit.input not in made]
    if len(starts) > 1:
        reason = (
            f"something else stands between the units before and those after {starts[1].input}: "
            "stages are not one behind the other"
        )
        return Refusal((starts[1].join,), reason)
    chain = [starts[0]]
    while chain[-1].output in following:
        chain.append(following[chain[-1].output])
    if chain[0].stride != 2:
        reason = "the first unit has stride 1: what comes before it belongs to its stage"
        return Refusal((chain[0].join,), reason)
    return tuple(chain)


def _first_leak(subject: Subject, chain: tuple[V1Unit, ...]) -> Refusal | None:
    """Where a unit's output is seen by more than the next unit."""
    for unit, following in pairwise(chain):
        inside = {node.index for node in following.nodes}
        seen = seen_outside(subject.view, unit.output, inside)
        if seen is not None:
            return Refusal((unit.join,), f"the unit's output {unit.output} {seen}: its width stays")
    return None


def _stages(chain: tuple[V1Unit, ...]) -> tuple[Stage, ...]:
    starts = [index for index, unit in enumerate(chain) if unit.stride == 2]
    ends = [*starts[1:], len(chain)]
    return tuple(Stage(chain[start:end]) for start, end in zip(starts, ends, strict=True))


# The stem.


def _stem(subject: Subject, first: V1Unit) -> Stem | None:
    """The stem, where it is plain: nothing else reads what it makes."""
    pooling, key = _pooling_before(subject, first.input)
    strand = strand_before(subject, key)
    if strand is None or strand.foreign or strand.is_moved or strand.convolution.groups != 1:
        return None
    layer = conv_layer(subject, strand.convolution, strand.scalings)
    main = strand.convolution.main
    if layer is None or other_reader(subject.view, main.input(1), main) is not None:
        return None
    nodes = nodes_that_go(subject, strand.nodes)
    inside = {node.index for node in (*nodes, *pooling, *first.nodes)}
    keys = [key for node in (*nodes, *pooling) for key in node.outputs if key]
    if any(seen_outside(subject.view, key, inside) is not None for key in keys):
        return None
    return Stem(
        strand.convolution.source,
        key,
        layer,
        strand.convolution.window,
        strand.activation,
        nodes,
        pooling,
    )


def _pooling_before(subject: Subject, key: str) -> tuple[tuple[Node, ...], str]:
    """A MaxPool with the Pad in front of it, and what it pools."""
    nodes: list[Node] = []
    for op in ("MaxPool", "Pad"):
        node = standard_at(subject.view, key)
        if node is not None and node.op == op:
            nodes.insert(0, node)
            key = node.input(0)
    return tuple(nodes), key
