"""Inputs fit the model: made by type, shape and use, or checked when they are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from graphlint.bindings import Bindings
from graphlint.graph import GraphView
from graphlint.graph_builder import build
from graphlint.latency import inputs
from graphlint.latency.session import LatencyError, LatencyUsageError
from graphlint.model import Model
from graphlint.shapes import infer

Declared = dict[str, tuple[int, list[int | str] | None]]


def view_of(nodes: list, declared: Declared, bindings: Bindings | None = None) -> GraphView:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, *type_) for name, type_ in declared.items()],
        [],
        [helper.make_tensor("table", TensorProto.FLOAT, [5, 3], [0.0] * 15)],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    view, _ = infer(build(Model("m.onnx", Path("m.onnx"), proto, 0, 0)), bindings or Bindings())
    return view


def test_ids_stay_within_the_rows_of_their_table() -> None:
    nodes = [
        helper.make_node("Cast", ["ids"], ["cast"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "cast"], ["y"]),
    ]
    made = inputs.make(view_of(nodes, {"ids": (TensorProto.INT32, [4, 100])}))["ids"]
    assert made.dtype == np.int32
    assert made.shape == (4, 100)
    assert set(np.unique(made)) == {0, 1, 2, 3, 4}


def test_masks_lengths_and_floats() -> None:
    made = inputs.make(
        view_of(
            [],
            {
                "attention_mask": (TensorProto.INT64, [1, 7]),
                "seqlens": (TensorProto.INT32, [1]),
                "x": (TensorProto.FLOAT16, [2, 3]),
                "flag": (TensorProto.BOOL, []),
                "text": (TensorProto.STRING, [2]),
                "picture": (TensorProto.UINT8, [1, 3, 16, 16]),
            },
        )
    )
    assert made["attention_mask"].tolist() == [[1] * 7]
    assert made["seqlens"].tolist() == [7]
    assert made["x"].dtype == np.float16
    assert made["flag"].all()
    assert made["text"].tolist() == ["a", "a"]
    assert len(np.unique(made["picture"])) > 100


def test_the_same_model_gets_the_same_inputs() -> None:
    view = view_of([], {"x": (TensorProto.FLOAT, [8])})
    assert inputs.make(view)["x"].tolist() == inputs.make(view)["x"].tolist()


def test_an_unknown_shape_names_the_option() -> None:
    view = view_of([], {"x": (TensorProto.FLOAT, [1, "width"])})
    with pytest.raises(LatencyError) as caught:
        inputs.make(view)
    assert "'x'" in caught.value.message
    assert "--input-shape x" in caught.value.hint
    bound = view_of([], {"x": (TensorProto.FLOAT, [1, "width"])}, Bindings(dims={"width": 9}))
    assert inputs.make(bound)["x"].shape == (1, 9)


@pytest.mark.parametrize(
    ("feed", "words"),
    [
        ({"y": np.ones((1, 4), np.float32)}, ["'y'", "'x'"]),
        ({}, ["'x' is missing", "the file has none"]),
        ({"x": np.ones((1, 4), np.float64)}, ["float32", "float64"]),
        ({"x": np.ones((1, 5), np.float32)}, ["?x4", "1x5"]),
        ({"x": np.ones(4, np.float32)}, ["?x4", "the file has 4"]),
    ],
)
def test_given_data_that_does_not_fit_says_both(feed: dict, words: list[str]) -> None:
    view = view_of([], {"x": (TensorProto.FLOAT, ["?", 4])})
    with pytest.raises(LatencyUsageError) as caught:
        inputs.check(feed, view)
    text = str(caught.value)
    assert all(word.replace("?x4", "x4") in text for word in words)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "good.npz", x=np.ones(3))
    assert inputs.load(tmp_path / "good.npz")["x"].tolist() == [1.0, 1.0, 1.0]
    np.save(tmp_path / "one.npy", np.ones(3))
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "objects.npz", x=np.array([{}], dtype=object))
    for name in ("one.npy", "text.npz", "missing.npz"):
        with pytest.raises(LatencyUsageError, match=name):
            inputs.load(tmp_path / name)
    with pytest.raises(LatencyUsageError):
        inputs.load(tmp_path / "objects.npz")
