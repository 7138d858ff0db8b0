"""docs/paper.md and its pictures come from the committed results; its statistics are right."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.paper_networks import FIGURE_2, NETWORKS, REFERENCE
from benchmarks.paper_tables import (
    ARM,
    GPU,
    KINDS,
    by_class,
    concordance,
    judges,
    kendall,
    milliseconds,
    shares,
    spearman,
    within,
)

ROOT = Path(__file__).resolve().parent.parent
RESULTS = json.loads((ROOT / "benchmarks/results/paper.json").read_text(encoding="utf-8"))
PICTURES = sorted((ROOT / "docs" / "pictures").glob("paper_*.svg"))


def check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, root / "docs" / "build_paper.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_page_is_what_the_results_make_of_it() -> None:
    done = check(ROOT)
    assert done.returncode == 0, done.stderr


def test_a_page_of_other_figures_is_stale(tmp_path: Path) -> None:
    for folder in ("docs", "benchmarks", "fixtures"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.onnx"))
    results = tmp_path / "benchmarks" / "results" / "paper.json"
    text = json.loads(results.read_text(encoding="utf-8"))
    text["levels"]["all"]["races"][0]["models"][NETWORKS[0].name]["seconds"] *= 2
    results.write_text(json.dumps(text), encoding="utf-8")
    done = check(tmp_path)
    assert done.returncode == 1
    assert "paper.md" in done.stderr
    assert "paper_speed_all.svg" in done.stderr


def test_the_results_are_of_the_networks_as_they_are_built() -> None:
    assert set(RESULTS["networks"]) == {each.name for each in NETWORKS}
    for level in RESULTS["levels"].values():
        assert len(level["races"]) == 2
        for race in level["races"]:
            assert set(race["models"]) == {each.name for each in NETWORKS}
            assert race["models"][REFERENCE]["speed"] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda each: each.name)
def test_exact_multiply_adds_are_near_the_printed_ones(network: object) -> None:
    printed = network.printed  # type: ignore[attr-defined]
    exact = RESULTS["networks"][network.name]["multiply_adds"]  # type: ignore[attr-defined]
    if printed is not None:
        assert exact / 1e6 == pytest.approx(printed.millions, rel=0.075)


@pytest.mark.parametrize("level", ["all", "basic"])
@pytest.mark.parametrize("name", FIGURE_2)
def test_categories_sum_to_the_time_of_a_run(level: str, name: str) -> None:
    for number, profile in enumerate(RESULTS["levels"][level]["profiles"][name]):
        total = sum(shares(RESULTS, level, name, number).values()) / 1e3
        assert total == pytest.approx(sum(profile["categories"].values()))
        assert total == pytest.approx(profile["cpu_seconds"], rel=0.2)


def test_classes_hold_the_papers_networks_once() -> None:
    members = [each.name for group in by_class().values() for each in group]
    assert sorted(members) == sorted(each.name for each in NETWORKS if each.printed is not None)


LEVELS = ("all", "basic")


def fastest(level: str) -> list[list[str]]:
    """Names by class, the fastest first."""
    return [
        sorted((each.name for each in group), key=lambda name: milliseconds(RESULTS, level, name))
        for group in by_class().values()
    ]


def in_order(level: str, judge: str, truth: str) -> float:
    """Which part of the pairs of one class somebody puts in order."""
    everybody = judges(RESULTS, level)
    right, pairs = within(everybody[judge], everybody[truth])
    return right / pairs


def v2_over(level: str, other: str) -> list[float]:
    """V2's speed over another family's, by class."""
    figures = []
    for ours, *others in by_class().values():
        for each in others:
            if each.family == other:
                took = (milliseconds(RESULTS, level, name) for name in (each.name, ours.name))
                figures.append(next(took) / next(took))
    return figures


def test_the_page_says_rightly_what_holds() -> None:
    for level in LEVELS:
        names = fastest(level)[-1]
        first, last = (milliseconds(RESULTS, level, names[place]) for place in (0, -1))
        assert last > 2 * first
        assert {name.split()[0] for name in names[-2:]} == {"NASNet-A", "PNASNet-5"}
        depthwise = sorted(FIGURE_2, key=lambda name: share(level, name, "depthwise convolution"))
        assert {name.split()[0] for name in depthwise[-2:]} == {"NASNet-A", "PNASNet-5"}
    assert all(names[0].startswith("MobileNet V1") for names in fastest("all"))
    assert all(names[0].startswith("ShuffleNet") for names in fastest("basic"))


def test_the_page_says_rightly_what_tells_the_order() -> None:
    flops, moved = "multiply-adds alone", "memory access alone"
    here = {level: f"this CPU at `{level}`" for level in LEVELS}
    assert in_order("all", flops, here["all"]) < 0.5
    assert in_order("all", moved, here["all"]) > 0.8
    assert in_order("all", moved, GPU) > in_order("all", moved, here["all"])
    assert in_order("basic", moved, here["basic"]) <= in_order("basic", flops, here["basic"])
    assert in_order("all", here["all"], GPU) > in_order("all", here["all"], ARM)
    assert in_order("basic", here["basic"], ARM) > in_order("basic", here["basic"], GPU)


def test_the_page_says_rightly_what_does_not_hold() -> None:
    _, one, one_and_half, two = v2_over("all", "ShuffleNet V1")
    assert one < 1
    assert two < 1
    assert one_and_half > 1.2
    assert all(abs(ratio - 1) < 0.1 for ratio in v2_over("basic", "ShuffleNet V1"))
    for other in ("MobileNet V2", "Xception"):
        assert sum(ratio > 1.02 for ratio in v2_over("all", other)) <= 1
        assert all(ratio > 1.02 for ratio in v2_over("basic", other))
    for level in LEVELS:
        assert all(share(level, name, "element-wise") < 0.1 for name in FIGURE_2)
    depthwise = [share("basic", name, "depthwise convolution") for name in FIGURE_2]
    assert min(depthwise) > 0.2
    assert sum(part > 0.5 for part in depthwise) == 3


def share(level: str, name: str, kind: str) -> float:
    parts = shares(RESULTS, level, name)
    return parts[kind] / sum(parts.values())


def test_rank_correlations_of_known_figures() -> None:
    # With a tie: 9 pairs in order, none against it, one tied on the right.
    pairs = [(1.0, 10.0), (2.0, 20.0), (3.0, 20.0), (4.0, 30.0), (5.0, 40.0)]
    assert concordance(pairs) == (9, 0)
    assert kendall(pairs) == pytest.approx(9 / (10 * 9) ** 0.5)
    assert spearman(pairs) == pytest.approx(0.974679, abs=1e-6)
    assert spearman([(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]) == pytest.approx(-1)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_pictures_name_what_they_show(path: Path) -> None:
    words = " ".join(
        element.text or "" for element in ET.parse(path).iter() if element.tag.endswith("text")
    )
    named = KINDS if path.stem == "paper_time" else {each.family for each in NETWORKS}
    for name in named:
        assert name in words
    assert "prefers-color-scheme: dark" in path.read_text(encoding="utf-8")
