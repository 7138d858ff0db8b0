"""G3: which joins make a building block, and what is counted in it."""

import pytest

from graphlint_rules import G2, G3
from tests.rules.linting import operators, sites


def four_ways(
    join: str, *, x: str = "1,64,28,28", y: str = "1,64,28,28", attributes: str = ""
) -> str:
    body = "\n".join(f"{name} = Conv {attributes} (x, w)" for name in "abcd")
    return f"""
        net (float[{x}] x, float[64,64,1,1] w, float[1,1,28,28] one) => (float[{y}] y) {{
            {body}
            {join}
        }}
    """


def test_message_and_nodes() -> None:
    [site] = sites(G3, four_ways("y = Concat <axis = 1> (a, b, c, d)", y="1,256,28,28"))
    assert site.message == (
        "4 fragments on 4 branches, 1 on the critical path: 3 could run in parallel; "
        "joined by Concat to 256×28×28."
    )
    assert site.excess_bytes is None
    assert operators(site) == ["Conv", "Conv", "Conv", "Conv", "Concat"]


def test_max_parallel_fragments() -> None:
    model = four_ways("y = Sum(a, b, c, d)")
    assert len(sites(G3, model)) == 1
    assert sites(G3, model, max_parallel_fragments=3) == []


def test_a_stride_may_lie_between() -> None:
    model = four_ways("y = Sum(a, b, c, d)", y="1,64,14,14", attributes="<strides = [2, 2]>")
    assert len(sites(G3, model)) == 1


@pytest.mark.parametrize(
    ("join", "shape"),
    [
        pytest.param("y = Concat <axis = 2> (a, b, c, d)", "1,64,112,28", id="over positions"),
        pytest.param("y = Concat <axis = 0> (a, b, c, d)", "4,64,28,28", id="over the batch"),
        pytest.param("y = Max(a, b, c, d)", "1,64,28,28", id="element-wise"),
        pytest.param(
            "e = Sum(a, b, c, d) y = Flatten(e)", "1,50176", id="flattened behind the join"
        ),
        pytest.param(
            "e = Flatten(a) f = Flatten(b) g = Flatten(c) h = Flatten(d)"
            " y = Concat <axis = 1> (e, f, g, h)",
            "1,200704",
            id="flattened before the join",
        ),
        pytest.param(
            "e = GlobalAveragePool(a) f = GlobalAveragePool(b) g = GlobalAveragePool(c)"
            " h = GlobalAveragePool(d) y = Concat <axis = 1> (e, f, g, h)",
            "1,256,1,1",
            id="pooled away",
        ),
    ],
)
def test_joins(join: str, shape: str, request: pytest.FixtureRequest) -> None:
    is_block = request.node.callspec.id in ("element-wise", "flattened behind the join")
    assert bool(sites(G3, four_ways(join, y=shape))) is is_block


def test_channels_last_blocks() -> None:
    def branch(number: int) -> str:
        return f"""
            t{number} = Transpose <perm = [0, 3, 1, 2]> (x)
            c{number} = Conv(t{number}, w)
            b{number} = Transpose <perm = [0, 2, 3, 1]> (c{number})
        """

    model = f"""
        net (float[1,28,28,64] x, float[64,64,1,1] w) => (float[1,28,28,256] y) {{
            {"".join(map(branch, range(4)))}
            y = Concat <axis = 3> (b0, b1, b2, b3)
        }}
    """
    assert len(sites(G3, model)) == 1


def test_a_skip_over_blocks_is_not_charged_with_theirs() -> None:
    """Projections in series: each block has one parallel fragment, the skip around them none."""
    blocks = "\n".join(
        f"""
        a{i} = Conv(x{i}, w)
        b{i} = Conv(a{i}, w)
        p{i} = Conv(x{i}, w)
        x{i + 1} = Add(b{i}, p{i})
        """
        for i in range(6)
    )
    model = f"""
        net (float[1,8,8,8] x, float[8,8,1,1] w) => (float[1,8,8,8] y) {{
            x0 = Conv(x, w)
            {blocks}
            y = Add(x, x6)
        }}
    """
    assert sites(G3, model) == []


def test_an_outer_block_is_reported_for_its_own_branches() -> None:
    """Inception v3's last modules: two branches fork again, by one fragment each."""
    model = """
        net (float[1,8,8,8] x, float[8,8,1,1] w) => (float[1,48,8,8] y) {
            a = Conv(x, w)
            b = Conv(x, w)
            b1 = Conv(b, w)
            b2 = Conv(b, w)
            bb = Concat <axis = 1> (b1, b2)
            c = Conv(x, w)
            d = Conv(c, w)
            d1 = Conv(d, w)
            d2 = Conv(d, w)
            dd = Concat <axis = 1> (d1, d2)
            e = MaxPool <kernel_shape = [1, 1]> (x)
            f = Conv(e, w)
            y = Concat <axis = 1> (a, bb, dd, f)
        }
    """
    [site] = sites(G3, model)
    assert site.message.startswith("10 fragments on 4 branches, 3 on the critical path")


@pytest.mark.parametrize("parts", ["Split", "Slice"])
def test_unrolled_groups_belong_to_group_convolution(parts: str) -> None:
    if parts == "Split":
        forks = "a, b, c, d = Split <axis = 1> (x)"
    else:
        forks = "\n".join(
            f"{name} = Slice(x, at{i}, at{i + 1}, axis)" for i, name in enumerate("abcd")
        )
    numbers = ", ".join(f"int64[1] at{i} = {{{16 * i}}}" for i in range(5))
    model = f"""
        net (float[1,64,28,28] x, float[16,16,3,3] v) => (float[1,64,28,28] y)
        <int64[1] axis = {{1}}, {numbers}> {{
            {forks}
            e = Conv <pads = [1, 1, 1, 1]> (a, v)
            f = Conv <pads = [1, 1, 1, 1]> (b, v)
            g = Conv <pads = [1, 1, 1, 1]> (c, v)
            h = Conv <pads = [1, 1, 1, 1]> (d, v)
            y = Concat <axis = 1> (e, f, g, h)
        }}
    """
    assert sites(G3, model) == []
    assert len(sites(G2, model)) == 1
