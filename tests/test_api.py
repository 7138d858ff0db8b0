"""The public names."""

from pathlib import Path

import pytest

import graphlint

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


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
