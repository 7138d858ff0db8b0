"""A device profile as one HTML file that loads nothing: a picture a guideline, and tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphlint.calibration.verdicts import Group, Reading, Result, results
from graphlint.devices.profile import DeviceProfile
from graphlint.report.calibration import paper, spelled
from graphlint.report.calibration_words import facts, sentences, title
from graphlint.report.html.frame import page
from graphlint.report.html.markup import section, text
from graphlint.report.html.sheets import table
from graphlint.report.sheet import Sheet
from graphlint.units import format_seconds

WIDTH = 380
_RIGHT, _TOP, _LINE = 44, 26, 24
_CHARACTER = 7.6  # at most the mean width of one in a row's label
_SENTENCE = 600
_MOST_TICKS = 5
_LONG = 13  # characters: a row's name that leaves no room for its channels
_KEY = (
    ("bar", "this device, and what the spread leaves open"),
    ("gpu", "the paper’s GPU"),
    ("arm", "the paper’s ARM"),
)


def render(profile: DeviceProfile) -> str:
    """The page."""
    return page(
        f"{profile.device.name} · graphlint calibrate",
        ("calibration.css",),
        _main(profile),
        profile.graphlint,
    )


def _main(profile: DeviceProfile) -> Iterator[str]:
    yield '<header class="model">'
    yield '<p class="eyebrow">graphlint calibrate</p>'
    yield f"<h1>{text(title(profile), _SENTENCE)}</h1>"
    yield from (f'<p class="quiet">{text(fact, _SENTENCE)}</p>' for fact in facts(profile))
    yield from _notes(profile)
    yield "</header>"
    for result in results(profile):
        yield _section(result, profile.channel_block)


def _notes(profile: DeviceProfile) -> Iterator[str]:
    if profile.notes:
        yield '<ul class="remarks">'
        yield from (f"<li>{text(note, _SENTENCE)}</li>" for note in profile.notes)
        yield "</ul>"


def _section(result: Result, block: int) -> str:
    number = result.table.number
    lead = " ".join(text(sentence, _SENTENCE) for sentence in sentences(result, block))
    axis = _axis(result, block)
    body = [
        _key(result, block),
        '<div class="panels">',
        *(
            svg
            for place, group in enumerate(result.groups)
            for svg in _panel(result, group, axis, f"t{number}-{place}", block)
        ),
        "</div>",
        f"<details><summary>Figures of Table {number}</summary>",
        *table(_sheet(result, block)),
        "</details>",
    ]
    heading = f"{result.table.guideline} · Table {number}: {text(result.table.title)}"
    return section(f"table{number}", heading, lead, body)


def _key(result: Result, block: int) -> str:
    marks = {
        "bar": '<rect class="here" x="0" y="4" width="20" height="10"/>' + _open(14, 26, 9),
        "gpu": _diamond(14, 9),
        "arm": _circle(14, 9),
    }
    items = "".join(
        f'<li><svg viewBox="0 0 28 18" width="28" height="18" aria-hidden="true">{marks[mark]}'
        f"</svg>{words}</li>"
        for mark, words in _KEY
    )
    if block > 1 and not all(reading.aligned for reading in result.others):
        items += (
            f"<li>† channels that are no whole blocks of {block}, here or in the first row</li>"
        )
    return f'<ul class="paper-key">{items}</ul>'


@dataclass(frozen=True, slots=True)
class _Axis:
    """From relative speeds to places on a panel; all panels of a table have the same."""

    left: float
    most: float

    def __call__(self, speed: float) -> float:
        part = min(speed / self.most, 1.0)
        return self.left + part * (WIDTH - _RIGHT - self.left)


def _axis(result: Result, block: int) -> _Axis:
    readings = [reading for group in result.groups for reading in group.readings]
    most = 1.06 * max(max(r.speed.value, *r.paper.values()) for r in readings)
    labels = (label for group in result.groups for label in _labels(result, group, block).values())
    return _Axis(14 + _CHARACTER * max(map(len, labels)), most)


def _labels(result: Result, group: Group, block: int) -> dict[str, str]:
    """What stands beside the rows of a group: the row, its channels where there is room."""
    places = {row.name: place for place, row in enumerate(result.table.rows)}
    return {
        reading.row: " ".join(
            filter(
                None,
                (
                    reading.row,
                    spelled(group.columns[0], places[reading.row])
                    if len(reading.row) < _LONG
                    else "",
                    "†" if block > 1 and not reading.aligned else "",
                ),
            )
        )
        for reading in group.readings
    }


def _panel(result: Result, group: Group, axis: _Axis, identity: str, block: int) -> Iterator[str]:
    height = _TOP + _LINE * len(group.readings) + 22
    bottom = height - 20
    names = " · ".join(column.name for column in group.columns)
    yield (
        f'<svg class="panel" role="img" viewBox="0 0 {WIDTH} {height}" '
        f'aria-labelledby="{identity}">'
    )
    yield (
        f'<title id="{identity}">{text(names)}: speed relative to the first row, here and in the '
        "paper; the table has the same figures.</title>"
    )
    yield f'<text class="panel-name" x="0" y="14">{text(names)}</text>'
    for value in _ticks(axis.most):
        at = f"{axis(value):.1f}"
        kind = "one" if value == 1 else "grid"
        yield f'<line class="{kind}" x1="{at}" x2="{at}" y1="{_TOP - 4}" y2="{bottom}"/>'
        yield f'<text class="tick" x="{at}" y="{height - 6}" text-anchor="middle">{value:g}</text>'
    labels = _labels(result, group, block)
    for place, reading in enumerate(group.readings):
        yield from _row(reading, labels[reading.row], _TOP + _LINE * (place + 0.5), axis)
    yield "</svg>"


def _row(reading: Reading, label: str, middle: float, axis: _Axis) -> Iterator[str]:
    yield (
        f'<text class="row" x="{axis.left - 8:.1f}" y="{middle + 4:.1f}" text-anchor="end">'
        f"{text(label)}</text>"
    )
    yield (
        f'<rect class="here" x="{axis.left:.1f}" y="{middle - 6:.1f}" '
        f'width="{axis(reading.speed.value) - axis.left:.1f}" height="12"/>'
    )
    if reading.speed.low < reading.speed.high:
        yield _open(axis(reading.speed.low), axis(reading.speed.high), middle)
    for name, speed in reading.paper.items():
        shape = _diamond if name.startswith("GPU") else _circle
        yield shape(axis(speed), middle)
    yield (
        f'<text class="value" x="{WIDTH}" y="{middle + 4:.1f}" text-anchor="end">'
        f"{reading.speed.value:.2f}</text>"
    )


def _open(low: float, high: float, y: float) -> str:
    """A line with ends: an interval."""
    return f'<path class="open" d="M{low:.1f} {y - 4:.1f}v8m0 -4H{high:.1f}m0 -4v8"/>'


def _ticks(most: float) -> list[float]:
    """0 and some round speeds; 1 among them where most are about as fast."""
    step = 0.5
    while most / step > _MOST_TICKS:
        step *= 2
    return [count * step for count in range(int(most / step) + 1)]


def _diamond(x: float, y: float) -> str:
    return f'<path class="paper" d="M{x - 5:.1f} {y:.1f}l5 -5l5 5l-5 5z"/>'


def _circle(x: float, y: float) -> str:
    return f'<circle class="paper" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'


def _sheet(result: Result, block: int) -> Sheet:
    head = ("columns", "row", "channels", "time", "spread leaves", "speed", "GPU", "ARM")
    places = {row.name: place for place, row in enumerate(result.table.rows)}
    rows = tuple(
        (
            " · ".join(column.name for column in group.columns),
            reading.row,
            spelled(group.columns[0], places[reading.row])
            + ("†" if block > 1 and not reading.aligned else ""),
            format_seconds(reading.seconds),
            f"{reading.speed.low:.2f} to {reading.speed.high:.2f}",
            f"{reading.speed.value:.2f}",
            paper(reading, "GPU"),
            paper(reading, "ARM"),
        )
        for group in result.groups
        for reading in group.readings
    )
    return Sheet(head, rows, names=3)
