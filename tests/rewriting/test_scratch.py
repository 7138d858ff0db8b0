"""Scratch graphs: copies of a few nodes, edited with graphsurgeon, and exported as edits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from graphlint.bindings import Bindings
from graphlint.errors import RewriteError
from graphlint.graph import Node
from graphlint.rewrites import Subject
from graphlint.rewriting.scratch import blank, constant, edit_of, is_editable, scratch
from graphlint.rewriting.subject import read
from tests.models import FIXTURES, model

WEIGHT = np.arange(1024, dtype=np.float32).reshape(32, 32)  # larger than what a view keeps


def subject_of(proto: ModelProto, folder: Path) -> Subject:
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return read(str(path), Bindings()).subject


def chain(dtype: int = TensorProto.FLOAT) -> ModelProto:
    """x·w + c, then Relu; c is a Constant node's, and the product is read twice."""
    values = WEIGHT.astype(helper.tensor_dtype_to_np_dtype(dtype))
    bias = numpy_helper.from_array(values[:16], "bias")
    nodes = [
        helper.make_node("Constant", [], ["c"], "Constant", value=bias),
        helper.make_node("MatMul", ["x", "w"], ["m"], "MatMul"),
        helper.make_node("Add", ["m", "c"], ["a"], "Add", doc_string="kept"),
        helper.make_node("Relu", ["a"], ["y"], "Relu"),
        helper.make_node("Sigmoid", ["m"], ["z"], "Sigmoid"),
    ]
    shape = (dtype, [16, 32])
    return model(
        nodes, {"x": shape}, {"y": shape, "z": shape}, [numpy_helper.from_array(values, "w")]
    )


def named(subject: Subject, *names: str) -> list[Node]:
    return [node for node in subject.view.nodes if node.name in names]


def test_graphsurgeon_is_imported_only_for_a_scratch_graph() -> None:
    code = (
        "import sys, graphlint.rewriting.scratch as s; sys.exit('onnx_graphsurgeon' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_graphsurgeon_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    subject = subject_of(chain(TensorProto.BFLOAT16), tmp_path)
    graph = scratch(subject, subject.view.nodes)
    edit_of(graph, subject.view.nodes)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_nodes_of_the_main_graph_are_editable(path: Path) -> None:
    subject = read(str(path), Bindings()).subject
    assert all(is_editable(subject, node) for node in subject.view.nodes)


def test_nodes_of_bodies_and_functions_are_not_editable(tmp_path: Path) -> None:
    # The function's names are those of the main graph, and a node's name looks like a path.
    body = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["inner"], "Relu")],
        "body",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, [4])],
    )
    function = helper.make_function(
        "local",
        "F",
        ["x"],
        ["y"],
        [helper.make_node("Relu", ["x"], ["t"], ""), helper.make_node("Exp", ["t"], ["y"], "e/e")],
        [helper.make_opsetid("", 17)],
    )
    nodes = [
        helper.make_node("F", ["x"], ["y"], "call", domain="local"),
        helper.make_node("Exp", ["y"], ["u"], "call/e/e"),
        helper.make_node("Exp", ["u"], ["v"], "call/e/e"),
        helper.make_node("Relu", ["v"], ["r"]),
        helper.make_node("If", ["c"], ["z"], "If", then_branch=body, else_branch=body),
    ]
    proto = model(
        nodes,
        {"x": [4], "c": (TensorProto.BOOL, [])},
        {"r": [4], "z": [4]},
        functions=[function],
    )
    subject = subject_of(proto, tmp_path)
    editable = [node.outputs[0] for node in subject.view.nodes if is_editable(subject, node)]
    assert editable == ["u", "v", "r", "z"]
    with pytest.raises(RewriteError, match="can't be edited"):
        scratch(subject, subject.view.nodes)


def test_blank_has_what_is_fed_and_what_is_read_by_others(tmp_path: Path) -> None:
    subject = subject_of(chain(), tmp_path)
    graph = blank(subject, named(subject, "MatMul", "Add"))
    assert graph.nodes == []
    assert [(t.name, t.dtype, t.shape) for t in graph.inputs] == [("x", np.float32, [16, 32])]
    assert [(t.name, t.shape) for t in graph.outputs] == [("m", [16, 32]), ("a", [16, 32])]
    assert graph.opset == 17


def test_scratch_graph_is_a_model_of_its_own(tmp_path: Path) -> None:
    subject = subject_of(chain(), tmp_path)
    graph = scratch(subject, named(subject, "MatMul", "Add"))
    onnx.checker.check_model(gs.export_onnx(graph), full_check=True)
    assert [t.name for t in graph.inputs] == ["x"]
    np.testing.assert_array_equal(graph.nodes[0].inputs[1].values, WEIGHT)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_what_is_not_edited_is_exported_as_it_was(path: Path) -> None:
    source = read(str(path), Bindings())
    nodes = source.subject.view.nodes
    edit = edit_of(scratch(source.subject, nodes), nodes)
    before = {node.output[0]: node.SerializeToString() for node in source.proto.graph.node}
    for node in edit.nodes:
        assert node.SerializeToString() == before[node.output[0]]
    assert edit.initializers == ()


def test_constant_node_gets_its_numbers_back(tmp_path: Path) -> None:
    subject = subject_of(chain(), tmp_path)
    nodes = named(subject, "Constant", "Add")
    graph = scratch(subject, nodes)
    graph.nodes[0].name = "other"
    first, _ = edit_of(graph, nodes).nodes
    np.testing.assert_array_equal(numpy_helper.to_array(first.attribute[0].t), WEIGHT[:16])


def test_attributes_that_graphsurgeon_loses_are_carried_through(tmp_path: Path) -> None:
    odd = NodeProto(op_type="Odd", domain="local", input=["x"], output=["y"], name="odd")
    odd.attribute.extend(
        [
            AttributeProto(name="bytes", type=AttributeProto.STRING, s=b"\xff"),
            AttributeProto(name="none", type=AttributeProto.INTS),
            AttributeProto(name="untyped", i=3),
            AttributeProto(name="type", type=AttributeProto.TYPE_PROTO),
            helper.make_attribute("f", 0.1, doc_string="said"),
        ]
    )
    odd.metadata_props.add(key="k", value="v")
    subject = subject_of(model([odd], {"x": [1]}, {"y": [1]}), tmp_path)
    graph = scratch(subject, subject.view.nodes)
    (same,) = edit_of(graph, subject.view.nodes).nodes
    assert same == odd
    graph.nodes[0].attrs["none"].append(1)
    graph.nodes[0].attrs["f"] = 2.0
    (changed,) = edit_of(graph, subject.view.nodes).nodes
    assert list(changed.attribute[1].ints) == [1]
    assert changed.attribute[4].f == 2.0
    assert changed.attribute[:1] + changed.attribute[2:4] == odd.attribute[:1] + odd.attribute[2:4]


@pytest.mark.parametrize(
    "dtype", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE]
)
def test_weights_keep_their_type(tmp_path: Path, dtype: int) -> None:
    subject = subject_of(chain(dtype), tmp_path)
    nodes = named(subject, "MatMul")
    graph = scratch(subject, nodes)
    graph.nodes[0].inputs[1].values[0, 0] = 1.5
    graph.nodes[0].inputs[1].name = "w2"
    (tensor,) = edit_of(graph, nodes).initializers
    assert (tensor.name, tensor.data_type) == ("w2", dtype)
    expected = WEIGHT.copy()
    expected[0, 0] = 1.5
    expected = expected.astype(helper.tensor_dtype_to_np_dtype(dtype))
    np.testing.assert_array_equal(numpy_helper.to_array(tensor), expected)


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_constants_are_rounded_to_their_type(tmp_path: Path, dtype: int) -> None:
    subject = subject_of(chain(), tmp_path)
    nodes = named(subject, "Relu")
    graph = blank(subject, nodes)
    added = constant("k", np.float32([1 / 3, 1e-3]), dtype)
    graph.nodes.append(gs.Node("Add", "Add", {}, [graph.inputs[0], added], graph.outputs))
    (tensor,) = edit_of(graph, nodes).initializers
    assert tensor.data_type == dtype
    np.testing.assert_allclose(
        numpy_helper.to_array(tensor).astype(np.float32), [1 / 3, 1e-3], rtol=4e-3
    )


def test_reading_a_weight_does_not_change_it_and_renaming_does_not_rename_it(
    tmp_path: Path,
) -> None:
    subject = subject_of(chain(), tmp_path)
    nodes = named(subject, "MatMul")
    graph = scratch(subject, nodes)
    weight = graph.nodes[0].inputs[1]
    assert weight.values.shape == (32, 32)
    weight.name = "renamed"
    edit = edit_of(graph, nodes)
    assert edit.initializers == ()
    assert list(edit.nodes[0].input) == ["x", "w"]


def test_constants_of_one_name_stay_two(tmp_path: Path) -> None:
    subject = subject_of(chain(), tmp_path)
    nodes = named(subject, "Relu")
    graph = blank(subject, nodes)
    middle = gs.Variable("middle")
    one, two = (constant("k", np.float32(value), TensorProto.FLOAT) for value in (1, 2))
    graph.nodes += [
        gs.Node("Add", "second", {}, [middle, two], graph.outputs),
        gs.Node("Mul", "first", {}, [graph.inputs[0], one], [middle]),
        gs.Node("Exp", "dead", {}, [middle], [gs.Variable("dead")]),
    ]
    edit = edit_of(graph, nodes, "unit 1")
    assert [node.name for node in edit.nodes] == ["first", "second"]
    assert edit.origin == "unit 1"
    assert edit.removed == tuple(nodes)
    numbers = {t.name: float(numpy_helper.to_array(t)) for t in edit.initializers}
    assert [numbers[node.input[1]] for node in edit.nodes] == [1, 2]


def test_empty_list_is_of_the_type_that_the_operator_wants(tmp_path: Path) -> None:
    subject = subject_of(chain(), tmp_path)
    nodes = named(subject, "Relu")
    graph = blank(subject, nodes)
    attributes = {"axes": []}
    graph.nodes.append(gs.Node("ReduceMax", "r", attributes, graph.inputs, graph.outputs))
    (node,) = edit_of(graph, nodes).nodes
    assert node.attribute[0].type == AttributeProto.INTS
    graph.nodes[0].attrs = {"nobody knows": []}
    with pytest.raises(RewriteError, match="can't be exported"):
        edit_of(graph, nodes)


def test_broken_scratch_graphs_are_refused(tmp_path: Path) -> None:
    subject = subject_of(chain(), tmp_path)
    nodes = named(subject, "Relu")
    graph = blank(subject, nodes)
    with pytest.raises(RewriteError, match="made by no node"):
        edit_of(graph, nodes)
    for name in ("one", "two"):
        graph.nodes.append(gs.Node("Exp", name, {}, graph.inputs, [gs.Variable("y")]))
    with pytest.raises(RewriteError, match="made by two nodes"):
        edit_of(graph, nodes)


def test_values_that_bodies_capture_are_inputs(tmp_path: Path) -> None:
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Add", ["m", "w"], ["t"], "Add"),
            helper.make_node("Relu", ["t"], ["inner"], "Relu"),
        ],
        "body",
        [],
        [info("inner", TensorProto.FLOAT, [4])],
    )
    nodes = [
        helper.make_node("Exp", ["x"], ["m"], "Exp"),
        helper.make_node("If", ["c"], ["y"], "If", then_branch=body, else_branch=body),
    ]
    weight = numpy_helper.from_array(np.ones(4, np.float32), "w")
    inputs = {"x": [4], "c": (TensorProto.BOOL, [])}
    subject = subject_of(model(nodes, inputs, {"y": [4]}, [weight]), tmp_path)
    (branching,) = named(subject, "If")
    graph = scratch(subject, [branching])
    assert [value.name for value in graph.inputs] == ["c", "m"]
    assert [value.name for value in graph.outputs] == ["y"]
    assert edit_of(graph, [branching]).nodes == (nodes[1],)
