"""Configuration files: discovery, inheritance, and errors that help."""

from pathlib import Path

import pytest

from graphlint import config, registry
from graphlint.config import Ignore, Settings
from graphlint.errors import ConfigError, UsageError
from graphlint.rule_settings import rule_options


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = config.for_folder(tmp_path)
    assert settings == Settings()
    assert all(origin == "default" for _, _, origin in config.described(settings))


def test_the_nearest_file_wins(tmp_path: Path) -> None:
    write(tmp_path / "graphlint.toml", 'ignore = ["G1"]')
    near = write(tmp_path / "a" / "pyproject.toml", '[tool.graphlint]\nignore = ["G2"]')
    write(tmp_path / "a" / "b" / "pyproject.toml", "[project]\n")  # says nothing of graphlint
    settings = config.for_folder(tmp_path / "a" / "b")
    assert settings.ignore == ("G2",)
    assert settings.origins["ignore"] == str(near)
    assert config.for_folder(tmp_path).ignore == ("G1",)


def test_extend_stands_below(tmp_path: Path) -> None:
    write(
        tmp_path / "base.toml",
        'fail-on = "error"\nmin-excess = "5%"\n[rules.G1]\nmin-ratio = 3\n'
        '[per-file-ignores]\n"a.onnx" = ["G1"]\n',
    )
    path = write(
        tmp_path / "graphlint.toml",
        'extend = "base.toml"\nmin-excess = 0.02\n[rules.G2]\nmin-groups = 4\n'
        '[per-file-ignores]\n"b.onnx" = ["G2"]\n',
    )
    settings = config.from_file(path)
    assert (settings.fail_on, settings.min_excess) == ("error", 0.02)
    assert settings.rules == {"G1": {"min-ratio": 3}, "G2": {"min-groups": 4}}
    root = str(tmp_path)
    assert settings.per_file_ignores == (
        Ignore("a.onnx", ("G1",), root, origin=str(tmp_path / "base.toml")),
        Ignore("b.onnx", ("G2",), root, origin=str(path)),
    )


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('ignroe = ["G1"]', "unknown key 'ignroe'", "did you mean 'ignore'?"),
        ('select = "G1"', "select", ""),
        ('fail-on = "loud"', "fail-on", ""),
        ("min-excess = 2", "min-excess", ""),
        ('[severity]\nG1 = "fatal"', "severity", ""),
        ('extend = "graphlint.toml"', "extends itself", ""),
        ('extend = "missing.toml"', "no such file", ""),
        ("select = [", "no valid TOML", ""),
        ("rules = 3", "rules", ""),
        ("baseline = 3", "baseline", ""),
        ('baseline = ""', "baseline", ""),
        ('require-ignore-reason = "yes"', "require-ignore-reason", ""),
        ('[per-file-ignores]\n"m.onnx" = "G1"', "per-file-ignores", ""),
        ('[per-file-ignores]\n"m.onnx" = { reason = "x" }', "per-file-ignores", ""),
        ('[per-file-ignores]\n"m.onnx" = { codes = ["G1"], why = "x" }', "per-file-ignores", ""),
        ('[per-file-ignores]\n"m.onnx" = { codes = ["G1"], reason = 3 }', "per-file-ignores", ""),
    ],
)
def test_a_broken_file_is_told(tmp_path: Path, text: str, message: str, hint: str) -> None:
    path = write(tmp_path / "graphlint.toml", text)
    with pytest.raises(ConfigError) as caught:
        config.from_file(path)
    assert message in caught.value.message
    assert str(tmp_path) in caught.value.message
    assert hint in caught.value.hint


def test_an_ignore_may_give_a_reason(tmp_path: Path) -> None:
    text = '[per-file-ignores]\n"m.onnx" = { codes = ["G1"], reason = " the way it is " }'
    (ignore,) = config.from_file(write(tmp_path / "graphlint.toml", text)).per_file_ignores
    assert (ignore.codes, ignore.reason) == (("G1",), "the way it is")


def test_a_baseline_is_relative_to_its_configuration(tmp_path: Path) -> None:
    path = write(tmp_path / "a" / "graphlint.toml", 'baseline = "../known.json"')
    assert Path(config.from_file(path).baseline).resolve() == tmp_path / "known.json"


def test_settings_are_described_as_they_are_written(tmp_path: Path) -> None:
    path = write(
        tmp_path / "graphlint.toml",
        'require-ignore-reason = true\n[budgets."*.onnx"]\nmax-parameters = "3 M"\n'
        '[per-file-ignores]\n"m.onnx" = { codes = ["G1"], reason = "x" }\n',
    )
    rows = {key: value for key, value, _ in config.described(config.from_file(path))}
    assert rows["require-ignore-reason"] == "true"
    assert rows["budgets"] == '{"*.onnx" = {"max-parameters" = "3 M"}}'
    assert rows["per-file-ignores"] == '{"m.onnx" = {"codes" = ["G1"], "reason" = "x"}}'


@pytest.mark.parametrize(
    ("table", "message", "hint"),
    [
        ("[rules.G9]\nx = 1", "no rule 'G9'", "graphlint rule"),
        ("[rules.G1]\nmin-rato = 3", "no option 'min-rato'", "did you mean 'min-ratio'?"),
        ('[rules.G1]\nmin-ratio = "3"', "min-ratio = '3'", "graphlint rule G1"),
        ("[rules.G2]\nmin-groups = true", "min-groups = True", "graphlint rule G2"),
        ('[severity]\nG8 = "info"', "no rule 'G8'", "graphlint rule"),
    ],
)
def test_a_wrong_option_is_told(tmp_path: Path, table: str, message: str, hint: str) -> None:
    settings = config.from_file(write(tmp_path / "graphlint.toml", table))
    with pytest.raises(ConfigError) as caught:
        rule_options(settings, registry.rules())
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_options_are_the_defaults_with_what_is_configured() -> None:
    options = rule_options(Settings(rules={"G2": {"min-groups": 4}}), registry.rules())
    assert options["G2"]["min-groups"] == 4
    assert options["G1"]["min-ratio"] == 2


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.5", 0.5), ("0", 0.0), ("100%", 1.0)])
def test_shares(text: str, share: float) -> None:
    assert config.parse_share(text) == share


@pytest.mark.parametrize("text", ["2", "-1%", "many", "", "nan"])
def test_no_shares(text: str) -> None:
    with pytest.raises(UsageError):
        config.parse_share(text)


@pytest.mark.parametrize(
    ("selectors", "codes"),
    [
        (["ALL"], {"G1", "G2", "G3", "G4"}),
        (["G"], {"G1", "G2", "G3", "G4"}),
        (["G2"], {"G2"}),
        (["elementwise-traffic"], {"G4"}),
    ],
)
def test_selectors(selectors: list[str], codes: set[str]) -> None:
    assert registry.select(selectors, registry.rules()) >= codes
    if selectors == ["G2"]:
        assert registry.select(selectors, registry.rules()) == codes


def test_a_selector_that_means_no_rule_is_an_error() -> None:
    with pytest.raises(UsageError) as caught:
        registry.select(["elementwise-trafic"], registry.rules())
    assert caught.value.hint == "did you mean 'elementwise-traffic'?"
