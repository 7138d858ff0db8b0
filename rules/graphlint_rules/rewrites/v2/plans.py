"""The plans from V1 to V2: which units become what, unit by unit or in whole stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from graphlint.graph import Node
from graphlint.rewrites import Match, Matches, Place, Plan, Refusal, Subject
from graphlint.rule import OptionValue
from graphlint_rules.rewrites.v1.networks import Network, find_network, paper_scale
from graphlint_rules.rewrites.v1.units import V1Unit
from graphlint_rules.rewrites.v2.fitting.chains import chains
from graphlint_rules.rewrites.v2.network import V2Network
from graphlint_rules.rewrites.v2.plan_names import KEEP, KEEP_FLOPS, MATCH_ALIGNED
from graphlint_rules.rewrites.v2.units import UnitPlan
from graphlint_rules.rewrites.v2.widths import (
    PAPER_STEM,
    PAPER_WIDTHS,
    StageWidths,
    aligned,
    in_proportion,
    within_multiply_adds,
)

SHUFFLE_ELIMINATION = "shuffle-elimination"

_MOST_STAGES = 8
"""Aligned widths are tried in all combinations: three a stage."""


def make_plan(
    subject: Subject, matches: Matches, name: str, options: Mapping[str, OptionValue]
) -> Plan | Refusal:
    """The plan called `name`, or why it can't be made."""
    plan = _plan(subject, matches, name, options)
    if isinstance(plan, Plan) and _in_chunks(name, options):
        return replace(plan, then=SHUFFLE_ELIMINATION)
    return plan


def _in_chunks(name: str, options: Mapping[str, OptionValue]) -> bool:
    """Whether shuffles are to be spelt by Split and Concat: by itself where widths are aligned."""
    shuffle = options["shuffle"]
    return shuffle == "chunks" or (shuffle == "auto" and name == MATCH_ALIGNED)


def _plan(
    subject: Subject, matches: Matches, name: str, options: Mapping[str, OptionValue]
) -> Plan | Refusal:
    block = int(options["block"])
    if name in (KEEP, KEEP_FLOPS):
        fit = name == KEEP_FLOPS and options["stride-2"] == "fit"
        branch = _half if name == KEEP else lambda unit: within_multiply_adds(unit, block)
        return _unit_by_unit(subject, matches, name, branch, fit)
    units = [match.found for match in matches.matches]
    network = find_network(subject, units)
    if isinstance(network, Refusal):
        return network
    chunks = _in_chunks(name, options)
    return _whole_network(subject, matches, network, name, block, chunks)


# Unit by unit: every tensor outside the units keeps its shape.


def _half(unit: V1Unit) -> int:
    return unit.width_out // 2


def _unit_by_unit(
    subject: Subject, matches: Matches, name: str, branch: Callable[[V1Unit], int], fit: bool
) -> Plan | Refusal:
    places, units, notes = [], [], []
    for match, label in zip(matches.matches, labels(matches.matches), strict=True):
        unit = match.found
        if unit.stride == 1 and unit.width_out % 2:
            notes.append(
                f"the unit at {unit.join.path} stays: a shuffle of two groups needs an even number "
                f"of channels, it has {unit.width_out}"
            )
            continue
        plan = _stride_1(unit, branch(unit)) if unit.stride == 1 else _stride_2(unit, fit)
        units.append(plan)
        places.append(Place(match, plan.exact, _becomes(plan), label))
    if not places:
        nodes = tuple(match.found.join for match in matches.matches)
        return Refusal(nodes, "every unit has an odd number of channels")
    network = find_network(subject, [unit.unit for unit in units])
    whole = network if isinstance(network, Network) else None
    if whole is None:
        units = _alone_unshuffled(subject, units)
    return Plan(name, tuple(places), V2Network(tuple(units), whole), tuple(notes))


def _alone_unshuffled(subject: Subject, units: Sequence[UnitPlan]) -> list[UnitPlan]:
    """The units, without a shuffle where others see what a unit reads and what it puts out.

    Channels are in V1's order there: those that pass must come out at their own places.
    """
    alone = {members[0] for members in chains(subject, units) if len(members) == 1}
    return [
        replace(unit, shuffled=False) if place in alone else unit
        for place, unit in enumerate(units)
    ]


def _stride_1(unit: V1Unit, branch: int) -> UnitPlan:
    width = unit.width_out
    return UnitPlan(unit, width, width, width - branch, branch, exact=False, shuffled=True)


def _stride_2(unit: V1Unit, fit: bool) -> UnitPlan:
    """Exact, and so without a shuffle: the order of its channels is seen outside."""
    assert unit.pool is not None
    plan = UnitPlan(
        unit,
        unit.width_in,
        unit.width_out,
        passed=unit.width_in,
        width_mid=unit.width_mid,
        exact=True,
        shuffled=False,
        keeps_pool=not (unit.pool.counts_padding or not any(unit.pool.window.pads)),
        branch_first=not unit.pool_first,
    )
    return _narrowed(plan) if fit else plan


def _narrowed(plan: UnitPlan) -> UnitPlan:
    """A stride-2 unit whose bottleneck shrinks until it does V1's multiply-adds or less."""
    unit = plan.unit
    most = (
        sum(layer.weight[0].size * layer.width_out for layer in (unit.depthwise, unit.last))
        + 4 * unit.first.weight[0].size * unit.first.width_out
    )
    for width in range(unit.width_mid, 0, -1):
        narrow = UnitPlan(
            unit,
            plan.width_in,
            plan.width_out,
            plan.passed,
            width,
            exact=False,
            shuffled=False,
            keeps_pool=True,
            branch_first=plan.branch_first,
        )
        if narrow.multiply_adds(4, 1) - plan.width_in * plan.passed <= most:
            return plan if width == unit.width_mid else narrow
    return plan


def _becomes(plan: UnitPlan) -> str:
    parts = f"{plan.passed} | {plan.branch_out}"
    was = f"{plan.unit.width_mid}"
    if plan.unit.first.groups > 1 or plan.unit.last.groups > 1:
        was += f", groups {max(plan.unit.first.groups, plan.unit.last.groups)}"
    return f"{plan.width_in}→{parts} through {plan.width_mid}, was through {was}"


# Whole stages: new widths.


def _whole_network(
    subject: Subject, matches: Matches, network: Network, name: str, block: int, chunks: bool
) -> Plan | Refusal:
    scale = paper_scale(network)
    budget = _Budget(subject, network)
    target = subject.costs.total.multiply_adds
    old = [stage.width for stage in network.stages]
    stem_width = None
    notes: tuple[str, ...] = ()
    if scale is not None and scale[1] in PAPER_WIDTHS:
        widths = StageWidths(*PAPER_WIDTHS[scale[1]])
        notes = (f"ShuffleNet V1 {scale[1]:g}× (groups {scale[0]}) becomes V2 {scale[1]:g}×",)
        if network.stem is not None and network.stem.conv.width_out != PAPER_STEM:
            stem_width = PAPER_STEM
    else:
        widths = in_proportion(old, budget.multiply_adds, target)
    if name == MATCH_ALIGNED:
        if len(old) > _MOST_STAGES:
            reason = f"it has {len(old)} stages: aligned widths are tried for {_MOST_STAGES}"
            return Refusal((network.stages[0].units[0].join,), reason)
        found = aligned(widths, block, budget.multiply_adds, target)
        if found is None:
            return Refusal(
                (network.stages[0].units[0].join,),
                f"its widths are too small for halves that are multiples of {block}",
            )
        widths, notes = found, ()
    plans = tuple(_chained(network, widths, stem_width, chunks))
    named = zip(matches.matches, labels(matches.matches), strict=True)
    by_unit = {id(match.found): (match, label) for match, label in named}
    places = tuple(
        Place(match, False, _becomes(each), label)
        for each, (match, label) in ((each, by_unit[id(each.unit)]) for each in plans)
    )
    last = plans[-1].unit
    return Plan(
        name,
        places,
        V2Network(
            plans,
            network,
            stem_width,
            widths.final,
            last.output_activation or last.activation,
            recut=True,
        ),
        notes,
        keeps_shapes=False,
    )


def _chained(
    network: Network, widths: StageWidths, stem_width: int | None, chunks: bool
) -> Iterator[UnitPlan]:
    """The units with their new widths.

    In chunks, quarters of the channels are shuffled instead of single ones: as good a mixing over
    two units, and one that Split and Concat of four parts can spell. The branch comes first, so
    that what passes is always half new.
    """
    width = stem_width or network.stages[0].units[0].width_in
    for stage, out in zip(network.stages, widths.stages, strict=True):
        quarters = chunks and out % 4 == 0
        for unit in stage.units:
            yield UnitPlan(
                unit,
                width,
                out,
                passed=out // 2,
                width_mid=out // 2,
                exact=False,
                shuffled=True,
                branch_first=quarters,
                chunk=out // 4 if quarters else 1,
            )
            width = out


@dataclass(frozen=True)
class _Budget:
    """Counts the multiply-adds of the network with other widths."""

    subject: Subject
    network: Network

    def multiply_adds(self, widths: StageWidths) -> int:
        """Of the whole model."""
        network = self.network
        last = network.stages[-1].units[-1]
        classes, features = network.head.weight.shape
        rows = self._of(network.head.classifier_nodes) // max(1, classes * features)
        channels = widths.final or widths.stages[-1]
        final = (widths.final or 0) * widths.stages[-1] * self._area(last.output)
        units = sum(
            plan.multiply_adds(self._area(plan.unit.input), self._area(plan.unit.output))
            for plan in _chained(network, widths, None, False)
        )
        return int(self._rest + units + final + rows * channels * classes)

    @property
    def _rest(self) -> int:
        replaced = [unit.nodes for stage in self.network.stages for unit in stage.units]
        replaced.append(self.network.head.classifier_nodes)
        return self.subject.costs.total.multiply_adds - sum(map(self._of, replaced))

    def _of(self, nodes: Sequence[Node]) -> int:
        return sum(self.subject.costs.nodes[node.index].multiply_adds for node in nodes)

    def _area(self, key: str) -> int:
        """Positions, in the whole batch."""
        shape = self.subject.view.shape(key)
        assert shape is not None
        return shape[0] * prod(shape[2:])


def labels(matches: Sequence[Match]) -> tuple[str, ...]:
    """`stage2/unit1`, … as in the papers: conv1 is stage 1, a unit with stride 2 opens a stage."""
    names = []
    stage, number, before = 1, 0, ""
    for match in matches:
        unit = match.found
        if unit.stride == 2 or unit.input != before:
            stage, number = stage + 1, 0
        number += 1
        names.append(f"stage{stage}/unit{number}")
        before = unit.output
    return tuple(names)
