"""G3: which regions are building blocks, what of them runs in parallel, and what is said of it."""

import pytest

from graphlint_rules import G3
from tests.rules.linting import context_of, sites


def four_ways(
    way: str, join: str, x: str, y: str, weight: str = "4,4,1,1", kind: str = "float"
) -> str:
    """Four times `way`, which reads `x` and makes `@`, joined to `y`; @ is a letter of its own."""
    body = "\n".join(way.replace("@", letter) for letter in "abcd")
    return f"""
        <ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        net ({kind}[{x}] x, {kind}[{weight}] w) => ({kind}[{y}] y)
        <float s = {{0.5}}, uint8 z = {{0}}> {{
            {body}
            {join}
        }}
    """


# Sizes: up to a stride of 4, without padding up to a kernel of 7


@pytest.mark.parametrize(
    ("way", "before", "after", "kernel", "found"),
    [
        ("Conv", "30,30", "30,30", 1, True),
        ("Conv <strides = [2, 2]>", "30,30", "15,15", 1, True),
        ("Conv <strides = [3, 3]>", "31,31", "11,11", 1, True),
        ("Conv <strides = [4, 4]>", "100,100", "25,25", 1, True),
        ("Conv <strides = [5, 5]>", "100,100", "20,20", 1, False),
        ("Conv <strides = [1, 2]>", "30,30", "30,15", 1, False),  # of one stride
        ("Conv", "30,30", "24,24", 7, True),
        ("Conv", "30,30", "23,23", 8, False),
        ("Conv <strides = [4, 4]>", "99,99", "24,24", 7, True),
        ("Conv <strides = [4, 4]>", "100,100", "23,23", 9, False),
        ("Conv <pads = [2, 2, 2, 2]>", "30,30", "34,34", 1, False),  # larger than before
        ("Conv <pads = [1, 0, 0, 0]>", "30,30", "31,30", 1, False),
    ],
)
def test_sizes(way: str, before: str, after: str, kernel: int, found: bool) -> None:
    model = four_ways(
        f"@ = {way} (x, w)",
        "y = Sum(a, b, c, d)",
        f"1,4,{before}",
        f"1,4,{after}",
        f"4,4,{kernel},{kernel}",
    )
    assert bool(sites(G3, model)) is found


@pytest.mark.parametrize(
    ("weight", "x"), [("4,4,1", "1,4,9"), ("4,4,1,1", "1,4,9,8"), ("4,4,1,1,1", "1,4,9,8,7")]
)
def test_signals_pictures_and_volumes(weight: str, x: str) -> None:
    model = four_ways("@ = Conv(x, w)", "y = Sum(a, b, c, d)", x, x, weight)
    [site] = sites(G3, model)
    assert site.message.endswith(f" to {x[2:].replace(',', '×')}.")


def test_a_value_without_positions_is_no_block() -> None:
    model = four_ways(
        "p@ = Unsqueeze(x, at) q@ = Conv(p@, w) @ = Squeeze(q@, at)",
        "y = Concat <axis = 1> (a, b, c, d)",
        "2,4",
        "2,16",
        "4,4,1",
    ).replace("<float s", "<int64[1] at = {2}, float s")
    assert sites(G3, model) == []


def test_another_rank_is_no_block() -> None:
    model = four_ways(
        "q@ = Conv(x, w) @ = Unsqueeze(q@, at)", "y = Sum(a, b, c, d)", "1,4,8,8", "1,1,4,8,8"
    ).replace("<float s", "<int64[1] at = {0}, float s")
    assert sites(G3, model) == []


def test_another_batch_is_no_block() -> None:
    model = four_ways(
        "q@ = Conv(x, w) @ = Reshape(q@, into)", "y = Sum(a, b, c, d)", "2,4,8,8", "4,2,8,8"
    ).replace("<float s", "<int64[4] into = {4, 2, 8, 8}, float s")
    assert sites(G3, model) == []


def test_sizes_that_are_not_known_make_no_block() -> None:
    model = four_ways("@ = Conv(x, w)", "y = Sum(a, b, c, d)", "1,4,H,W", "1,4,H,W")
    assert sites(G3, model) == []


# Joins


@pytest.mark.parametrize(("axis", "found"), [(1, True), (-3, True), (2, False), (-2, False)])
def test_the_axis_of_a_concat(axis: int, found: bool) -> None:
    """Four rows of a stride of 4 make up the sizes that there were, and are no channels."""
    strides = "" if found else "<strides = [4, 1]>"
    join = f"y = Concat <axis = {axis}> (a, b, c, d)"
    y = "1,16,8,8" if found else "1,4,8,8"
    assert bool(sites(G3, four_ways(f"@ = Conv {strides} (x, w)", join, "1,4,8,8", y))) is found


def test_the_first_opset_s_concat_has_the_channels_for_its_axis() -> None:
    model = """
        <ir_version: 3, opset_import: ["" : 1]>
        net (float[1,4,8,8] x, float[4,4,1,1] w) => (float[1,16,8,8] y) {
            a = Conv(x, w) b = Conv(x, w) c = Conv(x, w) d = Conv(x, w)
            y = Concat(a, b, c, d)
        }
    """
    assert len(sites(G3, model)) == 1


def test_a_quantised_concat() -> None:
    model = four_ways(
        "@ = QLinearConv(x, s, z, w, s, z, s, z)",
        "y = com.microsoft.QLinearConcat <axis = 1> (s, z, a, s, z, b, s, z, c, s, z, d, s, z)",
        "1,4,8,8",
        "1,16,8,8",
        kind="uint8",
    )
    [site] = sites(G3, model)
    assert "joined by QLinearConcat to 16×8×8" in site.message


@pytest.mark.parametrize(
    ("join", "channels", "found"),
    [
        ("y = com.microsoft.FusedConv(e, w, bias, d)", 4, True),  # a sum that the runtime fused
        ("k = GlobalAveragePool(d) y = com.microsoft.FusedConv(e, k)", 1, False),
    ],
)
def test_a_convolution_joins_where_it_adds_a_tensor(join: str, channels: int, found: bool) -> None:
    model = f"""
        net (float[1,4,8,8] x, float[4,4,1,1] w, float[4] bias) => (float[1,{channels},8,8] y) {{
            a = Conv(x, w) b = Conv(x, w) c = Conv(x, w) d = Conv(x, w)
            e = Sum(a, b, c)
            {join}
        }}
    """
    assert [site.nodes[-1].op for site in sites(G3, model)] == ["FusedConv"] * found


def test_a_product_of_matrices_joins_no_block() -> None:
    model = four_ways(
        "@ = Conv(x, w)", "e = Sum(a, b) f = Sum(c, d) y = MatMul(e, f)", "1,4,8,8", "1,4,8,8"
    )
    assert sites(G3, model) == []


def test_decisions_that_meet_make_no_block() -> None:
    """Yes and no are no data."""
    model = four_ways(
        "m@ = Conv(x, w) @ = Greater(m@, s)",
        "e = And(a, b) f = And(c, d) y = And(e, f)",
        "1,4,8,8",
        "1,4,8,8",
    ).replace("=> (float", "=> (bool")
    assert sites(G3, model) == []
    of_numbers = four_ways(
        "m@ = Conv(x, w) @ = Max(m@, s)",
        "e = Add(a, b) f = Add(c, d) y = Add(e, f)",
        "1,4,8,8",
        "1,4,8,8",
    )
    assert len(sites(G3, of_numbers)) == 1


# Channels last


LAST = {
    "1,8,4": ("0, 2, 1", "0, 2, 1", "4,4,1", "4"),
    "1,8,7,4": ("0, 3, 1, 2", "0, 2, 3, 1", "4,4,1,1", "4, 1"),
    "1,8,7,6,4": ("0, 4, 1, 2, 3", "0, 2, 3, 4, 1", "4,4,1,1,1", "4, 1, 1"),
}


@pytest.mark.parametrize("shape", LAST)
def test_the_channels_of_transposed_blocks_are_last(shape: str) -> None:
    there, back, weight, rows = LAST[shape]
    way = (
        f"p@ = Transpose <perm = [{there}]> (x) q@ = Conv STRIDES (p@, w)"
        f" @ = Transpose <perm = [{back}]> (q@)"
    )
    for axis in (shape.count(","), -1):
        join = f"y = Concat <axis = {axis}> (a, b, c, d)"
        wide = four_ways(way, join, shape, shape.removesuffix("4") + "16", weight)
        assert len(sites(G3, wide.replace("STRIDES", ""))) == 1
    high = four_ways(way, "y = Concat <axis = 1> (a, b, c, d)", shape, shape, weight)
    assert sites(G3, high.replace("STRIDES", f"<strides = [{rows}]>")) == []


def test_a_strided_block_with_channels_last() -> None:
    """The sizes of its positions are halved, and not those behind them."""
    way = (
        "p@ = Transpose <perm = [0, 3, 1, 2]> (x) q@ = Conv <strides = [2, 2]> (p@, w)"
        " @ = Transpose <perm = [0, 2, 3, 1]> (q@)"
    )
    wide = four_ways(way, "y = Concat <axis = 3> (a, b, c, d)", "2,32,32,4", "2,16,16,16")
    assert len(sites(G3, wide)) == 1


@pytest.mark.parametrize("after", ["1,9,8,4", "1,8,9,4"])
def test_a_block_with_channels_last_may_not_grow(after: str) -> None:
    pads = "[1, 0, 0, 0]" if after == "1,9,8,4" else "[0, 1, 0, 0]"
    way = f"@ = com.microsoft.NhwcFusedConv <pads = {pads}> (x, w)"
    assert sites(G3, four_ways(way, "y = Sum(a, b, c, d)", "1,8,8,4", after)) == []
    same = four_ways(
        "@ = com.microsoft.NhwcFusedConv(x, w)", "y = Sum(a, b, c, d)", *["1,8,8,4"] * 2
    )
    assert len(sites(G3, same)) == 1


@pytest.mark.parametrize(
    ("way", "axis", "y", "found"),
    [
        ("@ = com.microsoft.NhwcFusedConv(x, w)", 3, "1,9,8,16", True),
        ("@ = com.microsoft.NhwcFusedConv(x, w)", 1, "1,36,8,4", False),
        ("@ = com.microsoft.NhwcMaxPool <kernel_shape = [1, 1]> (x)", 3, "1,9,8,16", True),
    ],
)
def test_operators_with_channels_last(way: str, axis: int, y: str, found: bool) -> None:
    kind = "uint8" if "Pool" in way else "float"
    model = four_ways(
        way, f"y = Concat <axis = {axis}> (a, b, c, d)", "1,9,8,4", y, "4,4,1,1", kind
    )
    assert bool(sites(G3, model)) is found


def test_operators_that_say_that_their_channels_are_last() -> None:
    model = four_ways(
        "@ = com.microsoft.QLinearConv <channels_last = 1> (x, s, z, w, s, z, s, z)",
        "y = Concat <axis = 3> (a, b, c, d)",
        "1,9,8,4",
        "1,9,8,16",
        kind="uint8",
    )
    assert len(sites(G3, model)) == 1


# What runs in parallel


def test_branches_that_exchange_data_are_not_counted_as_branches() -> None:
    model = """
        net (float[1,4,8,8] x, float[4,4,1,1] w) => (float[1,12,8,8] y) {
            a = Conv(x, w) b = Conv(x, w) c = Conv(x, w) d = Conv(x, w)
            e = Add(a, b) f = Add(b, c) g = Add(c, d)
            y = Concat <axis = 1> (e, f, g)
        }
    """
    [site] = sites(G3, model)
    assert site.message == (
        "4 fragments, 1 on the critical path: 3 could run in parallel; joined by Concat to 12×8×8."
    )


def test_two_branches_are_told() -> None:
    """Of a branch of five and one of three, three stand beside the longest way."""
    model = """
        net (float[1,4,8,8] x, float[4,4,1,1] w) => (float[1,4,8,8] y) {
            a = Conv(x, w) b = Conv(a, w) c = Conv(b, w) d = Conv(c, w) e = Conv(d, w)
            f = Conv(x, w) g = MaxPool <kernel_shape = [1, 1]> (f) h = Conv(g, w)
            i = Relu(x)
            y = Sum(e, h, i)
        }
    """
    [site] = sites(G3, model)
    assert site.message == (
        "8 fragments on 2 branches, 5 on the critical path: 3 could run in parallel; "
        "joined by Sum to 4×8×8."
    )
    assert sites(G3, model, max_parallel_fragments=3) == []


@pytest.mark.parametrize(("most", "found"), [(0, 1), (1, 0)])
def test_none_may_lie_beside_the_longest_way(most: int, found: int) -> None:
    model = """
        net (float[1,4,8,8] x, float[4,4,1,1] w) => (float[1,4,8,8] y) {
            a = Conv(x, w)
            b = Conv(x, w)
            y = Add(a, b)
        }
    """
    assert len(sites(G3, model, max_parallel_fragments=most)) == found


def test_nothing_may_lie_beside_a_fragment_alone() -> None:
    model = """
        net (float[1,4,8,8] x, float[4,4,1,1] w) => (float[1,4,8,8] y) {
            a = Conv(x, w)
            y = Add(a, x)
        }
    """
    assert sites(G3, model, max_parallel_fragments=0) == []


@pytest.mark.parametrize("fork", ["x", "f"], ids=["an input", "a value"])
@pytest.mark.parametrize(("ways", "found"), [(2, ["q"]), (3, ["q", "y"])])
def test_what_a_nested_block_holds_is_its_own(ways: int, found: list[str], fork: str) -> None:
    """Beside a way of three fragments, and a block of four behind them, stand ways of one."""
    more = "".join(f"m{i} = Conv({fork}, w) " for i in range(ways))
    joined = ", ".join(f"m{i}" for i in range(ways))
    model = f"""
        net (float[1,4,8,8] x, float[4,4,1,1] w) => (float[1,4,8,8] y) {{
            {"f = Relu(x)" if fork == "f" else ""}
            p1 = Conv({fork}, w) p2 = Conv(p1, w) p3 = Conv(p2, w)
            a = Conv(p3, w) b = Conv(p3, w) c = Conv(p3, w) d = Conv(p3, w)
            q = Sum(a, b, c, d)
            {more}
            y = Sum(q, {joined})
        }}
    """
    assert [site.nodes[-1].outputs[0] for site in sites(G3, model)] == found


def test_a_body_s_block_counts_however_often_it_runs() -> None:
    model = """
        net (float[1,4,8,8] x, float[4,4,1,1] w) => (float[1,4,8,8] y) <int64 times = {5}> {
            keep = Constant <value_int = 1> ()
            go = Cast <to = 9> (keep)
            y = Loop(times, go, x) <body = body (int64 i, bool k, float[1,4,8,8] s)
                => (bool l, float[1,4,8,8] t) {
                l = Identity(k)
                a = Conv(s, w) b = Conv(s, w) c = Conv(s, w) d = Conv(s, w)
                t = Sum(a, b, c, d)
            }>
        }
    """
    assert len(sites(G3, model)) == 1
    never = model.replace("times = {5}", "times = {0}")
    assert sites(G3, never) == []


def test_regions_are_looked_for_only_where_there_are_enough_fragments() -> None:
    """A model with few fragments is told at once."""
    context = context_of(four_ways("@ = Relu(x)", "y = Sum(a, b, c, d)", "1,4,8,8", "1,4,8,8"), G3)
    assert list(G3.check(context)) == []
    assert "regions" not in vars(context)
