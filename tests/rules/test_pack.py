"""What the rule pack gives: its rules, its rewrites, and which settings the rules take."""

import pytest

import graphlint_rules
from graphlint.config import Settings
from graphlint.errors import ConfigError
from graphlint.rule import OptionValue
from graphlint.rule_settings import rule_options
from graphlint_rules import RULES
from graphlint_rules.rewrites import REWRITES

BY_CODE = {rule.code: rule for rule in RULES}


def options(code: str, **given: OptionValue) -> dict[str, OptionValue]:
    """A rule's options under a configuration; they are spelt with underscores."""
    chosen = {name.replace("_", "-"): value for name, value in given.items()}
    return dict(rule_options(Settings(rules={code: chosen}), BY_CODE)[code])


def test_rewrites_are_there_for_who_asks() -> None:
    assert graphlint_rules.REWRITES is REWRITES
    with pytest.raises(AttributeError, match="no attribute 'REWRITE'"):
        graphlint_rules.REWRITE  # noqa: B018


def test_every_rule_stands_under_its_code() -> None:
    assert list(BY_CODE) == sorted(BY_CODE)
    assert all(getattr(graphlint_rules, code) is rule for code, rule in BY_CODE.items())


def test_a_finding_needs_a_price_only_where_the_device_decides() -> None:
    assert [rule.code for rule in RULES if rule.by_price] == ["A1"]


def test_without_a_configuration_the_pages_defaults_hold() -> None:
    assert options("A1") == {"block": 0, "min-waste": 0.05}
    assert options("G1") == {"min-ratio": 2.0, "linear-layers": False}
    assert options("G2") == {"min-groups": 2}
    assert options("G3") == {"max-parallel-fragments": 2}
    assert options("G4") == {"depthwise": True}


@pytest.mark.parametrize(
    ("code", "name", "least", "below"),
    [
        ("A1", "block", 0, -1),
        ("A1", "min_waste", 0.0, -0.01),
        ("G1", "min_ratio", 1.0, 0.99),
        ("G2", "min_groups", 2, 1),
        ("G3", "max_parallel_fragments", 0, -1),
    ],
)
def test_what_makes_no_sense_is_refused(
    code: str, name: str, least: OptionValue, below: OptionValue
) -> None:
    assert options(code, **{name: least})[name.replace("_", "-")] == least
    with pytest.raises(ConfigError):
        options(code, **{name: below})
