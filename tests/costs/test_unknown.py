"""What can't be told is unknown, with a reason, and never a number."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from graphlint.costs import HANDLES, Handle, NodeCost, Operand, Operation
from graphlint.costs.count import count
from graphlint.graph import Node, TensorType
from tests.costs.helpers import cost, node_of

FIGURES = ("multiply_adds", "element_operations", "memory_access_elements", "memory_access_bytes")


def assert_unknown(found: NodeCost, *words: str) -> None:
    assert found.unknown
    for word in words:
        assert word in found.unknown
    assert all(getattr(found, figure) == 0 for figure in FIGURES)
    assert found.parameters == 0


@pytest.mark.parametrize("shape", [[None, 4], ["batch", 4]])
def test_an_open_dimension(shape: list[int | str | None]) -> None:
    node = helper.make_node("MatMul", ["a", "b"], ["y"])
    assert_unknown(cost(node, {"a": shape, "b": [4, 5]}, {"y": [shape[0], 5]}), "shape of 'y'")


def test_an_output_whose_size_the_data_decides() -> None:
    node = helper.make_node("NonZero", ["x"], ["y"])
    assert_unknown(cost(node, {"x": [3, 4]}, {"y": TensorType(7, (2, None))}), "'y'")


def test_the_reason_of_an_operand_is_passed_on() -> None:
    node = node_of(helper.make_node("Relu", ["x"], ["y"]))
    lost = Operand("x", None, reason="the Loop before it has no trip count")
    found = count(Operation(node, (lost,), (Operand("y", None),)), HANDLES["", "Relu"])
    assert found.unknown is not None


def test_a_missing_element_type() -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    assert_unknown(cost(node, {"x": TensorType(0, (3,))}, {"y": [3]}), "element type", "'x'")


def test_strings_have_no_size() -> None:
    node = helper.make_node("Transpose", ["x"], ["y"])
    text = TensorType(TensorProto.STRING, (3,))
    assert_unknown(cost(node, {"x": text}, {"y": text}), "string")


@pytest.mark.parametrize(
    ("domain", "operator", "words"),
    [
        ("com.microsoft", "BeamSearch", "decod"),
        ("com.microsoft", "EPContext", "compiled"),
        ("com.microsoft", "LongformerAttention", "data"),
        ("com.microsoft", "PagedAttention", "cache"),
        ("com.microsoft", "SparseAttention", "mask"),
        ("ai.onnx.preview.training", "Gradient", "graph"),
        ("", "ImageDecoder", "image"),
    ],
)
def test_unknown_by_decision(domain: str, operator: str, words: str) -> None:
    node = helper.make_node(operator, ["x"], ["y"], domain=domain)
    assert_unknown(cost(node, {"x": [1]}, {"y": [1]}), words)


def test_training_mode_that_only_the_run_knows() -> None:
    node = helper.make_node("Dropout", ["x", "", "t"], ["y"])
    found = cost(node, {"x": [4], "t": TensorType(TensorProto.BOOL, ())}, {"y": [4]})
    assert_unknown(found, "value of 't'")


def test_a_cache_that_is_filled_to_an_unknown_length() -> None:
    node = helper.make_node(
        "GroupQueryAttention",
        ["q", "k", "v", "pk", "pv", "l", "t"],
        ["y", "nk", "nv"],
        domain="com.microsoft",
        num_heads=4,
        kv_num_heads=1,
    )
    tensors = {"q": [1, 1, 32], "k": [1, 1, 8], "v": [1, 1, 8], "pk": [1, 1, 64, 8]}
    inputs = {**tensors, "pv": [1, 1, 64, 8], "l": [1], "t": [1]}
    outputs = {"y": [1, 1, 32], "nk": [1, 1, 64, 8], "nv": [1, 1, 64, 8]}
    assert_unknown(cost(node, inputs, outputs), "key cache")


def test_operands_that_do_not_fit_the_operator() -> None:
    """A broken model is no reason to crash: every handle meets a node without sense."""
    scalar = Operand("x", TensorType(TensorProto.FLOAT, ()))
    for (domain, name), handle in HANDLES.items():
        node = Node(0, "n", "n", name, domain, 17, ("x",), ("y",), {}, None)
        for inputs in ((), (scalar,), (scalar,) * 4, (None,) * 3):
            for outputs in ((), (scalar,), (None,)):
                found = count(Operation(node, inputs, outputs), handle)
                assert isinstance(found, NodeCost)


def test_open_shapes_are_never_counted() -> None:
    """No handle makes a figure out of operands of which nothing is known."""
    unknown = Operand("x", None)
    made = Operand("y", None)
    for (domain, name), handle in HANDLES.items():
        node = Node(0, "n", "n", name, domain, 17, ("x",), ("y",), {}, None)
        found = count(Operation(node, (unknown,), (made,)), handle)
        assert found.unknown or found == NodeCost(category=handle.category), (domain, name)
        if not found.unknown:
            assert _moves_nothing(handle), (domain, name)


def _moves_nothing(handle: Handle) -> bool:
    node = Node(0, "n", "n", "Identity", "", 17, ("x",), ("y",), {}, None)
    known = Operand("x", TensorType(TensorProto.FLOAT, (2, 3)), static=True)
    return not handle.work(Operation(node, (known,), (known,))).moves


def test_all_old_versions_of_all_operators_are_counted_or_refused() -> None:
    """Every version of every schema, with generous operands: an answer, never an exception."""
    for schema in onnx.defs.get_all_schemas_with_history():
        shape = TensorType(TensorProto.FLOAT, (1, 4, 4, 4))
        operand = Operand("x", shape, data=np.ones((1,), np.int64))
        node = Node(0, "n", "n", schema.name, schema.domain, schema.since_version, (), (), {}, None)
        inputs = (operand,) * min(max(schema.min_input, 1), 9)
        outputs = (operand,) * min(max(schema.min_output, 1), 3)
        handle = HANDLES[schema.domain, schema.name]
        assert isinstance(count(Operation(node, inputs, outputs), handle), NodeCost)
