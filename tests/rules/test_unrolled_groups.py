"""Convolutions over the parts of one value: which are groups of one convolution, which are not."""

import pytest
from onnx import TensorProto, helper

from graphlint_rules import G1, G2, G3
from tests.rules.linting import operators, parsed, sites

HEADER = """
    <ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1, "com.ms.internal.nhwc" : 17]>
"""


def parts(
    body: str, *, x: str = "1,8,6,6", weight: str = "3,4,1,1", y: str = "1,6,6,6", end: str = ""
) -> str:
    """Two parts `a` and `b` of x, `body` for each (@), joined as `c` and `d`."""
    twice = " ".join(
        body.replace("@", part).replace("%", result) for part, result in (("a", "c"), ("b", "d"))
    )
    return f"""
        {HEADER}
        net (float[{x}] x, float[{weight}] w, float[{weight}] v) => (float[{y}] y)
        <int64[1] none = {{0}}, int64[1] half = {{4}}, int64[1] all = {{8}}, int64[1] axis = {{1}},
         int64[2] sizes = {{4, 4}}, int64[2] other = {{2, 6}}, float s = {{0.5}}, uint8 z = {{0}},
         float[1,3,1,1] scale = {{1, 2, 3}}, float[1,3,6,6] k = {{{", ".join(["1"] * 108)}}}> {{
            SPLIT
            {twice}
            {end or "y = Concat <axis = 1> (c, d)"}
        }}
    """


SPLIT = "a, b = Split <axis = 1> (x)"
SLICES = "a = Slice(x, none, half, axis) b = Slice(x, half, all, axis)"
CONV = "% = Conv(@, w)"


def found(model: str, split: str = SPLIT) -> list[str]:
    return [site.message for site in sites(G2, model.replace("SPLIT", split))]


def is_grouped(model: str, split: str = SPLIT) -> bool:
    """Whether the two parts are told as one convolution with two groups."""
    return any("8→6, groups 2, " in message for message in found(model, split))


# What spells groups


@pytest.mark.parametrize("split", [SPLIT, "a, b = Split <axis = 1> (x, sizes)", SLICES])
def test_ways_to_split(split: str) -> None:
    assert is_grouped(parts(CONV), split)


@pytest.mark.parametrize(
    "between",
    [
        "% = Conv(@, w)",
        "i@ = Identity(@) % = Conv(i@, w)",
        "q@ = QuantizeLinear(@, s, z) r@ = DequantizeLinear(q@, s, z) % = Conv(r@, w)",
        "h@ = Conv(@, w) % = Relu(h@)",
        "h@ = Conv(@, w) i@ = Mul(h@, scale) % = Clip(i@)",
        "h@ = Conv(@, w) i@ = Identity(h@) % = Identity(i@)",
        '% = com.microsoft.FusedConv <activation = "Relu"> (@, w)',
    ],
)
def test_what_may_lie_between(between: str) -> None:
    assert is_grouped(parts(between))


def test_a_long_way_is_no_hindrance() -> None:
    way = " ".join(f"i{n}@ = Identity(i{n - 1}@)" for n in range(1, 40))
    assert is_grouped(parts(f"i0@ = Identity(@) {way} % = Conv(i39@, w)"))


def test_weights_of_their_own_and_groups_of_their_own() -> None:
    """Two parts of two groups each are a convolution of four."""
    model = parts("% = Conv <group = 2> (@, w)", weight="2,2,1,1", y="1,4,6,6")
    [message] = found(model)
    assert message.startswith("8→4, groups 4, 6×6: ")


def test_channels_last_by_transposes() -> None:
    """As TensorFlow's exports have it: split where the channels are last."""
    way = (
        "t@ = Transpose <perm = [0, 3, 1, 2]> (@) h@ = Conv(t@, w)"
        " % = Transpose <perm = [0, 2, 3, 1]> (h@)"
    )
    model = parts(way, x="1,6,6,8", y="1,6,6,6", end="y = Concat <axis = 3> (c, d)")
    assert is_grouped(model, "a, b = Split <axis = 3> (x)")


def test_channels_last_by_operators() -> None:
    model = parts(
        "% = com.microsoft.NhwcConv(@, w)",
        x="1,6,6,8",
        y="1,6,6,6",
        end="y = Concat <axis = 3> (c, d)",
    )
    assert is_grouped(model, "a, b = Split <axis = 3> (x)")
    assert not is_grouped(model.replace("1,6,6,8", "1,8,6,4"))  # in rows


def test_quantised_parts() -> None:
    model = """
        net (uint8[1,8,6,6] x, uint8[3,4,1,1] w) => (uint8[1,6,6,6] y)
        <float s = {0.5}, uint8 z = {0}> {
            a, b = Split <axis = 1> (x)
            c = QLinearConv(a, s, z, w, s, z, s, z)
            d = QLinearConv(b, s, z, w, s, z, s, z)
            y = com.microsoft.QLinearConcat <axis = 1> (s, z, c, s, z, d, s, z)
        }
    """
    [site] = sites(G2, model)
    assert operators(site) == ["QLinearConv", "QLinearConv", "QLinearConcat"]
    # 8·36 + 6·36 in and out; twice 12 weights, a scale and a zero point. Each side divided by √2:
    # 288 → 203 and 216 → 152.
    assert site.message == (
        "8→6, groups 2, 6×6: moves 538 B; ungrouped at the same multiply-adds 389 B (×1.38)."
    )


def test_quantised_parts_with_channels_last() -> None:
    model = """
        net (uint8[1,6,6,8] x, uint8[3,4,1,1] w) => (uint8[1,6,6,6] y)
        <float s = {0.5}, uint8 z = {0}> {
            a, b = Split <axis = 3> (x)
            c = com.microsoft.QLinearConv <channels_last = 1> (a, s, z, w, s, z, s, z)
            d = com.microsoft.QLinearConv <channels_last = 1> (b, s, z, w, s, z, s, z)
            y = com.microsoft.QLinearConcat <axis = 3> (s, z, c, s, z, d, s, z)
        }
    """
    [site] = sites(G2, model)
    assert site.message.startswith("8→6, groups 2, 6×6: ")


# What does not


@pytest.mark.parametrize("axis", [2, 3])
def test_strips_of_a_picture_are_no_groups(axis: int) -> None:
    """Not even where a strip is as high or wide as it has channels."""
    model = parts(
        "% = Conv <pads = [1, 1, 1, 1]> (@, w)",
        x="1,4,8,8",
        weight="4,4,3,3",
        y="1,4,8,8",
        end=f"y = Concat <axis = {axis}> (c, d)",
    )
    assert found(model, f"a, b = Split <axis = {axis}> (x)") == []


def test_parts_of_another_axis_are_no_groups_whatever_they_are_turned_to() -> None:
    """Rows, which the Transpose makes channels for the convolution, are parts like channels."""
    way = "t@ = Transpose <perm = [0, 2, 1, 3]> (@) % = Conv(t@, w)"
    turned = parts(way, x="1,6,8,6")
    assert is_grouped(turned, "a, b = Split <axis = 2> (x)")
    model = parts(way, x="1,8,4,6", y="1,6,4,6", weight="3,4,1,1")
    assert not is_grouped(model)


def test_a_transpose_that_turns_all_axes_round_tells_no_groups() -> None:
    way = "t@ = Transpose(@) % = Conv(t@, w)"
    model = parts(way, x="6,6,8,1", y="1,6,6,6")
    assert found(model, "a, b = Split <axis = 2> (x)") == []


@pytest.mark.parametrize(
    ("body", "split"),
    [
        pytest.param("% = MaxPool <kernel_shape = [1, 1]> (@)", SPLIT, id="no convolution"),
        pytest.param("r@ = Relu(@) % = Conv(r@, w)", SPLIT, id="an activation before"),
        pytest.param(
            "h@ = Conv(@, w) % = MaxPool <kernel_shape = [1, 1]> (h@)", SPLIT, id="a pool behind"
        ),
        pytest.param(CONV, "a = Relu(x) b = Sigmoid(x)", id="no parts"),
        pytest.param(CONV, "a, e = Split <axis = 1> (x) b = Relu(e)", id="a part of a part"),
        pytest.param(
            CONV,
            "a = Slice(x, none, half, axis) e = Identity(x) b = Slice(e, half, all, axis)",
            id="of two values",
        ),
    ],
)
def test_what_is_no_group(body: str, split: str) -> None:
    narrow = parts(
        body, y="1,8,6,6" if "MaxPool <kernel_shape = [1, 1]> (@)" in body else "1,6,6,6"
    )
    assert not is_grouped(narrow, split)


def test_some_of_the_channels_are_no_groups() -> None:
    model = parts(CONV, x="1,12,6,6")
    assert found(model, SLICES) == []


def test_parts_that_make_unequal_widths_are_no_groups() -> None:
    model = parts(CONV, y="1,8,6,6").replace("d = Conv(b, w)", "d = Conv(b, v)")
    wider = model.replace("float[3,4,1,1] v", "float[5,4,1,1] v")
    assert found(wider) == []
    assert is_grouped(model.replace("[1,8,6,6] y", "[1,6,6,6] y"))


def test_unequal_parts_are_no_groups() -> None:
    model = parts("% = Conv <group = 1> (@, w)", weight="3,4,1,1").replace(
        "d = Conv <group = 1> (b, w)", "d = Conv(b, u)"
    )
    model = model.replace("float[3,4,1,1] v", "float[3,6,1,1] u").replace(
        "c = Conv <group = 1> (a, w)", "c = Conv(a, t)"
    )
    model = model.replace("float[3,4,1,1] w", "float[3,2,1,1] t")
    assert found(model, "a, b = Split <axis = 1> (x, other)") == []


@pytest.mark.parametrize(
    "attribute", ["dilations = [2, 2]", "pads = [0, 0, 0, 0]", "strides = [1, 1]"]
)
def test_parts_with_attributes_of_their_own_are_no_groups(attribute: str) -> None:
    model = parts(CONV).replace("d = Conv(b, w)", f"d = Conv <{attribute}> (b, w)")
    assert not is_grouped(model)


@pytest.mark.parametrize("read", ["a", "c", "b", "d"])
def test_what_somebody_else_reads_is_no_group(read: str) -> None:
    model = parts(CONV)
    assert is_grouped(model)
    also = model.replace("y = Concat", f"more = Relu({read}) y = Concat")
    assert not is_grouped(also.replace("6,6] y)", "6,6] y, float[1,C,6,6] more)"))


@pytest.mark.parametrize("kept", ["a", "c"])
def test_what_leaves_the_model_is_no_group(kept: str) -> None:
    assert not is_grouped(parts(CONV).replace("6,6] y)", f"6,6] y, float[1,C,6,6] {kept})"))


def test_inputs_that_are_joined_are_no_groups_and_no_fault() -> None:
    model = """
        net (float[1,4,6,6] x, float[1,4,6,6] w) => (float[1,8,6,6] y) {
            y = Concat <axis = 1> (x, w)
        }
    """
    assert sites(G2, model) == []


def test_one_part_alone_is_no_group() -> None:
    model = """
        net (float[1,8,6,6] x, float[3,8,1,1] w) => (float[1,3,6,6] y)
        <int64[1] none = {0}, int64[1] all = {8}, int64[1] axis = {1}> {
            a = Slice(x, none, all, axis)
            c = Conv(a, w)
            y = Concat <axis = 1> (c)
        }
    """
    assert sites(G2, model, min_groups=2) == []
    [wide] = sites(G1, model)
    assert operators(wide) == ["Conv"]


def test_a_source_of_unknown_size_tells_no_groups() -> None:
    model = parts(CONV, x="1,C,6,6")
    assert found(model, SLICES) == []


@pytest.mark.parametrize(
    ("operator", "name", "value"),
    [
        ("Transpose", "perm", 1),
        ("Transpose", "perm", [0]),
        ("Conv", "group", 1.0),
        ("Conv", "strides", helper.make_tensor("t", TensorProto.INT64, [1], [1])),
    ],
)
def test_broken_attributes_are_no_groups_and_no_fault(
    operator: str, name: str, value: object
) -> None:
    way = "t@ = Transpose <perm = [0, 1, 2, 3]> (@) % = Conv <group = 1, strides = [1, 1]> (t@, w)"
    model = parsed(parts(way).replace("SPLIT", SPLIT))
    assert len(sites(G2, model)) == 1
    for node in model.graph.node:
        for attribute in node.attribute:
            if (node.op_type, attribute.name) == (operator, name):
                attribute.CopyFrom(helper.make_attribute(name, value))
    assert sites(G2, model) == []


# What else is said of the parts


def test_nothing_else_is_said_of_the_parts_or_what_joins_them() -> None:
    model = parts("% = Conv(@, w)", x="1,64,6,6", weight="4,32,1,1", y="1,8,6,6")
    model = model.replace("SPLIT", SPLIT)
    for rule in (G1, G2):
        [site] = sites(rule, model)
        assert operators(site) == ["Conv", "Conv", "Concat"]


FOUR = "e = Conv(p, w) f = Conv(q, w) g = Conv(r, w) h = Conv(t, w)"


@pytest.mark.parametrize(
    ("join", "channels", "blocks", "groups"),
    [
        ("y = Concat <axis = 1> (e, f, g, h)", 16, 0, 1),
        ("i = MaxPool <kernel_shape = [1, 1]> (x) y = Concat <axis = 1> (e, f, g, h, i)", 32, 1, 0),
    ],
)
def test_groups_are_no_block_unless_something_else_is_joined_to_them(
    join: str, channels: int, blocks: int, groups: int
) -> None:
    model = f"""
        net (float[1,16,6,6] x, float[4,4,1,1] w) => (float[1,{channels},6,6] y) {{
            p, q, r, t = Split <axis = 1> (x)
            {FOUR}
            {join}
        }}
    """
    assert len(sites(G3, model)) == blocks
    assert len(sites(G2, model)) == groups
