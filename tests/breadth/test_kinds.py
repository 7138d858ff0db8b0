"""Models of every kind are read, counted or said to be uncountable, and shown in every format."""

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from kinds import KINDS, Kind
from models import model
from onnx import TensorProto, helper

from graphlint import __version__
from graphlint.cli_options import CheckFormat
from graphlint.cli_output import File, Outputs, deliver
from graphlint.config import Settings
from graphlint.engine import check
from graphlint.report import profile
from graphlint.request import Request
from graphlint.results import ModelReport, Report
from graphlint.terminal import Colour, style

NEWEST = onnx.defs.onnx_opset_version()
PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "sarif": json.loads,
    "gitlab": json.loads,
    "json-lines": lambda text: [json.loads(line) for line in text.splitlines()],
    "junit": ElementTree.fromstring,
    "csv": lambda text: list(csv.DictReader(io.StringIO(text), strict=True)),
}


def report_of(proto: onnx.ModelProto, folder: Path) -> ModelReport:
    path = folder / "model.onnx"
    onnx.save(proto, str(path))
    return check(Request(str(path), Settings(), want_nodes=True, want_regions=True))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_a_true_report(kind: Kind, tmp_path: Path) -> None:
    report = report_of(kind.make(), tmp_path)
    assert report.errors == ()
    assert report.totals is not None
    assert report.totals.multiply_adds == kind.multiply_adds
    unknown = {node.op: node.cost.unknown for node in report.nodes if node.cost.unknown is not None}
    assert sorted(unknown) == sorted(kind.uncosted)
    assert all(unknown.values())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_is_shown_in_every_format(kind: Kind, tmp_path: Path) -> None:
    report = Report(__version__, (report_of(kind.make(), tmp_path),))
    for form in CheckFormat:
        file = tmp_path / f"{form}.report"
        deliver(report, Outputs(None, (File(file, form),)), "warning", Colour.NEVER, nodes=True)
        PARSERS.get(form, str)(file.read_text("utf-8"))
    for name, render in profile.FORMATS.items():
        for by in ("node", "op", "category", "region"):
            text = render(report, by, 0, style(Colour.NEVER))
            assert isinstance(PARSERS.get(name, str)(text), str | dict | list)


def convolution(opset: int) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3]),
        helper.make_node("Sigmoid", ["c"], ["s"]),
        helper.make_node("MaxPool", ["s"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "m"], ["y"]),
    ]
    for node in nodes[1:2] if opset < 6 else ():
        node.attribute.append(helper.make_attribute("consumed_inputs", [0]))
    stored = [
        helper.make_tensor("w", TensorProto.FLOAT, [4, 3, 3, 3], [0.5] * 108),
        helper.make_tensor("m", TensorProto.FLOAT, [36, 5], [0.5] * 180),
    ]
    return model(nodes, {"x": [1, 3, 8, 8]}, {"y": [1, 5]}, stored, opset=opset, domains=())


@pytest.mark.parametrize("opset", range(1, NEWEST + 1))
def test_every_opset_is_counted_alike(opset: int, tmp_path: Path) -> None:
    report = report_of(convolution(opset), tmp_path)
    assert report.errors == ()
    assert report.opset == opset
    assert report.totals is not None
    assert report.totals.uncosted_nodes == 0
    assert report.totals.multiply_adds == 4 * 6 * 6 * 27 + 36 * 5
    assert report.totals.parameters == 108 + 180


@pytest.mark.parametrize("version", range(1, onnx.IR_VERSION + 1))
def test_every_ir_version_is_counted_alike(version: int, tmp_path: Path) -> None:
    proto = convolution(8)
    proto.ir_version = version
    if version < 4:  # initializers are inputs too
        for tensor in proto.graph.initializer:
            info = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            proto.graph.input.append(info)
    if version < 3:
        del proto.opset_import[:]  # which came with the third version
    report = report_of(proto, tmp_path)
    assert report.errors == ()
    assert report.totals is not None
    assert report.totals.multiply_adds == 4 * 6 * 6 * 27 + 36 * 5
    assert report.inputs == ("1x3x8x8 float32",)


def test_a_model_without_convolutions_is_told_what_the_guidelines_are_about(
    tmp_path: Path,
) -> None:
    relu = model([helper.make_node("Relu", ["x"], ["y"])], {"x": [8]}, {"y": [8]})
    said = report_of(relu, tmp_path).notes
    assert [note for note in said if "no node is a convolution" in note]
    said = report_of(convolution(17), tmp_path).notes
    assert not [note for note in said if "convolution" in note]
