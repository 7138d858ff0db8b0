"""`profile --compare` and `--batch` on the command line: what they answer, and what they refuse."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from graphlint.cli import app
from tests.test_cli_latency import ROOT, V1, graphlint, needs_runtime

V2 = ROOT / "fixtures" / "shufflenet_v2.onnx"
DYNAMIC_BATCH = ROOT / "fixtures" / "shufflenet_v1_dynamic_batch.onnx"
DYNAMIC_SIZE = ROOT / "fixtures" / "shufflenet_v1_dynamic_size.onnx"
FAST = ("--time-budget", "0.3")
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))


@needs_runtime
def test_two_models_are_measured_in_turn() -> None:
    done = graphlint("profile", V1, "--compare", V2, *FAST, "--output-format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    jsonschema.validate(report, SCHEMA)
    first, second = report["comparison"]["models"]
    assert first["speed_up"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    ratio = second["speed_up"]
    assert 0 < ratio["low"] <= ratio["value"] <= ratio["high"]
    assert 0.2 < second["seconds"] / first["seconds"] * ratio["value"] < 5
    assert [model["path"] for model in report["models"]] == [str(V1), str(V2)]
    assert report["by"] == "category"
    for place, model in enumerate(report["models"]):
        sums = [row["models"][place] for row in report["summary"] if row["models"][place]]
        moved = sum(row["memory_access_bytes"] for row in sums)
        assert moved == model["totals"]["memory_access_bytes"]


def test_a_shape_binds_both_models() -> None:
    shape = ("--input-shape", "input:1x3x64x64")
    done = graphlint("profile", DYNAMIC_SIZE, "--compare", V1, *shape, "--no-latency")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("1x3x64x64 float32") == 2
    assert "not counted" not in done.stdout


def test_without_latency_only_static_costs_are_compared() -> None:
    done = graphlint("profile", V1, "--compare", V2, "--no-latency")
    assert done.returncode == 0, done.stderr
    assert "so only static costs are compared" in done.stdout.splitlines()[0]
    assert "memory access A" in done.stdout
    assert "time A" not in done.stdout


def test_the_same_file_twice_is_two_models() -> None:
    done = graphlint("profile", V1, "--compare", V1, "--no-latency", "--output-format", "json")
    assert len(json.loads(done.stdout)["models"]) == 2


def test_standard_input_can_be_either_model() -> None:
    for arguments in (["-", "--compare", str(V2)], [str(V2), "--compare", "-"]):
        done = subprocess.run(
            [sys.executable, "-m", "graphlint", "profile", *arguments, "--no-latency"],
            input=V1.read_bytes(),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert b"<stdin>" in done.stdout
        assert b"137.1 k" in done.stdout
    code, _, err = in_process("profile", "-", "--compare", "-")
    assert code == 2
    assert "standard input is given twice" in err


@pytest.mark.parametrize(("place", "fault"), [(0, "missing"), (1, "missing"), (1, "broken")])
def test_a_missing_or_broken_model_is_an_error_and_nothing_is_compared(
    place: int, fault: str, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.onnx"
    if fault == "broken":
        bad.write_bytes(V1.read_bytes()[:300])
    models = [V1, V1]
    models[place] = bad
    done = graphlint("profile", models[0], "--compare", models[1])
    assert done.returncode == 2
    assert done.stdout == ""
    assert "error: " in done.stderr
    assert "bad.onnx" in done.stderr
    assert "Traceback" not in done.stderr


@needs_runtime
def test_a_larger_batch_takes_longer() -> None:
    done = graphlint("profile", DYNAMIC_BATCH, "--batch", "1,16", *FAST, "--output-format", "json")
    report = json.loads(done.stdout)
    jsonschema.validate(report, SCHEMA)
    assert [model["batch"] for model in report["models"]] == [1, 16]
    small, large = report["comparison"]["models"]
    assert large["speed_up"]["high"] < 1
    assert small["seconds"] < large["seconds"]
    costs = [model["totals"]["multiply_adds"] for model in report["models"]]
    assert costs[1] == 16 * costs[0]
    assert all(model["latency"]["kernels"] for model in report["models"])


def test_batches_as_csv() -> None:
    done = graphlint(
        *("profile", DYNAMIC_BATCH, "--batch", "1,2", "--no-latency"), "--output-format", "csv"
    )
    total, *nodes = csv.DictReader(io.StringIO(done.stdout))
    assert total["node"] == "(total)"
    assert int(total["multiply_adds_batch_2"]) == 2 * int(total["multiply_adds_batch_1"])
    for batch in ("1", "2"):
        counts = [int(node[f"memory_access_bytes_batch_{batch}"]) for node in nodes]
        assert sum(counts) == int(total[f"memory_access_bytes_batch_{batch}"])


def in_process(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr, where no model is read."""
    done = CliRunner().invoke(app, list(map(str, arguments)))
    return done.exit_code, done.stdout, done.stderr


def test_what_is_no_batch_is_refused() -> None:
    code, out, err = in_process("profile", DYNAMIC_BATCH, "--batch", "0")
    assert (code, out) == (2, "")
    assert err.startswith("error: --batch 0: ")
    assert "hint:" in err


def test_a_fixed_batch_says_how_to_export_the_model() -> None:
    done = graphlint("profile", V1, "--batch", "1,2")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("the batch is fixed to 1") == 1
    assert "dynamic_axes={'input': {0: 'batch'}}" in done.stderr


def test_a_batch_that_is_given_already_is_refused() -> None:
    done = graphlint("profile", DYNAMIC_BATCH, "--batch", "1,2", "--dim", "batch=3")
    assert done.returncode == 2
    assert "there is no batch left to set" in done.stderr


@pytest.mark.parametrize(
    "other",
    [
        ("--compare", str(V1)),
        ("--input-data", "x.npz"),
        ("--trace", "x.json"),
        ("--annotate", "x.onnx"),
    ],
    ids=lambda other: other[0],
)
def test_what_has_no_meaning_at_several_batches_is_refused(other: tuple[str, str]) -> None:
    code, out, err = in_process("profile", DYNAMIC_BATCH, "--batch", "1,2", *other)
    assert (code, out) == (2, "")
    assert f"--batch and {other[0]} do not go together" in err


@needs_runtime
def test_the_page_has_the_answer_and_the_ceilings() -> None:
    options = ("--time-budget", "0.6", "--output-format", "html")
    done = graphlint("profile", V1, "--compare", V2, *options)
    assert done.returncode == 0, done.stderr
    assert 'id="summary"' in done.stdout
    assert done.stdout.index('id="summary"') < done.stdout.index('id="m0"')
    assert "<polyline" in done.stdout
    assert "by adding two tensors of 128 MiB" in done.stdout
