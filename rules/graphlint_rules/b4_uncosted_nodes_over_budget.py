"""## What it does

Says when a model has more nodes whose cost can't be told than its budget allows. Without a
budget for the model it says nothing.

## Why it costs

Unknown is not zero: the totals leave such nodes out, and the other budgets are kept by what is not
counted. With a budget of 0 a model that can't be counted whole does not pass.

## Example

A model with an operator of a domain that graphlint has no costs for has 1 node that is not counted;
with a budget of 0 that is 1 over.

## What to do instead

The report says why a node is not counted, and which flag helps: `--dim` or `--input-shape` for a
size that is not known, a cost pack for an operator of one's own.

## Options

A budget stands in the configuration, by a pattern of models (`docs/configuration.md`):

    [budgets."mobile/*.onnx"]
    max-uncosted-nodes = 0

A limit is an integer.

## References

- `docs/counting.md`: how it is counted.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphlint.findings import Severity
from graphlint.rule import Budget, Context, Example, Rule, Site
from graphlint_rules.budgets import MODEL, over_budget

_HELP = (
    "the report says why they are not counted: give sizes with --dim or --input-shape, or install "
    "a cost pack for an operator of your own"
)
GOOD = (Example("counted_whole", MODEL, 0),)
BAD = (
    Example(
        "operator_without_a_cost",
        """
        <ir_version: 8, opset_import: ["" : 17, "example.domain" : 1]>
        agraph (float[1,4] x) => (float[1,4] y) {
            y = example.domain.Mystery (x)
        }
        """,
        0,
    ),
)


def check(context: Context) -> Iterator[Site]:
    """One site, the model itself, where it is over its budget."""
    figure = context.costs.uncosted
    yield from over_budget(
        context, "Nodes that are not counted: {}", figure, str, _HELP, whole=True
    )


RULE = Rule(
    code="B4",
    name="uncosted-nodes-over-budget",
    summary="A model has more nodes whose cost is unknown than its budget allows.",
    check=check,
    page=__doc__,
    good=GOOD,
    bad=BAD,
    severity=Severity.ERROR,
    budget=Budget("max-uncosted-nodes", "count", "a number of nodes"),
)
