"""## What it does

Says when a model has more parameters than its budget allows; a tensor that several nodes read
is counted once. Without a budget for the model it says nothing.

## Why it costs

Parameters are what is downloaded, stored, and read at least once in every run.

## Example

A model of 3.40 M parameters with a budget of 3 M is 400 k over.

## What to do instead

`graphlint profile` shows which nodes have them: often the last fully connected layer. Where the new
size is meant, raise the budget in the same change.

## Options

A budget stands in the configuration, by a pattern of models (`docs/configuration.md`):

    [budgets."mobile/*.onnx"]
    max-parameters = "3 M"

A limit is spelt `"3 M"`, with k, M or G for 10^3, 10^6 or 10^9, or as a bare integer.

## References

- `docs/counting.md`: how it is counted.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphlint.findings import Severity
from graphlint.rule import Budget, Context, Rule, Site
from graphlint.units import format_count
from graphlint_rules.budgets import examples, over_budget

_HELP = (
    "`graphlint profile` shows which nodes have them; where the size is meant, raise the budget in "
    "the same change"
)
GOOD, BAD = examples(good=4, bad=3)


def check(context: Context) -> Iterator[Site]:
    """One site, the model itself, where it is over its budget."""
    figure = context.costs.parameters
    yield from over_budget(context, "Has {} parameters", figure, format_count, _HELP)


RULE = Rule(
    code="B3",
    name="parameters-over-budget",
    summary="A model has more parameters than its budget allows.",
    check=check,
    page=__doc__,
    good=GOOD,
    bad=BAD,
    severity=Severity.ERROR,
    budget=Budget("max-parameters", "count", "a number of parameters"),
)
