"""Edits stand in a model and are taken back, and nothing else changes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from graphlint.bindings import Bindings
from graphlint.errors import ModelError, RewriteError
from graphlint.graph import GraphView, Node, TensorType
from graphlint.rewrites import Edit
from graphlint.rewriting.scratch import edit_of, scratch
from graphlint.rewriting.splice import splice
from graphlint.rewriting.subject import read
from tests.models import FIXTURES, model, view_of

TOOL = "onnx-graphlint 0 test plan=keep"


def node(op: str, reads: str, writes: str, name: str = "", **attributes: Any) -> NodeProto:
    return helper.make_node(op, reads.split(), writes.split(), name or writes, **attributes)


def tensor(name: str, value: float = 1) -> TensorProto:
    return numpy_helper.from_array(np.full(4, value, np.float32), name)


def edit(
    view: GraphView,
    removed: str,
    nodes: Sequence[NodeProto],
    initializers: Sequence[TensorProto] = (),
    origin: str = "unit",
) -> Edit:
    going = tuple(n for n in view.nodes if n.outputs[0] in removed.split())
    return Edit(going, tuple(nodes), tuple(initializers), origin)


def ops(proto: ModelProto) -> list[str]:
    return [f"{n.op_type}({','.join(n.input)})→{','.join(n.output)}" for n in proto.graph.node]


def chain(*, ir_version: int = 10, **more: Any) -> ModelProto:
    """x → Add w → a → Mul w → m → Exp → y, with all that may stand around it."""
    nodes = [node("Add", "x w", "a"), node("Mul", "a v", "m"), node("Exp", "m", "y")]
    proto = model(
        nodes,
        {"x": [4]},
        {"y": [4]},
        [tensor("w", 2), tensor("v", 3), tensor("unused")],
        value_info=[helper.make_tensor_value_info(name, TensorProto.FLOAT, [4]) for name in "am"],
        **more,
    )
    proto.ir_version = ir_version
    if ir_version < 4:
        for stored in proto.graph.initializer:
            proto.graph.input.append(helper.make_tensor_value_info(stored.name, 1, [4]))
    proto.metadata_props.add(key="mine", value="kept")
    proto.graph.doc_string = "kept"
    proto.MergeFromString(b"\xba\x3e\x03abc")  # a field that nobody knows
    return proto


def run(proto: ModelProto) -> list[Any]:
    feeds = {
        info.name: np.linspace(-1, 1, 4, dtype=np.float32)
        for info in proto.graph.input
        if info.name not in {stored.name for stored in proto.graph.initializer}
    }
    return list(ReferenceEvaluator(proto).run(None, feeds))


def test_edit_stands_in_the_place_of_what_went() -> None:
    proto = chain()
    before = proto.SerializeToString()
    new = [node("Sub", "x k", "t"), node("Neg", "t", "m")]
    spliced = splice(proto, [edit(view_of(proto), "a m", new, [tensor("k", 5)])], TOOL)
    onnx.checker.check_model(proto)
    assert ops(proto) == ["Sub(x,k)→t", "Neg(t)→m", "Exp(m)→y"]
    assert [t.name for t in proto.graph.initializer] == ["unused", "k"]
    assert [info.name for info in proto.graph.value_info] == ["m"]
    assert spliced.nodes == (tuple(proto.graph.node[:2]),)
    assert spliced.initializers == ("k",)
    assert spliced.gone == ("v", "w")
    said = [{e.key: e.value for e in n.metadata_props} for n in proto.graph.node]
    assert said == [{"graphlint.rewrite": f"{TOOL} unit=unit"}] * 2 + [{}]
    assert {e.key: e.value for e in proto.metadata_props} == {
        "mine": "kept",
        "graphlint.rewrite": TOOL,
    }
    spliced.undo()
    spliced.undo()
    assert proto.SerializeToString() == before


def test_splices_are_undone_one_after_the_other() -> None:
    proto = chain()
    states = [proto.SerializeToString()]
    splices = []
    for tool, output in (("one", "m"), ("two", "a")):
        (going,) = (n for n in view_of(proto).nodes if n.outputs[0] == output)
        new = [node("Neg", going.inputs[0], "t"), node("Neg", "t", output)]
        types = {"a": TensorType(TensorProto.FLOAT, (2, "n", None)), "m": None}
        splices.append(splice(proto, [Edit((going,), tuple(new), ())], tool, types))
        states.append(proto.SerializeToString())
    assert proto.metadata_props[-1].value == "one; two"
    for state in reversed(states[:-1]):
        splices.pop().undo()
        assert proto.SerializeToString() == state


def test_types_are_corrected_or_dropped() -> None:
    proto = chain()
    new = [node("Add", "x v", "a")]
    types = {"a": TensorType(TensorProto.FLOAT16, (2, "n", None)), "m": None}
    splice(proto, [edit(view_of(proto), "a", new)], TOOL, types)
    expected = helper.make_tensor_value_info("a", TensorProto.FLOAT16, [2, "n", None])
    assert list(proto.graph.value_info) == [expected]


def test_before_ir_4_initializers_are_inputs_too() -> None:
    proto = chain(ir_version=3)
    before = proto.SerializeToString()
    spliced = splice(
        proto, [edit(view_of(proto), "a", [node("Sub", "x k", "a")], [tensor("k")])], TOOL
    )
    assert [info.name for info in proto.graph.input] == ["x", "v", "unused", "k"]
    onnx.checker.check_model(proto)
    spliced.undo()
    assert proto.SerializeToString() == before


def test_initializer_that_can_be_overridden_is_an_input_and_stays() -> None:
    proto = chain()
    proto.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4]))
    splice(proto, [edit(view_of(proto), "a", [node("Neg", "x", "a")])], TOOL)
    assert [info.name for info in proto.graph.input] == ["x", "w"]
    assert [t.name for t in proto.graph.initializer] == ["w", "v", "unused"]


def inner(reads: str, writes: str, *names: str) -> onnx.GraphProto:
    """A body that reads a value of the graph around it."""
    nodes = [node("Add", f"{reads} {name}", f"{writes}{i}") for i, name in enumerate(names)]
    nodes.append(node("Identity", f"{writes}0" if names else reads, writes))
    return helper.make_graph(
        nodes, "body", [], [helper.make_tensor_value_info(writes, TensorProto.FLOAT, [4])]
    )


def branching() -> ModelProto:
    """A body reads w and a; another has a value named t."""
    branches = {"then_branch": inner("a", "b", "w"), "else_branch": inner("a", "t")}
    return model(
        [node("Add", "x w", "a"), node("Exp", "a", "e"), node("If", "c", "y", **branches)],
        {"x": [4], "c": (TensorProto.BOOL, [])},
        {"y": [4], "e": [4]},
        [tensor("w")],
    )


def test_names_in_bodies_are_taken_and_what_bodies_read_stays() -> None:
    proto = branching()
    before = proto.SerializeToString()
    new = [node("Sub", "x t", "s"), node("Neg", "s", "b"), node("Neg", "b", "a", "e")]
    spliced = splice(proto, [edit(view_of(proto), "a", new, [tensor("t")])], TOOL)
    onnx.checker.check_model(proto)
    assert ops(proto)[:3] == ["Sub(x,t_1)→s", "Neg(s)→b_1", "Neg(b_1)→a"]
    assert proto.graph.node[2].name == "e_1"
    assert [t.name for t in proto.graph.initializer] == ["w", "t_1"]
    spliced.undo()
    assert proto.SerializeToString() == before


def test_value_that_only_a_body_reads_must_be_made() -> None:
    proto = branching()
    before = proto.SerializeToString()
    with pytest.raises(RewriteError, match="others read 'a'"):
        splice(proto, [edit(view_of(proto), "a e", [node("Exp", "x", "e")])], TOOL)
    assert proto.SerializeToString() == before


def test_new_bodies_read_values_under_their_new_names() -> None:
    proto = branching()
    branches = {"then_branch": inner("b", "p", "k"), "else_branch": inner("b", "q")}
    new = [node("Neg", "x", "b"), node("If", "c", "a", **branches)]
    splice(proto, [edit(view_of(proto), "a", new, [tensor("k")])], TOOL)
    onnx.checker.check_model(proto, full_check=True)
    then = next(a.g for a in proto.graph.node[1].attribute if a.name == "then_branch")
    assert list(then.node[0].input) == ["b_1", "k"]


def test_names_of_functions_are_taken() -> None:
    function = helper.make_function(
        "local", "F", ["i"], ["o"], [node("Exp", "i", "t"), node("Neg", "t", "o")], []
    )
    proto = chain(functions=[function])
    splice(
        proto,
        [edit(view_of(proto), "a", [node("Neg", "x", "t"), node("Neg", "t", "a")])],
        TOOL,
    )
    assert ops(proto)[:2] == ["Neg(x)→t_1", "Neg(t_1)→a"]


def test_constant_nodes_that_only_removed_nodes_need_go_too() -> None:
    proto = model(
        [
            node("Constant", "", "k", value=tensor("")),
            node("Constant", "", "shared", value=tensor("")),
            node("Neg", "k", "n"),
            node("Exp", "x", "dynamic"),
            node("Sum", "x n shared dynamic", "a"),
            node("Add", "a shared", "y"),
        ],
        {"x": [4]},
        {"y": [4]},
    )
    before = proto.SerializeToString()
    spliced = splice(proto, [edit(view_of(proto), "a", [node("Neg", "x", "a")])], TOOL)
    assert [n.name for n in proto.graph.node] == ["shared", "dynamic", "a", "y"]
    spliced.undo()
    assert proto.SerializeToString() == before


def test_what_is_said_of_vanished_values_goes_and_parameters_of_others_stay() -> None:
    proto = chain()
    for name, scale in (("a", "w"), ("m", "v")):
        annotation = proto.graph.quantization_annotation.add(tensor_name=name)
        annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value=scale)
    training = proto.training_info.add()
    training.update_binding.add(key="unused", value="w")
    splice(proto, [edit(view_of(proto), "a m", [node("Neg", "x", "m")])], TOOL)
    assert [a.tensor_name for a in proto.graph.quantization_annotation] == ["m"]
    assert [t.name for t in proto.graph.initializer] == ["w", "v", "unused"]


def test_neighbouring_edits_hand_values_to_one_another() -> None:
    proto = chain()
    view = view_of(proto)
    edits = [
        edit(view, "m", [node("Neg", "a", "t"), node("Neg", "t", "m")], origin="second"),
        edit(view, "a", [node("Exp", "x", "t"), node("Exp", "t", "a")], origin="first"),
    ]
    spliced = splice(proto, edits, TOOL)
    onnx.checker.check_model(proto)
    assert ops(proto) == ["Exp(x)→t_1", "Exp(t_1)→a", "Neg(a)→t", "Neg(t)→m", "Exp(m)→y"]
    assert [n.op_type for n in spliced.nodes[0]] == ["Neg", "Neg"]


def test_new_nodes_stand_between_producers_and_consumers() -> None:
    """Neither the first nor the last place of the removed nodes fits all of the new ones."""
    proto = model(
        [
            node("Neg", "x", "a"),
            node("Exp", "a", "y"),
            node("Abs", "x", "late"),
            node("Neg", "late", "b"),
            node("Exp", "b", "z"),
        ],
        {"x": [4]},
        {"y": [4], "z": [4]},
    )
    new = [node("Neg", "x", "t"), node("Neg", "t", "a"), node("Add", "t late", "b")]
    splice(proto, [edit(view_of(proto), "a b", new)], TOOL)
    onnx.checker.check_model(proto)
    assert [n.name for n in proto.graph.node] == ["t", "a", "y", "late", "b", "z"]


def test_graph_that_is_not_sorted_is_spliced_too() -> None:
    proto = chain()
    proto.graph.node.sort(key=lambda n: n.name, reverse=True)
    before = proto.SerializeToString()
    new = [node("Neg", "x", "t"), node("Neg", "t", "a")]
    spliced = splice(proto, [edit(view_of(proto), "a", new)], TOOL)
    assert [n.name for n in proto.graph.node] == ["y", "t", "a", "m"]
    view_of(proto)
    spliced.undo()
    assert proto.SerializeToString() == before


@pytest.mark.parametrize(
    ("removed", "new", "cause"),
    [
        ("a", [node("Neg", "x", "t")], "others read 'a'"),
        ("a", [node("Neg", "x", "a"), node("Exp", "x", "a")], "twice"),
        ("a", [node("Neg", "nothing", "a")], "nothing makes that"),
        ("m", [node("Neg", "y", "m")], "only after"),
        ("m", [node("Neg", "t", "u"), node("Neg", "u", "t"), node("Neg", "a", "m")], "cycle"),
        ("m", [node("F", "a", "m", domain="else.where")], "operator set"),
    ],
)
def test_edits_that_do_not_fit_change_nothing(
    removed: str, new: list[NodeProto], cause: str
) -> None:
    proto = chain()
    before = proto.SerializeToString()
    with pytest.raises((RewriteError, ModelError), match=cause):
        splice(proto, [edit(view_of(proto), removed, new)], TOOL)
    assert proto.SerializeToString() == before


def test_node_of_another_model_or_removed_twice_is_refused() -> None:
    proto, other = chain(), branching()
    with pytest.raises(RewriteError, match="no node of the main graph"):
        splice(proto, [edit(view_of(other), "e", [])], TOOL)
    twice = edit(view_of(proto), "a", [node("Neg", "x", "a")])
    with pytest.raises(RewriteError, match="two edits"):
        splice(proto, [twice, twice], TOOL)


# Any graph, any nodes of it


@st.composite
def graphs(draw: st.DrawFn) -> ModelProto:
    """A random graph of additions, some of them of weights or inside a body."""
    values, nodes, weights = ["x"], [], []
    for number in range(draw(st.integers(1, 14))):
        first, second = (draw(st.sampled_from(values)) for _ in range(2))
        kind = draw(st.sampled_from(["plain", "weight", "constant", "body"]))
        name = f"v{number}"
        if kind == "weight":
            weights.append(tensor(second := draw(st.sampled_from(["w", f"w{number}"])), number))
        elif kind == "constant":
            nodes.append(node("Constant", "", f"k{number}", value=tensor("", number)))
            second = f"k{number}"
        if kind == "body":
            branches = {
                f"{which}_branch": inner(first, f"{which}{number}", second)
                for which in ("then", "else")
            }
            nodes.append(node("If", "c", name, **branches))
        else:
            nodes.append(node("Add", f"{first} {second}", name))
        values.append(name)
    outputs = {values[-1], *draw(st.sets(st.sampled_from(values[1:])))}
    condition = numpy_helper.from_array(np.array(True), "c")
    stored = list({t.name: t for t in (condition, *weights)}.values())
    return model(nodes, {"x": [4]}, {name: [4] for name in sorted(outputs)}, stored)


@settings(max_examples=60, deadline=None)
@given(graphs(), st.data())
def test_own_nodes_spliced_back_compute_the_same_and_undo_is_exact(
    proto: ModelProto, data: st.DataObject
) -> None:
    view = view_of(proto)
    main = [n for n in view.nodes if n.scope == ""]
    owner = st.sampled_from([0, 0, 1, 2])
    owners = [data.draw(owner) for _ in main]
    groups = [[n for n, o in zip(main, owners, strict=True) if o == k] for k in (1, 2)]
    before, expected = proto.SerializeToString(), run(proto)
    edits = [_own_nodes(group, k) for k, group in enumerate(groups)]
    untouched = [n.proto.SerializeToString() for n, o in zip(main, owners, strict=True) if not o]
    spliced = splice(proto, edits, TOOL)
    onnx.checker.check_model(proto)
    for got, wanted in zip(run(proto), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    new = [n.SerializeToString() for nodes in spliced.nodes for n in nodes]
    rest = [n.SerializeToString() for n in proto.graph.node if n.SerializeToString() not in new]
    assert rest == untouched
    spliced.undo()
    assert proto.SerializeToString() == before


def _own_nodes(group: Sequence[Node], number: int) -> Edit:
    copies = []
    for going in group:
        copy = NodeProto()
        copy.CopyFrom(going.proto)
        copies.append(copy)
    return Edit(tuple(group), tuple(copies), (), f"unit {number}")


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_fixtures_with_scratch_graphs_spliced_in(path: Path) -> None:
    source = read(str(path), Bindings())
    proto, nodes = source.proto, source.subject.view.nodes
    before = proto.SerializeToString()
    kept = [n.SerializeToString() for n in proto.graph.node]
    chance = random.Random(path.stem)
    for _ in range(3):
        start = chance.randrange(len(nodes))
        group = nodes[start : start + 12]
        spliced = splice(proto, [edit_of(scratch(source.subject, group), group, "u")], TOOL)
        onnx.checker.check_model(proto)
        for new in spliced.nodes[0]:
            del new.metadata_props[:]
        assert [n.SerializeToString() for n in proto.graph.node] == kept
        spliced.undo()
        assert proto.SerializeToString() == before
