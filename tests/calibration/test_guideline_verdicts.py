"""Whether a guideline holds: the stated rule, and the sentences."""

from __future__ import annotations

import pytest

from graphlint.calibration.tables import TABLES
from graphlint.calibration.verdicts import relative_speed, results, told
from graphlint.devices.profile import Cell
from graphlint.report.calibration_words import sentences
from graphlint.times import Ratio
from tests.calibration.profiles import like_the_paper, profile


def test_the_paper_s_own_figures_hold() -> None:
    found = results(like_the_paper())
    assert [result.table.number for result in found] == [1, 2, 3, 4]
    verdicts = [result.verdict for result in found]
    assert [v.answer for v in verdicts if v is not None] == ["holds", "holds", "holds", "holds"]
    for result in found:
        for reading in result.others:
            assert reading.speed.value in [pytest.approx(p) for p in reading.paper.values()]


@pytest.mark.parametrize(
    ("speed", "claim", "word"),
    [
        (Ratio(0.8, 0.75, 0.85), "slower", "as expected"),
        (Ratio(0.8, 0.75, 0.85), "faster", "against"),
        (Ratio(1.3, 1.1, 1.5), "faster", "as expected"),
        (Ratio(0.9, 0.7, 1.1), "slower", "cannot be told"),
        (Ratio(1.0, 0.98, 1.02), "slower", "no difference"),
        (Ratio(0.98, 0.975, 0.985), "slower", "no difference"),
        (Ratio(0.96, 0.95, 0.99), "slower", "as expected"),
    ],
)
def test_a_row_is_told_by_its_interval(speed: Ratio, claim: str, word: str) -> None:
    assert told(speed, claim) == word  # type: ignore[arg-type]


def test_both_spreads_widen_the_interval() -> None:
    first, other = Cell(1, "1:1", "ARM ×1", 1.0, 0.2), Cell(1, "1:2", "ARM ×1", 2.0, 0.1)
    speed = relative_speed(first, other)
    assert (speed.value, speed.low, speed.high) == pytest.approx((0.5, 0.45 / 1.05, 0.55 / 0.95))


def test_a_large_spread_can_t_be_told() -> None:
    for result in results(like_the_paper(spread=1.5)):
        assert result.verdict is not None
        assert result.verdict.answer == "cannot be told"


def _table_2(*seconds: float) -> dict[tuple[int, str, str], float]:
    rows = ("g=1", "g=2", "g=4", "g=8")
    return {(2, row, "ARM ×1"): each for row, each in zip(rows, seconds, strict=True)}


@pytest.mark.parametrize(
    ("seconds", "answer"),
    [
        ((1.0, 1.2, 1.3, 1.4), "holds"),
        ((1.0, 1.2, 1.0, 1.4), "holds in part"),
        ((1.0, 1.0, 1.0, 1.4), "holds in part"),
        ((1.0, 1.0, 0.8, 1.0), "does not hold"),
    ],
)
def test_an_answer_is_a_share_of_the_rows(seconds: tuple[float, ...], answer: str) -> None:
    (result,) = results(profile(_table_2(*seconds)))
    assert result.verdict is not None
    assert result.verdict.answer == answer


def test_columns_of_the_same_networks_count_once() -> None:
    seconds = {
        (4, row.name, column.name): 1.0 for row in TABLES[3].rows for column in TABLES[3].columns
    }
    (result,) = results(profile(seconds))
    assert len(result.groups) == 3
    assert len(result.others) == 9


def test_rows_of_whole_blocks_are_told_apart() -> None:
    found = profile(_table_2(1.0, 1.5, 1.0, 1.8), block=16)
    (result,) = results(found)
    aligned = {r.row: r.aligned for group in result.groups for r in group.readings}
    # 64; 90; 128 of 32 a group; 184 of 23.
    assert aligned == {"g=1": True, "g=2": False, "g=4": True, "g=8": False}
    assert result.aligned_verdict is not None
    assert result.aligned_verdict.answer == "does not hold"
    words = " ".join(sentences(result, 16))
    assert "G2 holds in part here: g=8 has 0.56 times the speed of g=1" in words
    assert "Of whole blocks of 16 channels alone, it does not hold here" in words


def test_a_profile_without_cells_has_no_results() -> None:
    assert results(profile({})) == ()
