"""What is said of models measured in turn: the answer, the tables, and nothing unescaped."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from graphlint.report import batches, comparison
from graphlint.report.text import Style
from graphlint.results import ModelReport, Report
from graphlint.times import Ceilings, ComparedTimes, Comparison, NotMeasured, Ratio
from tests.report import measured

NASTY = "=</script><script>boom()</script>|`*\u202e\x1b[31m"
ONE = Ratio(1.0, 1.0, 1.0)
MEASURED = ComparedTimes(0.001, 0.02, None)


def compared(*times: ComparedTimes | NotMeasured) -> Comparison:
    return Comparison(times, 540, "wall", 1.0, "cpu", 1, "all", ("a note",))


def both(ratio: Ratio | None, second: ModelReport | None = None) -> Report:
    """Two models of which the second is so many times as fast."""
    models = (measured.timed(measured.small()), second or measured.timed(measured.small()))
    times = (ComparedTimes(0.002, 0.01, ONE), ComparedTimes(0.001, 0.02, ratio))
    return replace(measured.report(*models), comparison=compared(*times))


def at_batches(*times: tuple[int, float, Ratio]) -> Report:
    models = tuple(replace(measured.timed(measured.small()), batch=batch) for batch, _, _ in times)
    outcomes = (ComparedTimes(seconds, 0.01, ratio) for _, seconds, ratio in times)
    return replace(measured.report(*models), comparison=compared(*outcomes))


@pytest.mark.parametrize(
    ("ratio", "answer"),
    [
        (Ratio(1.32, 1.28, 1.35), "B is 1.32× as fast as A (95 % interval 1.28–1.35)."),
        (Ratio(0.871, 0.86, 0.88), "B is slower: 0.87× as fast as A (95 % interval 0.86–0.88)."),
        (Ratio(1.012, 1.003, 1.02), "B is 1.012× as fast as A (95 % interval 1.003–1.020)."),
        (
            Ratio(1.0, 0.98, 1.031),
            "No difference in latency can be told: B is 0.98–1.03 times as fast as A "
            "(95 % interval).",
        ),
    ],
)
def test_the_answer_stands_first(ratio: Ratio, answer: str) -> None:
    text = comparison.as_table(both(ratio), "category", 25, Style())
    assert text.splitlines()[0] == answer
    assert comparison.as_markdown(both(ratio), "category", 25, Style()).startswith("**")
    assert f"<h1>{answer}</h1>" in comparison.as_html(both(ratio), "category", 25, Style())


def test_what_was_not_measured_is_said_with_its_reason() -> None:
    report = replace(both(None), comparison=compared(NotMeasured("it crashed", "look"), MEASURED))
    answer, *lines = comparison.as_table(report, "category", 25, Style()).splitlines()
    assert answer == "Which is faster can't be told: A was not measured: it crashed (look)."
    latency = next(line for line in lines if line.startswith("latency"))
    assert latency.split() == ["latency", "unknown", "1.00", "ms"]


def test_without_a_comparison_only_static_costs_are_shown() -> None:
    report = measured.report(measured.small(), measured.small())
    text = comparison.as_table(report, "category", 25, Style())
    assert "so only static costs are compared" in text.splitlines()[0]
    assert "time A" not in text
    assert "memory access B" in text


def test_groups_stand_side_by_side_and_sums_without_all_nodes_have_no_ratio() -> None:
    other = measured.large(4)
    lines = comparison.as_table(both(Ratio(2, 2, 2), other), "category", 25, Style()).splitlines()
    whole = next(line for line in lines if line.startswith("memory access"))
    assert whole.split()[-1] == "-"  # a node of A is not counted
    assert "+" in whole
    odd = next(line for line in lines if line.startswith("other"))
    assert odd.split()[3] == "-"  # B has no node of that kind
    assert "unknown" in odd
    assert "A: 1 of 5 nodes are not counted; their cost is unknown" in lines
    assert "… and 1 more: --top 0 shows all" in comparison.as_table(
        both(Ratio(2, 2, 2)), "category", 3, Style()
    )


def test_inputs_that_differ_are_said() -> None:
    other = replace(measured.small(), inputs=("1x3x16x16 float32",))
    assert "the inputs differ" in comparison.as_table(both(ONE, other), "op", 25, Style())
    assert "the inputs differ" not in comparison.as_table(both(ONE), "op", 25, Style())


def test_images_a_second_are_compared_by_batch() -> None:
    report = at_batches((2, 0.002, ONE), (8, 0.004, Ratio(0.5, 0.48, 0.52)))
    text = batches.as_table(report, "node", 2, Style())
    assert text.splitlines()[0] == (
        "Batch 8 runs 2.00× as many images a second as batch 2 (95 % interval 1.92–2.08)."
    )
    rows = {line[:16].strip(): line.split() for line in text.splitlines()}
    assert rows["latency an image"][-4:] == ["1.00", "ms", "500", "µs"]
    assert "m.onnx" in text


@pytest.mark.parametrize(
    ("ratio", "beginning"),
    [
        (Ratio(0.2, 0.19, 0.21), "No batch runs more images a second: batch 4 runs 0.80×"),
        (Ratio(0.25, 0.24, 0.26), "No gain in images a second can be told: batch 4 runs 0.96–1.04"),
    ],
)
def test_a_batch_that_gains_nothing_is_not_praised(ratio: Ratio, beginning: str) -> None:
    report = at_batches((1, 0.001, ONE), (4, 0.004, ratio))
    assert batches.as_table(report, "node", 2, Style()).startswith(beginning)


def test_one_batch_is_told_by_the_image() -> None:
    assert batches.answer(at_batches((4, 0.004, ONE))) == "Batch 4 takes 1.00 ms an image."


def test_the_page_of_batches_shows_the_first_in_full() -> None:
    report = at_batches((1, 0.001, ONE), (4, 0.002, Ratio(0.5, 0.49, 0.51)))
    page = batches.as_html(
        replace(report, ceilings=Ceilings(1e9, 1e9, "so <b>")), "node", 2, Style()
    )
    assert page.count('class="report"') == 2
    assert "what follows the tables is batch 1 alone" in page
    assert "It was measured: so &lt;b&gt;." in page


def table_of(text: str) -> list[Mapping[str, Any]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_the_totals_first() -> None:
    report = at_batches((1, 0.001, ONE), (4, 0.002, Ratio(0.5, 0.49, 0.51)))
    total, *groups = table_of(batches.as_csv(report, "op", 0, Style()))
    assert (total["op"], total["seconds_batch_4"]) == ("(total)", "0.002")
    assert total["speed_up_low_batch_4"] == "0.49"
    assert sum(int(g["memory_access_bytes_batch_1"] or 0) for g in groups) == int(
        total["memory_access_bytes_batch_1"]
    )


@pytest.mark.parametrize("reporter", [comparison, batches])
def test_names_are_escaped_in_every_format(reporter: Any) -> None:
    model = measured.model([measured.node(0, "Conv", measured.convolution(), path=NASTY)])
    model = replace(model, path=NASTY, inputs=(NASTY,), notes=(NASTY,))
    missed = NotMeasured(NASTY, NASTY)
    report = replace(measured.report(model, model), comparison=compared(missed, missed))
    assert set(reporter.FORMATS) == {"table", "json", "csv", "markdown", "html"}
    for name, render in reporter.FORMATS.items():
        text = render(report, "node", 25, Style())
        assert not set("\u202e\x1b") & set(text), name
    assert "<script>boom" not in reporter.as_html(report, "node", 25, Style())
    assert "<script>" not in reporter.as_markdown(report, "node", 25, Style())
    assert table_of(reporter.as_csv(report, "node", 25, Style()))[1]["node"].startswith("'=")
