"""The first versions of operators, for which the onnx package has no inference."""

from typing import Any

import pytest
from models import model, shaped
from onnx import TensorProto, helper
from onnx.helper import make_node

from graphlint.graph import TensorType

X = [2, 6, 4, 4]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (make_node("Relu", ["x"], ["y"], consumed_inputs=[0]), X),
        (make_node("Add", ["x", "b"], ["y"], broadcast=1, axis=1), X),
        (make_node("Concat", ["x", "x"], ["y"]), [2, 12, 4, 4]),
        (make_node("Concat", ["x", "x"], ["y"], axis=2), [2, 6, 8, 4]),
        (make_node("Reshape", ["x"], ["y"], shape=[0, -1]), [2, 96]),
        (make_node("Pad", ["x"], ["y"], paddings=[0, 0, 1, 1, 0, 0, 1, 1]), [2, 6, 6, 6]),
        (make_node("LpPool", ["x"], ["y"], kernel_shape=[2, 2]), [2, 6, 3, 3]),
        (make_node("GlobalLpPool", ["x"], ["y"]), [2, 6, 1, 1]),
        (make_node("Gemm", ["m", "n", "b"], ["y"], broadcast=1), [5, 6]),
        (make_node("Gemm", ["n", "m", "b"], ["y"], transA=1, transB=1), [6, 5]),
        (make_node("Split", ["x"], ["y", "z"], axis=1, split=[2, 4]), [2, 2, 4, 4]),
    ],
    ids=lambda value: value.op_type if hasattr(value, "op_type") else "",
)
def test_shapes_of_first_versions(node: Any, expected: list[int]) -> None:
    inputs = {"x": X, "b": [6], "m": [5, 3], "n": [3, 6]}
    made = model([node], inputs, {"y": None}, opset=1, domains=())
    assert shaped(made).shape("y") == tuple(expected)


def test_the_first_cast_spells_its_type() -> None:
    nodes = [make_node("Cast", ["x"], ["y"], to="FLOAT16")]
    made = model(nodes, {"x": [3]}, {}, opset=1, domains=())
    made.graph.output.add(name="y")
    assert shaped(made).type("y") == TensorType(TensorProto.FLOAT16, (3,))


@pytest.mark.parametrize("to", ["NONSENSE", 1, None])
def test_a_first_cast_of_no_known_type_is_unknown(to: object) -> None:
    given = {} if to is None else {"to": to}
    made = model([make_node("Cast", ["x"], ["y"], **given)], {"x": [3]}, {}, opset=1, domains=())
    made.graph.output.add(name="y")
    type_ = shaped(made).type("y")
    assert type_ is None or (isinstance(type_, TensorType) and type_.dtype == 0)


@pytest.mark.parametrize(
    ("op", "attributes", "columns"),
    [
        ("LinearRegressor", {"coefficients": [1.0] * 8, "targets": 2}, 2),
        ("LinearRegressor", {"coefficients": [1.0] * 4}, 1),
        ("SVMRegressor", {"coefficients": [1.0] * 4, "n_supports": 0}, 1),
    ],
)
def test_regressors_give_a_row_of_targets(op: str, attributes: Any, columns: int) -> None:
    node = make_node(op, ["x"], ["y"], domain="ai.onnx.ml", **attributes)
    made = model([node], {"x": [7, 4]}, {}, domains=("ai.onnx.ml",))
    made.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, None))
    assert shaped(made).shape("y") == (7, columns)
