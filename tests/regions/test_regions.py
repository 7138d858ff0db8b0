"""Fork-join regions: the paper's own counts, odd graphs, and a brute-force check."""

from collections import Counter
from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper

import graphlint.regions
from fixtures.build import FOLDER
from graphlint import shapes
from graphlint.graph import GraphView
from graphlint.graph_builder import build
from graphlint.model import Model
from graphlint.regions import Region, find_regions, is_fragment
from tests.line_count import lines
from tests.rules.linting import parsed

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def view_of(model: ModelProto | str) -> GraphView:
    proto = parsed(model) if isinstance(model, str) else model
    view, _ = shapes.infer(build(Model("model", Path("model"), proto, 1, 1)))
    return view


def figures(regions: tuple[Region, ...]) -> Counter[tuple[int, int]]:
    return Counter((region.fragments, region.critical_path) for region in regions)


@pytest.mark.parametrize(
    ("name", "fragments", "critical_path", "branches"),
    [
        ("resnet_bottleneck", 3, 3, 2),
        ("resnet_bottleneck_projection", 4, 3, 2),
        ("inception_v1_module", 7, 2, 4),
        ("shufflenet_v1_unit_stride1", 3, 3, 2),
        ("shufflenet_v1_unit_stride2", 4, 3, 2),
        ("shufflenet_v2_unit_stride1", 3, 3, 2),
        ("shufflenet_v2_unit_stride2", 5, 3, 2),
    ],
)
def test_the_papers_blocks(name: str, fragments: int, critical_path: int, branches: int) -> None:
    [region] = find_regions(view_of(onnx.load(FOLDER / f"{name}.onnx")))
    assert (region.fragments, region.critical_path) == (fragments, critical_path)
    assert len(region.branches) == branches
    assert sum(map(is_fragment, region.nodes)) == fragments


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet50", {(3, 3): 12, (4, 3): 4}),
        ("inception_v1", {(7, 2): 9}),
        ("densenet121", {(2, 2): 58}),
        ("squeezenet", {(2, 1): 8}),
        ("vgg19", {}),
    ],
)
def test_light_networks(name: str, expected: dict[tuple[int, int], int]) -> None:
    view = view_of(onnx.load(LIGHT / f"light_{name}.onnx"))
    assert figures(find_regions(view)) == expected


def test_a_nasnet_cell_has_a_region_for_each_value_that_forks() -> None:
    regions = find_regions(view_of(onnx.load(FOLDER / "nasnet_cell.onnx")))
    inner = [region for region in regions if region.own_fragments == region.fragments]
    assert len(regions) == 3
    assert len(inner) == 2
    assert all(region.fragments >= 9 for region in inner)


def test_innermost_first_and_what_is_their_own() -> None:
    view = view_of(
        """
        net (float[1,4,8,8] x) => (float[1,4,8,8] y) {
            a = MaxPool <kernel_shape = [1, 1]> (x)
            b = MaxPool <kernel_shape = [1, 1]> (a)
            c = MaxPool <kernel_shape = [1, 1]> (a)
            d = Add(b, c)
            y = Add(d, x)
        }
        """
    )
    inner, outer = find_regions(view)
    assert (inner.fork, inner.fragments, inner.critical_path, inner.own_fragments) == ("a", 2, 1, 2)
    assert (outer.fork, outer.fragments, outer.critical_path, outer.own_fragments) == ("x", 3, 2, 1)
    assert [node.outputs[0] for node in outer.nodes] == ["a", "b", "c", "d"]
    assert outer.origin is None
    assert inner.origin is not None
    assert inner.origin.outputs == ("a",)


def test_a_split_forks() -> None:
    view = view_of(
        """
        net (float[1,4,8,8] x, float[2,2,1,1] w) => (float[1,4,8,8] y) {
            a, b = Split <axis = 1> (x)
            c = Conv(b, w)
            y = Concat <axis = 1> (a, c)
        }
        """
    )
    [region] = find_regions(view)
    assert region.fork == "x"
    assert region.origin is not None
    assert region.origin.op == "Split"
    assert [node.op for node in region.nodes] == ["Conv"]
    assert region.branches[-1] == ()


def test_what_reaches_an_output_first_joins_nowhere() -> None:
    view = view_of(
        """
        net (float[1,4,8,8] x, float[4,4,1,1] w)
            => (float[1,4,8,8] y, float[1,4,8,8] b) {
            a = Conv(x, w)
            b = Relu(a)
            y = Add(a, b)
        }
        """
    )
    assert find_regions(view) == ()


def test_shapes_and_constants_fork_and_join_nothing() -> None:
    view = view_of(
        """
        net (float[N,4,H,W] x, float[4,4,1,1] w) => (float[N,4,P] y)
        <int64 zero = {0}, int64[1] axis = {0}, int64[2] rest = {4, -1}, float[1] one = {1}> {
            a = Conv(x, w)
            s = Shape(a)
            n = Gather(s, zero)
            m = Unsqueeze(n, axis)
            t = Concat <axis = 0> (m, rest)
            b = Mul(a, one)
            c = Add(b, one)
            y = Reshape(c, t)
        }
        """
    )
    assert find_regions(view) == ()


def test_ignored_nodes_are_no_readers() -> None:
    text = """
        net (float[1,4,8,8] x) => (float[1,4,8,8] y) {
            a = Relu(x)
            b = Sigmoid(x)
            y = Add(a, b)
        }
    """
    view = view_of(text)
    assert len(find_regions(view)) == 1
    assert find_regions(view, frozenset({1})) == ()


def test_bodies_have_regions_of_their_own_and_read_for_their_node() -> None:
    view = view_of(
        """
        net (float[1,4,8,8] x, bool go) => (float[1,4,8,8] y) {
            a = MaxPool <kernel_shape = [1, 1]> (x)
            b = If(go) <
                then_branch = one () => (float[1,4,8,8] p) {
                    q = Relu(a)
                    r = MaxPool <kernel_shape = [1, 1]> (q)
                    s = MaxPool <kernel_shape = [1, 1]> (q)
                    p = Add(r, s)
                },
                else_branch = two () => (float[1,4,8,8] u) { u = Relu(a) }
            >
            y = Add(a, b)
        }
        """
    )
    inner, outer = find_regions(view)
    assert (inner.fragments, inner.critical_path) == (2, 1)
    assert inner.join.scope != ""
    assert [node.op for node in outer.nodes] == ["If"]


def test_networkx_is_left_alone_where_nothing_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "networkx", None)
    view = view_of(
        "net (float[1,4,8,8] x, float[4,4,1,1] w) => (float[1,4,8,8] y) { y = Conv(x, w) }"
    )
    assert find_regions(view) == ()


# Random graphs against the definitions


@st.composite
def random_graphs(draw: st.DrawFn) -> ModelProto:
    """Sums and convolutions of what is there already, with some outputs."""
    names = ["x"]
    nodes = []
    for number in range(draw(st.integers(1, 14))):
        read = draw(st.lists(st.sampled_from(names[-5:]), min_size=1, max_size=3, unique=True))
        op = draw(st.sampled_from(["Conv", "Sum", "Relu"])) if len(read) == 1 else "Sum"
        inputs = [*read, "w"] if op == "Conv" else read
        nodes.append(helper.make_node(op, inputs, [f"v{number}"]))
        names.append(f"v{number}")
    read_names = {name for node in nodes for name in node.input}
    outputs = [name for name in names[1:] if name not in read_names]
    outputs += [name for name in names[1:-1] if name in read_names and draw(st.integers(0, 9)) == 0]
    shape = [1, 2, 4, 4]
    graph = helper.make_graph(
        nodes,
        "random",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
        [helper.make_tensor("w", TensorProto.FLOAT, [2, 2, 1, 1], [1.0] * 4)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def all_paths(view: GraphView, key: str) -> list[tuple[int, ...]]:
    """Every path of node indices from a value to where the run ends, by listing them."""
    ends = [()] if view.is_output(key) else []
    return ends + [
        (node.index, *rest)
        for node in view.readers(key)
        for rest in all_paths(view, node.outputs[0])
    ]


def brute_force(view: GraphView) -> set[tuple[str, int, tuple[int, ...], int, int]]:
    found = set()
    for key in (*view.inputs, *(node.outputs[0] for node in view.nodes)):
        paths = all_paths(view, key)
        shared = set.intersection(*map(set, paths))
        if len(view.readers(key)) < 2 or not shared:
            continue
        join = min(shared)  # indices are topological: the first that all paths pass
        before = [path[: path.index(join)] for path in paths]
        nodes = tuple(sorted({index for path in before for index in path}))
        fragments = sum(is_fragment(view.nodes[index]) for index in nodes)
        longest = max(sum(is_fragment(view.nodes[i]) for i in path) for path in before)
        found.add((key, join, nodes, fragments, longest))
    return found


@settings(max_examples=200, deadline=None)
@given(random_graphs())
def test_random_graphs_agree_with_the_definition(model: ModelProto) -> None:
    view = view_of(model)
    found = {
        (
            region.fork,
            region.join.index,
            tuple(node.index for node in region.nodes),
            region.fragments,
            region.critical_path,
        )
        for region in find_regions(view)
    }
    assert found == brute_force(view)


@settings(max_examples=100, deadline=None)
@given(random_graphs())
def test_random_graphs_nest(model: ModelProto) -> None:
    regions = find_regions(view_of(model))
    for position, region in enumerate(regions):
        nodes = {node.index for node in region.nodes}
        nested: set[int] = set()
        for other in regions:
            if other.origin is not None and other.origin.index in nodes:
                assert regions.index(other) < position
                assert {node.index for node in other.nodes} < nodes
                nested.update(node.index for node in other.nodes)
        own = [n for n in region.nodes if n.index not in nested and is_fragment(n)]
        assert region.own_fragments == len(own)
        listed = sorted(node.index for branch in region.branches for node in branch)
        assert listed == sorted(nodes)


# Size


def dense_chain(layers: int) -> ModelProto:
    """Every layer's input is concatenated to its output, as in DenseNet: every value forks."""
    nodes = []
    for i in range(layers):
        nodes += [
            helper.make_node("Conv", [f"x{i}", "w"], [f"a{i}"]),
            helper.make_node("Relu", [f"a{i}"], [f"b{i}"]),
            helper.make_node("Conv", [f"b{i}", "w"], [f"c{i}"]),
            helper.make_node("Sum", [f"x{i}", f"c{i}"], [f"x{i + 1}"]),
        ]
    shape = [1, 2, 4, 4]
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(f"x{layers}", TensorProto.FLOAT, shape)],
        [helper.make_tensor("w", TensorProto.FLOAT, [2, 2, 1, 1], [1.0] * 4)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def operations(view: GraphView) -> int:
    """Lines that are executed, in this module's code and networkx's, while regions are found."""
    return lines(lambda: find_regions(view))


def test_work_grows_with_the_nodes() -> None:
    find_regions(view_of(dense_chain(2)))  # networkx is imported
    small = operations(view_of(dense_chain(100)))
    large = operations(view_of(dense_chain(400)))
    assert large < 4.5 * small


def test_ten_thousand_nodes() -> None:
    model = dense_chain(2500)
    view = build(Model("model", Path("model"), model, 1, 1))
    regions = find_regions(view)
    assert len(regions) == 2500
    assert figures(regions) == {(2, 2): 2500}


def test_regions_compare_by_what_they_are() -> None:
    text = (FOLDER / "resnet_bottleneck.onnx").read_bytes()
    first, second = (view_of(ModelProto.FromString(text)) for _ in range(2))
    assert find_regions(first) == find_regions(second)
    assert graphlint.regions.__all__ == ["Region", "find_regions", "is_fragment"]
