"""The annotated copy says what the report says, and is otherwise the model that it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from graphlint.annotate import annotate
from graphlint.api import profile
from graphlint.checking import Options, check_paths
from graphlint.errors import ModelError, UsageError
from graphlint.results import ModelReport
from graphlint.times import ModelTimes, NodeTime
from graphlint.timing import with_times
from tests.models import FIXTURES, model, parsed

Save = Callable[..., Path]
FIXTURE = next(path for path in FIXTURES if path.name == "shufflenet_v1.onnx")


def report_of(path: Path) -> ModelReport:
    return profile(path, regions=True).models[0]


def entries(proto: onnx.NodeProto | ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in proto.metadata_props}


def without_metadata(proto: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(proto)
    del copy.metadata_props[:]
    for node in copy.graph.node:
        del node.metadata_props[:]
    return copy


def two_layers() -> ModelProto:
    return parsed(
        """<ir_version: 10, opset_import: ["": 17]>
        small (float[1,4] x) => (float[1,4] y) { a = Relu(x)  y = Add(a, a) }"""
    )


def external(save: Save, location: str = "weights.bin") -> Path:
    weight = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    proto = model(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": [1, 4]}, {"y": [1, 4]}, [weight]
    )
    tensor = proto.graph.initializer[0]
    path = save(proto, "external.onnx")
    (path.parent / location).parent.mkdir(parents=True, exist_ok=True)
    (path.parent / location).write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    path.write_bytes(proto.SerializeToString())
    return path


def test_every_node_of_a_network_is_annotated(tmp_path: Path) -> None:
    report = check_paths([str(FIXTURE)], Options(want_nodes=True, want_regions=True)).models[0]
    out = tmp_path / "out.onnx"
    assert annotate(FIXTURE, report, out) == len(report.nodes)
    before, after = onnx.load(FIXTURE), onnx.load(out)
    assert without_metadata(after) == without_metadata(before)
    onnx.checker.check_model(after)
    by_name = {node.name: entries(node) for node in after.graph.node}
    for node in report.nodes:
        said = by_name[node.name]
        assert said["graphlint.multiply_adds"] == str(node.cost.multiply_adds)
        assert said["graphlint.memory_access_bytes"] == str(node.cost.memory_access_bytes)
        assert said["graphlint.category"] == str(node.cost.category)
        assert said.get("graphlint.region", "") == node.region
    assert by_name["/stage2/unit2/Add"]["graphlint.findings"] == "G4"
    assert report.totals is not None
    assert entries(after)["graphlint.multiply_adds"] == str(report.totals.multiply_adds)


def test_times_are_written(save: Save, tmp_path: Path) -> None:
    path = save(two_layers())
    nodes = (NodeTime(0.00025, 0.031, "Relu a", "own"), NodeTime(0.0, 0.0, "", "eliminated"))
    times = ModelTimes(nodes, (), 0.0003, 0.0003, 3, 30, 1.0, "cpu", 1, "all")
    annotate(path, with_times(report_of(path), times), tmp_path / "out.onnx")
    after = onnx.load(tmp_path / "out.onnx")
    first, second = (entries(node) for node in after.graph.node)
    assert first["graphlint.seconds"] == "0.000250000"
    assert first["graphlint.how"] == "own"
    assert first["graphlint.kernel"] == "Relu a"
    assert first["graphlint.spread"] == "0.0310"
    assert second["graphlint.how"] == "eliminated"
    assert "graphlint.kernel" not in second
    assert entries(after)["graphlint.provider"] == "cpu"


def test_unnamed_and_like_named_nodes_are_told_apart(save: Save, tmp_path: Path) -> None:
    proto = parsed(
        """<ir_version: 10, opset_import: ["": 17]>
        small (float[1,4] x, float[4,2] w) => (float[1,2] y, float[1,4] z) {
            z = Relu(x)  m = MatMul(x, w)  y = Relu(m)
        }"""
    )
    proto.graph.node[0].name = proto.graph.node[2].name = "same"
    path = save(proto)
    assert annotate(path, report_of(path), tmp_path / "out.onnx") == 3
    first, second, third = onnx.load(tmp_path / "out.onnx").graph.node
    assert entries(first)["graphlint.memory_access_bytes"] == "32"
    assert entries(second)["graphlint.multiply_adds"] == "8"
    assert entries(third)["graphlint.memory_access_bytes"] == "16"


def test_nodes_out_of_order_keep_their_places(save: Save, tmp_path: Path) -> None:
    proto = two_layers()
    nodes = list(reversed(proto.graph.node))
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    path = save(proto)
    annotate(path, report_of(path), tmp_path / "out.onnx")
    after = onnx.load(tmp_path / "out.onnx").graph.node
    assert [node.op_type for node in after] == ["Add", "Relu"]
    assert entries(after[0])["graphlint.category"] == "element-wise"


def test_calls_of_functions_and_bodies_have_no_entries(save: Save, tmp_path: Path) -> None:
    path = save(
        parsed(
            """<ir_version: 10, opset_import: ["": 17, "local": 1]>
            small (float[1,4] x, bool c) => (float[1,4] y) {
                a = local.twice(x)
                y = If (c) <
                    then_branch = yes () => (float[1,4] t) { t = Relu(a) },
                    else_branch = no () => (float[1,4] e) { e = Neg(a) }
                >
            }
            <domain: "local", opset_import: ["": 17]>
            twice (v) => (r) { r = Add(v, v) }"""
        )
    )
    assert annotate(path, report_of(path), tmp_path / "out.onnx") == 1
    call, control = onnx.load(tmp_path / "out.onnx").graph.node
    assert entries(call) == {}
    assert entries(control)["graphlint.category"] == "control flow"


def test_unknown_costs_say_why(save: Save, tmp_path: Path) -> None:
    path = save(
        parsed(
            """<ir_version: 10, opset_import: ["": 17]>
            small (float[N,M] x) => (float[N,M] y) { y = Relu(x) }"""
        )
    )
    annotate(path, report_of(path), tmp_path / "out.onnx")
    said = entries(onnx.load(tmp_path / "out.onnx").graph.node[0])
    assert said["graphlint.unknown"]
    assert "graphlint.multiply_adds" not in said


def test_annotating_again_replaces_entries_and_keeps_others(save: Save, tmp_path: Path) -> None:
    proto = two_layers()
    proto.graph.node[0].metadata_props.add(key="graphlint.ignore", value="G4: as meant")
    proto.graph.node[0].metadata_props.add(key="theirs", value="kept")
    path, once, twice = save(proto), tmp_path / "once.onnx", tmp_path / "twice.onnx"
    annotate(path, report_of(path), once)
    annotate(once, report_of(once), twice)
    assert once.read_bytes() == twice.read_bytes()
    said = entries(onnx.load(twice).graph.node[0])
    assert said["graphlint.ignore"] == "G4: as meant"
    assert said["theirs"] == "kept"


def test_external_data_stay_where_they_are_in_the_same_folder(save: Save) -> None:
    path = external(save)
    out = path.parent / "out.onnx"
    annotate(path, report_of(path), out)
    assert sorted(os.listdir(path.parent)) == ["external.onnx", "out.onnx", "weights.bin"]
    assert out.stat().st_size < 4000
    onnx.checker.check_model(str(out))


@pytest.mark.parametrize("location", ["weights.bin", "data/weights.bin"])
def test_external_data_go_along_to_another_folder(save: Save, location: str) -> None:
    path = external(save, location)
    folder = path.parent / "other"
    folder.mkdir()
    annotate(path, report_of(path), folder / "out.onnx")
    assert (folder / location).read_bytes() == (path.parent / location).read_bytes()
    loaded = onnx.load(folder / "out.onnx")
    assert numpy_helper.to_array(loaded.graph.initializer[0]).sum() == 16


def test_other_files_are_not_overwritten_by_external_data(save: Save) -> None:
    path = external(save)
    folder = path.parent / "other"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(b"theirs")
    with pytest.raises(UsageError, match="not written"):
        annotate(path, report_of(path), folder / "out.onnx")
    assert os.listdir(folder) == ["weights.bin"]
    annotate(path, report_of(path), folder / "out.onnx", force=True)
    assert (folder / "weights.bin").stat().st_size == 64


def test_the_model_and_its_data_are_never_overwritten(save: Save, tmp_path: Path) -> None:
    path = external(save)
    report = report_of(path)
    link = tmp_path / "link.onnx"
    link.symlink_to(path)
    for out in (path, link, path.parent / "weights.bin"):
        before = out.read_bytes()
        with pytest.raises(UsageError, match="not written"):
            annotate(path, report, out, force=True)
        assert out.read_bytes() == before


def test_an_existing_output_needs_force(save: Save, tmp_path: Path) -> None:
    path, out = save(two_layers()), tmp_path / "out.onnx"
    out.write_bytes(b"theirs")
    with pytest.raises(UsageError, match="not written"):
        annotate(path, report_of(path), out)
    assert out.read_bytes() == b"theirs"
    annotate(path, report_of(path), out, force=True)
    assert onnx.load(out).graph.node


@pytest.mark.parametrize("out", [".", "missing/out.onnx"])
def test_impossible_outputs_are_named(save: Save, tmp_path: Path, out: str) -> None:
    path = save(two_layers())
    with pytest.raises(UsageError):
        annotate(path, report_of(path), tmp_path / out, force=True)


def test_missing_external_data_are_named(save: Save, tmp_path: Path) -> None:
    path = external(save)
    report = report_of(path)
    (path.parent / "weights.bin").unlink()
    with pytest.raises(ModelError, match="external data is missing"):
        annotate(path, report, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_a_report_of_another_model_is_refused(save: Save, tmp_path: Path) -> None:
    path = save(two_layers())
    report = report_of(path)
    with pytest.raises(ModelError, match="can't be annotated"):
        annotate(path, replace(report, nodes=report.nodes[:1]), tmp_path / "out.onnx")


def test_output_is_readable_like_any_file(save: Save, tmp_path: Path) -> None:
    path, out = save(two_layers()), tmp_path / "out.onnx"
    annotate(path, report_of(path), out)
    plain = tmp_path / "plain"
    plain.touch()
    assert out.stat().st_mode == plain.stat().st_mode
