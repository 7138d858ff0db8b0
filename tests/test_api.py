"""The public names."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import graphlint
from graphlint.alternatives.results import Saving
from graphlint.calibration import calibrate as calibration
from graphlint.errors import UsageError
from graphlint.times import ComparedTimes
from graphlint.timing import LatencyOptions
from tests.calibration.profiles import like_the_paper

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
UNIT = FIXTURES / "shufflenet_v1_unit_stride1.onnx"


def test_check_gives_findings() -> None:
    report = graphlint.check(FIXTURES / "shufflenet_v1.onnx")
    assert {"G1", "G2", "G4"} <= {finding.code for finding in report.findings}
    assert report.problems == ()


def test_settings_are_keywords() -> None:
    report = graphlint.check(
        [FIXTURES / "shufflenet_v1.onnx", FIXTURES / "shufflenet_v2.onnx"], select=("G2",)
    )
    assert {finding.code for finding in report.findings} == {"G2"}
    assert len(report.models) == 2


def test_profile_has_nodes_and_no_findings() -> None:
    report = graphlint.profile(FIXTURES / "shufflenet_v1.onnx", regions=True)
    assert report.findings == ()
    assert report.models[0].nodes
    assert any(node.region for node in report.models[0].nodes)


def test_a_broken_file_is_a_problem_not_an_exception(tmp_path: Path) -> None:
    report = graphlint.check(tmp_path / "missing.onnx")
    assert "no such file" in report.problems[0].message


def test_load_gives_a_graph_with_shapes() -> None:
    view = graphlint.load(
        FIXTURES / "shufflenet_v1_dynamic_size.onnx", dim=("height=64", "width=64")
    )
    assert all(view.shape(key) is not None for node in view.nodes for key in node.outputs)


def test_load_raises(tmp_path: Path) -> None:
    with pytest.raises(graphlint.GraphlintError):
        graphlint.load(tmp_path / "missing.onnx")


def test_every_public_name_is_there() -> None:
    for name in graphlint.__all__:
        assert getattr(graphlint, name) is not None
    with pytest.raises(AttributeError):
        _ = graphlint.no_such_name


def test_rewrite_writes_and_reports(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    out = tmp_path / "out.onnx"
    report = graphlint.rewrite(
        FIXTURES / "shufflenet_v1.onnx", out, plan="keep", weights="structure"
    )
    assert (report.plan, len(report.places)) == ("keep", 6)
    assert out.exists()
    planned = graphlint.rewrite(out, None, weights="structure")
    assert not planned.plan


def test_what_if_gives_savings_in_seconds() -> None:
    pytest.importorskip("onnxruntime", reason="alternatives are run")
    latency = graphlint.LatencyOptions(time_budget=0.2)
    report = graphlint.what_if(UNIT, "G4", latency=latency)
    assert isinstance(report, graphlint.WhatIfReport)
    (change,) = report.changes
    assert (change.code, change.becomes, change.sites) == ("G4", "left out", 1)
    assert isinstance(change.saving, Saving)
    assert isinstance(report.model, ComparedTimes)
    assert change.saving.low <= change.saving.seconds <= change.saving.high < report.model.seconds
    assert callable(graphlint.what_if)  # no module takes the function's name


@pytest.mark.parametrize(
    ("path", "of", "options", "said"),
    [
        ("shufflenet_v1_unit_stride1.onnx", "G9", {}, "nothing to try"),
        ("shufflenet_v1_unit_stride1.onnx", "G4", {"provider": "no_such"}, "no such execution"),
        ("shufflenet_v1_unit_stride1.onnx", "G4", {"optimization": "most"}, "no such level"),
        ("shufflenet_v1_unit_stride1.onnx", "G4", {"threads": 0}, "threads=0"),
        ("shufflenet_v1_unit_stride1.onnx", "G4", {"time_budget": 0.0}, "time_budget=0.0"),
        ("", "ALL", {}, "takes a model's path"),
        ("missing.onnx", "ALL", {}, "no such file"),
    ],
)
def test_what_if_raises_what_the_command_says(
    path: str, of: str, options: dict[str, Any], said: str
) -> None:
    pytest.importorskip("onnxruntime", reason="a runtime refuses a provider")
    with pytest.raises(graphlint.GraphlintError, match=said):
        graphlint.what_if(FIXTURES / path, of, latency=graphlint.LatencyOptions(**options))


def test_latency_that_makes_no_sense_is_refused_by_all() -> None:
    none = graphlint.LatencyOptions(threads=0)
    calls: list[Callable[[], object]] = [
        lambda: graphlint.check(UNIT, latency=none),
        lambda: graphlint.profile(UNIT, latency=none),
        lambda: graphlint.rewrite(UNIT, None, latency=none),
        lambda: graphlint.calibrate(threads=0),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="threads=0"):
            call()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What a calibration is asked, in the place of one that takes minutes."""
    asked: list[tuple[Any, ...]] = []

    def calibrated(
        what: calibration.Plan, options: LatencyOptions, version: str, *, retries: int, target: Path
    ) -> graphlint.DeviceProfile:
        asked.append((what.size, options, retries, target))
        if target is not None:
            target.with_name("device.json.partial").write_text("", encoding="utf-8")
        return like_the_paper()

    monkeypatch.setattr(calibration, "calibrate", calibrated)
    return asked


def test_calibrate_keeps_a_profile_and_nothing_beside_it(
    measured: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    out = tmp_path / "device.json"
    made = graphlint.calibrate(out, size="full", threads=2, retry=3)
    assert measured == [("full", LatencyOptions(threads=2, time_budget=900.0), 3, out)]
    assert isinstance(made, graphlint.DeviceProfile)
    assert graphlint.load_device_profile(out).device == made.device
    assert [path.name for path in tmp_path.iterdir()] == ["device.json"]


def test_calibrate_without_a_file_gives_the_profile_alone(measured: list[tuple[Any, ...]]) -> None:
    assert graphlint.calibrate(time_budget=50.0) == like_the_paper()
    assert measured == [("standard", LatencyOptions(time_budget=50.0), 0, None)]


def test_calibrate_refuses_before_it_measures(
    measured: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    wrong: Any = "huge"
    with pytest.raises(UsageError, match="one of quick, standard, full"):
        graphlint.calibrate(size=wrong)
    with pytest.raises(UsageError, match="there is no folder"):
        graphlint.calibrate(tmp_path / "no" / "device.json")
    with pytest.raises(UsageError, match="time_budget=nan"):
        graphlint.calibrate(time_budget=float("nan"))
    assert measured == []


def test_a_file_that_is_no_device_profile_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        graphlint.load_device_profile(tmp_path / "none.json")


def test_to_import_the_package_is_to_import_nothing_else() -> None:
    code = "import graphlint, sys; print([n for n in sys.modules if n.startswith('graphlint.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_device_profile_is_read_without_onnx() -> None:
    code = (
        "import graphlint, sys; graphlint.load_device_profile(sys.argv[1]);"
        "print({'onnx', 'numpy', 'networkx', 'onnxruntime'} & set(sys.modules))"
    )
    file = FIXTURES.parent / "docs" / "devices" / "amd-epyc-1-thread-all.json"
    done = subprocess.run(
        [sys.executable, "-c", code, file], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
