"""Budgets: limits of models, from the configuration to a finding."""

import json
from pathlib import Path

import pytest

from graphlint import config, registry
from graphlint.config import Settings
from graphlint.errors import ConfigError
from graphlint.rule_settings import model_limits
from graphlint.units import parse_bytes, parse_count
from tests.in_process import graphlint
from tests.test_cli import FIXTURES, ROOT

V1 = FIXTURES / "shufflenet_v1.onnx"  # 361.1 KiB moved, 137 088 multiply-adds

# Figures


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("4096", 4096),
        ("40 MiB", 40 << 20),
        ("40MB", 40_000_000),
        ("1.5 KiB", 1536),
        ("0.1 KiB", 102),
        ("2 kB", 2000),
        ("9007199254740993 B", 9007199254740993),
    ],
)
def test_bytes_are_exact(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize(
    ("text", "count"), [("840", 840), ("150 M", 150_000_000), ("2.5k", 2500), ("1 G", 10**9)]
)
def test_counts_are_exact(text: str, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "M", "-1", "1e6", "40 M", "40 mib", "1.2.3", "٣", "inf"])
def test_what_is_no_number_of_bytes(text: str) -> None:
    with pytest.raises(ValueError, match="MiB"):
        parse_bytes(text)


@pytest.mark.parametrize("text", ["", "40 MiB", "1_000", "3 m"])
def test_what_is_no_count(text: str) -> None:
    with pytest.raises(ValueError, match="150 M"):
        parse_count(text)


# Settings


def settings(folder: Path, text: str) -> Settings:
    path = folder / "graphlint.toml"
    path.write_text(text, encoding="utf-8")
    return config.from_file(path)


def test_the_last_pattern_that_matches_wins_limit_by_limit(tmp_path: Path) -> None:
    given = settings(
        tmp_path,
        """
        [budgets."*.onnx"]
        max-memory-access = "40 MiB"
        max-parameters = "3 M"
        [budgets."big/*.onnx"]
        max-memory-access = "100 MB"
        max-uncosted-nodes = 0
        """,
    )
    rules = registry.rules()
    small = model_limits(given, str(tmp_path / "small.onnx"), rules)
    big = model_limits(given, str(tmp_path / "big" / "net.onnx"), rules)
    assert small == {"B1": 40 << 20, "B3": 3_000_000}
    assert big == {"B1": 100_000_000, "B3": 3_000_000, "B4": 0}


def test_a_file_adds_to_the_budgets_that_it_extends(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text('[budgets."*"]\nmax-parameters = 1\nmax-multiply-adds = 2')
    given = settings(tmp_path, 'extend = "base.toml"\n[budgets."*"]\nmax-parameters = 3')
    assert model_limits(given, str(tmp_path / "m.onnx"), registry.rules()) == {"B3": 3, "B2": 2}


@pytest.mark.parametrize(
    ("line", "message", "cause", "hint"),
    [
        ("max-memry-access = 1", "no budget 'max-memry-access'", "", "'max-memory-access'?"),
        ("max-latency = 1", "no budget 'max-latency'", "the budgets are max-memory-access", ""),
        ('max-memory-access = "40 M"', "= '40 M'", "such as 40 MiB", "graphlint rule B1"),
        ('max-parameters = "3 MiB"', "= '3 MiB'", "such as 150 M", "graphlint rule B3"),
        ("max-parameters = 3e6", "= 3000000.0", "number of parameters", ""),
        ("max-parameters = true", "= True", "", ""),
        ("max-parameters = -1", "= -1", "", ""),
        ("max-parameters = []", "= []", "", ""),
    ],
)
def test_a_wrong_budget_is_told(
    tmp_path: Path, line: str, message: str, cause: str, hint: str
) -> None:
    given = settings(tmp_path, f'[budgets."other/*.onnx"]\n{line}')
    with pytest.raises(ConfigError) as caught:
        model_limits(given, "m.onnx", registry.rules())
    assert message in caught.value.message
    assert "graphlint.toml" in caught.value.message
    assert cause in caught.value.cause
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["budgets = 3", "[budgets]\nmax-parameters = 3"])
def test_budgets_need_a_pattern(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, text)
    assert 'tables of limits: [budgets."models/*.onnx"]' in caught.value.cause


# The whole way


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m.onnx").write_bytes(V1.read_bytes())
    return tmp_path


def budget(folder: Path, lines: str, pattern: str = "*.onnx") -> None:
    (folder / "graphlint.toml").write_text(f'[budgets."{pattern}"]\n{lines}\n', encoding="utf-8")


def test_a_model_over_its_budgets_is_an_error_that_says_by_how_much(folder: Path) -> None:
    budget(folder, 'max-memory-access = "350 KiB"\nmax-multiply-adds = "137 k"')
    done = graphlint("check", "m.onnx", "--select", "B", cwd=folder)
    assert done.returncode == 1
    assert "B1 memory-access-over-budget\n   m.onnx\n" in done.stdout
    assert "Moves 361.1 KiB, the budget is 350 KiB: 11.1 KiB over." in done.stdout
    assert "Does 137.1 k multiply-adds, the budget is 137 k: 88 over." in done.stdout
    assert "Found 2 errors in 1 model." in done.stdout
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert done.stdout.split("\n\n")[1].replace("m.onnx", "mobile/shufflenet_v1.onnx") in page
    document = json.loads(
        graphlint("check", "m.onnx", "--output-format", "json", cwd=folder).stdout
    )
    first = document["models"][0]["findings"][0]
    assert (first["code"], first["severity"]) == ("B1", "error")
    assert first["sites"] == [{"location": "m.onnx", "nodes": [], "excess_bytes": None}]


def test_a_model_within_its_budget_passes(folder: Path) -> None:
    budget(folder, f"max-memory-access = {10**6}\nmax-uncosted-nodes = 0")
    assert graphlint("check", "m.onnx", "--select", "B", cwd=folder).returncode == 0


def test_budgets_are_selected_graded_and_ignored_like_rules(folder: Path) -> None:
    budget(folder, "max-parameters = 1")
    assert graphlint("check", "m.onnx", "--ignore", "G,B3", cwd=folder).returncode == 0
    with (folder / "graphlint.toml").open("a") as stream:
        stream.write('[severity]\nB3 = "info"\n')
    assert graphlint("check", "m.onnx", "--select", "B", cwd=folder).returncode == 0
    with (folder / "graphlint.toml").open("a") as stream:
        stream.write('[per-file-ignores]\n"m.onnx" = ["parameters-over-budget"]\n')
    done = graphlint("check", ".", "--select", "B", cwd=folder)
    assert "No findings" in done.stdout
    assert done.stderr == ""


def test_a_pattern_without_models_is_told_by_a_run_over_the_folder(folder: Path) -> None:
    budget(folder, "max-parameters = 1", pattern="mobile/*.onnx")
    note = f'note: {folder}/graphlint.toml: budgets."mobile/*.onnx" matches no model\n'
    assert graphlint("check", ".", cwd=folder).stderr == note
    assert graphlint("check", "m.onnx", cwd=folder).stderr == ""


def test_budgets_are_not_taken_into_a_baseline(folder: Path) -> None:
    budget(folder, "max-parameters = 1")
    arguments = ("check", "m.onnx", "--baseline", "b.json")
    assert graphlint(*arguments, "--update-baseline", cwd=folder).returncode == 1
    assert '"B3"' not in (folder / "b.json").read_text()


def test_the_figures_of_a_model_that_is_not_counted_whole_are_at_least(tmp_path: Path) -> None:
    source = FIXTURES / "shufflenet_v1_dynamic_size.onnx"
    (tmp_path / "m.onnx").write_bytes(source.read_bytes())
    budget(tmp_path, "max-parameters = 1\nmax-uncosted-nodes = 0")
    text = graphlint("check", "m.onnx", "--select", "B", cwd=tmp_path).stdout
    assert "Has at least " in text
    assert "Nodes that are not counted: " in text
