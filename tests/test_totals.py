"""From nodes to the model: what is added up, repeated, shared and left out."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import fields

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from graphlint.bindings import Bindings
from graphlint.costs import NodeCost
from tests.models import FIXTURES, Typed, costs_of, graph, model, shaped

FIGURES = [f.name for f in fields(NodeCost) if f.type == "int"]


def array(*shape: int, name: str = "w") -> TensorProto:
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


def integers(*numbers: int, name: str) -> TensorProto:
    return numpy_helper.from_array(np.array(numbers, np.int64), name)


def figures(cost: NodeCost) -> dict[str, int]:
    return {name: getattr(cost, name) for name in FIGURES}


def fixture(name: str) -> ModelProto:
    (path,) = [path for path in FIXTURES if path.stem == name]
    return onnx.load(path)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_the_total_is_the_sum_of_the_nodes(path: str) -> None:
    costs = costs_of(onnx.load(path), _sizes(onnx.load(path)))
    assert costs.uncosted == 0
    for name in FIGURES:
        if name != "parameters":
            assert getattr(costs.total, name) == sum(getattr(cost, name) for cost in costs.nodes)
    assert costs.total.multiply_adds > 0


def _sizes(proto: ModelProto) -> Bindings:
    """The height and width that ShuffleNet is made for, where a fixture leaves them open."""
    dims = {
        dim.dim_param
        for info in proto.graph.input
        for dim in info.type.tensor_type.shape.dim[1:]
        if dim.dim_param
    }
    return Bindings(dims=dict.fromkeys(dims, 224))


# Control flow


def branch(width: int) -> GraphProto:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Relu", ["m"], ["v"])]
    return graph(nodes, {}, {"v": [4, width]}, [array(8, width)])


def choice(then: GraphProto, other: GraphProto) -> ModelProto:
    node = helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other, name="if")
    inputs: Typed = {"c": (TensorProto.BOOL, []), "x": [4, 8]}
    return model([node], inputs, {"y": [4, None]})


@pytest.mark.parametrize(("then", "other"), [(16, 4), (4, 16)])
def test_the_dearer_branch_counts(then: int, other: int) -> None:
    costs = costs_of(choice(branch(then), branch(other)))
    assert costs.total.multiply_adds == 4 * 8 * 16
    assert costs.total.weight_bytes == 4 * 8 * 16
    taken = "then_branch" if then > other else "else_branch"
    assert costs.executions[f"if/{taken}"] == 1
    assert sorted(n for p, n in costs.executions.items() if p) == [0, 1]


def body(nodes: list[NodeProto], *weights: TensorProto) -> GraphProto:
    return graph(nodes, {}, {"v": [None, 8]}, list(weights))


def nested(inner: GraphProto) -> GraphProto:
    """The graph as both branches of an If of its own."""
    node = helper.make_node("If", ["c"], ["v"], then_branch=inner, else_branch=inner)
    return body([node])


# Both move 128 elements: 32 read, 64 weights, 32 written; 32, 32 and 64.
MULTIPLYING = body([helper.make_node("MatMul", ["x", "w"], ["v"])], array(8, 8))
COPYING = body([helper.make_node("Concat", ["x", "w"], ["v"], axis=0)], array(4, 8))


@pytest.mark.parametrize("wrap", [lambda one: one, nested], ids=["plain", "nested"])
@pytest.mark.parametrize("turned", [False, True])
def test_of_branches_that_move_as_much_the_one_that_multiplies_counts(
    wrap: Callable[[GraphProto], GraphProto], turned: bool
) -> None:
    pair = [wrap(MULTIPLYING), wrap(COPYING)]
    total = costs_of(choice(*(pair[::-1] if turned else pair))).total
    assert total.memory_access_bytes == 4 * 128
    assert total.multiply_adds == 4 * 8 * 8


@pytest.mark.parametrize("wrap", [lambda one: one, nested], ids=["plain", "nested"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_branch_that_moves_more_counts_though_it_multiplies_nothing(
    wrap: Callable[[GraphProto], GraphProto], turned: bool
) -> None:
    more = body([helper.make_node("Concat", ["x", "w"], ["v"], axis=0)], array(5, 8))
    pair = [wrap(MULTIPLYING), wrap(more)]
    total = costs_of(choice(*(pair[::-1] if turned else pair))).total
    assert (total.memory_access_bytes, total.multiply_adds) == (4 * 144, 0)


@pytest.mark.parametrize("turned", [False, True])
def test_what_a_branch_contains_is_weighed_with_it(turned: bool) -> None:
    pair = [nested(branch(64)), branch(16)]
    total = costs_of(choice(*(pair[::-1] if turned else pair))).total
    assert total.multiply_adds == 4 * 8 * 64


def test_what_is_unknown_stays_so_in_the_cheaper_branch() -> None:
    """With it, the branch might have been the dearer."""
    lost = body([helper.make_node("Frob", ["x"], ["v"], domain="my.domain")])
    costs = costs_of(choice(branch(16), lost))
    assert costs.total.multiply_adds == 4 * 8 * 16
    assert costs.uncosted == 1


def test_a_choice_without_branches_is_no_error() -> None:
    nodes = [helper.make_node("If", ["c"], ["y"]), helper.make_node("Relu", ["x"], ["z"])]
    costs = costs_of(model(nodes, {"c": (TensorProto.BOOL, []), "x": [4]}, {"z": [4]}))
    assert costs.total.element_operations == 4


def test_a_branch_that_is_known_counts_even_if_it_is_cheaper() -> None:
    proto = choice(branch(4), branch(16))
    proto.graph.initializer.append(numpy_helper.from_array(np.array(True), "c"))
    assert costs_of(proto).total.multiply_adds == 4 * 8 * 4


def test_a_branch_that_never_runs_takes_its_inner_bodies_with_it() -> None:
    inner = helper.make_node("If", ["c"], ["v"], then_branch=branch(4), else_branch=branch(8))
    small = graph([inner], {}, {"v": [4, None]})
    proto = choice(branch(64), small)
    assert costs_of(proto).total.multiply_adds == 4 * 8 * 64


def loop(limit: TensorProto | None, *, goes_on: bool = True) -> ModelProto:
    """A MatMul and a Relu that are run `limit` times, or as often as the input says."""
    going = helper.make_node("Identity", ["k"], ["k2"])
    if not goes_on:
        going = helper.make_node("Not", ["k"], ["k2"])
    body = graph(
        [
            going,
            helper.make_node("MatMul", ["v", "w"], ["m"]),
            helper.make_node("Relu", ["m"], ["v2"]),
        ],
        {"i": (TensorProto.INT64, []), "k": (TensorProto.BOOL, []), "v": [8, 8]},
        {"k2": (TensorProto.BOOL, []), "v2": [8, 8]},
        [array(8, 8)],
    )
    node = helper.make_node("Loop", ["n", "", "x"], ["y"], body=body, name="loop")
    count: Typed = {} if limit is not None else {"n": (TensorProto.INT64, [])}
    inputs = {"x": [8, 8], **count}
    return model([node], inputs, {"y": [8, 8]}, [limit] if limit is not None else [])


@pytest.mark.parametrize("trips", [0, 1, 7, 2**40])
def test_a_loop_counts_its_body_for_every_trip(trips: int) -> None:
    limit = numpy_helper.from_array(np.array(trips, np.int64), "n")
    total = costs_of(loop(limit)).total
    assert total.multiply_adds == trips * 8**3
    assert total.weight_bytes == trips * 4 * 64
    assert total.parameters == 64


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_loop_of_unknown_length_is_unknown_with_the_reason(goes_on: bool) -> None:
    limit = None if goes_on else numpy_helper.from_array(np.array(7, np.int64), "n")
    costs = costs_of(loop(limit, goes_on=goes_on))
    assert costs.total.multiply_adds == 0
    # What costs nothing costs nothing however often it runs.
    assert costs.uncosted == (2 if goes_on else 3)
    reasons = {cost.unknown for cost in costs.nodes if cost.unknown}
    assert reasons == {"the trip count of loop (Loop) is not known before the model runs"}


def choosing(trips: int) -> ModelProto:
    """A loop around a Where that moves 7 bytes: a truth value and three half floats."""
    half: tuple[int, list[int]] = (TensorProto.FLOAT16, [1])
    loop_body = graph(
        [
            helper.make_node("Identity", ["k"], ["k2"]),
            helper.make_node("Where", ["t", "v", "o"], ["v2"]),
        ],
        {"i": (TensorProto.INT64, []), "k": (TensorProto.BOOL, []), "v": half},
        {"k2": (TensorProto.BOOL, []), "v2": half},
    )
    limit = numpy_helper.from_array(np.array(trips, np.int64), "n")
    node = helper.make_node("Loop", ["n", "", "x"], ["y"], body=loop_body)
    inputs = {"x": half, "o": half, "t": (TensorProto.BOOL, [1])}
    return model([node], inputs, {"y": half}, [limit])


def test_no_figure_is_above_what_sixty_four_bits_hold() -> None:
    largest = 2**63 - 1
    assert largest % 7 == 0
    assert costs_of(choosing(largest // 7)).total.memory_access_bytes == largest
    costs = costs_of(choosing(largest // 7 + 1))
    assert (costs.uncosted, costs.total.memory_access_bytes) == (1, 0)
    assert {cost.unknown for cost in costs.nodes} == {
        None,
        "its shapes are too large: a figure is above 2^63",
    }


@pytest.mark.parametrize("name", FIGURES)
def test_all_figures_but_the_parameters_are_repeated(name: str) -> None:
    once, three = (
        getattr(costs_of(loop(numpy_helper.from_array(np.array(n, np.int64), "n"))).total, name)
        for n in (1, 3)
    )
    assert once > 0
    assert three == (once if name == "parameters" else 3 * once)


def test_loops_in_loops_multiply() -> None:
    inner = loop(numpy_helper.from_array(np.array(5, np.int64), "n")).graph
    body = graph(
        [
            helper.make_node("Identity", ["k"], ["k2"]),
            helper.make_node("Loop", ["five", "", "v"], ["v2"], body=inner.node[0].attribute[0].g),
        ],
        {"i": (TensorProto.INT64, []), "k": (TensorProto.BOOL, []), "v": [8, 8]},
        {"k2": (TensorProto.BOOL, []), "v2": [8, 8]},
    )
    node = helper.make_node("Loop", ["three", "", "x"], ["y"], body=body)
    limits = [
        numpy_helper.from_array(np.array(size, np.int64), name)
        for name, size in (("three", 3), ("five", 5))
    ]
    total = costs_of(model([node], {"x": [8, 8]}, {"y": [8, 8]}, limits)).total
    assert total.multiply_adds == 15 * 8**3


def test_a_scan_counts_its_body_for_every_step() -> None:
    body = graph(
        [
            helper.make_node("MatMul", ["s", "w"], ["m"]),
            helper.make_node("Add", ["m", "e"], ["s2"]),
        ],
        {"s": [1, 8], "e": [1, 8]},
        {"s2": [1, 8]},
        [array(8, 8)],
    )
    node = helper.make_node("Scan", ["s0", "xs"], ["y"], body=body, num_scan_inputs=1)
    total = costs_of(model([node], {"s0": [1, 8], "xs": [11, 1, 8]}, {"y": [1, 8]})).total
    assert total.multiply_adds == 11 * 64


# Sharing


def test_shared_weights_are_parameters_once_and_read_twice() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["y"]),
    ]
    costs = costs_of(model(nodes, {"x": [4, 8]}, {"y": [4, 8]}, [array(8, 8)]))
    assert [cost.parameters for cost in costs.nodes] == [64, 64]
    assert costs.total.parameters == costs.parameters == 64
    assert costs.total.weight_elements == 128


def test_a_node_that_shares_some_weights_adds_the_others() -> None:
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"]),
        helper.make_node("Gemm", ["a", "w", "b"], ["y"]),
    ]
    weights = [array(8, 8), array(8, name="b")]
    costs = costs_of(model(nodes, {"x": [4, 8]}, {"y": [4, 8]}, weights))
    assert costs.total.parameters == 64 + 8


def test_weights_that_nothing_reads_are_no_parameters() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    costs = costs_of(model(nodes, {"x": [4]}, {"y": [4]}, [array(8, 8)]))
    assert costs.total.parameters == 0


def parameters_by_hand(proto: ModelProto, weights: set[str]) -> int:
    """Elements of the initializers that are named, each once."""
    return sum(
        math.prod(tensor.dims) for tensor in proto.graph.initializer if tensor.name in weights
    )


SHARED = {
    # the same tensor is a running mean for one node and a bias for another, in either order
    "statistics first": [
        helper.make_node("BatchNormalization", ["x", "s", "b", "w", "v"], ["m"]),
        helper.make_node("Add", ["m", "w"], ["y"]),
    ],
    "weights first": [
        helper.make_node("Add", ["x", "w"], ["m"]),
        helper.make_node("BatchNormalization", ["m", "s", "b", "w", "v"], ["y"]),
    ],
    # a setting here, numbers there
    "a setting first": [
        helper.make_node("Pad", ["x", "p", "one"], ["m"]),
        helper.make_node("Add", ["m", "w"], ["n"]),
        helper.make_node("BatchNormalization", ["n", "s", "b", "u", "v"], ["y"]),
    ],
    "asked for its shape": [
        helper.make_node("Shape", ["w"], ["z"]),
        helper.make_node("Add", ["x", "w"], ["n"]),
        helper.make_node("BatchNormalization", ["n", "s", "b", "u", "v"], ["y"]),
    ],
    "twice in one node": [
        helper.make_node("BatchNormalization", ["x", "s", "b", "w", "w"], ["n"]),
        helper.make_node("Add", ["n", "w"], ["m"]),
        helper.make_node("Mul", ["m", "w"], ["y"]),
    ],
}


@pytest.mark.parametrize("nodes", SHARED.values(), ids=SHARED)
def test_parameters_are_the_distinct_tensors_that_some_node_counts_as_weights(
    nodes: list[NodeProto],
) -> None:
    """`s`, `b` and `w` are; means and variances, settings and single numbers are not."""
    stored = [array(3, name=name) for name in "sbwuv"]
    settings = [integers(*[0] * 8, name="p"), array(name="one")]
    proto = model(nodes, {"x": [2, 3, 5, 3]}, {"y": None}, [*stored, *settings])
    assert costs_of(proto).total.parameters == parameters_by_hand(proto, {"s", "b", "w"}) == 9


TRAINED = {"Conv": (1, 2), "Gemm": (1, 2), "BatchNormalization": (1, 2)}


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_parameters_of_networks_are_what_is_trained(path: str) -> None:
    """Kernels, matrices and biases, and the scales and shifts of a normalisation."""
    proto = onnx.load(path)
    trained = {
        name
        for node in proto.graph.node
        for place, name in enumerate(node.input)
        if place in TRAINED.get(node.op_type, ())
    }
    found = costs_of(proto, _sizes(proto)).total.parameters
    assert found == parameters_by_hand(proto, trained) > 0


# Shape arithmetic


def chunked() -> list[NodeProto]:
    """What `chunk(2, dim=1)` becomes at export: shape arithmetic and two Slices."""
    node = helper.make_node
    return [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "one"], ["size"], axis=0),
        node("Add", ["size", "ones"], ["plus"]),
        node("Div", ["plus", "twos"], ["half"]),
        node("Mul", ["half", "ones"], ["end"]),
        node("Slice", ["x", "zeros", "end", "ones"], ["a"], name="left"),
        node("Mul", ["half", "twos"], ["end2"]),
        node("Slice", ["x", "end", "end2", "ones"], ["b"], name="right"),
    ]


def chunk_model(*more: NodeProto) -> ModelProto:
    constants = [
        integers(1, name="one"),
        integers(1, name="ones"),
        integers(2, name="twos"),
        integers(0, name="zeros"),
    ]
    nodes = [*chunked(), *more]
    return model(nodes, {"x": [1, 24, 8, 8]}, {"a": None, "b": None}, constants)


def test_shape_arithmetic_moves_nothing() -> None:
    proto = chunk_model()
    costs = costs_of(proto)
    view = shaped(proto)
    assert view.shape("a") == view.shape("b") == (1, 12, 8, 8)
    free = {view.nodes[index].op for index in costs.shape_arithmetic}
    assert free == {"Shape", "Gather", "Add", "Div", "Mul"}
    assert len(costs.shape_arithmetic) == 6
    half = 4 * 12 * 64
    assert costs.total.memory_access_bytes == 2 * (half + half)
    assert costs.uncosted == 0
    assert costs.total.parameters == 0


def test_static_numbers_that_reach_the_output_or_the_data_are_counted() -> None:
    proto = chunk_model(helper.make_node("Cast", ["end"], ["f"], to=1, name="cast"))
    proto.graph.output.append(helper.make_tensor_value_info("f", 1, None))
    view = shaped(proto)
    costs = costs_of(proto)
    (cast,) = [node for node in view.nodes if node.op == "Cast"]
    assert cast.index not in costs.shape_arithmetic
    assert costs.nodes[cast.index].write_bytes == 4


def arithmetic_of(nodes: list[NodeProto], inputs: Typed, *stored: TensorProto) -> set[str]:
    """The operators that are shape arithmetic, in a model that makes `y`."""
    proto = model(nodes, inputs, {"y": None}, list(stored))
    view = shaped(proto)
    return {view.nodes[index].op for index in costs_of(proto).shape_arithmetic}


SHAPE = helper.make_node("Shape", ["x"], ["s"])
SIZES: Typed = {"x": [2, 3]}


def test_numbers_that_are_fed_are_no_shape_arithmetic() -> None:
    nodes = [
        helper.make_node("Add", ["n", "n"], ["s"]),
        helper.make_node("Expand", ["x", "s"], ["y"]),
    ]
    assert arithmetic_of(nodes, {"x": [1], "n": (TensorProto.INT64, [1])}) == set()


def test_numbers_that_meet_data_are_no_shape_arithmetic() -> None:
    nodes = [
        SHAPE,
        helper.make_node("Cast", ["s"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "z"], ["y"]),
    ]
    assert arithmetic_of(nodes, {**SIZES, "z": [2]}) == set()


def test_a_shape_that_is_data_too_is_counted() -> None:
    nodes = [SHAPE, helper.make_node("Expand", ["s", "s"], ["y"])]
    assert arithmetic_of(nodes, SIZES) == set()
    with_its_own = [SHAPE, helper.make_node("Expand", ["z", "s"], ["y"])]
    assert arithmetic_of(with_its_own, {**SIZES, "z": [1]}) == {"Shape"}


def test_what_an_unknown_operator_takes_is_counted() -> None:
    nodes = [SHAPE, helper.make_node("Frob", ["s"], ["y"], domain="my.domain")]
    assert arithmetic_of(nodes, SIZES) == set()


def test_what_nothing_reads_is_counted() -> None:
    nodes = [
        helper.make_node("Add", ["w", "w"], ["unread"]),
        helper.make_node("Relu", ["x"], ["y"]),
    ]
    assert arithmetic_of(nodes, SIZES, array(2)) == set()


def test_constants_are_no_arithmetic() -> None:
    nodes = [
        helper.make_node("Constant", [], ["c"], value_ints=[2, 3]),
        helper.make_node("Mul", ["c", "ones"], ["s"]),
        helper.make_node("Expand", ["x", "s"], ["y"]),
    ]
    assert arithmetic_of(nodes, SIZES, integers(1, 1, name="ones")) == {"Mul"}


# Invariances

DYNAMIC = model(
    [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Add", ["r", "c"], ["s"]),
        helper.make_node("GlobalAveragePool", ["s"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "k"], ["y"]),
    ],
    {"x": ["N", 8, 14, 14]},
    {"y": ["N", 5]},
    [array(8, 8, 3, 3), array(8, 5, name="k")],
)


@pytest.mark.parametrize("size", [2, 3, 64])
def test_activations_grow_with_the_batch_and_weights_do_not(size: int) -> None:
    one = costs_of(DYNAMIC, Bindings(dims={"N": 1})).total
    many = costs_of(DYNAMIC, Bindings(dims={"N": size})).total
    for name in ("multiply_adds", "element_operations", "read_bytes", "write_bytes"):
        assert getattr(many, name) == size * getattr(one, name) > 0
    assert many.weight_bytes == one.weight_bytes
    assert many.parameters == one.parameters


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(["shufflenet_v1_unit_stride2", "nasnet_cell"]), st.integers())
def test_order_and_names_change_nothing(name: str, seed: int) -> None:
    proto = fixture(name)
    original = costs_of(proto)
    chance = random.Random(seed)
    renamed: dict[str, str] = {"": ""}

    def rename(value: str) -> str:
        return renamed.setdefault(value, f"{chance.randrange(10**9)}/{len(renamed)}")

    for node in proto.graph.node:
        node.input[:] = [rename(value) for value in node.input]
        node.output[:] = [rename(value) for value in node.output]
        node.name = str(chance.random())
    for info in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        info.name = rename(info.name)
    for tensor in proto.graph.initializer:
        tensor.name = rename(tensor.name)
    order = list(range(len(proto.graph.node)))
    chance.shuffle(order)
    nodes = [proto.graph.node[position] for position in order]
    shuffled = ModelProto()
    shuffled.CopyFrom(proto)
    del shuffled.graph.node[:]
    shuffled.graph.node.extend(nodes)
    found = costs_of(shuffled)
    assert figures(found.total) == figures(original.total)
    assert found.uncosted == original.uncosted
    assert len(found.shape_arithmetic) == len(original.shape_arithmetic)
    assert sorted(map(repr, found.nodes)) == sorted(map(repr, original.nodes))


def test_an_unknown_operator_is_reported_by_name_and_left_out() -> None:
    nodes = [
        helper.make_node("Frobnicate", ["x"], ["m"], domain="my.domain"),
        helper.make_node("Frobnicate2", ["x"], ["n"]),
        helper.make_node("Relu", ["x"], ["y"]),
    ]
    costs = costs_of(model(nodes, {"x": [8]}, {"m": [8], "n": [8], "y": [8]}))
    reasons = [cost.unknown for cost in costs.nodes]
    assert "my.domain.Frobnicate:" in str(reasons[0])
    assert "Frobnicate2:" in str(reasons[1])
    assert reasons[2] is None
    assert costs.uncosted == 2
    assert costs.total.memory_access_bytes == 2 * 4 * 8


def test_what_follows_an_unknown_operator_is_unknown_for_its_sake() -> None:
    nodes = [
        helper.make_node("Frob", ["x"], ["m"], domain="my.domain"),
        helper.make_node("Relu", ["m"], ["y"]),
        helper.make_node("Nicate", ["x"], ["n"], domain="my.domain"),
        helper.make_node("Relu", ["n"], ["z"]),
    ]
    costs = costs_of(model(nodes, {"x": [8]}, {"y": None, "z": None}))
    assert "my.domain.Frob " in str(costs.nodes[1].unknown)
    assert "my.domain.Nicate " in str(costs.nodes[3].unknown)
