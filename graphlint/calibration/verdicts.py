"""Whether a guideline holds on a device, told from the cells of its table by a rule.

Every row is set against the first of its column: its relative speed is the first's time over its
own. Each of the two times may lie half its spread to either side, so the relative speed lies in an
interval. Where all of that lies within 3 % of 1, there is no difference; else, where it leaves out
1, the row is slower or faster; else the spread is too large to tell.

A guideline holds where at least three quarters of the rows go its way, holds in part where at least
a quarter do, and does not hold where fewer do. It cannot be told where half of the rows can't be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal

from graphlint.calibration.tables import TABLES, Column, Row, Table, Widths
from graphlint.devices.profile import Cell, DeviceProfile
from graphlint.times import Ratio

NEGLIGIBLE = 0.03
"""A difference in speed that is none."""

_MOST, _SOME = 0.75, 0.25

Told = Literal["as expected", "against", "no difference", "cannot be told"]
Answer = Literal["holds", "holds in part", "does not hold", "cannot be told"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A network's speed relative to the first of its column, here and in the paper.

    `paper` holds the paper's by column, since two columns can have the same networks. `aligned`:
    its channels and those of the first are multiples of the device's channel block.
    """

    row: str
    seconds: float
    speed: Ratio
    paper: Mapping[str, float]
    told: Told
    aligned: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that have the same networks, and what was read of them."""

    columns: tuple[Column, ...]
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the readings of a table come to.

    `strength` is the median relative speed of the table's last `row` over its columns, from `low`
    to `high`, and `paper` the paper's. The counts are of readings, the first rows' left out.
    """

    answer: Answer
    row: str
    strength: float
    low: float
    high: float
    paper: float
    readings: int
    as_expected: int
    against: int
    untold: int


@dataclass(frozen=True, slots=True)
class Result:
    """A table as measured."""

    table: Table
    groups: tuple[Group, ...]

    @property
    def others(self) -> tuple[Reading, ...]:
        """The readings that are set against the first row."""
        first = self.table.rows[0].name
        return tuple(r for group in self.groups for r in group.readings if r.row != first)

    @property
    def verdict(self) -> Verdict | None:
        """Over all rows; None where only first rows were measured."""
        return verdict(self.table, self.others)

    @property
    def aligned_verdict(self) -> Verdict | None:
        """Over the rows of whole channel blocks; None where all are such, or none is."""
        aligned = tuple(r for r in self.others if r.aligned)
        return verdict(self.table, aligned) if len(aligned) < len(self.others) else None


def results(profile: DeviceProfile) -> tuple[Result, ...]:
    """The tables that a profile has cells of."""
    found = (_result(table, profile) for table in TABLES)
    return tuple(result for result in found if result.groups)


def _result(table: Table, profile: DeviceProfile) -> Result:
    cells = {(c.column, c.row): c for c in profile.cells if c.table == table.number}
    same: dict[str, list[Column]] = {}
    for column in sorted(table.columns, key=lambda column: column.widths):
        if (column.name, table.rows[0].name) in cells:
            same.setdefault(table.key(column), []).append(column)
    return Result(
        table,
        tuple(
            Group(tuple(columns), tuple(_readings(table, columns, cells, profile.channel_block)))
            for columns in same.values()
        ),
    )


def _readings(
    table: Table, columns: list[Column], cells: dict[tuple[str, str], Cell], block: int
) -> Iterator[Reading]:
    column = columns[0]
    first = cells[column.name, table.rows[0].name]
    for place, row in enumerate(table.rows):
        cell = cells.get((column.name, row.name))
        if cell is None:
            continue
        speed = relative_speed(first, cell)
        yield Reading(
            row.name,
            cell.seconds,
            speed,
            {each.name: each.speeds[place] / each.speeds[0] for each in columns},
            told(speed, table.claim),
            _is_aligned(row, column.widths[place], block)
            and _is_aligned(table.rows[0], column.widths[0], block),
        )


def relative_speed(first: Cell, other: Cell) -> Ratio:
    """How many times as fast as the first a cell is, with what the spreads leave open."""
    if first == other:
        return Ratio(1.0, 1.0, 1.0)
    value = first.seconds / other.seconds
    half, their_half = (min(cell.spread / 2, 0.99) for cell in (first, other))
    return Ratio(
        value,
        value * (1 - half) / (1 + their_half),
        value * (1 + half) / (1 - their_half),
    )


def told(speed: Ratio, claim: Literal["slower", "faster"]) -> Told:
    """What is said of a row that should be slower, or faster, than the first."""
    if speed.low >= 1 - NEGLIGIBLE and speed.high <= 1 + NEGLIGIBLE:
        return "no difference"
    if not speed.is_told_from_one:
        return "cannot be told"
    return "as expected" if (speed.value < 1) == (claim == "slower") else "against"


def _is_aligned(row: Row, widths: Widths, block: int) -> bool:
    return all(channels % block == 0 for channels in row.channels(widths))


def verdict(table: Table, readings: Iterable[Reading]) -> Verdict | None:
    """What some readings come to; None where there are none."""
    found = tuple(readings)
    if not found:
        return None
    count = {word: sum(r.told == word for r in found) for word in _WORDS}
    row = _spoken_of(table, found)
    speeds = [r.speed.value for r in found if r.row == row]
    return Verdict(
        answer=_answer(len(found), count["as expected"], count["cannot be told"]),
        row=row,
        strength=median(speeds),
        low=min(speeds),
        high=max(speeds),
        paper=median(figure for r in found if r.row == row for figure in r.paper.values()),
        readings=len(found),
        as_expected=count["as expected"],
        against=count["against"],
        untold=count["cannot be told"],
    )


_WORDS: tuple[Told, ...] = ("as expected", "against", "no difference", "cannot be told")


def _spoken_of(table: Table, readings: tuple[Reading, ...]) -> str:
    """The last of the table's rows that there is a reading of."""
    have = {reading.row for reading in readings}
    return next(row.name for row in reversed(table.rows) if row.name in have)


def _answer(readings: int, as_expected: int, untold: int) -> Answer:
    if untold * 2 >= readings:
        return "cannot be told"
    if as_expected >= _MOST * readings:
        return "holds"
    return "holds in part" if as_expected >= _SOME * readings else "does not hold"
