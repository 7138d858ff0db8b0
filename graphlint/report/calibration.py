"""A device profile for a terminal: the paper's tables beside the device's, with bars."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat

from graphlint.calibration.tables import Column
from graphlint.calibration.verdicts import Group, Reading, Result, results
from graphlint.devices.profile import DeviceProfile
from graphlint.report.calibration_words import facts, sentences, title
from graphlint.report.text import Style, columns, safe
from graphlint.units import format_seconds

_BAR = 30
_SENTENCE = 600
_UNALIGNED = "†"

Line = tuple[str, ...]


def render(profile: DeviceProfile, style: Style) -> str:
    """What was measured of a device, table by table."""
    return style.final("\n".join(_lines(profile, style)) + "\n")


def _lines(profile: DeviceProfile, style: Style) -> Iterator[str]:
    yield style.bold(safe(title(profile), _SENTENCE))
    for fact in facts(profile):
        yield safe(fact, _SENTENCE)
    found = results(profile)
    for result in found:
        yield ""
        yield style.bold(f"Table {result.table.number} · {result.table.title}")
        yield from sentences(result, profile.channel_block)
        yield from _table(result, profile.channel_block, style)
    if found:
        yield ""
        yield style.dim(
            "speed: relative to the column's first row; the bar is this device's, G and A are the "
            "paper's GPU and ARM."
        )
        if profile.channel_block > 1:
            yield style.dim(
                f"{_sign(style)}: channels that are no whole blocks of {profile.channel_block}, "
                "in this row or in the column's first."
            )
    for note in profile.notes:
        yield f"note: {safe(note, _SENTENCE)}"


def _table(result: Result, block: int, style: Style) -> Iterator[str]:
    most = max(
        max(reading.speed.value, *reading.paper.values())
        for group in result.groups
        for reading in group.readings
    )
    head = ("", "channels", "", "time", "speed", "", "", "GPU", "ARM")
    rows: list[Line] = [head]
    for group in result.groups:
        rows += _rows(group, result, block, most, style)
    head_line, *lines = columns(rows, "<<<>><<>>")
    yield style.dim(head_line)
    yield from lines


def _rows(group: Group, result: Result, block: int, most: float, style: Style) -> Iterator[Line]:
    places = {row.name: place for place, row in enumerate(result.table.rows)}
    names = chain((column.name for column in group.columns), repeat(""))
    for name, reading in zip(names, group.readings, strict=False):
        yield (
            name,
            spelled(group.columns[0], places[reading.row]),
            reading.row,
            format_seconds(reading.seconds),
            f"{reading.speed.value:.2f}",
            _sign(style) if block > 1 and not reading.aligned else "",
            _bar(reading, most, style),
            paper(reading, "GPU"),
            paper(reading, "ARM"),
        )


def spelled(column: Column, place: int) -> str:
    """The widths of a row: `36→432`, `128`."""
    return "→".join(map(str, column.widths[place]))


def paper(reading: Reading, family: str) -> str:
    """The paper's relative speed in a column of a device; a dash where there is none."""
    return next(
        (f"{speed:.2f}" for name, speed in reading.paper.items() if name.startswith(family)), "-"
    )


def _bar(reading: Reading, most: float, style: Style) -> str:
    """The device's speed as a bar, the paper's as letters on it."""
    full = "#" if style.ascii else "█"
    line = [full] * _place(reading.speed.value, most) + [" "] * _BAR
    for name, speed in reading.paper.items():
        line[max(0, _place(speed, most) - 1)] = name[0]
    return "".join(line[:_BAR])


def _place(speed: float, most: float) -> int:
    return max(1, round(speed / most * _BAR))


def _sign(style: Style) -> str:
    return "+" if style.ascii else _UNALIGNED
