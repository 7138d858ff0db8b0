"""The roofline: how fast each node multiplies, over how much it multiplies for what it moves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphlint.report.html.markup import count, section, text
from graphlint.report.html.measures import category_class, format_part
from graphlint.report.html.scales import LogScale, covering
from graphlint.results import ModelReport, NodeReport
from graphlint.times import Ceilings
from graphlint.units import format_count, format_seconds

WIDTH, HEIGHT = 920, 430
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 20, 18, 48
_MOST_POINTS = 600
_LABELLED = 6
_ROOM = 20.0  # between two labels
_NAME_WIDTH = 70.0  # of the bandwidth's label


@dataclass(frozen=True, slots=True)
class Point:
    """A node on the chart; `is_estimate` where its time is a share of a fused kernel's."""

    place: int
    node: NodeReport
    seconds: float
    intensity: float
    rate: float
    is_estimate: bool


def points(model: ModelReport) -> list[Point]:
    """The nodes that multiply and have a time, those that take the most first."""
    found = []
    for place, node in enumerate(model.nodes):
        cost, time = node.cost, node.time
        if time is None or time.seconds <= 0 or cost.unknown is not None:
            continue
        if cost.multiply_adds and cost.memory_access_bytes:
            intensity = cost.multiply_adds / cost.memory_access_bytes
            rate = cost.multiply_adds / time.seconds
            found.append(Point(place, node, time.seconds, intensity, rate, time.how != "own"))
    return sorted(found, key=lambda point: (-point.seconds, point.place))


def roofline(model: ModelReport, ceilings: Ceilings | None, number: int) -> str | None:
    """The section; None where nothing was measured."""
    if model.times is None:
        return None
    found = points(model)
    identity = f"m{number}-roofline"
    if not found:
        return section(identity, "Roofline", "No node that multiplies has a time.", [])
    shown = found[:_MOST_POINTS]
    x, y = _scales(shown, ceilings)
    labelled = _labelled(shown, x, y)
    body = [
        '<div class="fit"><svg class="roofline" role="img" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" aria-labelledby="{identity}-t">',
        f'<title id="{identity}-t">Multiply-adds per second over multiply-adds per byte, '
        f"{count(len(shown), 'node')}; the table of nodes has the same figures.</title>",
        *_grid(x, y),
        *(_ceiling_line(ceilings, x, y) if ceilings is not None else ()),
        *_marks(shown, x, y, number),
        *(_ceiling_names(ceilings, x, y) if ceilings is not None else ()),
        *_numbers(labelled, x, y),
        "</svg></div>",
        *_key(labelled, model, number),
    ]
    return section(identity, "Roofline", _lead(model, found, ceilings), body)


def _lead(model: ModelReport, found: Sequence[Point], ceilings: Ceilings | None) -> str:
    assert model.times is not None
    drawn = sum(point.seconds for point in found)
    lead = (
        "Each mark is a node, its area the node’s share of the time. Filled: measured alone; "
        "hollow: an estimate, the node’s share of a fused kernel. Nodes that multiply nothing are "
        f"not drawn; they and the runtime’s own kernels take "
        f"{format_part(model.times.kernel_seconds - drawn, model.times.kernel_seconds)} "
        "of the time."
    )
    if len(found) > _MOST_POINTS:
        lead += f" Of {count(len(found), 'node')}, the {_MOST_POINTS} that take the most are drawn."
    if ceilings is None:
        return lead + " This device’s ceilings were not measured, so none are drawn."
    lead += (
        " The line is the device’s measured ceiling; what stays in its caches, and estimates, may "
        "lie above it."
    )
    return f"{lead} It was measured: {text(ceilings.how, 400)}." if ceilings.how else lead


def _scales(shown: Sequence[Point], ceilings: Ceilings | None) -> tuple[LogScale, LogScale]:
    rates = [point.rate for point in shown]
    if ceilings is not None:
        rates.append(ceilings.multiply_adds_per_second)
    x = covering([point.intensity for point in shown], _LEFT, WIDTH - _RIGHT)
    return x, covering(rates, HEIGHT - _BOTTOM, _TOP)


def _grid(x: LogScale, y: LogScale) -> Iterator[str]:
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
    for value in x.ticks():
        at = f"{x(value):.1f}"
        yield f'<line class="grid" x1="{at}" x2="{at}" y1="{_TOP}" y2="{bottom}"/>'
        yield f'<text class="tick" x="{at}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>'
    for value in y.ticks():
        at = f"{y(value):.1f}"
        yield f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{at}" y2="{at}"/>'
        yield (
            f'<text class="tick" x="{_LEFT - 8}" y="{at}" dy="4" text-anchor="end">'
            f"{_tick(value)}</text>"
        )
    yield (
        f'<text class="axis" x="{right}" y="{HEIGHT - 8}" text-anchor="end">'
        "multiply-adds per byte of memory access →</text>"
    )
    yield f'<text class="axis" x="{_LEFT + 8}" y="{_TOP + 12}">↑ multiply-adds per second</text>'


def _tick(value: float) -> str:
    """`5 G`, where a count would be `5.00 G`."""
    number, _, unit = format_count(round(value)).partition(" ")
    return f"{float(number):g} {unit}".rstrip() if value >= 1 else f"{value:g}"


def _ceiling_line(ceilings: Ceilings, x: LogScale, y: LogScale) -> Iterator[str]:
    bandwidth, peak = ceilings.bandwidth_bytes_per_second, ceilings.multiply_adds_per_second
    start, ridge = _ends(ceilings, x, y)
    corners = [start, *([ridge] if start < ridge < x.high else []), x.high]
    line = " ".join(f"{x(c):.1f},{y(min(peak, bandwidth * c)):.1f}" for c in corners)
    yield f'<polyline class="ceiling" points="{line}"/>'


def _ceiling_names(ceilings: Ceilings, x: LogScale, y: LogScale) -> Iterator[str]:
    bandwidth, peak = ceilings.bandwidth_bytes_per_second, ceilings.multiply_adds_per_second
    start, ridge = _ends(ceilings, x, y)
    if ridge < x.high:
        yield (
            f'<text class="ceiling-name" x="{WIDTH - _RIGHT - 4}" y="{y(peak) - 7:.1f}" '
            f'text-anchor="end">{format_count(round(peak))} multiply-adds/s</text>'
        )
    if start < ridge:
        middle = math.sqrt(start * min(ridge, x.high))
        at, height, anchor = x(middle) - 8, y(bandwidth * middle) - 4, "end"
        if at - _LEFT < _NAME_WIDTH:  # no room on the left: below the line
            at, height, anchor = x(middle) + 10, height + 22, "start"
        yield (
            f'<text class="ceiling-name" x="{at:.1f}" y="{height:.1f}" '
            f'text-anchor="{anchor}">{format_count(round(bandwidth))}B/s</text>'
        )


def _ends(ceilings: Ceilings, x: LogScale, y: LogScale) -> tuple[float, float]:
    """The intensities where the line enters the chart, and where it turns flat."""
    bandwidth = ceilings.bandwidth_bytes_per_second
    return max(x.low, y.low / bandwidth), ceilings.multiply_adds_per_second / bandwidth


def _marks(shown: Sequence[Point], x: LogScale, y: LogScale, number: int) -> Iterator[str]:
    most = shown[0].seconds
    for point in reversed(shown):  # the largest are drawn last, on top
        node, radius = point.node, 2.5 + 9.5 * math.sqrt(point.seconds / most)
        kind = category_class(str(node.cost.category))
        told = (
            f"{text(node.path)} ({text(node.operator)}): {format_seconds(point.seconds)}, "
            f"{format_count(round(point.rate))} multiply-adds/s, {point.intensity:.2f} per byte"
        )
        yield (
            f'<circle class="mark {kind}{" hollow" if point.is_estimate else ""}" '
            f'cx="{x(point.intensity):.1f}" cy="{y(point.rate):.1f}" r="{radius:.1f}" '
            f'data-model="{number}" data-node="{point.place}"><title>{told}</title></circle>'
        )


def _labelled(shown: Sequence[Point], x: LogScale, y: LogScale) -> list[Point]:
    """The dearest nodes whose labels have room."""
    kept: list[Point] = []
    for point in shown[: 4 * _LABELLED]:
        here = (x(point.intensity), y(point.rate))
        if all(math.dist(here, (x(p.intensity), y(p.rate))) >= _ROOM for p in kept):
            kept.append(point)
    return kept[:_LABELLED]


def _numbers(labelled: Sequence[Point], x: LogScale, y: LogScale) -> Iterator[str]:
    for place, point in enumerate(labelled, 1):
        yield (
            f'<text class="mark-number" x="{x(point.intensity) + 11:.1f}" '
            f'y="{y(point.rate) - 9:.1f}">{place}</text>'
        )


def _key(labelled: Sequence[Point], model: ModelReport, number: int) -> Iterator[str]:
    assert model.times is not None
    yield '<ol class="key">'
    for point in labelled:
        yield (
            f'<li><button type="button" class="node" data-model="{number}" '
            f'data-node="{point.place}">{text(point.node.path)}</button> '
            f'<span class="quiet">{text(point.node.operator)}, {format_seconds(point.seconds)}, '
            f"{format_part(point.seconds, model.times.kernel_seconds)}</span></li>"
        )
    yield "</ol>"
