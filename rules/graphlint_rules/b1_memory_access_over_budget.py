"""## What it does

Says when a model moves more bytes in one run than its budget allows: all that its nodes read and
write, and the weights, of the graph as it is written. Without a budget for the model it says
nothing.

## Why it costs

Memory access is what the time of small networks goes into, and the cost that a change adds without
anybody noticing. A budget keeps it: the change that breaks it is the one that is looked at.

## Example

A model that moves 41.2 MiB with a budget of 40 MiB is 1.20 MiB over.

## What to do instead

`graphlint profile` ranks the nodes by what they move, the findings of the other rules say which of
it is beyond need, and `graphlint diff` what a change has added. Where the new cost is meant, raise
the budget in the same change.

## Options

A budget stands in the configuration, by a pattern of models (`docs/configuration.md`):

    [budgets."mobile/*.onnx"]
    max-memory-access = "40 MiB"

A limit is spelt in bytes: `"40 MiB"` (2^20), `"40 MB"` (10^6), or a bare integer.

## References

- `docs/counting.md`: how it is counted.
- Ma, Zhang, Zheng, Sun: ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design.
  ECCV 2018, arXiv:1807.11164, section 2.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphlint.findings import Severity
from graphlint.rule import Budget, Context, Rule, Site
from graphlint.units import format_bytes
from graphlint_rules.budgets import examples, over_budget

_HELP = (
    "`graphlint profile` ranks the nodes by what they move; where the cost is meant, raise the "
    "budget in the same change"
)
GOOD, BAD = examples(good=336, bad=335)


def check(context: Context) -> Iterator[Site]:
    """One site, the model itself, where it is over its budget."""
    figure = context.costs.total.memory_access_bytes
    yield from over_budget(context, "Moves {}", figure, format_bytes, _HELP)


RULE = Rule(
    code="B1",
    name="memory-access-over-budget",
    summary="A model moves more bytes than its budget allows.",
    check=check,
    page=__doc__,
    good=GOOD,
    bad=BAD,
    severity=Severity.ERROR,
    budget=Budget("max-memory-access", "bytes", "a number of bytes"),
)
