"""The pictures of docs/paper.md, drawn as SVG from `benchmarks/results/paper.json`.

Each has a ground of its own, light or dark as the reader's system is, and tells its series by shape
or pattern and by name, not by colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from math import log10

from benchmarks.paper_networks import NETWORKS, REFERENCE, Network
from benchmarks.paper_tables import KINDS, Result, milliseconds, shares

__all__ = ["rate_picture", "speed_picture", "time_picture"]

Point = tuple[float, float]
Height = Callable[[float, float], float]
"""What is drawn upwards, from millions of multiply-adds and images a second."""

_STYLE = """<style>
svg { --ground: #ffffff; --ink: #1f2328; --faint: #d0d7de; --soft: #59636e;
  --c0: #0b5fa5; --c1: #b3400a; --c2: #0a7a57; --c3: #8a3f86; --c4: #8a6100; --c5: #b0204a;
  --c6: #3c4650; --c7: #00707d; }
@media (prefers-color-scheme: dark) { svg { --ground: #0d1117; --ink: #e6edf3; --faint: #30363d;
  --soft: #9aa4ae; --c0: #6cb6ff; --c1: #ff9d66; --c2: #4fd1a5; --c3: #dba2d8; --c4: #e3b341;
  --c5: #ff8aa5; --c6: #c2ccd6; --c7: #5fd0de; } }
.ground { fill: var(--ground); } text { fill: var(--ink); } .soft { fill: var(--soft); }
.grid { stroke: var(--faint); } .axis { stroke: var(--soft); }
.line { fill: none; stroke-width: 1.5; } .mark { stroke-width: 1.5; fill: var(--ground); }
.solid { fill: currentColor; } .hint { stroke: var(--soft); stroke-dasharray: 6 4; fill: none; }
.lead { stroke: var(--faint); fill: none; } .edge { stroke: var(--ground); stroke-width: 1; }
.chip { fill: var(--ground); }
</style>"""


def _svg(width: int, height: int, title: str, body: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="13" role="img">\n'
        f"<title>{escape(title)}</title>\n{_STYLE}\n"
        f'<rect class="ground" width="100%" height="100%"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _text(x: float, y: float, words: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


# --- Figure 1: against multiply-adds ---

_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 590, 62, 430
_X_TICKS = (30, 50, 100, 200, 300, 600)
_Y_TICKS = (5, 10, 15, 20, 30, 40, 50, 70, 100, 200, 300, 500, 700, 1000)
_LABELS_AT, _LABEL_GAP = 630, 19

_MARKS: Mapping[str, str] = {
    "ShuffleNet V2": "M-5 0A5 5 0 1 1 5 0A5 5 0 1 1 -5 0Z",
    "ShuffleNet V1": "M-5 -5H5V5H-5Z",
    "MobileNet V1": "M0 -6L6 5H-6Z",
    "MobileNet V2": "M0 6L6 -5H-6Z",
    "Xception": "M0 -6.5L6.5 0L0 6.5L-6.5 0Z",
    "NASNet-A": "M-5 -5L5 5M-5 5L5 -5",
    "PNASNet-5": "M-6 0H6M0 -6V6",
    "MobileNet V3": "M0 -6L6 -1L3.5 5.5H-3.5L-6 -1Z",
}
_FILLED = "ShuffleNet V2"
_INNER = "MobileNet V3"  # ends amid the picture: no line leads to its name


def speed_picture(result: Result, level: str) -> str:
    """Figure 1: images a second against multiply-adds, both on logarithmic axes."""
    title = f"Equal FLOPs, unequal speed: optimisation level {level}"
    return _drawn(result, level, title, "images/s", lambda millions, speed: speed)


def rate_picture(result: Result, level: str) -> str:
    """The same as multiply-adds a second, of which one figure would do if FLOPs told the speed."""
    title = f"What FLOPs leave out: optimisation level {level}"
    unit = "10⁹ multiply-adds/s"
    return _drawn(result, level, title, unit, lambda millions, speed: millions * speed / 1e3)


def _drawn(result: Result, level: str, title: str, unit: str, height: Height) -> str:
    def place(network: Network) -> Point:
        millions = result["networks"][network.name]["multiply_adds"] / 1e6
        return millions, height(millions, 1e3 / milliseconds(result, level, network.name))

    series = {
        family: [place(each) for each in members]
        for family, members in groupby(NETWORKS, key=lambda each: each.family)
    }
    scale = _Scale([y for points in series.values() for _, y in points])
    reference = result["networks"][REFERENCE]["multiply_adds"]
    product = reference / milliseconds(result, level, REFERENCE) / 1e3
    predicted = [(each, height(each, product / each)) for each in (30.0, 700.0)]
    body = [
        _text(_LEFT, 24, title, more=_BOLD),
        _text(_LEFT, 46, unit, more=_SOFT),
        *_axes(scale),
        *_prediction([scale.at(*point) for point in predicted]),
    ]
    for number, (family, points) in enumerate(series.items()):
        body.append(_series(family, number, [scale.at(*point) for point in points]))
    body.extend(_names({family: scale.at(*points[-1]) for family, points in series.items()}))
    return _svg(760, 480, f"{title}: {unit} against multiply-adds", body)


_BOLD, _SOFT = ' font-weight="bold"', ' class="soft"'


class _Scale:
    """From millions of multiply-adds and a height to places in the picture."""

    def __init__(self, heights: Sequence[float]) -> None:
        self.least, self.most = min(heights) / 1.15, max(heights) * 1.15

    def at(self, millions: float, height: float) -> Point:
        across = (log10(millions) - log10(30)) / (log10(700) - log10(30))
        up = (log10(height) - log10(self.least)) / (log10(self.most) - log10(self.least))
        return _LEFT + across * (_RIGHT - _LEFT), _BOTTOM - up * (_BOTTOM - _TOP)


def _axes(scale: _Scale) -> Iterator[str]:
    for tick in _X_TICKS:
        x, _ = scale.at(tick, scale.least)
        yield f'<path class="grid" d="M{x:.1f} {_TOP}V{_BOTTOM}"/>'
        yield _text(x, _BOTTOM + 18, str(tick), "middle", _SOFT)
    for tick in _Y_TICKS:
        if scale.least <= tick <= scale.most:
            _, y = scale.at(30, tick)
            yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>'
            yield _text(_LEFT - 8, y + 4, str(tick), "end", _SOFT)
    yield f'<path class="axis" fill="none" d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}"/>'
    yield _text(_LEFT, _BOTTOM + 38, "FLOPs (multiply-adds), millions", more=_SOFT)


def _prediction(ends: Sequence[Point]) -> Iterator[str]:
    """Where a network lies that does as many multiply-adds a second as the reference."""
    (x1, y1), (x2, y2) = ends
    box = f"M{_LEFT} {_TOP}H{_RIGHT}V{_BOTTOM}H{_LEFT}Z"
    yield f'<clipPath id="inside"><path d="{box}"/></clipPath>'
    way = f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"
    yield f'<path class="hint" clip-path="url(#inside)" d="{way}"/>'
    x = _LEFT + 195
    yield f'<path class="hint" d="M{x} {_BOTTOM + 34}h34"/>'
    words = "as many multiply-adds a second as ShuffleNet V2 1×"
    yield _text(x + 42, _BOTTOM + 38, words, more=_SOFT)


def _series(family: str, number: int, points: Sequence[Point]) -> str:
    way = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    marks = "".join(_mark(family, point) for point in points)
    return f'<g {_coloured(number)}><path class="line" d="M{way}"/>{marks}</g>'


def _mark(family: str, at: Point) -> str:
    kind = "mark solid" if family == _FILLED else "mark"
    place = f"translate({at[0]:.1f} {at[1]:.1f})"
    return f'<path class="{kind}" transform="{place}" d="{_MARKS[family]}"/>'


def _coloured(number: int) -> str:
    return f'style="color:var(--c{number});stroke:var(--c{number})"'


def _names(ends: Mapping[str, Point]) -> Iterator[str]:
    """Every family's mark and name in a column, beside its last point if that is at the edge."""
    numbers = {family: number for number, family in enumerate(ends)}
    taken = float("-inf")
    for family, (x, y) in sorted(ends.items(), key=lambda item: (item[0] == _INNER, item[1][1])):
        taken = max(y, taken + _LABEL_GAP)
        if family != _INNER:
            yield f'<path class="lead" d="M{x + 8:.1f} {y:.1f}L{_LABELS_AT - 10} {taken:.1f}"/>'
        yield f"<g {_coloured(numbers[family])}>{_mark(family, (_LABELS_AT, taken))}</g>"
        yield _text(_LABELS_AT + 12, taken + 4, family)


# --- Figure 2: time by category ---

_BAR_LEFT, _BAR_WIDTH, _BAR_HEIGHT, _BAR_GAP, _GROUP = 210, 480, 20, 3, 58
_BARS_TOP = 92
_NAMED_FROM = 0.045

_PATTERNS = (
    (8, 0, '<rect width="8" height="8"/>'),
    (8, 45, '<rect width="4" height="8"/>'),
    (6, 0, '<circle cx="3" cy="3" r="2"/>'),
    (7, 45, '<path d="M0 0H7V1.5H1.5V7H0Z"/>'),
    (5, 0, '<rect width="5" height="2.5"/>'),
    (6, 0, '<rect width="1.5" height="6"/>'),
)
"""Of each kind of work: how large the tile is, how it is turned, what is drawn on it."""


def _patterns() -> Iterator[str]:
    yield "<defs>"
    for number, (size, turn, drawing) in enumerate(_PATTERNS):
        yield (
            f'<pattern id="k{number}" width="{size}" height="{size}" fill="var(--c{number})" '
            f'patternUnits="userSpaceOnUse" patternTransform="rotate({turn})">'
            f'<rect class="ground" width="{size}" height="{size}"/>{drawing}</pattern>'
        )
    yield "</defs>"


def time_picture(result: Result, levels: Sequence[str]) -> str:
    """Where the time of a run goes: a bar for each network and level, its parts in per cent."""
    names = list(result["levels"][levels[0]]["profiles"])
    body = [
        *_patterns(),
        _text(16, 24, "Where the time of a run goes, in per cent of it", more=_BOLD),
        *_legend(),
    ]
    for row, name in enumerate(names):
        top = _BARS_TOP + row * _GROUP
        body.append(_text(16, top + 27, name))
        for place, level in enumerate(levels):
            y = top + place * (_BAR_HEIGHT + _BAR_GAP)
            body.append(_text(_BAR_LEFT - 8, y + 15, level, "end", _SOFT))
            body.extend(_bar(shares(result, level, name), y))
    return _svg(780, _BARS_TOP + len(names) * _GROUP + 8, "Time by category", body)


def _legend() -> Iterator[str]:
    for number, kind in enumerate(KINDS):
        x, y = 16 + number % 3 * 210, 40 + number // 3 * 22
        yield (
            f'<rect x="{x}" y="{y}" width="26" height="14" fill="url(#k{number})" '
            f'stroke="var(--soft)"/>'
        )
        yield _text(x + 34, y + 12, kind)


def _bar(parts: Mapping[str, float], y: float) -> Iterator[str]:
    total, x = sum(parts.values()), float(_BAR_LEFT)
    for number, part in enumerate(parts.values()):
        width = part / total * _BAR_WIDTH
        yield (
            f'<rect class="edge" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR_HEIGHT}" '
            f'fill="url(#k{number})"/>'
        )
        if part / total >= _NAMED_FROM:
            middle = x + width / 2
            yield (
                f'<rect class="chip" x="{middle - 10:.1f}" y="{y + 3}" width="20" height="14" '
                f'rx="3"/>'
            )
            yield _text(middle, y + 14, f"{100 * part / total:.0f}", "middle", _SMALL)
        x += width
    yield _text(_BAR_LEFT + _BAR_WIDTH + 10, y + 15, f"{total:.1f} ms")


_SMALL = ' font-size="12"'
