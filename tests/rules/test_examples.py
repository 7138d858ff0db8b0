"""Every rule does to its own examples what it says, and its page is complete."""

import re

import pytest

from graphlint.rule import PAGE_HEADINGS, Example, Rule
from graphlint_rules import RULES
from tests.rules.linting import context_of, sites

CASES = [
    pytest.param(rule, example, bad, id=f"{rule.code}-{'bad' if bad else 'good'}-{example.name}")
    for rule in RULES
    for bad, examples in ((False, rule.good), (True, rule.bad))
    for example in examples
]


@pytest.mark.parametrize(("rule", "example", "bad"), CASES)
def test_example(rule: Rule, example: Example, bad: bool) -> None:
    context = context_of(example.model, rule, example.limit, **example.options)
    unknown = [cost.unknown for cost in context.costs.nodes if cost.unknown]
    assert bool(unknown) is (bad and rule.code == "B4")
    assert bool(list(rule.check(context))) is bad


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_page_has_the_headings_in_order_and_names_every_option(rule: Rule) -> None:
    assert tuple(re.findall(r"^## (.*)$", rule.page, re.MULTILINE)) == PAGE_HEADINGS
    for option in rule.options:
        assert f"`{option.name}`" in rule.page
    assert rule.budget is None or rule.budget.name in rule.page


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_messages_name_no_nodes_and_every_site_says_what_to_do(rule: Rule) -> None:
    for example in rule.bad:
        for site in sites(rule, example.model, example.limit, **example.options):
            assert site.help
            assert bool(site.nodes) is (rule.budget is None)
            assert not any(node.path in site.message for node in site.nodes)
            assert not site.fixable
