"""Where channels go in a row of V2 units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphlint_rules.rewrites.v2.fitting.placement import (
    after_unit,
    fates,
    placed,
    placed_for_end,
)
from graphlint_rules.rewrites.v2.fitting.student import places
from tests.rewrites.fitting.made_units import v1_unit, v2_plan

RANDOM = np.random.default_rng(0)
PLAN = v2_plan(v1_unit(RANDOM, 8, 8))


def test_a_shuffle_alternates_what_was_passed_and_what_was_written() -> None:
    passed, branch = places(PLAN)
    assert passed.tolist() == [0, 2, 4, 6]
    assert branch.tolist() == [1, 3, 5, 7]


def test_an_uneven_split_is_shuffled_by_halves() -> None:
    passed, branch = places(v2_plan(PLAN.unit, passed=6, mid=2))
    assert passed.tolist() == [0, 2, 4, 6, 1, 3]
    assert branch.tolist() == [5, 7]


def test_a_branch_may_come_first() -> None:
    passed, branch = places(replace(PLAN, branch_first=True, shuffled=False))
    assert passed.tolist() == [4, 5, 6, 7]
    assert branch.tolist() == [0, 1, 2, 3]


def test_fates() -> None:
    found = fates([PLAN, PLAN], 8)
    # The first unit passes 0–3, which go to 0, 2, 4, 6; the second passes 0 and 2 of those.
    assert found.spans.tolist() == [2, 2, 1, 1, 0, 0, 0, 0]
    assert found.ends.tolist() == [0, 4, -1, -1, -1, -1, -1, -1]


def test_without_units_to_come_all_places_are_final() -> None:
    found = fates([], 4)
    assert found.spans.tolist() == [0, 0, 0, 0]
    assert found.ends.tolist() == [0, 1, 2, 3]


def test_channels_that_change_least_are_passed_on_longest() -> None:
    changes = np.array([5.0, 1.0, 3.0, 0.5])
    assert placed(np.arange(4), changes, np.array([0, 2, 1, 2])).tolist() == [0, 3, 2, 1]


def test_channels_go_where_they_end_at_their_own_number() -> None:
    assert placed_for_end(np.array([4, 5, 6, 7]), np.array([-1, 6, 2, 4])).tolist() == [5, 6, 7, 4]


@pytest.mark.parametrize("passed", [2, 4, 6])
def test_every_channel_is_somewhere_after_a_unit(passed: int) -> None:
    plan = v2_plan(PLAN.unit, passed=passed, mid=4)
    before = RANDOM.permutation(8)
    assert sorted(after_unit(plan, before, before[passed:])) == list(range(8))
