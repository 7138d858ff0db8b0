"""What the rules that hold a model to a budget have in common: B1 to B4."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from graphlint.rule import Context, Example, Site

MODEL = """
agraph (float[1,4,4,4] x) => (float[1,1,4,4] y)
<float[1,4,1,1] w = {1, 2, 3, 4}>
{
    y = Conv (x, w)
}
"""
"""A 1×1 convolution: 336 bytes moved, 64 multiply-adds, 4 parameters."""


def examples(good: int, bad: int) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The same small model with a budget that it keeps, and with one that it does not."""
    return (Example("within_it", MODEL, good),), (Example("over_it", MODEL, bad),)


def over_budget(
    context: Context,
    phrase: str,
    figure: int,
    spell: Callable[[int], str],
    advice: str,
    *,
    whole: bool = False,
) -> Iterator[Site]:
    """One site, the model itself, where `figure` is over its budget.

    A figure that is not `whole` leaves out the nodes that are not counted.
    """
    limit = context.limit
    if limit is None or figure <= limit:
        return
    least = "at least " if context.costs.uncosted and not whole else ""
    yield Site(
        nodes=(),
        message=(
            f"{phrase.format(least + spell(figure))}, the budget is {_round(spell(limit))}: "
            f"{spell(figure - limit)} over."
        ),
        help=advice,
        excess_bytes=None,
    )


def _round(spelt: str) -> str:
    """`40 MiB` for `40.0 MiB`: a limit as one writes it."""
    return re.sub(r"\.0+\b", "", spelt)
