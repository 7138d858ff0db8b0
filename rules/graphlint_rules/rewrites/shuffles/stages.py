"""The stages of shuffle elimination."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from graphlint.graph import Node
from graphlint.rewrites import Edit, Match, Matches, Place, Plan, Refusal, Stages, Subject
from graphlint.rule import OptionValue
from graphlint_rules.rewrites.shuffles.orders import Orders, Requests, Union, assemblies, choose
from graphlint_rules.rewrites.shuffles.regions import Region, Regions, find_regions
from graphlint_rules.rewrites.shuffles.reordered_nodes import Layout, edit_of, removed
from graphlint_rules.rewrites.shuffles.widths import widened

WIDENED = "widened"


def match(subject: Subject) -> Matches:
    """Regions whose shuffles can be folded, those that touch together; and the others."""
    if not any(node.op in ("Conv", "ConvTranspose") for node in subject.view.nodes):
        return Matches(())
    found = find_regions(subject)
    return Matches(tuple(_match(subject, group) for group in _groups(found)), found.refusals)


def plan(
    subject: Subject, matches: Matches, name: str, options: Mapping[str, OptionValue]
) -> Plan | Refusal:
    """The plan of this name; see the page."""
    multiple = int(options["multiple"]) if name == WIDENED else 1
    layouts = tuple(_layout(subject, each.found, multiple) for each in matches.matches)
    if name == WIDENED and not any(layout.orders.widened for layout in layouts):
        nodes = tuple(node for each in matches.matches for node in each.nodes[:1])
        return Refusal(nodes, f"no width could be widened to a multiple of {multiple}")
    places = tuple(
        Place(each, True, _becomes(layout), f"channels{number}")
        for number, (each, layout) in enumerate(zip(matches.matches, layouts, strict=True), 1)
    )
    return Plan(name, places, layouts)


def start(subject: Subject, plan: Plan, seed: int) -> None:
    """Nothing: the weights are the model's own."""


def edit(subject: Subject, plan: Plan, weights: None) -> tuple[Edit, ...]:
    """One edit for each match."""
    return tuple(
        edit_of(subject, layout, place.origin)
        for layout, place in zip(plan.details, plan.places, strict=True)
    )


def _match(subject: Subject, group: Regions) -> Match:
    layout = _layout(subject, group, 1)
    count = sum(len(region.shuffles) for region in group.regions)
    what = "a channel shuffle" if count == 1 else f"{count} channel shuffles"
    return Match(removed(layout), what, group, {"shuffles": count})


def _becomes(layout: Layout) -> str:
    """What is left of the copying."""
    made = layout.assemblies
    weights = "permuted and widened weights" if layout.orders.widened else "permuted weights"
    joined = [len(each.pieces) for each in made if len(each.pieces) > 1]
    picked = sum(bool(each.picked) for each in made)
    pieces = f", {len(joined)} Concat of {sum(joined)} pieces" if joined else ""
    return weights + pieces + (f", {picked} Gather" if picked else "")


def _groups(found: Regions) -> list[Regions]:
    """The regions, those together that nodes link."""
    together = Union()
    for number, region in enumerate(found.regions):
        classes = (f"class {root}" for root in region.classes)
        together.merge([f"region {number}", *classes, *map(_label, region.moves)])
    for root in found.classes:
        together.merge([f"class {root}", *(_label(part.node) for part in found.parts_of[root])])
    for node in found.dead:
        together.merge(map(_label, (node, *found.readers(node))))
    regions: dict[str, list[Region]] = {}
    for number, region in enumerate(found.regions):
        regions.setdefault(together.find(f"region {number}"), []).append(region)
    dead: dict[str, list[Node]] = {}
    for node in found.dead:
        dead.setdefault(together.find(_label(node)), []).append(node)
    return [
        replace(found, regions=tuple(own), refusals=(), dead=tuple(dead.get(root, ())))
        for root, own in regions.items()
    ]


def _label(node: Node) -> str:
    return f"node {node.index}"


def _layout(subject: Subject, group: Regions, multiple: int) -> Layout:
    """New orders for the regions of a group, with widths that are such multiples where possible."""
    requests = _together(group)
    parts = {part.node.index: part for region in group.regions for part in region.parts}
    beyond = {part.node.index: part for root in group.classes for part in group.parts_of[root]}
    wide = requests
    if multiple > 1:
        wide = widened(subject, requests, [*parts.values()], [*beyond.values()], multiple)
        parts |= beyond
    grown = frozenset(
        root for root, width in wide.widths.items() if width > requests.widths.get(root, 0)
    )
    orders = Orders(requests.classes, choose(wide).by_class, grown)
    return Layout(
        tuple(node for region in group.regions for node in region.moves),
        group.dead,
        tuple(parts.values()),
        orders,
        assemblies(wide, orders),
        group.named,
    )


def _together(group: Regions) -> Requests:
    first, *others = (region.requests for region in group.regions)
    channels, widths = dict(first.channels), dict(first.widths)
    for requests in others:
        channels |= requests.channels
        widths |= requests.widths
    return Requests(first.classes, channels, widths, first.pinned)


STAGES = Stages(match, plan, start, edit)
