"""`graphlint profile --what-if` from the command line."""

import json
from pathlib import Path

import pytest

from fixtures.build import serialized
from graphlint.devices import file
from tests.in_process import graphlint

pytest.importorskip("onnxruntime", reason="alternatives are run")


ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    path = tmp_path / "unit.onnx"
    path.write_bytes(serialized("shufflenet_v1_unit_stride1"))
    return path


def test_a_rule_s_findings_are_tried(unit: Path) -> None:
    asked = ("profile", unit, "--what-if", "excessive-group-convolution", "--time-budget", "0.1")
    done = graphlint(*asked, "--isolated", "--output-format", "json", cwd=unit.parent)
    assert done.returncode == 0, done.stderr
    changes = json.loads(done.stdout)["changes"]
    assert {change["code"] for change in changes} == {"G2"}
    assert {change["becomes"] for change in changes} == {"139→35", "35→139"}


def test_widths_are_tried_where_the_configuration_gives_the_block(unit: Path) -> None:
    (unit.parent / "graphlint.toml").write_text("[rules.A1]\nblock = 16\n")
    asked = ("profile", unit, "--what-if", "A1", "--time-budget", "0.1")
    done = graphlint(*asked, cwd=unit.parent)
    assert done.returncode == 0, done.stderr
    assert "240→48, groups 3" in done.stdout


def test_a_page_is_written(unit: Path) -> None:
    asked = ("profile", unit, "--what-if", "G4", "--time-budget", "0.1", "--isolated")
    done = graphlint(
        *asked, "--output-format", "html", "--output-file", "page.html", cwd=unit.parent
    )
    assert (done.returncode, done.stdout) == (0, "")
    page = (unit.parent / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "Add of activations, 240×14×14 → left out" in page


def test_rules_look_at_a_device_only_where_its_profile_is_named(
    unit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = ROOT / "docs" / "devices" / "amd-epyc-1-thread-all.json"
    monkeypatch.delenv(file.VARIABLE, raising=False)
    monkeypatch.setattr(file, "own", lambda: profile)
    asked = ("profile", unit, "--what-if", "A1", "--time-budget", "0.1", "--isolated")
    own, named = (
        json.loads(graphlint(*asked, *more, "--output-format", "json", cwd=unit.parent).stdout)
        for more in ((), ("--device-profile", profile))
    )
    assert own["changes"] == own["untried"] == []
    assert {change["code"] for change in named["changes"]} == {"A1"}


def test_a_profile_that_was_measured_otherwise_is_told_of(unit: Path) -> None:
    profile = ROOT / "docs" / "devices" / "amd-epyc-1-thread-basic.json"
    asked = ("profile", unit, "--what-if", "G4", "--time-budget", "0.1", "--isolated")
    done = graphlint(*asked, "--device-profile", profile, cwd=unit.parent)
    assert "basic.json: the device profile is for AMD EPYC" in done.stdout
    assert "not for CPU, 1 thread, all" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--what-if", "G9"), "nothing to try"),
        (("--what-if", "G2", "--no-latency"), "do not go together"),
        (("--what-if", "G2", "--provider", "no_such"), "no such execution provider"),
        (("--what-if", "G2", "--output-format", "csv"), "has no csv"),
        (("--what-if", "G2", "--compare", "unit.onnx"), "do not go together"),
        (("--what-if", "G2", "--top", "3"), "its rows are findings"),
        (("--what-if", "G2", "--by", "op"), "--what-if and --by do not go together"),
    ],
)
def test_what_can_t_be_asked_is_one_clear_error(
    unit: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = graphlint("profile", unit, *arguments, "--isolated", cwd=unit.parent)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_folder_is_refused(unit: Path) -> None:
    done = graphlint("profile", unit.parent, "--what-if", "G2", cwd=unit.parent)
    assert done.returncode == 2
    assert "takes a model's path" in done.stderr
