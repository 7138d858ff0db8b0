"""The interval says what it says."""

from __future__ import annotations

import numpy as np
import pytest

from graphlint_rules.rewrites.v2.fitting.agreement import agreement
from graphlint_rules.rewrites.v2.fitting.budget import parts


@pytest.mark.parametrize("share", [0.5, 0.85, 0.97])
@pytest.mark.parametrize("samples", [100, 700])
def test_the_interval_holds_the_truth_as_often_as_it_says(share: float, samples: int) -> None:
    random = np.random.default_rng(0)
    found = [agreement(int(same), samples) for same in random.binomial(samples, share, 4000)]
    held = np.mean([each.low <= share <= each.high for each in found])
    assert 0.925 <= held <= 0.975


def test_the_edges() -> None:
    assert agreement(50, 50).high == pytest.approx(1)
    assert agreement(50, 50).low > 0.9
    assert agreement(0, 50).low == 0
    assert agreement(0, 0).high == 1


def test_no_image_is_in_two_parts() -> None:
    split = parts(4096, seed=3)
    joined = np.concatenate([split.fit, split.choose, split.state])
    assert sorted(joined) == list(range(4096))
    assert len(split.state) == 682
    assert not np.array_equal(split.state, parts(4096, seed=4).state)
