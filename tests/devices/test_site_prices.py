"""The price of a site: what it takes where it stands, less what would take its place there."""

from math import hypot, sqrt

import pytest
from law import costed, device, foretold, seconds

from graphlint.costs.table import HANDLES
from graphlint.devices.profile import DeviceProfile, LayerTime
from graphlint.devices.speeds import Speeds, alikeness
from graphlint.findings import Predicted
from graphlint.pricing import Pricer
from graphlint.rule import Context
from graphlint_rules import A1

SIDE = 28
POSITIONS = SIDE * SIDE


def price(text: str, profile: DeviceProfile, site: int = 0) -> Predicted:
    """Of a site whose widths are no whole blocks."""
    view, costs = costed(text)
    context = Context(view, costs, {"block": 16, "min-waste": 0.0})
    found = list(A1.check(context))[site]
    return Pricer(view, costs, profile, HANDLES).together(context, A1, [found])


def net(channels: int, groups: int = 1) -> str:
    """A convolution between two operators that work on no blocks."""
    inside = channels // groups
    weight = ", ".join(["0.5"] * (channels * inside))
    shape = f"float[1,{channels},{SIDE},{SIDE}]"
    return f"""
    net ({shape} x) => ({shape} y) <float[{channels},{inside},1,1] w = {{{weight}}}>
    {{ a = Abs(x) b = Conv <group = {groups}> (a, w) y = Abs(b) }}
    """


def reorder(channels: int) -> float:
    return seconds(0, 8 * POSITIONS * channels)


def conv(channels: int) -> float:
    """A pointwise convolution's time."""
    moved = 4 * (2 * POSITIONS * channels + channels**2)
    return seconds(POSITIONS * channels**2, moved)


def test_a_layer_that_keeps_its_layout_spares_no_reordering() -> None:
    """A block that is not full takes as long as one that is: nothing is saved."""
    told = price(net(60, groups=60), device("all", 16))
    assert told.seconds == pytest.approx(0.0, abs=1e-12)


def test_what_is_around_a_layer_follows_it_into_blocks() -> None:
    told = price(net(62), device("all", 16))
    assert told.seconds == pytest.approx(conv(62) - conv(64))


def test_a_plain_layer_behind_a_blocked_one_pays_for_the_reordering() -> None:
    wide, narrow = ", ".join(["0.5"] * 62 * 64), ", ".join(["0.5"] * 62 * 62)
    text = f"""
    net (float[1,64,{SIDE},{SIDE}] x) => (float[1,62,{SIDE},{SIDE}] y)
    <float[62,64,1,1] a = {{{wide}}}, float[62,62,1,1] b = {{{narrow}}}>
    {{ p = Conv(x, a) y = Conv(p, b) }}
    """
    told = price(text, device("all", 16), site=1)
    assert told.seconds == pytest.approx(conv(62) + reorder(62) - conv(64))


def unsteady(kind: str, *others: str) -> DeviceProfile:
    """A device on which the first layer of each kind takes longer than the law says."""
    lawful = device("all", 16)
    layers, seen = [], set()
    for each in lawful.layers:
        is_first = each.layer.kind in (kind, *others) and each.layer.kind not in seen
        seen.add(each.layer.kind)
        layers.append(LayerTime(each.layer, each.seconds * (1.5 if is_first else 1), 0.01))
    fields = {name: getattr(lawful, name) for name in lawful.__slots__}
    return DeviceProfile(**fields | {"layers": tuple(layers)})


def test_like_layers_are_wrong_alike() -> None:
    """Of the same layer the difference is certain; of a far one the errors are independent."""
    profile = unsteady("pointwise (blocked)")
    scatter = Speeds(profile).scatter("pointwise (blocked)")
    one = foretold(net(64), profile)
    assert scatter > 0.1
    assert one.error_of_difference([1], foretold(net(64), profile)) == pytest.approx(0, abs=1e-12)
    far = foretold(net(16), profile)
    mine, other = one.nodes[1].seconds or 0.0, far.nodes[1].seconds or 0.0
    layers = one.nodes[1].layer, far.nodes[1].layer
    assert layers[0] is not None
    assert layers[1] is not None
    alike = alikeness(layers[0], layers[1])
    expected = scatter * sqrt(mine**2 + other**2 - 2 * alike * mine * other)
    assert alike == pytest.approx(1 / (1 + 4 + 4))  # two octaves in each width
    assert one.error_of_difference([1], far) == pytest.approx(expected)


def test_kinds_are_wrong_by_themselves() -> None:
    profile = unsteady("pointwise (blocked)", "pointwise")
    one, other = foretold(net(64), profile), foretold(net(62), profile)
    errors = [
        Speeds(profile).scatter(node.kind) * (node.seconds or 0.0)
        for node in (one.nodes[1], other.nodes[1])
    ]
    assert {one.nodes[1].kind, other.nodes[1].kind} == {"pointwise (blocked)", "pointwise"}
    assert one.error_of_difference([1], other) == pytest.approx(hypot(*errors))
