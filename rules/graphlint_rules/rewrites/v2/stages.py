"""The stages of the rewrite from ShuffleNet V1 to V2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from graphlint.rewrites import Edit, Matches, Plan, Refusal, Stages, Subject
from graphlint.rule import OptionValue
from graphlint_rules.rewrites.v1.matcher import match_v1_units
from graphlint_rules.rewrites.v2.device import channel_block
from graphlint_rules.rewrites.v2.fitting.fit import fit
from graphlint_rules.rewrites.v2.network import Style, V2Network, V2Weights
from graphlint_rules.rewrites.v2.nodes import Final, unit_edit
from graphlint_rules.rewrites.v2.plans import make_plan
from graphlint_rules.rewrites.v2.recogniser import recognise_v2
from graphlint_rules.rewrites.v2.surroundings import seeded_surroundings, surrounding_edits
from graphlint_rules.rewrites.v2.weights import exact_weights, seeded_weights

_ALREADY_V2 = (
    "{units} units of ShuffleNet V2 are there already: nothing to rewrite, but shuffles may be "
    "eliminated: --rewrite shuffle-elimination"
)


def match(subject: Subject) -> Matches:
    """The units of V1; a note where the network has units of V2."""
    found = match_v1_units(subject)
    units = tuple(
        replace(
            each,
            what=f"ShuffleNet V1 unit, stride {each.found.stride}",
            figures={"stride": each.found.stride},
        )
        for each in found.matches
    )
    already = recognise_v2(subject)
    note = _ALREADY_V2.format(units=len(already)) if already else ""
    return replace(found, matches=units, note=note)


def plan(
    subject: Subject, matches: Matches, name: str, options: Mapping[str, OptionValue]
) -> Plan | Refusal:
    """The plan of this name; see the page."""
    block = int(options["block"]) or channel_block()
    made = make_plan(subject, matches, name, {**options, "block": block})
    if isinstance(made, Refusal):
        return made
    details = replace(made.details, style=Style(bool(options["fold-bn"])))
    return replace(made, details=details)


def start(subject: Subject, plan: Plan, seed: int) -> V2Weights:
    """Weights that need no data: exact where the unit is, else drawn from the seed."""
    network: V2Network = plan.details
    generator = np.random.default_rng(seed)
    units = tuple(
        exact_weights(unit) if unit.exact else seeded_weights(unit, generator)
        for unit in network.units
    )
    return seeded_surroundings(network, V2Weights(units), generator)


def edit(subject: Subject, plan: Plan, weights: V2Weights) -> tuple[Edit, ...]:
    """One edit a unit, and those of the stem and the head where their widths change."""
    network: V2Network = plan.details
    finals: list[Final | None] = [None] * len(network.units)
    if weights.final is not None:
        finals[-1] = Final(weights.final, network.final_activation)
    edits = (
        unit_edit(subject, unit, own, place.origin, network.style, final)
        for unit, own, place, final in zip(
            network.units, weights.units, plan.places, finals, strict=True
        )
    )
    return (*edits, *surrounding_edits(subject, network, weights))


STAGES = Stages(match, plan, start, edit, fit)
