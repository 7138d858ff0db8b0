"""`graphlint profile --what-if` from the command line."""

import json
from pathlib import Path

import pytest

from fixtures.build import serialized
from tests.in_process import graphlint

pytest.importorskip("onnxruntime", reason="alternatives are run")


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--what-if", "G9"), "nothing to try"),
        (("--what-if", "G2", "--no-latency"), "do not go together"),
        (("--what-if", "G2", "--output-format", "csv"), "has no csv"),
        (("--what-if", "G2", "--compare", "unit.onnx"), "do not go together"),
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
