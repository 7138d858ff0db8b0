"""## What it does

Says when a model does more multiply-adds in one run than its budget allows. Without a budget for
the model it says nothing.

## Why it costs

Multiply-adds bound from below what a run takes where the arithmetic is the bottleneck, and what it
takes of a battery. They are no measure of speed by themselves: see B1.

## Example

A model of 161 M multiply-adds with a budget of 150 M is 11.0 M over.

## What to do instead

`graphlint profile` shows which nodes do them. Where the new cost is meant, raise the budget in the
same change.

## Options

A budget stands in the configuration, by a pattern of models (`docs/configuration.md`):

    [budgets."mobile/*.onnx"]
    max-multiply-adds = "150 M"

A limit is spelt `"150 M"`, with k, M or G for 10^3, 10^6 or 10^9, or as a bare integer.

## References

- `docs/counting.md`: how it is counted.
- Ma, Zhang, Zheng, Sun: ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design.
  ECCV 2018, arXiv:1807.11164, section 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphlint.findings import Severity
from graphlint.rule import Budget, Context, Rule, Site
from graphlint.units import format_count
from graphlint_rules.budgets import examples, over_budget

_HELP = (
    "`graphlint profile` shows which nodes do them; where the cost is meant, raise the budget in "
    "the same change"
)
GOOD, BAD = examples(good=64, bad=63)


def check(context: Context) -> Iterator[Site]:
    """One site, the model itself, where it is over its budget."""
    figure = context.costs.total.multiply_adds
    yield from over_budget(context, "Does {} multiply-adds", figure, format_count, _HELP)


RULE = Rule(
    code="B2",
    name="multiply-adds-over-budget",
    summary="A model does more multiply-adds than its budget allows.",
    check=check,
    page=__doc__,
    good=GOOD,
    bad=BAD,
    severity=Severity.ERROR,
    budget=Budget("max-multiply-adds", "count", "a number of multiply-adds"),
)
