"""B1 to B4: a model against its limit, and what is said where it is over."""

import pytest

from graphlint.findings import Severity
from graphlint.rule import Rule
from graphlint_rules import B1, B2, B3, B4
from tests.rules.linting import sites

BUDGETS = (B1, B2, B3, B4)

# Two 3×3 convolutions with one weight, of 4 channels on 16×16, and a Relu: each reads and writes
# 4 KiB, and a convolution reads 144 numbers as well.
NUMBERS = ", ".join(["0.5"] * 144)
TWICE = f"""
    net (float[1,4,16,16] x) => (float[1,4,16,16] y) <float[4,4,3,3] w = {{{NUMBERS}}}> {{
        a = Conv <pads = [1, 1, 1, 1]> (x, w)
        b = Conv <pads = [1, 1, 1, 1]> (a, w)
        y = Relu(b)
    }}
"""
MOVED = 6 * 4096 + 2 * 4 * 144
MULTIPLY_ADDS = 2 * 4 * 4 * 9 * 256
PARAMETERS = 144
FIGURES = [(B1, MOVED), (B2, MULTIPLY_ADDS), (B3, PARAMETERS), (B4, 0)]

MYSTERIES = """
    <ir_version: 8, opset_import: ["" : 17, "mine" : 1]>
    net (float[1,4,16,16] x) => (float[1,4,16,16] y)
    <float[4,1,1,1] w = {1, 2, 3, 4}> {
        a = Conv <group = 4> (x, w)
        b = mine.First(a)
        c = mine.Second(b)
        y = mine.Third(c)
    }
"""


@pytest.mark.parametrize(("rule", "figure"), FIGURES)
def test_a_model_at_its_limit_keeps_it(rule: Rule, figure: int) -> None:
    assert sites(rule, TWICE, figure) == []


@pytest.mark.parametrize(("rule", "figure"), FIGURES[:3])
def test_a_model_one_over_its_limit_does_not(rule: Rule, figure: int) -> None:
    [site] = sites(rule, TWICE, figure - 1)
    assert site.message.endswith(": 1 over." if rule is not B1 else ": 1 B over.")
    assert site.nodes == ()
    assert site.excess_bytes is None


@pytest.mark.parametrize("rule", BUDGETS)
def test_without_a_budget_nothing_is_said(rule: Rule) -> None:
    assert sites(rule, MYSTERIES) == []


@pytest.mark.parametrize("rule", BUDGETS)
def test_a_broken_budget_is_an_error(rule: Rule) -> None:
    assert rule.severity is Severity.ERROR


@pytest.mark.parametrize("rule", [B1, B2, B3])
def test_the_examples_stand_at_the_very_limit(rule: Rule) -> None:
    [kept], [broken] = rule.good, rule.bad
    assert kept.limit is not None
    assert broken.limit == kept.limit - 1


def test_the_examples_of_nodes_that_are_not_counted_allow_none() -> None:
    assert [example.limit for example in (*B4.good, *B4.bad)] == [0, 0]


MESSAGES = [
    (B1, TWICE, 24 << 10, "Moves 25.1 KiB, the budget is 24 KiB: 1.12 KiB over."),
    (B1, TWICE, 24_100, "Moves 25.1 KiB, the budget is 23.5 KiB: 1.59 KiB over."),
    (B2, TWICE, 70_000, "Does 73.7 k multiply-adds, the budget is 70 k: 3.73 k over."),
    (B3, TWICE, 100, "Has 144 parameters, the budget is 100: 44 over."),
    (B4, MYSTERIES, 1, "Nodes that are not counted: 3, the budget is 1: 2 over."),
    # What is not counted may only add to these; the convolution moves 2 · 4 KiB and 4 numbers.
    (B1, MYSTERIES, 0, "Moves at least 8.02 KiB, the budget is 0 B: 8.02 KiB over."),
    (B2, MYSTERIES, 1000, "Does at least 1.02 k multiply-adds, the budget is 1 k: 24 over."),
    (B3, MYSTERIES, 3, "Has at least 4 parameters, the budget is 3: 1 over."),
]


@pytest.mark.parametrize(("rule", "model", "limit", "message"), MESSAGES)
def test_what_is_said(rule: Rule, model: str, limit: int, message: str) -> None:
    [site] = sites(rule, model, limit)
    assert site.message == message


@pytest.mark.parametrize(
    ("limit", "found"), [(3, 0), (2, 1), (0, 1)], ids=["at", "below", "none allowed"]
)
def test_nodes_that_are_not_counted(limit: int, found: int) -> None:
    assert len(sites(B4, MYSTERIES, limit)) == found
