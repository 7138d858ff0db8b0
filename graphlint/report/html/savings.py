"""What findings' alternatives would save, drawn: a bar and an interval each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from graphlint.alternatives.results import Change, Saving
from graphlint.report.html.markup import section, text
from graphlint.report.what_if import share, signed, spelt
from graphlint.times import ComparedTimes, NotMeasured

_LABEL = 80
_MOST_STEPS = 6
_LONGEST = 1.5
"""Of the largest saving or loss: a whisker is cut where it goes beyond, and ends in an arrow."""
_LEAST_SECONDS = 1e-9
_UNITS = ((1.0, "s"), (1e3, "ms"), (1e6, "µs"), (1e9, "ns"))
_KEY = (
    '<ul class="savings-key">'
    '<li><i class="saved told"></i>told: a saving or, left of the line, a loss</li>'
    '<li><i class="saved noise"></i>within the noise: it may be nothing</li>'
    '<li><i class="whisker"></i>95 % interval</li>'
    "</ul>"
)


@dataclass(frozen=True, slots=True)
class Axis:
    """From seconds between `low` and `high` to parts of the width, in percent."""

    low: float
    high: float

    def __call__(self, seconds: float) -> float:
        """Where it is drawn; never outside the axis."""
        part = (seconds - self.low) / (self.high - self.low)
        return 100 * min(1.0, max(0.0, part))

    def ticks(self) -> tuple[float, ...]:
        """Round figures, 0 among them."""
        step = _round((self.high - self.low) / _MOST_STEPS)
        first, last = ceil(self.low / step), floor(self.high / step)
        return tuple(number * step for number in range(first, last + 1))


def covering(savings: Sequence[Saving]) -> Axis:
    """An axis that holds zero, all bars, and whiskers as far as they are in proportion."""
    most = _LONGEST * max(_LEAST_SECONDS, *(abs(each.seconds) for each in savings))
    low = max(-most, min(0.0, *(each.low for each in savings)))
    high = min(most, max(_LEAST_SECONDS, *(each.high for each in savings)))
    room = 0.02 * (high - low)
    return Axis(low - room, high + room)


def _round(least: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is as much."""
    power = 10.0 ** floor(log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least)


def savings(known: Sequence[tuple[Change, Saving]], run: ComparedTimes | NotMeasured) -> str:
    """The section, for the savings that were measured in a run that takes so long."""
    axis = covering([saving for _, saving in known])
    lead = "Each finding’s alternative, at all of its sites together. Savings do not add up."
    body = [
        _KEY,
        '<div class="savings">',
        "<ol>",
        *(_row(change, saving, run, axis) for change, saving in known),
        "</ol>",
        *_foot(axis),
        "</div>",
    ]
    return section("savings", "Savings", lead, body)


def _row(change: Change, saving: Saving, run: ComparedTimes | NotMeasured, axis: Axis) -> str:
    sites = f' <span class="quiet">{change.sites} sites</span>' if change.sites > 1 else ""
    part = share(saving.seconds, run.seconds) if isinstance(run, ComparedTimes) else ""
    return (
        f'<li title="{signed(saving.low)} … {signed(saving.high)}">'
        f'<span class="what"><b class="code">{text(change.code)}</b> {text(spelt(change), _LABEL)}'
        f'{sites}</span><span class="value">{signed(saving.seconds)}'
        f"<i>{'' if saving.is_told else '?'}</i><small>{part}</small></span>"
        f'<span class="track" aria-hidden="true">{"".join(_marks(saving, axis))}</span></li>'
    )


def _marks(saving: Saving, axis: Axis) -> Iterator[str]:
    yield from _lines(axis)
    kind = "told" if saving.is_told else "noise"
    yield f'<i class="saved {kind}" {_between(axis, 0.0, saving.seconds)}></i>'
    cut = "".join(
        f" {name}"
        for name, is_cut in (("low", saving.low < axis.low), ("high", saving.high > axis.high))
        if is_cut
    )
    yield f'<i class="whisker{cut}" {_between(axis, saving.low, saving.high)}></i>'


def _lines(axis: Axis) -> Iterator[str]:
    for tick in axis.ticks():
        kind = "line" if tick else "line zero"
        yield f'<i class="{kind}" style="left:{axis(tick):.2f}%"></i>'


def _between(axis: Axis, one: float, other: float) -> str:
    low, high = sorted((axis(one), axis(other)))
    return f'style="left:{low:.2f}%;width:{high - low:.2f}%"'


def _foot(axis: Axis) -> Iterator[str]:
    """What the lines stand for."""
    ticks = axis.ticks()
    most = max(map(abs, ticks))
    factor, unit = next((f, u) for f, u in _UNITS if most * f >= 1 or u == "ns")
    yield '<div class="foot" aria-hidden="true"><span class="track">'
    for tick in ticks:
        figure = f"{tick * factor:g} {unit}".replace("-", "−") if tick else "0"
        yield f'<span style="left:{axis(tick):.2f}%">{figure}</span>'
    yield "</span></div>"
