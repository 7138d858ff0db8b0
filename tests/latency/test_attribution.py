"""Every node has a fate, at every level; what is fused, folded and eliminated is called so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.backend.test
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphlint.graph import GraphView
from graphlint.graph_builder import build
from graphlint.latency.attribution import Attribution, attribute
from graphlint.latency.session import LEVELS, Setup, open_session
from graphlint.model import load
from graphlint.shapes import infer

pytest.importorskip("onnxruntime", reason="attribution is tested on what ONNX Runtime makes")

FIXTURES = sorted((Path(__file__).resolve().parents[2] / "fixtures").glob("*.onnx"))
LIGHT = sorted(Path(onnx.backend.test.__file__).parent.glob("data/light/light_*.onnx"))
Optimise = Callable[[Path, str], onnx.ModelProto]


@pytest.fixture
def optimise(tmp_path: Path) -> Optimise:
    def run(path: Path, level: str) -> onnx.ModelProto:
        saved = tmp_path / "optimised.onnx"
        open_session(path, Setup(optimization=level), save_optimised=saved)
        return onnx.load(str(saved), load_external_data=False)

    return run


def view_of(path: Path) -> GraphView:
    model = load(str(path))
    view, _ = infer(build(model), payload=model.payload)
    return view


def write(folder: Path, nodes: list[Any], outputs: list[str], **weights: np.ndarray) -> Path:
    """A model with one input `x` of 1x8x8x8."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    path = folder / "model.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def check(view: GraphView, optimised: onnx.ModelProto, found: Attribution) -> None:
    """No node and no kernel is lost."""
    assert len(found.fates) == len(view.nodes)
    kernels = Counter(kernel for group in found.groups for kernel in group.kernels)
    assert kernels == Counter(range(len(optimised.graph.node)))
    for index, fate in enumerate(found.fates):
        runs = {g for g, group in enumerate(found.groups) if index in group.nodes}
        assert set(fate.groups) == runs
        assert bool(runs) == (fate.how in ("own", "fused", "inexact"))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("path", [*FIXTURES, *LIGHT], ids=lambda path: path.stem)
def test_no_node_is_lost_and_none_inexact(path: Path, level: str, optimise: Optimise) -> None:
    view, optimised = view_of(path), optimise(path, level)
    found = attribute(view, optimised)
    check(view, optimised, found)
    assert [i for i, fate in enumerate(found.fates) if fate.how == "inexact"] == []
    if level == "disable":
        assert {fate.how for fate in found.fates} <= {"own", "folded"}


def fates(view: GraphView, found: Attribution) -> dict[str, str]:
    return {node.path: fate.how for node, fate in zip(view.nodes, found.fates, strict=True)}


def test_a_convolution_takes_its_activation_along(tmp_path: Path, optimise: Optimise) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv"),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("Transpose", ["r"], ["y"], "turn", perm=[0, 2, 3, 1]),
    ]
    path = write(tmp_path, nodes, ["y"], w=np.ones((16, 8, 1, 1), np.float32))
    view = view_of(path)
    for level in ("extended", "all"):
        optimised = optimise(path, level)
        found = attribute(view, optimised)
        check(view, optimised, found)
        assert fates(view, found) == {"conv": "fused", "relu": "fused", "turn": "own"}
        assert found.fates[0] == found.fates[1]


def test_common_subexpressions_and_identities_are_eliminated(
    tmp_path: Path, optimise: Optimise
) -> None:
    nodes = [
        helper.make_node("Sigmoid", ["x"], ["a"], "first"),
        helper.make_node("Sigmoid", ["x"], ["b"], "again"),
        helper.make_node("Identity", ["b"], ["i"], "alias"),
        helper.make_node("MatMul", ["a", "i"], ["y"], "product"),
    ]
    path = write(tmp_path, nodes, ["y"])
    view = view_of(path)
    found = attribute(view, optimise(path, "basic"))
    found_fates = fates(view, found)
    # Which of the two is kept is the runtime's choice.
    assert sorted((found_fates["first"], found_fates["again"])) == ["eliminated", "own"]
    assert found_fates["alias"] == "eliminated"
    assert found_fates["product"] == "own"


def test_what_constants_make_is_folded(tmp_path: Path, optimise: Optimise) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], "shape"),
        helper.make_node("Gather", ["s", "i"], ["n"], "gather"),
        helper.make_node("Concat", ["n", "rest"], ["target"], "concat", axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"], "reshape"),
    ]
    path = write(tmp_path, nodes, ["y"], i=np.array([0]), rest=np.array([-1]))
    view = view_of(path)
    found = attribute(view, optimise(path, "basic"))
    assert fates(view, found) == {
        "shape": "folded",
        "gather": "folded",
        "concat": "folded",
        "reshape": "own",
    }


def test_a_node_that_nothing_reads_is_eliminated(tmp_path: Path, optimise: Optimise) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["y"], "live"),
        helper.make_node("Sin", ["x"], ["unread"], "dead"),
    ]
    path = write(tmp_path, nodes, ["y"])
    view = view_of(path)
    for level in LEVELS:
        optimised = optimise(path, level)
        found = attribute(view, optimised)
        check(view, optimised, found)
        assert fates(view, found)["live"] == "own"
        assert fates(view, found)["dead"] in ("own", "eliminated")


def test_bodies_go_with_their_control_node(tmp_path: Path, optimise: Optimise) -> None:
    def branch(op: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info(f"{op}_out", TensorProto.FLOAT, None)
        node = helper.make_node(op, ["r"], [f"{op}_out"], f"{op}_node")
        return helper.make_graph([node], op, [], [out])

    nodes = [
        helper.make_node("Relu", ["x"], ["r"], "relu"),
        helper.make_node("ReduceSum", ["x"], ["sum"], "sum", keepdims=0),
        helper.make_node("Cast", ["sum"], ["flag"], "cast", to=TensorProto.BOOL),
        helper.make_node(
            "If", ["flag"], ["y"], "if", then_branch=branch("Sin"), else_branch=branch("Cos")
        ),
    ]
    path = write(tmp_path, nodes, ["y"])
    view = view_of(path)
    for level in LEVELS:
        optimised = optimise(path, level)
        found = attribute(view, optimised)
        check(view, optimised, found)
        by_path = dict(zip((node.path for node in view.nodes), found.fates, strict=True))
        control = by_path.pop("if")
        bodies = [fate for path, fate in by_path.items() if path.startswith("if/")]
        assert len(bodies) == 2
        assert all(fate == control and fate.how == "fused" for fate in bodies)
        assert by_path["relu"].how == "own"


def test_functions_are_followed_into_what_the_runtime_inlines(
    tmp_path: Path, optimise: Optimise
) -> None:
    function = helper.make_function(
        "local",
        "Block",
        ["a", "k"],
        ["b"],
        [
            helper.make_node("Conv", ["a", "k"], ["t"], "conv"),
            helper.make_node("Relu", ["t"], ["u"], "relu"),
            helper.make_node("Sigmoid", ["u"], ["b"], "sigmoid"),
        ],
        [helper.make_opsetid("", 17)],
    )
    nodes = [
        helper.make_node("Block", ["x", "w"], ["m"], "one", domain="local"),
        helper.make_node("Block", ["m", "w"], ["y"], "two", domain="local"),
    ]
    path = write(tmp_path, nodes, ["y"], w=np.ones((8, 8, 1, 1), np.float32))
    model = onnx.load(str(path))
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("local", 1))
    onnx.save(model, str(path))
    view = view_of(path)
    plain = optimise(path, "disable")
    found = attribute(view, plain)
    check(view, plain, found)
    assert {fate.how for fate in found.fates} == {"own"}
    for level in LEVELS[1:]:
        optimised = optimise(path, level)
        found = attribute(view, optimised)
        check(view, optimised, found)
        assert "inexact" not in {fate.how for fate in found.fates}


def test_quantised_models_lose_no_node(tmp_path: Path, optimise: Optimise) -> None:
    def quantise(source: str, name: str) -> list[onnx.NodeProto]:
        return [
            helper.make_node("QuantizeLinear", [source, "s", "z"], [f"{name}_q"], f"{name}_q"),
            helper.make_node("DequantizeLinear", [f"{name}_q", "s", "z"], [name], f"{name}_dq"),
        ]

    nodes = [
        *quantise("x", "xd"),
        helper.make_node("DequantizeLinear", ["wq", "s", "wz"], ["wd"], "w_dq"),
        helper.make_node("Conv", ["xd", "wd"], ["c"], "conv"),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        *quantise("r", "rd"),
        helper.make_node("Add", ["rd", "xd"], ["t"], "add"),
        *quantise("t", "y"),
    ]
    path = write(
        tmp_path,
        nodes,
        ["y"],
        wq=np.ones((8, 8, 1, 1), np.int8),
        s=np.array(0.1, np.float32),
        z=np.array(128, np.uint8),
        wz=np.array(0, np.int8),
    )
    view = view_of(path)
    for level in LEVELS:
        optimised = optimise(path, level)
        check(view, optimised, attribute(view, optimised))
