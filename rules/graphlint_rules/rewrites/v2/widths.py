"""Which widths a V2 network or unit gets: the paper's, V1's proportions, or the device's blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import log

from graphlint_rules.rewrites.v1.units import V1Unit

LARGEST_SHARE = 1.05
"""Aligned widths may take this many times V1's multiply-adds."""

PAPER_STEM = 24
# ShuffleNet V2, table 5: stages 2 to 4, and conv5, for each scale.
PAPER_WIDTHS = {
    0.5: ((48, 96, 192), 1024),
    1.0: ((116, 232, 464), 1024),
    1.5: ((176, 352, 704), 1024),
    2.0: ((244, 488, 976), 2048),
}


@dataclass(frozen=True, slots=True)
class StageWidths:
    """The width of each stage's output, and of the 1×1 convolution after the last (None: none)."""

    stages: tuple[int, ...]
    final: int | None


Cost = Callable[[StageWidths], int]
"""The multiply-adds of the whole network with these widths."""


def in_proportion(stages: Sequence[int], cost: Cost, target: int) -> StageWidths:
    """V1's widths times one factor, as even numbers: the nearest to `target` multiply-adds."""
    candidates = (
        StageWidths(tuple(2 * max(1, round(half * width / stages[-1])) for width in stages), None)
        for half in range(1, stages[-1] + 1)
    )
    return min(candidates, key=lambda widths: abs(cost(widths) - target))


def aligned(widths: StageWidths, block: int, cost: Cost, target: int) -> StageWidths | None:
    """The nearest widths whose halves are multiples of `block`, within `LARGEST_SHARE` of `target`.

    None where even the narrowest take more.
    """
    within = (
        candidate for candidate in _near(widths, block) if cost(candidate) <= LARGEST_SHARE * target
    )
    return min(within, key=lambda candidate: _distance(candidate, widths), default=None)


def _near(widths: StageWidths, block: int) -> Iterator[StageWidths]:
    choices = [_multiples(width // 2, block) for width in widths.stages]
    finals: Sequence[int | None] = [None]
    if widths.final is not None:
        least = block * max(1, widths.final * 3 // 4 // block)
        finals = [*range(least, widths.final + 1, block)] or [block]
    for halves in product(*choices):
        for final in finals:
            yield StageWidths(tuple(2 * half for half in halves), final)


def _multiples(half: int, block: int) -> tuple[int, ...]:
    below = half // block * block
    return tuple(value for value in (below - block, below, below + block) if value > 0)


def _distance(one: StageWidths, other: StageWidths) -> float:
    pairs = [*zip(one.stages, other.stages, strict=True)]
    if one.final is not None and other.final is not None:
        pairs.append((one.final, other.final))
    return sum(abs(log(a / b)) for a, b in pairs)


def within_multiply_adds(unit: V1Unit, block: int) -> int:
    """The widest branch whose V2 unit does no more multiply-adds than the V1 unit (stride 1).

    A multiple of `block` where one fits, else an even number; at most half of the channels.
    """
    kernel = unit.depthwise.weight[0, 0].size
    most = sum(
        layer.weight[0].size * layer.width_out for layer in (unit.first, unit.depthwise, unit.last)
    )
    widest = max(
        (
            width
            for width in range(1, unit.width_out // 2 + 1)
            if 2 * width * width + kernel * width <= most
        ),
        default=1,
    )
    step = block if widest >= block else 2 if widest >= 2 else 1
    return widest // step * step
