"""`graphlint rewrite` on the command line: exit codes, errors, and that nothing is ever lost."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
V1 = ROOT / "fixtures" / "shufflenet_v1.onnx"
V2 = ROOT / "fixtures" / "shufflenet_v2.onnx"
UNIT = ROOT / "fixtures" / "shufflenet_v1_unit_stride2.onnx"
RESNET = ROOT / "fixtures" / "resnet_bottleneck.onnx"

pytestmark = pytest.mark.skipif(
    find_spec("onnxruntime") is None, reason="onnxruntime is not installed: nothing can be run"
)


def rewrite(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command; nothing is measured or fitted unless asked for."""
    how = () if "--weights" in arguments else ("--weights", "structure")
    return subprocess.run(
        [sys.executable, "-m", "graphlint", "rewrite", *map(str, arguments), *how],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PRE_COMMIT": "1", "PYTHONIOENCODING": "utf-8", **environment},
        check=False,
    )


def test_a_model_is_rewritten_and_reported(tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    done = rewrite(V1, "-o", out, "--plan", "keep")
    assert done.returncode == 0, done.stderr
    assert out.exists()
    lines = done.stdout.splitlines()
    assert "plan keep, 6 places" in lines[0]
    assert re.search(r"FLOPs \(multiply-adds\)\s+137\.1 k\s+242\.0 k\s+\+76\.5%", done.stdout)
    assert "exact (largest difference" in done.stdout
    assert "predictions are at chance" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.onnx"]


def test_the_automatic_plan_is_measured_and_told(tmp_path: Path) -> None:
    done = rewrite(V1, "-o", tmp_path / "out.onnx", "--latency", "--output-format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    (chosen,) = [each for each in report["candidates"] if each["chosen"]]
    rivals = [
        each
        for each in report["candidates"]
        if each["refused"] is None and each["within_budget"] and each["speed_up"] is not None
    ]
    assert chosen["plan"] == report["plan"]
    assert chosen["latency_seconds"] == min(each["latency_seconds"] for each in rivals)


def test_json_has_the_fields_of_schema_1(tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    done = rewrite(V1, "-o", out, "--plan", "keep", "--output-format", "json")
    report = json.loads(done.stdout)
    assert report["schema"] == 1
    assert report["plan"] == "keep"
    assert report["output"] == str(out)
    assert {unit["stride"] for unit in report["units"]} == {1, 2}
    for unit in report["units"]:
        assert unit["nodes"]
        assert unit["exact"] == (unit["difference"] is not None)
    assert isinstance(report["before"]["multiply_adds"], int)
    assert report["agreement"] is None


def test_nothing_to_rewrite_is_exit_1_and_nothing_written(tmp_path: Path) -> None:
    for model in (RESNET, V2):
        done = rewrite(model, "-o", tmp_path / "out.onnx")
        assert done.returncode == 1
        assert "nothing to rewrite" in done.stdout
    assert "--rewrite shuffle-elimination" in done.stdout
    assert not list(tmp_path.iterdir())


def test_check_says_whether_there_is_something_to_do(tmp_path: Path) -> None:
    assert rewrite(V1, "--check").returncode == 1
    assert rewrite(RESNET, "--check").returncode == 0


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    done = rewrite(V1, "-o", tmp_path / "out.onnx", "--dry-run")
    assert done.returncode == 0
    assert "nothing written" in done.stdout
    assert not list(tmp_path.iterdir())


def test_shuffles_are_eliminated_by_name(tmp_path: Path) -> None:
    done = rewrite(V2, "-o", tmp_path / "out.onnx", "--rewrite", "shuffle-elimination")
    assert done.returncode == 0, done.stderr
    assert "exact: the model computes what it did" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((V1,), "no output is named"),
        ((ROOT / "fixtures", "-o", "OUT"), "a folder"),
        (("-", "-o", "OUT"), "standard input"),
        (("missing.onnx", "-o", "OUT"), "missing.onnx"),
        ((V1, "-o", "OUT", "--plan", "kepp"), "did you mean 'keep'"),
        ((V1, "-o", "OUT", "--rewrite", "v1"), "there is no such rewrite"),
        ((V1, "-o", "OUT", "--unit", "nobody"), "no place that can be rewritten"),
        ((V1, "-o", "OUT", "--budget", "lots"), "no share"),
        ((V2, "-o", "OUT", "--rewrite", "shuffle-elimination", "--fold-bn"), "no such option"),
        ((UNIT, "-o", "OUT", "--plan", "match"), "not rewritten as asked"),
        ((V1, "-o", "no/such/folder/out.onnx"), "folder"),
        ((V1, "-o", V1), "itself"),
    ],
)
def test_errors_are_one_clear_line_and_exit_2(
    tmp_path: Path, arguments: tuple[str | Path, ...], words: str
) -> None:
    out = tmp_path / "out.onnx"
    before = V1.read_bytes()
    done = rewrite(*(out if each == "OUT" else each for each in arguments))
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()
    assert V1.read_bytes() == before


def test_an_existing_output_stays_without_force(tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    out.write_bytes(b"precious")
    assert rewrite(V1, "-o", out, "--plan", "keep").returncode == 2
    assert out.read_bytes() == b"precious"
    assert rewrite(V1, "-o", out, "--plan", "keep", "--force").returncode == 0
    assert out.read_bytes() != b"precious"


def test_the_rewrites_are_listed_and_have_pages() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "graphlint", "rule"], capture_output=True, text=True, check=True
    ).stdout
    for name in ("shufflenet-v1-to-v2", "shuffle-elimination"):
        assert name in listed
        page = subprocess.run(
            [sys.executable, "-m", "graphlint", "rule", name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert page.startswith(f"# {name}\n")
        assert "## When it is refused" in page
