"""Nodes of two models matched by structure: what is the same stays, what is edited is found."""

from __future__ import annotations

import random
import time

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from graphlint.config import Settings
from graphlint.diffing.alignment import align, rising
from graphlint.diffing.changes import change
from graphlint.diffing.matching import match
from graphlint.diffing.results import Change, Figures
from graphlint.diffing.similarity import Similarity
from graphlint.engine import check
from graphlint.request import Request
from graphlint.results import ModelReport
from graphlint.structure import NodeStructure, Structure
from tests.conftest import Save
from tests.models import FIXTURES, model


def report_of(path: object) -> ModelReport:
    settings = Settings(min_excess=0.0)
    report = check(Request(str(path), settings, want_nodes=True, want_structure=True))
    assert report.errors == ()
    return report


def changed(save: Save, old: onnx.ModelProto, new: onnx.ModelProto) -> Change:
    first, second = report_of(save(old, "old.onnx")), report_of(save(new, "new.onnx"))
    found = change(first, second)
    assert first.totals is not None
    assert second.totals is not None
    total = Figures.of(second.totals) - Figures.of(first.totals)
    shared = Figures(parameters=found.shared_parameters)
    assert Figures.sum(node.delta for node in found.nodes) + shared == total
    return found


def renamed_and_reordered(proto: onnx.ModelProto, seed: int = 0) -> onnx.ModelProto:
    """The same network as another exporter may write it: other names, another order."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    rng = random.Random(seed)
    names = {""}
    table = {"": ""}

    def renamed(name: str) -> str:
        if name not in table:
            table[name] = f"value_{len(names)}"
            names.add(table[name])
        return table[name]

    graph = copy.graph
    for item in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        item.name = renamed(item.name)
    for node in graph.node:
        node.name = f"anything {rng.random()}"
        node.input[:] = map(renamed, node.input)
        node.output[:] = map(renamed, node.output)
    left = list(graph.node)
    made = {"", *(item.name for item in (*graph.input, *graph.initializer))}
    order = []
    while left:
        ready = [node for node in left if made.issuperset(node.input)]
        node = rng.choice(ready)
        left.remove(node)
        made.update(node.output)
        order.append(node)
    del graph.node[:]
    graph.node.extend(order)
    return copy


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_another_export_of_the_same_is_no_change(path: object, save: Save) -> None:
    old = onnx.load(str(path))
    found = changed(save, old, renamed_and_reordered(old))
    assert found.nodes == ()
    assert found.findings == ()
    assert not found.outputs_rewired


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("shufflenet_v1", "shufflenet_v1_dynamic_batch"),
        ("shufflenet_v2", "shufflenet_v2"),
    ],
)
def test_shape_arithmetic_is_no_change(one: str, other: str) -> None:
    paths = {path.stem: path for path in FIXTURES}
    found = change(report_of(paths[one]), report_of(paths[other]))
    assert found.nodes == ()


def test_batch_norm_kept_shows_as_what_it_is() -> None:
    paths = {path.stem: path for path in FIXTURES}
    found = change(report_of(paths["shufflenet_v1"]), report_of(paths["shufflenet_v1_bn"]))
    added = [node.new.title for node in found.nodes if node.kind == "added" and node.new]
    assert set(added) == {"BatchNormalization"}
    rest = [node for node in found.nodes if node.kind != "added"]
    assert {fact.name for node in rest for fact in node.facts} == {"weight B"}
    assert all(node.kind == "changed" for node in rest)


def test_other_spellings_are_no_change(save: Save) -> None:
    """Defaults written out, axes from the other end, settings as inputs, Flatten for Reshape."""
    x = {"x": [1, 4, 2, 2]}
    weight = helper.make_tensor("w", TensorProto.FLOAT, [4, 4, 1, 1], [0.0] * 16)
    plain = model(
        [
            helper.make_node("Conv", ["x", "w"], ["a"]),
            helper.make_node("Add", ["a", "x"], ["b"]),
            helper.make_node("Softmax", ["b"], ["c"], axis=-1),
            helper.make_node("Flatten", ["c"], ["y"]),
        ],
        x,
        {"y": [1, 16]},
        [weight],
    )
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [1, -1])
    spelt = model(
        [
            helper.make_node(
                "Conv",
                ["x", "w"],
                ["a"],
                dilations=[1, 1],
                group=1,
                kernel_shape=[1, 1],
                pads=[0] * 4,
                strides=[1, 1],
            ),
            helper.make_node("Identity", ["x"], ["i"]),
            helper.make_node("Add", ["i", "a"], ["b"]),
            helper.make_node("Softmax", ["b"], ["c"], axis=3),
            helper.make_node("Reshape", ["c", "shape"], ["y"]),
        ],
        x,
        {"y": [1, 16]},
        [weight, shape],
    )
    assert changed(save, plain, spelt).nodes == ()
    clip = helper.make_node("Clip", ["x"], ["y"], min=0.0, max=6.0)
    bounds = [
        helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("l", 0.0), ("h", 6.0))
    ]
    old = model([clip], x, {"y": [1, 4, 2, 2]}, opset=6)
    new = model([helper.make_node("Clip", ["x", "l", "h"], ["y"])], x, {"y": [1, 4, 2, 2]}, bounds)
    assert changed(save, old, new).nodes == ()


# Single edits


def conv_net(
    widths: tuple[int, ...] = (8, 8, 8), relus: tuple[bool, ...] = (True, True), kernel: int = 1
) -> onnx.ModelProto:
    """Convolutions one after the other, with or without a Relu between them."""
    nodes, weights, last = [], [], "x"
    for place, (narrow, wide) in enumerate(zip((4, *widths), widths, strict=False)):
        size = kernel if place == 1 else 1
        weights.append(
            helper.make_tensor(
                f"w{place}",
                TensorProto.FLOAT,
                [wide, narrow, size, size],
                [0.0] * (wide * narrow * size * size),
            )
        )
        pads = [size // 2] * 4
        nodes.append(helper.make_node("Conv", [last, f"w{place}"], [f"c{place}"], pads=pads))
        last = f"c{place}"
        if place < len(relus) and relus[place]:
            nodes.append(helper.make_node("Relu", [last], [f"r{place}"]))
            last = f"r{place}"
    return model(nodes, {"x": [1, 4, 6, 6]}, {last: [1, widths[-1], 6, 6]}, weights)


def told(found: Change) -> list[tuple[str, str, str]]:
    return sorted(
        (node.kind, node.old.title if node.old else "", node.new.title if node.new else "")
        for node in found.nodes
    )


def test_a_widened_convolution(save: Save) -> None:
    found = changed(save, conv_net(), conv_net((8, 12, 8)))
    assert told(found) == [
        ("changed", "Conv 8→8, 1×1", "Conv 12→8, 1×1"),
        ("changed", "Conv 8→8, 1×1", "Conv 8→12, 1×1"),
        ("changed", "Relu", "Relu"),
    ]
    assert found.unchanged == 2


def test_a_removed_and_an_added_node(save: Save) -> None:
    with_relu, without = conv_net(), conv_net(relus=(True, False))
    removed = changed(save, with_relu, without)
    assert told(removed) == [("removed", "Relu", "")]
    assert removed.unchanged == 4
    assert told(changed(save, without, with_relu)) == [("added", "", "Relu")]


def test_a_changed_attribute(save: Save) -> None:
    found = changed(save, conv_net(), conv_net(kernel=3))
    assert told(found) == [("changed", "Conv 8→8, 1×1", "Conv 8→8, 3×3")]
    assert {fact.name for fact in found.nodes[0].facts} == {"pads", "weight W"}


def test_a_removed_unit_of_many_like_it(save: Save) -> None:
    found = changed(save, conv_net((8,) * 9, (True,) * 8), conv_net((8,) * 8, (True,) * 7))
    assert [kind for kind, _, _ in told(found)] == ["removed", "removed"]


def test_an_input_from_elsewhere(save: Save) -> None:
    x = {"x": [1, 4]}

    def residual(source: str) -> onnx.ModelProto:
        nodes = [
            helper.make_node("Relu", ["x"], ["a"]),
            helper.make_node("Sigmoid", ["a"], ["b"]),
            helper.make_node("Tanh", ["b"], ["c"]),
            helper.make_node("Sub", ["c", source], ["y"]),
        ]
        return model(nodes, x, {"y": [1, 4]})

    found = changed(save, residual("a"), residual("b"))
    assert told(found) == [("changed", "Sub", "Sub")]
    assert found.nodes[0].rewired
    assert found.nodes[0].delta == Figures()


def test_outputs_that_change_places(save: Save) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Tanh", ["x"], ["b"])]
    x = {"x": [1, 4]}
    found = changed(
        save,
        model(nodes, x, {"a": [1, 4], "b": [1, 4]}),
        model(nodes, x, {"b": [1, 4], "a": [1, 4]}),
    )
    assert found.nodes == ()
    assert found.outputs_rewired


def test_shared_parameters_are_in_the_sum(save: Save) -> None:
    def twice(second: str) -> onnx.ModelProto:
        weights = [
            helper.make_tensor(name, TensorProto.FLOAT, [4, 4], [0.0] * 16) for name in ("v", "w")
        ]
        nodes = [
            helper.make_node("MatMul", ["x", "w"], ["a"]),
            helper.make_node("MatMul", ["a", second], ["y"]),
        ]
        return model(nodes, {"x": [1, 4]}, {"y": [1, 4]}, weights)

    assert changed(save, twice("w"), twice("v")).shared_parameters == 16


# Any graphs


@st.composite
def structures(draw: st.DrawFn) -> Structure:
    """Small graphs of few kinds of nodes: many are alike."""
    nodes: list[NodeStructure] = []
    for index in range(draw(st.integers(0, 9))):
        op = draw(st.sampled_from(("Conv", "Relu", "Add")))
        places = st.integers(-2, index - 1).filter(lambda place: place != -1)
        inputs = draw(st.lists(places, min_size=1, max_size=2))
        facts = (("width", draw(st.sampled_from("ab"))),)
        nodes.append(
            NodeStructure(op, op, op, facts, tuple(inputs), (1, 4, 2, 2), unordered=op == "Add")
        )
    return Structure(tuple(nodes), (len(nodes) - 1,) if nodes else ())


@given(structures())
def test_all_of_a_model_is_in_itself(structure: Structure) -> None:
    found = match(structure, structure)
    assert len(found) == len(structure.nodes)
    assert all(structure.nodes[a].facts == structure.nodes[b].facts for a, b in found.items())


@given(structures(), structures())
@settings(max_examples=60)
def test_a_match_is_mirrored_and_one_to_one(old: Structure, new: Structure) -> None:
    found = match(old, new)
    assert match(new, old) == {b: a for a, b in found.items()}
    assert len(set(found.values())) == len(found)
    for a, b in found.items():
        assert old.nodes[a].family == new.nodes[b].family


@given(st.lists(st.integers(0, 3), max_size=12), st.lists(st.integers(0, 3), max_size=12))
def test_an_alignment_rises(first: list[int], second: list[int]) -> None:
    pairs = align(first, second, Similarity({}))
    assert rising(pairs) == pairs
    assert all(first[i] == second[j] for i, j in pairs)
    assert len(pairs) >= (1 if set(first) & set(second) else 0)


def repeated(units: int, changed: frozenset[int] = frozenset()) -> Structure:
    """A long network of like units."""
    nodes: list[NodeStructure] = []
    last = -2
    for unit in range(units):
        start = last
        for op in ("Conv", "Relu", "Conv", "Relu", "Add"):
            facts = (("width", "changed" if unit in changed else "as ever"),)
            inputs = (last, start) if op == "Add" else (last,)
            nodes.append(
                NodeStructure(op, op, op, facts, inputs, (1, 4, 2, 2), unordered=op == "Add")
            )
            last = len(nodes) - 1
    return Structure(tuple(nodes), (last,))


def test_ten_thousand_nodes_take_little_time() -> None:
    old, new = repeated(2000), repeated(1990, frozenset(range(100, 1900, 90)))
    started = time.process_time()
    found = match(old, new)
    assert time.process_time() - started < 5
    assert len(found) == len(new.nodes)
