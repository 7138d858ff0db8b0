"""The models that stand for what could be in a site's place: their layers, shapes and labels."""

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper

from graphlint.rule import Alternative, Context, Rule, Site
from graphlint_rules import A1, G1, G2, G3, G4
from graphlint_rules.alternatives import Widths
from graphlint_rules.convolution_sites import layer_of
from tests.rules.linting import context_of


def alternatives(rule: Rule, model: str | ModelProto, **options: int) -> list[Alternative | None]:
    """Of every site, in order, what could stand in its place."""
    context = context_of(model, rule, **options)
    assert rule.alternative is not None
    return [rule.alternative(context, site) for site in rule.check(context)]


def only(rule: Rule, model: str | ModelProto, **options: int) -> Alternative:
    [alternative] = alternatives(rule, model, **options)
    assert alternative is not None
    return alternative


def shape(value: ValueInfoProto) -> tuple[int, ...]:
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def inputs(alternative: Alternative) -> list[tuple[int, ...]]:
    return [shape(value) for value in alternative.model.graph.input]


def outputs(alternative: Alternative) -> list[tuple[int, ...]]:
    return [shape(value) for value in alternative.model.graph.output]


def weights(alternative: Alternative) -> dict[str, tuple[int, ...]]:
    return {tensor.name: tuple(tensor.dims) for tensor in alternative.model.graph.initializer}


def attributes(node: NodeProto) -> dict[str, object]:
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


# Other widths

STRIDED = """
    <ir_version: 8, opset_import: ["" : 13]>
    net (KIND[2,64,9,8] x, KIND[16,64,1,1] w, KIND[16] b) => (KIND[2,16,5,4] y) {
        y = Conv <strides = [2, 2]> (x, wBIAS)
    }
"""


@pytest.mark.parametrize(("kind", "number"), [("float", 1), ("float16", 10)])
def test_a_layer_of_equal_widths_is_like_the_one_that_it_stands_for(kind: str, number: int) -> None:
    model = STRIDED.replace("KIND", kind).replace("BIAS", ", b")
    alternative = only(G1, model)
    [node] = alternative.model.graph.node
    assert alternative.label == "32→32"
    assert [each.outputs for each in alternative.nodes] == [("y",)]
    assert inputs(alternative) == [(2, 32, 9, 8)]
    assert outputs(alternative) == [(2, 32, 5, 4)]
    assert weights(alternative) == {"w": (32, 32, 1, 1), "b": (32,)}
    assert list(node.input) == ["x", "w", "b"]
    assert attributes(node) == {"strides": [2, 2], "group": 1}
    graph = alternative.model.graph
    values = [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)]
    assert {*values, *(tensor.data_type for tensor in graph.initializer)} == {number}
    assert [each.version for each in alternative.model.opset_import] == [13]


def test_a_layer_without_a_bias_stays_without() -> None:
    alternative = only(G1, STRIDED.replace("KIND", "float").replace("BIAS", ""))
    assert weights(alternative) == {"w": (32, 32, 1, 1)}
    assert list(alternative.model.graph.node[0].input) == ["x", "w"]


@pytest.mark.parametrize("kind", ["double", "bfloat16"])
def test_other_types_have_no_alternative(kind: str) -> None:
    assert alternatives(G1, STRIDED.replace("KIND", kind).replace("BIAS", "")) == [None]


def test_a_contributed_spelling_has_none() -> None:
    model = "net (float[1,64,8,8] x, float[8,64,1,1] w) => (float[1,8,8,8] y) { CALL }"
    fused = model.replace("CALL", "y = com.microsoft.FusedConv(x, w)")
    assert alternatives(G1, fused) == [None]


@pytest.mark.parametrize(
    ("c1", "c2", "groups", "label"),
    [
        (64, 16, 1, "32→32"),
        (32, 128, 4, "64→64, groups 4"),
        (8, 16, 1, "11→11"),
        (24, 48, 2, "34→34, groups 2"),
        (6, 3, 3, "3→3, groups 3"),  # at the least a channel a group
    ],
)
def test_equal_widths(c1: int, c2: int, groups: int, label: str) -> None:
    model = f"""
        net (float[1,{c1},5,5] x, float[{c2},{c1 // groups},1,1] w) => (float[1,{c2},5,5] y) {{
            y = Conv <group = {groups}> (x, w)
        }}
    """
    alternative = only(G1, model)
    assert alternative.label == label
    width = int(label.partition("→")[0])
    assert weights(alternative) == {"w": (width, width // groups, 1, 1)}
    assert attributes(alternative.model.graph.node[0])["group"] == groups


def test_one_group_keeps_the_kernel_and_where_it_is_laid() -> None:
    model = """
        net (float[1,12,9,9] x, float[24,3,3,1] w) => (float[1,24,9,9] y) {
            y = Conv <group = 4, pads = [2, 0, 0, 0], kernel_shape = [3, 1], dilations = [1, 1]>
                (x, w)
        }
    """
    alternative = only(G2, model)
    assert alternative.label == "6→12"
    assert weights(alternative) == {"w": (12, 6, 3, 1)}
    assert attributes(alternative.model.graph.node[0]) == {
        "pads": [2, 0, 0, 0],
        "dilations": [1, 1],
        "group": 1,
    }


@pytest.mark.parametrize(
    ("c1", "c2", "groups", "label"),
    [
        (60, 68, 1, "64→64"),
        (24, 60, 3, "48→48, groups 3"),
        (24, 48, 24, "32→64, groups 32"),
    ],
)
def test_whole_blocks(c1: int, c2: int, groups: int, label: str) -> None:
    model = f"""
        net (float[1,{c1},5,5] x, float[{c2},{c1 // groups},1,1] w) => (float[1,{c2},5,5] y) {{
            y = Conv <group = {groups}> (x, w)
        }}
    """
    assert only(A1, model, block=16).label == label


def test_the_numbers_of_a_made_up_layer_keep_its_results_in_range() -> None:
    alternative = only(G1, STRIDED.replace("KIND", "float16").replace("BIAS", ", b"))
    for tensor in alternative.model.graph.initializer:
        sums = numpy_helper.to_array(tensor).astype(np.float32).reshape(tensor.dims[0], -1).sum(1)
        assert np.all(sums > 0.49)
        assert np.all(sums < 1.01)


def test_widths_print_with_groups_where_there_are_some() -> None:
    assert str(Widths(8, 16)) == "8→16"
    assert str(Widths(8, 16, 2)) == "8→16, groups 2"


def nothing(context: Context, rule: Rule, site: Site) -> bool:
    assert rule.alternative is not None
    return rule.alternative(context, site) is None


@pytest.mark.parametrize("rule", [A1, G1, G2])
def test_nodes_that_are_no_layer_have_none(rule: Rule) -> None:
    model = """
        net (float[1,8,4,4] x, float[8,8,1,1] w) => (float[1,8,4,4] y) {
            a = Relu(x)
            y = Conv(a, w)
        }
    """
    context = context_of(model, rule)
    relu, conv = context.view.nodes
    for nodes in ((relu,), (relu, conv)):
        assert layer_of(context, nodes) is None
        assert nothing(context, rule, Site(nodes, "", "", None))


# In series


def block(
    body: str, *, x: str = "2,8,6,6", y: str = "2,8,6,6", weight: str = "8,8,1,1", more: str = ""
) -> str:
    return f"""
        net (float[{x}] x, {more}) => (float[{y}] y)
        <int64[4] dims = {{{weight}}}, int64[4] large = {{8, 8, 3, 3}}> {{
            w = ConstantOfShape(dims)
            k = ConstantOfShape(large)
            {body}
        }}
    """.replace("x, )", "x)")


FOUR = "a = Conv(x, w) b = Conv(x, w) c = Conv(x, w) d = Conv(x, w) y = Sum(a, b, c, d)"


def test_a_block_in_series() -> None:
    """Four times 8·8 multiply-adds a position are twice 8·16."""
    alternative = only(G3, block(FOUR))
    first, second = alternative.model.graph.node
    assert alternative.label == "8→16→8, 1×1 twice in series"
    assert alternative.fits
    assert [node.op for node in alternative.nodes] == ["Conv"] * 4 + ["Sum"]
    assert inputs(alternative) == [(2, 8, 6, 6)]
    assert outputs(alternative) == [(2, 8, 6, 6)]
    assert weights(alternative) == {
        "v": (16, 8, 1, 1),
        "a": (16,),
        "w": (8, 16, 1, 1),
        "b": (8,),
    }
    assert [list(node.input) for node in (first, second)] == [["x", "v", "a"], ["z", "w", "b"]]
    assert attributes(first) == {"auto_pad": b"SAME_UPPER", "strides": [1, 1], "group": 1}
    assert attributes(second) == {"auto_pad": b"SAME_UPPER", "group": 1}


def test_the_stride_of_a_block_stands_in_its_first_layer() -> None:
    """Concatenated to 32 channels on 3×3: 4·8·8 multiply-adds a position of (8 + 32)·6."""
    strided = FOUR.replace("Conv", "Conv <strides = [2, 2]>").replace("Sum", "Concat <axis = 1>")
    alternative = only(G3, block(strided, y="2,32,3,3"))
    assert alternative.label == "8→6→32, 1×1 twice in series"
    assert inputs(alternative) == [(2, 8, 6, 6)]
    assert outputs(alternative) == [(2, 32, 3, 3)]
    first, second = alternative.model.graph.node
    assert attributes(first)["strides"] == [2, 2]
    assert "strides" not in attributes(second)


def test_a_block_that_is_wider_than_high() -> None:
    strided = FOUR.replace("Conv", "Conv <strides = [2, 2]>")
    alternative = only(G3, block(strided, x="2,8,6,10", y="2,8,3,5"))
    assert alternative.label == "8→16→8, 1×1 twice in series"
    assert inputs(alternative) == [(2, 8, 6, 10)]
    assert outputs(alternative) == [(2, 8, 3, 5)]


def test_the_kernel_is_that_of_most_multiply_adds() -> None:
    """9·64 of one 3×3 outweigh 4·64; of 13·64 a position 9·16 go into a channel between."""
    body = (
        "a = Conv(x, w) b = Conv(x, w) c = Conv(x, w) d = Conv(x, w)"
        " e = Conv <pads = [1, 1, 1, 1]> (x, k) y = Sum(a, b, c, d, e)"
    )
    assert only(G3, block(body)).label == "8→5→8, 3×3 twice in series"


def test_of_kernels_that_do_as_much_the_smaller_is_taken() -> None:
    body = (
        "a = Conv(x, w) b = Conv(x, w) c = Conv(x, w) d = Conv(x, w) e = Conv(x, w)"
        " f = Conv(x, w) g = Conv(x, w) h = Conv(x, w) i = Conv(x, w)"
        " j = Conv <pads = [1, 1, 1, 1]> (x, k) y = Sum(a, b, c, d, e, f, g, h, i, j)"
    )
    assert only(G3, block(body)).label == "8→72→8, 1×1 twice in series"


def test_a_block_in_a_body_is_told_by_one_round() -> None:
    model = """
        net (float[2,8,6,6] x) => (float[2,8,6,6] y)
        <int64 times = {5}, int64[4] dims = {8, 8, 1, 1}> {
            w = ConstantOfShape(dims)
            keep = Constant <value_int = 1> ()
            go = Cast <to = 9> (keep)
            y = Loop(times, go, x) <body = body (int64 i, bool l, float[2,8,6,6] s)
                => (bool m, float[2,8,6,6] t) {
                m = Identity(l)
                a = Conv(s, w) b = Conv(s, w) c = Conv(s, w) d = Conv(s, w)
                t = Sum(a, b, c, d)
            }>
        }
    """
    assert only(G3, model).label == "8→16→8, 1×1 twice in series"


NO_SERIES = {
    "another value that is read": block(
        FOUR.replace("c, d)", "c, d, x2)"), more="float[2,8,6,6] x2"
    ),
    "no multiply-adds": block(
        "a = MaxPool <kernel_shape = [1, 1]> (x) b = MaxPool <kernel_shape = [1, 1]> (x)"
        " c = MaxPool <kernel_shape = [1, 1]> (x) d = MaxPool <kernel_shape = [1, 1]> (x)"
        " y = Sum(a, b, c, d)"
    ),
    "sizes that are no multiple": block(
        FOUR.replace("Conv", "Conv <strides = [2, 2]>"), x="2,8,7,7", y="2,8,4,4"
    ),
    "widths that are no multiple": block(
        FOUR.replace("Conv", "Conv <strides = [2, 2]>"), x="2,8,6,7", y="2,8,3,4"
    ),
    "a signal": block(FOUR, x="2,8,6", y="2,8,6", weight="8,8,1").replace("[4] dims", "[3] dims"),
}


@pytest.mark.parametrize("name", NO_SERIES)
def test_what_has_no_series(name: str) -> None:
    assert alternatives(G3, NO_SERIES[name]) == [None]


def test_a_block_that_changes_the_type_has_none() -> None:
    model = """
        net (uint8[2,8,6,6] x) => (float[2,8,6,6] y)
        <int64[4] dims = {8, 8, 1, 1}, float s = {0.5}, uint8 z = {0}> {
            w = ConstantOfShape(dims)
            p = DequantizeLinear(x, s, z) q = DequantizeLinear(x, s, z)
            r = DequantizeLinear(x, s, z) t = DequantizeLinear(x, s, z)
            a = Conv(p, w) b = Conv(q, w) c = Conv(r, w) d = Conv(t, w)
            y = Sum(a, b, c, d)
        }
    """
    assert alternatives(G3, model) == [None]


def test_nodes_that_are_no_block_have_none() -> None:
    context = context_of(block(FOUR), G3)
    assert nothing(context, G3, Site(context.view.nodes[:1], "", "", None))


# Left out


def after_conv(body: str, kind: str = "float", more: str = "") -> str:
    return f"""
        net ({kind}[1,8,6,6] x, {kind}[1,8,6,6] x2, {kind}[8,8,1,1] w, {kind}[8] p, {kind} low)
            => ({kind}[1,8,6,6] y{more}) {{
            c = Conv(x, w)
            {body}
        }}
    """


def left_out(body: str, kind: str = "float", more: str = "") -> tuple[list[str], list[str], str]:
    """Of the last site: what its nodes read, the names of the model's inputs, and what is kept."""
    found = alternatives(G4, after_conv(body, kind, more))
    alternative = found[-1]
    assert alternative is not None
    assert alternative.label == "left out"
    assert alternative.fits
    [keep] = alternative.model.graph.node
    assert (keep.op_type, keep.output[0]) == ("Identity", "y")
    made = {key for node in alternative.nodes for key in node.outputs}
    read = dict.fromkeys(key for node in alternative.nodes for key in node.inputs)
    names = [value.name for value in alternative.model.graph.input]
    outside = [key for key in read if key and key not in made]
    assert len(names) == len(outside)
    assert outputs(alternative) == [(1, 8, 6, 6)]
    return outside, names, outside[names.index(keep.input[0])]


POOL = "m = MaxPool <kernel_shape = [1, 1]> (c)"


@pytest.mark.parametrize("kind", ["float", "float16"])
@pytest.mark.parametrize(
    ("body", "read", "kept"),
    [
        ("y = Add(x, c)", ["x", "c"], "c"),  # x is there all the same
        ("y = Add(c, x2)", ["c", "x2"], "c"),
        (f"{POOL} y = Relu(m)", ["m"], "m"),
        (f"{POOL} y = Mul(m, m)", ["m"], "m"),
        (f"{POOL} y = Clip(m, low)", ["m", "low"], "m"),
        (
            f"{POOL} n = BatchNormalization(m, p, p, p, p) y = Relu(n)",
            ["m", "p"],
            "m",
        ),
        ("d = Conv(c, w) e = Neg(c) y = Mul(d, c)", ["d", "c"], "d"),
    ],
)
def test_what_is_left_out(kind: str, body: str, read: list[str], kept: str) -> None:
    assert left_out(body, kind) == (read, [f"x{place}" for place in range(len(read))], kept)


def test_of_two_operands_the_one_that_is_made_later_is_kept() -> None:
    """The other one is computed all the same: somebody else reads it."""
    body = "d = Neg(c) e = Conv(d, w) y = Add(e, d)"
    assert left_out(body)[2] == "e"
    body = "d = Neg(c) e = Conv(d, w) y = Add(d, e)"
    assert left_out(body)[2] == "e"


NOT_LEFT_OUT = {
    "both were computed for it alone": "d = Conv(x, w) y = Add(c, d)",
    "three operands": "y = Sum(x, c, x2)",
    "the later one is smaller": "g = GlobalAveragePool(x2) h = Conv(g, w) y = Mul(x, h)",
    "a view between is left": f"{POOL} r = Relu(m) i = Identity(r) y = Sigmoid(i)",
    "it is spelt in several nodes": "s = Sigmoid(c) y = Mul(c, s)",
}


@pytest.mark.parametrize("name", NOT_LEFT_OUT)
def test_what_is_not_left_out(name: str) -> None:
    assert alternatives(G4, after_conv(NOT_LEFT_OUT[name]))[-1] is None


def test_what_leaves_the_model_on_the_way_is_not_left_out() -> None:
    body = (
        f"{POOL} n, mean, var = BatchNormalization <training_mode = 1> (m, p, p, p, p) y = Relu(n)"
    )
    statistics = ", float[8] mean, float[8] var"
    assert alternatives(G4, after_conv(body, more=statistics)) == [None]


def test_a_double_is_not_left_out() -> None:
    assert alternatives(G4, after_conv("y = Add(x, c)", "double")) == [None]


def test_a_normalisation_with_numbers_of_another_type_is_not_left_out() -> None:
    model = """
        net (float16[1,8,6,6] x, float[8] p) => (float16[1,8,6,6] y) {
            y = BatchNormalization(x, p, p, p, p)
        }
    """
    assert alternatives(G4, model) == [None]


def test_a_depthwise_convolution_is_not_left_out() -> None:
    model = """
        net (float[1,8,6,6] x, float[8,1,1,1] w) => (float[1,8,6,6] y) {
            y = Conv <group = 8> (x, w)
        }
    """
    assert alternatives(G4, model) == [None]


def test_a_fused_sum_is_not_left_out() -> None:
    model = """
        net (float[1,8,6,6] x, float[8,8,1,1] w, float[8] b) => (float[1,8,6,6] y) {
            y = com.microsoft.FusedConv(x, w, b, x)
        }
    """
    assert alternatives(G4, model) == [None]
