"""Alternatives built, measured and reported."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from fixtures.build import serialized
from graphlint.alternatives.build import alone, changed
from graphlint.alternatives.chains import LINKS, chained
from graphlint.alternatives.isolated import what_if
from graphlint.alternatives.request import WhatIfRequest
from graphlint.alternatives.results import Change, Saving, Untried, WhatIfReport
from graphlint.alternatives.run import _saving as saving
from graphlint.alternatives.run import run as run_here
from graphlint.bindings import Bindings
from graphlint.config import Settings
from graphlint.latency.request import MeasureRequest
from graphlint.report import what_if as reporter
from graphlint.report.text import Style
from graphlint.rewriting.subject import read
from graphlint.rule import Context, Site
from graphlint.times import ComparedTimes, Comparison, NotMeasured, Ratio
from graphlint.timing import LatencyOptions
from graphlint_rules import G2, G4

runtime = pytest.importorskip("onnxruntime", reason="alternatives are run")

UNIT = "shufflenet_v1_unit_stride1"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    path = tmp_path / "unit.onnx"
    path.write_bytes(serialized(UNIT))
    return path


def run(model: onnx.ModelProto | Path, **feeds: np.ndarray) -> list[np.ndarray]:
    given = str(model) if isinstance(model, Path) else model.SerializeToString()
    return runtime.InferenceSession(given, providers=["CPUExecutionProvider"]).run(None, feeds)


def test_the_changed_model_computes_what_it_did_without_the_sum(unit: Path, tmp_path: Path) -> None:
    source = read(str(unit), Bindings())
    context = Context(source.subject.view, source.subject.costs, {"depthwise": False})
    (site,) = G4.check(context)
    alternative = G4.alternative(context, site) if G4.alternative else None
    assert alternative is not None
    before = source.proto.SerializeToString(deterministic=True)
    out = tmp_path / "changed.onnx"
    changed(source, [alternative], out)
    assert source.proto.SerializeToString(deterministic=True) == before

    # The truth, made another way: the Add's other operand is made zero.
    zeroed = onnx.ModelProto.FromString(serialized(UNIT))
    (add,) = [node for node in zeroed.graph.node if node.op_type == "Add"]
    zeros = np.zeros([d.dim_value for d in zeroed.graph.input[0].type.tensor_type.shape.dim])
    zeroed.graph.initializer.append(onnx.numpy_helper.from_array(zeros.astype(np.float32), "zero"))
    add.input[list(add.input).index("input")] = "zero"
    picture = np.random.default_rng(0).normal(size=zeros.shape).astype(np.float32)
    np.testing.assert_allclose(
        run(out, input=picture)[0], run(zeroed, input=picture)[0], rtol=1e-5, atol=1e-6
    )


def test_a_node_alone_computes_what_it_does_in_the_model(unit: Path) -> None:
    subject = read(str(unit), Bindings()).subject
    (first, *_) = subject.view.nodes
    model = alone(subject, [first])
    assert model is not None
    picture = np.random.default_rng(0).normal(size=(1, 240, 14, 14)).astype(np.float32)
    tapped = onnx.ModelProto.FromString(serialized(UNIT))
    tapped.graph.output.append(onnx.helper.make_empty_tensor_value_info(first.outputs[0]))
    np.testing.assert_array_equal(run(model, input=picture)[0], run(tapped, input=picture)[-1])


def test_a_layer_that_changes_the_width_is_chained_there_and_back(unit: Path) -> None:
    subject = read(str(unit), Bindings()).subject
    model = alone(subject, subject.view.nodes[:1])
    assert model is not None
    chain = chained(model)
    assert chain.copies == LINKS
    shapes = [tuple(tensor.dims[:2]) for tensor in chain.model.graph.initializer]
    assert shapes == [(60, 80), (60,), (240, 20), (240,)]
    picture = np.ones((1, 240, 14, 14), np.float32)
    np.testing.assert_allclose(run(chain.model, v0=picture)[0], picture, rtol=1e-4)


def test_what_is_no_lone_convolution_of_stride_1_stays_alone(unit: Path) -> None:
    subject = read(str(unit), Bindings()).subject
    two = alone(subject, subject.view.nodes[:2])
    assert two is not None
    assert chained(two).model is two


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> WhatIfReport:
    path = tmp_path_factory.mktemp("what_if") / "unit.onnx"
    path.write_bytes(serialized(UNIT))
    return what_if(WhatIfRequest(str(path), Settings(), LatencyOptions(time_budget=0.2)))


def test_findings_are_tried_in_the_model_where_they_fit_and_alone_elsewhere(
    report: WhatIfReport,
) -> None:
    assert isinstance(report.model, ComparedTimes)
    where = {(each.code, each.where) for each in report.changes}
    assert where == {("G1", "alone"), ("G2", "alone"), ("G4", "in the model")}
    for change in report.changes:
        assert isinstance(change.saving, Saving)
        assert change.saving.low <= change.saving.seconds <= change.saving.high
    assert [each.code for each in report.untried] == ["G4"]


def test_the_largest_saving_stands_first(report: WhatIfReport) -> None:
    seconds = [each.saving.seconds for each in report.changes if isinstance(each.saving, Saving)]
    assert seconds == sorted(seconds, reverse=True)


def test_an_alternative_s_work_is_told_beside_the_site_s(report: WhatIfReport) -> None:
    work = {
        (each.code, each.becomes): (each.multiply_adds, each.multiply_adds_instead)
        for each in report.changes
    }
    positions = 14 * 14
    assert work["G2", "139→35"] == (240 * 60 // 3 * positions, 139 * 35 * positions)
    assert work["G1", "120→120, groups 3"] == (120 * 120 // 3 * positions,) * 2
    assert work["G4", "left out"] == (0, 0)


def test_the_device_is_told(report: WhatIfReport) -> None:
    assert report.device.endswith(" cores")


def test_a_node_s_findings_alone_are_tried(unit: Path) -> None:
    request = WhatIfRequest(
        str(unit),
        Settings(select=("G2",)),
        LatencyOptions(time_budget=0.1),
        only="/stage3/unit2/branch/pw1/Conv",
    )
    (change,) = what_if(request).changes
    assert (change.code, change.becomes) == ("G2", "139→35")


def test_a_saving_is_the_ratio_s_share_of_the_time() -> None:
    before = ComparedTimes(2.0, 0.0, Ratio(1.0, 1.0, 1.0))
    faster = ComparedTimes(1.0, 0.0, Ratio(2.0, 1.6, 2.5))
    assert saving(before, faster, 3.0) == Saving(3.0, pytest.approx(2.25), pytest.approx(3.6))
    reason = NotMeasured("it crashed")
    assert saving(reason, faster) is reason
    assert saving(before, reason) is reason


HOSTILE = "\x1b[31m::error::x\nnode"


def made_report(*changes: Change) -> WhatIfReport:
    return WhatIfReport(
        "1",
        "net.onnx",
        "A processor",
        "cpu",
        1,
        "all",
        ComparedTimes(0.004, 0.01, Ratio(1.0, 1.0, 1.0)),
        "cpu",
        changes,
        (Untried("G4", HOSTILE, HOSTILE, 1, "no alternative"),),
    )


def change(seconds: float, low: float, high: float) -> Change:
    place = HOSTILE
    return Change(
        "G2", "n", f"{HOSTILE}: moves", "69→277", place, 3, "alone", Saving(seconds, low, high)
    )


def test_the_answer_names_the_largest_saving_that_is_told() -> None:
    told = change(0.0002, 0.0001, 0.0003)
    text = reporter.as_table(made_report(told), Style())
    assert "The most is saved by G2 at 3 sites (69→277): measured −200 µs (−5.0 %)" in text
    unsure = reporter.as_table(
        made_report(replace(told, saving=Saving(1e-4, -1e-4, 2e-4))), Style()
    )
    assert "No alternative is told to save time" in unsure
    assert "100 µs ?" in unsure


def test_no_name_reaches_the_terminal_raw() -> None:
    for form in reporter.FORMATS.values():
        text = form(made_report(change(0.0002, 0.0001, 0.0003)), Style())
        assert "\x1b" not in text
        assert "::error::x\n" not in text


@pytest.mark.parametrize(
    ("seconds", "signed", "part"),
    [
        (5.32e-6, "5.32 µs", "0.1%"),
        (-5.32e-4, "−532 µs", "−13.3%"),
        (-1e-9, "0.00 µs", "0.0%"),
        (-1.9e-6, "−1.90 µs", "0.0%"),
    ],
)
def test_a_nothing_has_no_sign(seconds: float, signed: str, part: str) -> None:
    assert reporter.signed(seconds) == signed
    assert reporter.share(seconds, 0.004) == part


def test_the_best_is_told_and_saves() -> None:
    unsure, loss = change(2e-4, -1e-4, 3e-4), change(-1e-4, -2e-4, -5e-5)
    lost = replace(unsure, saving=NotMeasured("it crashed"))
    told = change(1e-4, 5e-5, 2e-4)
    assert reporter.best(made_report(unsure, told, loss, lost)) == (told, told.saving)
    assert reporter.best(made_report(unsure, loss, lost)) is None


def test_json_has_seconds_and_reasons() -> None:
    lost = replace(change(0, 0, 0), saving=NotMeasured("it crashed"))
    document = json.loads(reporter.as_json(made_report(change(2e-4, 1e-4, 3e-4), lost), Style()))
    assert document["model"]["seconds"] == 0.004
    assert document["changes"][0]["saving"] == {"seconds": 2e-4, "low": 1e-4, "high": 3e-4}
    assert document["changes"][1]["saving"] == {"seconds": None, "reason": "it crashed"}


def test_a_node_that_is_no_site_has_no_alternative(unit: Path) -> None:
    subject = read(str(unit), Bindings()).subject
    context = Context(subject.view, subject.costs, {})
    assert G2.alternative is not None
    assert G2.alternative(context, Site(subject.view.nodes[1:2], "", "", None)) is None


def test_like_sites_of_different_strides_are_measured_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their result and their message are the same, and they are one finding."""
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[1,60,14,14] x, float[1,60,28,28] z) => (float[1,60,14,14] a, float[1,60,14,14] b,
        float[1,60,14,14] c)
    <float[60,1,3,3] w = {%s}> {
        a = Conv <group = 60, pads = [1, 1, 1, 1]> (x, w)
        b = Conv <group = 60, pads = [1, 1, 1, 1]> (a, w)
        c = Conv <group = 60, pads = [1, 1, 1, 1], strides = [2, 2]> (z, w)
    }"""
    path = tmp_path / "strides.onnx"
    onnx.save(onnx.parser.parse_model(text % ", ".join(["0.5"] * 540)), path)
    raced: list[tuple[int, ...]] = []

    def compare(requests: list[MeasureRequest]) -> Comparison:
        models = [onnx.load(request.file or request.path) for request in requests]
        raced.append(tuple(len(model.graph.node) for model in models))
        times = [ComparedTimes(8.0, 0.0, Ratio(1.0, 1.0, 1.0))]
        times += [ComparedTimes(4.0, 0.0, Ratio(2.0, 2.0, 2.0)) for _ in models[1:]]
        return Comparison(tuple(times), 1, "wall", 1.0, "cpu", 1, "all")

    monkeypatch.setattr("graphlint.alternatives.run.compare", compare)
    settings = Settings(select=("A1",), rules={"A1": {"block": 16}})
    found = run_here(WhatIfRequest(str(path), settings, LatencyOptions(), folder=tmp_path), print)
    (change,) = found.changes
    assert raced == [(3,), (LINKS, LINKS), (1, 1)]
    assert change.sites == 3
    assert isinstance(change.saving, Saving)
    assert change.saving.seconds == pytest.approx(2 * 4.0 / LINKS + 4.0)
