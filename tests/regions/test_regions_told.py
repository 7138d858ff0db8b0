"""Which values fork, in which order regions stand, and what a region compares and prints as."""

from pathlib import Path

from graphlint import shapes
from graphlint.graph import GraphView
from graphlint.graph_builder import build
from graphlint.model import Model
from graphlint.regions import find_regions
from tests.rules.linting import parsed


def view_of(text: str) -> GraphView:
    view, _ = shapes.infer(build(Model("model", Path("model"), parsed(text), 1, 1)))
    return view


def forks(text: str) -> list[str]:
    return [region.fork for region in find_regions(view_of(text))]


# Which values fork


def test_a_split_forks_the_data_and_not_the_sizes() -> None:
    model = """
        net (float[1,4,8,8] x) => (float[1,4,8,8] y) <int64[2] sizes = {1, 3}> {
            a, b = Split <axis = 1> (x, sizes)
            c = Relu(b)
            y = Concat <axis = 1> (a, c)
        }
    """
    assert forks(model) == ["x"]


def test_a_split_with_one_part_in_use_forks_nothing() -> None:
    model = """
        net (float[1,4,8,8] x) => (float[1,2,8,8] y) {
            a, b = Split <axis = 1> (x)
            c = Relu(a)
            y = Relu(c)
        }
    """
    assert forks(model) == []


def test_a_split_of_another_domain_is_an_operator_like_others() -> None:
    model = """
        <ir_version: 8, opset_import: ["" : 17, "mine" : 1]>
        net (float[1,4,8,8] x) => (float[1,4,8,8] y) {
            a, b = mine.Split(x)
            y = Concat <axis = 1> (a, b)
        }
    """
    assert forks(model) == []


def test_a_size_that_is_known_only_at_run_time_forks_nothing() -> None:
    model = """
        net (float[N,4,H,W] x) => (float[N,4,H,W] y) <int64 third = {2}, int64[1] axis = {0}> {
            s = Shape(x)
            h = Gather(s, third)
            a = Unsqueeze(h, axis)
            b = Unsqueeze(h, axis)
            t = Concat <axis = 0> (a, b, a, b)
            p = Tile(x, t)
            y = Relu(p)
        }
    """
    assert forks(model) == []


def test_a_branch_that_is_taken_by_a_size_still_hands_on_the_data() -> None:
    """The condition depends on no data, what the bodies read does."""
    model = """
        net (float[1,4,8,8] x, float[N] n) => (float[1,4,8,8] y) <int64 one = {1}> {
            size = Size(n)
            short = Less(size, one)
            a = If(short) <
                then_branch = one () => (float[1,4,8,8] p) { p = Relu(x) },
                else_branch = two () => (float[1,4,8,8] q) { q = Sigmoid(x) }
            >
            b = Relu(a)
            c = Sigmoid(a)
            y = Add(b, c)
        }
    """
    assert forks(model) == ["a"]


def test_an_operator_that_leaves_its_optional_input_out_makes_a_constant_all_the_same() -> None:
    model = """
        net (float[1,N] x) => (float[1,N] y) <float low = {0}> {
            s = Shape(x)
            f = Cast <to = 1> (s)
            g = Clip(f, low, )
            h = Clip(f, , low)
            k = Add(g, h)
            m = ReduceMax(k)
            y = Mul(x, m)
        }
    """
    assert forks(model) == []


def test_a_value_that_leaves_the_model_and_is_read_once_forks_nothing() -> None:
    model = """
        net (float[1,4,8,8] x) => (float[1,4,8,8] y, float[1,4,8,8] a) {
            a = Relu(x)
            y = Relu(a)
        }
    """
    assert forks(model) == []


# In which order


def test_of_regions_with_one_join_the_later_fork_stands_first() -> None:
    model = """
        net (float[1,4,8,8] x) => (float[1,4,8,8] y) {
            a = Relu(x)
            b = Relu(a)
            c = Relu(b)
            y = Sum(x, a, b, c)
        }
    """
    assert forks(model) == ["b", "a", "x"]


def test_of_two_inputs_with_one_join_the_first_stands_first() -> None:
    model = """
        net (float[1,4,8,8] p, float[1,4,8,8] x) => (float[1,4,8,8] y) {
            a = Relu(x)
            b = Relu(p)
            y = Sum(x, p, a, b)
        }
    """
    regions = find_regions(view_of(model))
    assert [(region.fork, region.origin) for region in regions] == [("p", None), ("x", None)]


def test_inner_scopes_stand_before_the_graph_that_holds_them() -> None:
    model = """
        net (float[1,4,8,8] x, bool go) => (float[1,4,8,8] y) {
            p = Relu(x)
            q = Relu(p)
            r = Add(p, q)
            y = If(go) <
                then_branch = one () => (float[1,4,8,8] c) {
                    a = Relu(r)
                    b = Relu(a)
                    c = Add(a, b)
                },
                else_branch = two () => (float[1,4,8,8] d) { d = Relu(r) }
            >
        }
    """
    joins = [region.join.scope for region in find_regions(view_of(model))]
    assert len(joins) == 2
    assert joins[0] != ""
    assert joins[1] == ""


# What it holds


def test_fragments_on_the_way_to_an_output_are_on_no_path_to_a_join() -> None:
    model = """
        net (float[1,4,8,8] x, float[4,4,1,1] w) => (float[1,4,8,8] y, float[1,4,8,8] z) {
            a = Conv(x, w)
            b = Conv(a, w)
            c = Relu(a)
            d = Add(b, c)
            e = Conv(d, w)
            y = Conv(e, w)
            z = Conv(d, w)
        }
    """
    [region] = find_regions(view_of(model))
    assert (region.fork, region.fragments, region.critical_path) == ("a", 1, 1)


def test_branches_stand_in_the_order_of_their_first_nodes() -> None:
    model = """
        net (float[1,4,8,8] x) => (float[1,4,8,8] y) {
            a = Relu(x)
            b = Sigmoid(x)
            c = Tanh(b)
            d = Abs(a)
            e = Neg(d)
            f = Sub(e, d)
            y = Sum(c, f, x)
        }
    """
    [_, outer] = find_regions(view_of(model))
    names = [[node.outputs[0] for node in branch] for branch in outer.branches]
    assert names == [["a", "d", "e", "f"], ["b", "c"], []]


def test_blocks_in_a_row_count_their_own_fragments() -> None:
    blocks = "\n".join(
        f"""
        a{i} = Conv(x{i}, w)
        b{i} = Conv(x{i}, w)
        c{i} = Conv(b{i}, w)
        d{i} = Add(a{i}, c{i})
        x{i + 1} = Conv(d{i}, w)
        """
        for i in range(3)
    )
    model = f"""
        net (float[1,1,8,8] x0) => (float[1,1,8,8] x3) <float[1,1,1,1] w = {{2}}> {{ {blocks} }}
    """
    found = [
        (region.fork, region.fragments, region.own_fragments, region.critical_path)
        for region in find_regions(view_of(model))
    ]
    assert found == [("x0", 3, 3, 2), ("x1", 3, 3, 2), ("x2", 3, 3, 2)]


# What it is

DIAMOND = """
    net (float[1,4,8,8] x) => (float[1,4,8,8] y) {
        a = Relu(x)
        b = Sigmoid(a)
        c = Tanh(a)
        d = Add(b, c)
        y = Neg(d)
    }
"""


def test_a_region_is_the_same_whatever_is_left_out_behind_it() -> None:
    view = view_of(DIAMOND)
    last = next(node.index for node in view.nodes if node.op == "Neg")
    whole, less = find_regions(view), find_regions(view, frozenset({last}))
    assert whole == less
    assert whole[0].nodes == less[0].nodes


def test_a_region_prints_as_what_it_is() -> None:
    [region] = find_regions(view_of(DIAMOND))
    assert repr(region).startswith("Region(fork='a', origin=Node(")
    assert repr(region).endswith("fragments=0, own_fragments=0, critical_path=0)")
