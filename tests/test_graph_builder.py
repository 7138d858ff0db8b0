"""Laying a model open: names, order, bodies, functions, constants, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from onnx import FunctionProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from graphlint.errors import ModelError
from graphlint.graph import TensorType
from tests.models import Typed, costs_of, graph, model, parsed, shaped, view_of

IMPORTS = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], **more: Any) -> NodeProto:
    return helper.make_node(op, inputs, outputs, **more)


def call(op: str, inputs: Sequence[str], outputs: Sequence[str], **more: Any) -> NodeProto:
    return helper.make_node(op, inputs, outputs, domain="local", **more)


def function(
    name: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    nodes: Sequence[NodeProto],
    **more: Any,
) -> FunctionProto:
    return helper.make_function("local", name, inputs, outputs, nodes, IMPORTS, **more)


def refused(proto: ModelProto) -> ModelError:
    with pytest.raises(ModelError) as caught:
        view_of(proto)
    assert caught.value.hint
    return caught.value


# Names


def test_inputs_that_have_initializers_are_constants() -> None:
    weight = numpy_helper.from_array(np.zeros((2, 3), np.float32), "w")
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    view = view_of(model(nodes, {"x": [1, 2], "w": [2, 3]}, {"y": [1, 3]}, [weight]))
    assert view.inputs == ("x",)
    assert view.constants["w"].shape == (2, 3)
    assert view.types["w"] == TensorType(TensorProto.FLOAT, (2, 3))


def test_unnamed_nodes_are_called_by_position_and_operator() -> None:
    nodes = [node("Relu", ["x"], ["a"]), node("Conv", ["a", "w"], ["y"])]
    view = view_of(model(nodes, {"x": None, "w": None}, {"y": None}))
    assert [n.path for n in view.nodes] == ["#0(Relu)", "#1(Conv)"]


def test_paths_are_unique_where_names_are_not() -> None:
    nodes = [
        node("Relu", ["x"], ["a"], name="same"),
        node("Relu", ["a"], ["b"], name="same#2"),
        node("Relu", ["b"], ["c"], name="same"),
        node("Relu", ["c"], ["d"], name="same"),
    ]
    view = view_of(model(nodes, {"x": None}, {"d": None}))
    assert len({n.path for n in view.nodes}) == 4
    assert [n.name for n in view.nodes] == ["same", "same#2", "same", "same"]
    assert view.nodes[0].path == "same"
    assert view.nodes[3].path == "same#3"


def test_the_default_domain_has_two_spellings() -> None:
    proto = model([node("Relu", ["x"], ["y"])], {"x": [1]}, {"y": [1]})
    proto.graph.node[0].domain = "ai.onnx"
    proto.opset_import[0].domain = "ai.onnx"
    (found,) = view_of(proto).nodes
    assert (found.domain, found.version) == ("", 17)


def test_an_output_that_is_an_input_keeps_the_type_of_the_input() -> None:
    view = view_of(model([], {"x": [2, 3]}, {"x": [None, None]}))
    assert view.types["x"] == TensorType(TensorProto.FLOAT, (2, 3))


def test_a_body_output_from_outside_keeps_its_type() -> None:
    body = graph([], {}, {"a": ["?", "?"]})
    nodes = [
        node("Relu", ["x"], ["a"]),
        node("If", ["c"], ["y"], then_branch=body, else_branch=body),
    ]
    inputs: Typed = {"x": [2, 3], "c": (TensorProto.BOOL, [])}
    proto = model(
        nodes, inputs, {"y": None}, value_info=[helper.make_tensor_value_info("a", 1, [2, 3])]
    )
    assert view_of(proto).types["a"] == TensorType(TensorProto.FLOAT, (2, 3))


# What is refused


def test_a_value_produced_twice_is_refused() -> None:
    nodes = [node("Relu", ["x"], ["a"], name="one"), node("Relu", ["x"], ["a"], name="two")]
    error = refused(model(nodes, {"x": None}, {"a": None}))
    assert "produced twice" in error.message
    assert all(name in error.cause for name in ("'a'", "'one'", "'two'"))


def test_a_value_produced_by_a_node_and_an_input_is_refused() -> None:
    error = refused(model([node("Relu", ["x"], ["x"])], {"x": None}, {"x": None}))
    assert "is an input or initializer" in error.cause


def test_a_value_that_nothing_produces_is_refused() -> None:
    error = refused(model([node("Relu", ["gone"], ["y"], name="r")], {}, {"y": None}))
    assert "'r' reads 'gone'" in error.cause
    error = refused(model([], {}, {"gone": None}))
    assert "'gone'" in error.cause


def test_a_body_may_not_read_from_a_sibling() -> None:
    then = graph([node("Relu", ["x"], ["a"])], {}, {"a": None})
    other = graph([node("Relu", ["a"], ["b"])], {}, {"b": None})
    branch = node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    error = refused(model([branch], {"x": None, "c": None}, {"y": None}))
    assert "'a'" in error.cause


def test_a_cycle_is_shown() -> None:
    nodes = [
        node("Relu", ["x"], ["s"], name="start"),
        node("Add", ["s", "c"], ["a"], name="first"),
        node("Relu", ["a"], ["b"], name="second"),
        node("Relu", ["b"], ["c"], name="third"),
        node("Relu", ["c"], ["y"], name="end"),
    ]
    error = refused(model(nodes, {"x": None}, {"y": None}))
    assert "cycle" in error.message
    assert error.cause in (
        "'first' → 'second' → 'third' → 'first'",
        "'second' → 'third' → 'first' → 'second'",
        "'third' → 'first' → 'second' → 'third'",
    )


def test_a_long_cycle_is_shortened() -> None:
    nodes = [node("Relu", [f"v{(i - 1) % 500}"], [f"v{i}"], name=f"n{i}") for i in range(500)]
    error = refused(model(nodes, {}, {"v0": None}))
    assert "more …" in error.cause
    assert error.cause.count("→") == 10 - 1


def test_a_cycle_through_a_body_is_found() -> None:
    body = graph([node("Relu", ["y"], ["inner"])], {}, {"inner": None})
    branch = node("If", ["c"], ["y"], then_branch=body, else_branch=body, name="if")
    error = refused(model([branch], {"c": None}, {"y": None}))
    assert error.cause == "'if' → 'if'"


def test_a_negative_dimension_is_refused() -> None:
    tensor = TensorProto(name="w", dims=[2, -1], data_type=1)
    assert "'w'" in refused(model([], {}, {}, [tensor])).cause
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("s", 1, [1], [1.0]), helper.make_tensor("i", 7, [1], [0]), [4]
    )
    sparse.dims[0] = -4
    assert "'s'" in refused(model([], {}, {}, sparse_initializer=[sparse])).cause


# Order


def test_unsorted_nodes_are_sorted_and_cost_the_same() -> None:
    nodes = [
        node("Relu", ["x"], ["a"], name="a"),
        node("Sigmoid", ["a"], ["b"], name="b"),
        node("Mul", ["a", "b"], ["c"], name="c"),
        node("Softmax", ["c"], ["y"], name="y"),
    ]
    straight = model(nodes, {"x": [4, 8]}, {"y": [4, 8]})
    turned = model(nodes[::-1], {"x": [4, 8]}, {"y": [4, 8]})
    assert [n.name for n in view_of(turned).nodes] == ["a", "b", "c", "y"]
    assert costs_of(turned).nodes == costs_of(straight).nodes


def test_the_order_of_the_file_is_kept_where_it_is_topological() -> None:
    nodes = [node("Relu", ["x"], [f"v{i}"], name=f"n{i}") for i in (3, 1, 2)]
    view = view_of(model(nodes, {"x": None}, {"v1": None}))
    assert [n.name for n in view.nodes] == ["n3", "n1", "n2"]
    assert [n.index for n in view.nodes] == [0, 1, 2]


def test_what_a_body_takes_from_outside_comes_before_it() -> None:
    inner = graph([node("Relu", ["late"], ["i"])], {}, {"i": None})
    outer = graph([node("If", ["c"], ["o"], then_branch=inner, else_branch=inner)], {}, {"o": None})
    nodes = [
        node("If", ["c"], ["y"], then_branch=outer, else_branch=outer, name="if"),
        node("Relu", ["x"], ["late"], name="late"),
    ]
    view = view_of(model(nodes, {"x": None, "c": None}, {"y": None}))
    assert [n.path for n in view.nodes][:2] == ["late", "if"]


# Bodies


def test_sibling_bodies_with_the_same_names_are_kept_apart() -> None:
    then = graph([node("Relu", ["x"], ["v"], name="n")], {}, {"v": None})
    other = graph([node("Sigmoid", ["x"], ["v"], name="n")], {}, {"v": None})
    branch = node("If", ["c"], ["y"], then_branch=then, else_branch=other, name="if")
    view = view_of(model([branch], {"x": None, "c": None}, {"y": None}))
    outputs = {n.path: n.outputs for n in view.nodes}
    assert outputs == {
        "if": ("y",),
        "if/then_branch/n": ("if/then_branch::v",),
        "if/else_branch/n": ("if/else_branch::v",),
    }
    assert view.nodes[1].inputs == view.nodes[2].inputs == ("x",)
    assert {n.op for n in view.readers("x")} == {"Relu", "Sigmoid"}
    assert {scope.path: scope.owner for scope in view.scopes.values()} == {
        "": None,
        "if/then_branch": 0,
        "if/else_branch": 0,
    }
    assert view.scopes["if/then_branch"].outputs == ("if/then_branch::v",)
    assert view.is_output("if/then_branch::v")


def test_a_body_may_shadow_a_name_of_the_outer_graph() -> None:
    body = graph(
        [node("Relu", ["v"], ["w"]), node("Identity", ["k"], ["k2"])],
        {"i": None, "k": None, "v": None},
        {"k2": None, "w": None},
    )
    loop = node("Loop", ["n", "k", "v"], ["y"], body=body, name="loop")
    view = view_of(model([loop], {"n": None, "k": None, "v": None}, {"y": None}))
    assert view.nodes[1].inputs == ("loop/body::v",)
    assert view.readers("v") == (view.nodes[0],)


def test_initializers_of_a_body_are_its_own() -> None:
    def body(size: int) -> Any:
        weight = numpy_helper.from_array(np.zeros(size, np.float32), "w")
        return graph([node("Add", ["x", "w"], ["v"])], {}, {"v": None}, [weight])

    branch = node("If", ["c"], ["y"], then_branch=body(2), else_branch=body(3), name="if")
    view = view_of(model([branch], {"x": None, "c": None}, {"y": None}))
    assert view.constants["if/then_branch::w"].shape == (2,)
    assert view.constants["if/else_branch::w"].shape == (3,)


def test_a_call_and_a_body_whose_paths_would_be_the_same_are_kept_apart() -> None:
    body = graph([node("Relu", ["x"], ["v"])], {}, {"v": None})
    local = function("F", ["a"], ["b"], [node("Relu", ["a"], ["v"]), node("Relu", ["v"], ["b"])])
    nodes = [
        call("F", ["x"], ["z"], name="if/then_branch"),
        node("If", ["c"], ["y"], then_branch=body, else_branch=body, name="if"),
    ]
    view = view_of(model(nodes, {"x": None, "c": None}, {"y": None, "z": None}, functions=[local]))
    keys = [key for n in view.nodes for key in n.outputs]
    assert len(set(keys)) == len(keys)


# Functions


def test_calls_are_expanded_in_place_and_nested() -> None:
    inner = function("Inner", ["p"], ["q"], [node("Relu", ["p"], ["q"], name="r")])
    outer = function(
        "Outer",
        ["a"],
        ["b"],
        [call("Inner", ["a"], ["t"], name="i"), call("Inner", ["t"], ["b"], name="j")],
    )
    nodes = [call("Outer", ["x"], ["m"], name="o"), node("Sigmoid", ["m"], ["y"], name="s")]
    view = view_of(model(nodes, {"x": [2]}, {"y": [2]}, functions=[inner, outer]))
    assert [n.path for n in view.nodes] == ["o/i/r", "o/j/r", "s"]
    assert view.nodes[0].inputs == ("x",)
    assert view.nodes[1].outputs == ("m",)
    assert view.nodes[1].inputs == view.nodes[0].outputs
    assert {n.scope for n in view.nodes} == {""}


def leaky(**more: Any) -> FunctionProto:
    """A LeakyRelu whose slope is the function's own attribute."""
    inner = node("LeakyRelu", ["a"], ["b"])
    inner.attribute.add(name="alpha", ref_attr_name="slope", type=1)
    return function("Leaky", ["a"], ["b"], [inner], **more)


def test_attributes_are_taken_from_the_call() -> None:
    nodes = [call("Leaky", ["x"], ["y"], slope=0.5), call("Leaky", ["x"], ["z"], slope=0.25)]
    local = leaky(attributes=["slope"])
    view = view_of(model(nodes, {"x": [2]}, {"y": [2], "z": [2]}, functions=[local]))
    assert [n.attribute("alpha") for n in view.nodes] == [0.5, 0.25]
    assert not any(a.ref_attr_name for n in view.nodes for a in n.proto.attribute)


def test_attributes_that_the_call_leaves_out_have_their_defaults() -> None:
    default = leaky(attribute_protos=[helper.make_attribute("slope", 0.75)])
    nodes = [call("Leaky", ["x"], ["y"]), call("Leaky", ["x"], ["z"], slope=0.5)]
    view = view_of(model(nodes, {"x": [2]}, {"y": [2], "z": [2]}, functions=[default]))
    assert [n.attribute("alpha") for n in view.nodes] == [0.75, 0.5]
    view = view_of(
        model(nodes[:1], {"x": [2]}, {"y": [2]}, functions=[leaky(attributes=["slope"])])
    )
    assert dict(view.nodes[0].attributes) == {}


def test_attributes_reach_into_the_bodies_of_a_function() -> None:
    leaf = node("LeakyRelu", ["a"], ["v"])
    leaf.attribute.add(name="alpha", ref_attr_name="slope", type=1)
    body = graph([leaf], {}, {"v": None})
    branch = node("If", ["c"], ["b"], then_branch=body, else_branch=body)
    local = function("F", ["c", "a"], ["b"], [branch], attributes=["slope"])
    nodes = [call("F", ["k", "x"], ["y"], slope=0.5)]
    view = view_of(model(nodes, {"k": None, "x": None}, {"y": None}, functions=[local]))
    assert [n.attribute("alpha") for n in view.nodes] == [None, 0.5, 0.5]


def test_a_function_may_pass_an_input_through() -> None:
    local = function("F", ["a"], ["a", "b"], [node("Relu", ["a"], ["b"])])
    nodes = [call("F", ["x"], ["same", "r"], name="f"), node("Add", ["same", "r"], ["y"])]
    view = shaped(model(nodes, {"x": [2, 3]}, {"y": None}, functions=[local]))
    assert view.shape("same") == (2, 3)
    assert view.shape("y") == (2, 3)


def test_outputs_that_the_call_leaves_out_stay_inside() -> None:
    local = function(
        "F", ["a"], ["b", "c"], [node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["c"])]
    )
    for outputs in (["", "y"], ["y"], ["y", ""]):
        nodes = [call("F", ["x"], outputs, name="f")]
        view = view_of(model(nodes, {"x": [2]}, {"y": [2]}, functions=[local]))
        assert "y" in {n.outputs[0] for n in view.nodes}
        assert view.nodes[1].inputs == view.nodes[0].outputs
        assert "" not in {key for n in view.nodes for key in n.outputs}


@pytest.mark.parametrize("inputs", [["x"], ["x", ""], ["x", "", ""]])
def test_inputs_that_the_call_leaves_out_are_left_out_inside(inputs: list[str]) -> None:
    local = function("F", ["a", "lo", "hi"], ["b"], [node("Clip", ["a", "lo", "hi"], ["b"])])
    view = shaped(model([call("F", inputs, ["y"])], {"x": [2, 3]}, {"y": None}, functions=[local]))
    assert view.nodes[0].inputs == ("x", "", "")
    assert list(view.nodes[0].proto.input) == ["x".replace("x", "a"), "", ""]
    assert view.shape("y") == (2, 3)


def test_overloads_are_told_apart() -> None:
    relu = function("F", ["a"], ["b"], [node("Relu", ["a"], ["b"])], overload="one")
    tanh = function("F", ["a"], ["b"], [node("Tanh", ["a"], ["b"])], overload="two")
    nodes = [
        call("F", ["x"], ["m"], overload="two"),
        call("F", ["m"], ["y"], overload="one"),
    ]
    view = view_of(model(nodes, {"x": [2]}, {"y": [2]}, functions=[relu, tanh]))
    assert [n.op for n in view.nodes] == ["Tanh", "Relu"]


def test_a_function_has_its_own_opset() -> None:
    local = helper.make_function(
        "local",
        "F",
        ["a"],
        ["b"],
        [node("Relu", ["a"], ["b"])],
        [helper.make_opsetid("", 11)],
    )
    nodes = [call("F", ["x"], ["m"]), node("Relu", ["m"], ["y"])]
    view = view_of(model(nodes, {"x": [2]}, {"y": [2]}, functions=[local]))
    assert [n.version for n in view.nodes] == [11, 17]


def test_functions_see_nothing_of_the_graph_around_their_call() -> None:
    local = function("F", ["a"], ["b"], [node("Add", ["a", "x"], ["b"])])
    error = refused(model([call("F", ["x"], ["y"])], {"x": [2]}, {"y": [2]}, functions=[local]))
    assert "reads 'x'" in error.cause


def test_a_function_output_that_nothing_produces_is_refused() -> None:
    local = function("F", ["a"], ["gone"], [node("Relu", ["a"], ["b"])])
    error = refused(model([call("F", ["x"], ["y"])], {"x": [2]}, {"y": [2]}, functions=[local]))
    assert "'gone' of 'F'" in error.cause


def test_recursion_is_refused_and_shown() -> None:
    one = function("One", ["a"], ["b"], [call("Two", ["a"], ["b"])])
    two = function("Two", ["a"], ["b"], [call("One", ["a"], ["b"])])
    proto = model([call("One", ["x"], ["y"])], {"x": None}, {"y": None}, functions=[one, two])
    assert refused(proto).cause == "One → Two → One"


def test_recursion_through_a_body_is_refused() -> None:
    body = graph([call("F", ["c", "a"], ["v"])], {}, {"v": None})
    branch = node("If", ["c"], ["b"], then_branch=body, else_branch=body)
    local = function("F", ["c", "a"], ["b"], [branch])
    inputs = {"c": None, "x": None}
    proto = model([call("F", ["c", "x"], ["y"])], inputs, {"y": None}, functions=[local])
    assert refused(proto).cause == "F → F"


def test_an_expansion_without_end_is_refused_at_once() -> None:
    functions = [function("F0", ["a"], ["b"], [node("Relu", ["a"], ["b"])])]
    for level in range(1, 40):
        nodes = [call(f"F{level - 1}", [f"v{i}"], [f"v{i + 1}"]) for i in range(10)]
        functions.append(function(f"F{level}", ["v0"], ["v10"], nodes))
    proto = model([call("F39", ["x"], ["y"])], {"x": None}, {"y": None}, functions=functions)
    start = time.process_time()
    error = refused(proto)
    assert time.process_time() - start < 1
    assert f"{10**39} nodes" in error.cause


@pytest.mark.parametrize("leaf_first", [False, True])
def test_calls_that_nest_too_deep_are_refused(leaf_first: bool) -> None:
    functions = [function("F0", ["a"], ["b"], [node("Relu", ["a"], ["b"])])]
    for level in range(1, 3000):
        functions.append(function(f"F{level}", ["a"], ["b"], [call(f"F{level - 1}", ["a"], ["b"])]))
    levels = range(3000) if leaf_first else [2999]
    nodes = [call(f"F{level}", ["x"], [f"y{level}"]) for level in levels]
    error = refused(model(nodes, {"x": None}, {}, functions=functions))
    assert "nest deeper than 64" in error.message


def test_calls_and_bodies_that_nest_too_deep_together_are_refused() -> None:
    def deep(nodes: list[NodeProto], value: str) -> list[NodeProto]:
        for _ in range(12):
            body = graph(nodes, {}, {value: None})
            nodes = [node("If", ["c"], ["b"], then_branch=body)]
            value = "b"
        return nodes

    functions = [function("F0", ["c", "a"], ["b"], deep([node("Relu", ["a"], ["v"])], "v"))]
    for level in range(1, 60):
        nodes = deep([call(f"F{level - 1}", ["c", "a"], ["v"])], "v")
        functions.append(function(f"F{level}", ["c", "a"], ["b"], nodes[:1]))
    start = call("F59", ["c", "x"], ["y"])
    error = refused(model([start], {"c": None, "x": None}, {"y": None}, functions=functions))
    assert "nest deeper than 64" in error.message


# Constants


def tensor_of(**value: Any) -> tuple[int, tuple[int, ...], Any]:
    view = view_of(model([node("Constant", [], ["c"], **value)], {}, {"c": None}))
    constant = view.constants["c"]
    assert view.types["c"] == TensorType(constant.dtype, constant.shape)
    return constant.dtype, constant.shape, numpy_helper.to_array(constant.proto).tolist()


def test_every_spelling_of_a_constant_is_understood() -> None:
    array = np.array([[1, 2]], np.int32)
    assert tensor_of(value=numpy_helper.from_array(array)) == (TensorProto.INT32, (1, 2), [[1, 2]])
    assert tensor_of(value_float=1.5) == (TensorProto.FLOAT, (), 1.5)
    assert tensor_of(value_floats=[1.5, 2.0]) == (TensorProto.FLOAT, (2,), [1.5, 2.0])
    assert tensor_of(value_int=-7) == (TensorProto.INT64, (), -7)
    assert tensor_of(value_ints=[3, 4, 5]) == (TensorProto.INT64, (3,), [3, 4, 5])
    assert tensor_of(value_string="é")[:2] == (TensorProto.STRING, ())
    assert tensor_of(value_strings=["a", "b"])[:2] == (TensorProto.STRING, (2,))


@pytest.mark.parametrize(
    "value",
    [
        {"value_ints": 3},
        {"value_ints": [1.5]},
        {"value_int": 1.5},
        {"value_float": "x"},
        {"value": 1},
    ],
)
def test_a_constant_of_the_wrong_type_is_none(value: dict[str, Any]) -> None:
    view = view_of(model([node("Constant", [], ["c"], **value)], {}, {"c": None}))
    assert "c" not in view.constants


def test_sparse_constants_stand_for_the_dense_tensor() -> None:
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("s", TensorProto.DOUBLE, [2], [1.0, 2.0]),
        helper.make_tensor("i", TensorProto.INT64, [2], [3, 4]),
        [5, 6],
    )
    view = view_of(
        model(
            [node("Constant", [], ["c"], sparse_value=sparse)],
            {},
            {"c": None, "s": None},
            sparse_initializer=[sparse],
        )
    )
    assert view.types["c"] == view.types["s"] == TensorType(TensorProto.DOUBLE, (5, 6))
    assert view.constants["c"].elements == 30


def test_a_constant_inside_a_function_is_one_for_each_call() -> None:
    local = function(
        "F",
        ["a"],
        ["b"],
        [node("Constant", [], ["k"], value_int=3), node("Add", ["a", "k"], ["b"])],
    )
    nodes = [call("F", ["x"], ["m"], name="f"), call("F", ["m"], ["y"], name="g")]
    view = view_of(model(nodes, {"x": [2]}, {"y": [2]}, functions=[local]))
    assert set(view.constants) == {"f::k", "g::k"}


def test_attributes_without_a_type_are_read_by_their_content() -> None:
    proto = model(
        [node("Conv", ["x", "w"], ["y"], group=2, pads=[1, 1])], {"x": None, "w": None}, {}
    )
    for attribute in proto.graph.node[0].attribute:
        attribute.ClearField("type")
    (found,) = view_of(proto).nodes
    assert (found.attribute("group"), found.attribute("pads")) == (2, (1, 1))


def test_a_model_in_text_form_is_laid_open_as_it_reads() -> None:
    view = view_of(
        parsed(
            """
            <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
            agraph (float[1, 8] x) => (float[1, 8] y) { m = local.F <k = 2.0> (x)  y = Relu(m) }
            <domain: "local", opset_import: ["" : 17]>
            F <k> (a) => (b) { b = LeakyRelu <alpha: float = @k> (a) }
            """
        )
    )
    assert [(n.op, n.attribute("alpha")) for n in view.nodes] == [
        ("LeakyRelu", 2.0),
        ("Relu", None),
    ]
