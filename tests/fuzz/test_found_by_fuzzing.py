"""What fuzzing has found, each as small as it gets."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, parser

from graphlint.config import Settings
from graphlint.engine import check
from graphlint.report import full
from graphlint.report.text import Style
from graphlint.request import Request
from graphlint.results import ModelReport, Report
from graphlint.rewriting.numbers import Numbers
from graphlint_rules.rewrites.shuffles.stages import match as match_shuffles
from graphlint_rules.rewrites.v2.stages import match as match_units
from tests.conftest import Save
from tests.report import found
from tests.rewrites.subjects import written


def report_on(path: Path) -> ModelReport:
    """A check in this process, of all rules."""
    return check(Request(str(path), Settings(select=("ALL",)), want_nodes=True))


def parsed(body: str, opset: int = 18) -> onnx.ModelProto:
    """The model of a text."""
    imports = f'"" : {opset}, "com.microsoft" : 1, "ai.onnx.ml" : 3'
    return parser.parse_model(f"<ir_version: 8, opset_import: [{imports}]>\n{body}")


def refused_at(report: ModelReport, *words: str) -> bool:
    """Whether the model was read, and the reason for what has no cost has these words."""
    assert not report.errors
    reasons = " ".join(row.reason for row in report.uncosted)
    return bool(report.uncosted) and all(word in reasons for word in words)


def test_sites_without_nodes_are_shown() -> None:
    """`full` looked for what the places of the sites have in common, and there were none."""
    sites = (found.site("m.onnx"), found.site("m.onnx"))
    report = Report(found.VERSION, (found.model("m.onnx", [found.finding(*sites)]),))
    assert "2 places" in full.render(report, Style())


@pytest.mark.parametrize("count", [2, 2**31 - 1])
def test_a_split_into_another_number(count: int, save: Save) -> None:
    """onnx's inference wrote behind its outputs, or made room for all of them."""
    text = f"m (float[9,4] x) => (a) {{ a, b, c = Split <num_outputs: int = {count}> (x) }}"
    report = report_on(save(parsed(text)))
    assert refused_at(report, "num_outputs")


def test_negative_batch_dims(save: Save) -> None:
    """onnx's inference read before the shape's beginning."""
    text = "m (float[1,16,2] x, int64[4,2,1] i) => (y) { y = GatherND <batch_dims = -2> (x, i) }"
    assert refused_at(report_on(save(parsed(text))), "batch_dims")


def test_an_axis_that_no_tensor_has(save: Save) -> None:
    """onnx's inference counted up to it."""
    text = "m (float[3] x) => (y) { y, mean = LayerNormalization <axis = 2147483647> (x, x) }"
    assert refused_at(report_on(save(parsed(text))), "axis")


@pytest.mark.parametrize("equation", ["ab_,c", "SAME_UPPER,a", "ab,c->d->e", "a.b,c", "ab"])
def test_an_equation_that_spells_no_operands(equation: str, save: Save) -> None:
    """onnx's inference looked for the end of a term for ever."""
    text = f'm (float[2,3] x, float[3] z) => (y) {{ y = Einsum <equation = "{equation}"> (x, z) }}'
    report = report_on(save(parsed(text)))
    assert refused_at(report, "equation")


def test_a_payload_that_is_too_short_for_its_dimensions(save: Save) -> None:
    """An empty tensor of enormous dimensions: numpy asked for memory and the whole model failed."""
    weight = TensorProto(name="w", data_type=TensorProto.INT4, dims=[2**62, 2, 2**31, 0])
    weight.raw_data = b"1234"
    node = helper.make_node("Abs", ["w"], ["y"])
    graph = helper.make_graph([node], "m", [], [onnx.ValueInfoProto(name="y")], [weight])
    assert not report_on(save(helper.make_model(graph))).errors


def test_an_attribute_of_another_type(save: Save) -> None:
    """The number of columns and of groups were taken for numbers."""
    text = "m (float[4,3] x) => (y) { y = ai.onnx.ml.LinearRegressor <targets: ints = [1, 2]> (x) }"
    assert refused_at(report_on(save(parsed(text))))
    text = """
        m (float[1,8,4,4] x, float[8,8,1,1] w) => (float[1,8,4,4] y) {
            y = com.microsoft.NhwcConv <group: ints = [2]> (x, w)
        }
    """
    assert not report_on(save(parsed(text))).errors


def test_attributes_of_other_types_where_rules_look(save: Save) -> None:
    """Rules took the axis of a Concat, the groups of parts and the order of axes for numbers."""
    text = """
        m (float[1,8,4,4] x, float[4,4,1,1] v, float[4,4,1,1] w) => (float[1,8,4,4] y) {
            a, b = Split <axis = 1, num_outputs = 2> (x)
            c = com.microsoft.NhwcConv <group: ints = [1]> (a, v)
            d = com.microsoft.NhwcConv <group: ints = [1]> (b, w)
            y = Concat <axis: ints = [1]> (c, d)
        }
    """
    model = parsed(text)
    for name in ("c", "d"):
        info = helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, 4, 4])
        model.graph.value_info.append(info)
    assert not report_on(save(model)).errors
    text = """
        m (float[1,4,8,8] x, float[4,4,1,1] w) => (float[1,4,8,8] y) {
            a = Transpose <perm: int = 1> (x)
            b = Conv (x, w)
            y = Add (a, b)
        }
    """
    model = parsed(text)
    info = helper.make_tensor_value_info("a", TensorProto.FLOAT, [1, 4, 8, 8])
    model.graph.value_info.append(info)
    assert not report_on(save(model)).errors


def test_a_grouped_convolution_that_gives_a_scalar(save: Save) -> None:
    """G2 spelt its batch."""
    text = """
        m (float[2,3,1,3] x, float[4,1,1,1] w) => (float y) {
            y = Conv <group: int = 2, kernel_shape = [1]> (x, w)
        }
    """
    assert not report_on(save(parsed(text, opset=1))).errors


def test_sampling_without_spatial_axes_counts_whole_numbers(save: Save) -> None:
    """GridSample of rank 1 took half of an operation for every element."""
    text = "m (float[2,2] x) => (float[8] y) { y = GridSample (x, x) }"
    (node,) = report_on(save(parsed(text))).nodes
    assert type(node.cost.element_operations) is int


def test_a_negative_size_gives_no_negative_cost(save: Save) -> None:
    """LRN's window was taken as it is."""
    text = "m (float[1,8,4,4] x) => (y) { y = LRN <size = -99> (x) }"
    assert refused_at(report_on(save(parsed(text))), "it counts -")


def test_fractions_are_no_sizes(save: Save) -> None:
    """Dilations and kernels that are fractions made fractions of counts and sizes."""
    text = """
        m (float[1,2,9,9] x, float[2,2,3,3] w) => (y, z) {
            y = com.microsoft.FusedConv <dilations: floats = [1.5, 1.5]> (x, w)
            z = MaxPool <kernel_shape: floats = [1.5]> (y)
        }
    """
    assert refused_at(report_on(save(parsed(text))))
    text = (
        "m (float[1,2,4] x) => (float[1,2,4] y) { y = MaxPool <kernel_shape: floats = [0.5]> (x) }"
    )
    assert refused_at(report_on(save(parsed(text))), "it counts ")


def test_sizes_that_are_no_numbers_of_64_bits(save: Save) -> None:
    """A shape rule made a size of an attribute, and the next node's inference could not hold it."""
    text = """
        m (float[1,2,9,9] x, float[2,2,3,3] w) => (z) {
            y = com.microsoft.ConvTransposeWithDynamicPads
                <strides = [9223372036854775807, 1]> (x, w)
            z = MaxPool <kernel_shape = [1, 1]> (y)
        }
    """
    assert refused_at(report_on(save(parsed(text))))


def test_a_setting_that_is_a_weight_elsewhere_is_a_parameter(save: Save) -> None:
    """What stood in a shape's place was taken for counted."""
    text = """
        m (int64[2,2] x) => (y, z) {
            y = Reshape (w, s)
            z = Mul (x, s)
        }
    """
    model = parsed(text)
    for name, numbers in (("w", [1, 2, 3, 4]), ("s", [2, 2])):
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(np.array(numbers, np.int64), name)
        )
    report = report_on(save(model))
    assert report.totals is not None
    assert report.totals.parameters == 6


@pytest.mark.parametrize("op", ["Constant", "Loop"])
def test_a_body_that_its_operator_has_no_use_for(op: str, save: Save) -> None:
    """Nobody said how often it runs, and the costs of its nodes were looked up all the same."""
    shape = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    node = helper.make_node(op, ["", ""] if op == "Loop" else [], ["y"])
    for name in ("body", "more"):
        inner = helper.make_node("Abs", ["x"], [name])
        graph = helper.make_graph([inner], name, [], [onnx.ValueInfoProto(name=name)])
        node.attribute.append(helper.make_attribute(name, graph))
    outer = helper.make_graph([node], "m", [shape], [onnx.ValueInfoProto(name="y")])
    imports = [helper.make_opsetid("", 17)]
    report = report_on(save(helper.make_model(outer, opset_imports=imports, ir_version=8)))
    assert refused_at(report, "more::more")


# Rewrites


@pytest.mark.parametrize(
    ("stored", "bounds"),
    [
        ("int64[2] s = {0, 0}, int64[1] e = {2}, int64[1] a = {1}", "s, e, a"),
        ("int64[1] s = {0}, int64[1] e = {2}, int64[1] a = {7}", "s, e, a"),
        ("int64[1] s = {0}, int64[1] e = {2}, int64[1] a = {1}, int64[1] t = {0}", "s, e, a, t"),
        ("float[1] s = {0}, int64[1] e = {2}, int64[1] a = {1}", "s, e, a"),
        ("int64[1] s = {2}, int64[1] e = {2}, int64[1] a = {1}", "s, e, a"),
    ],
)
def test_a_slice_that_takes_what_is_not_there(stored: str, bounds: str) -> None:
    """Fewer ends than starts, no such axis, no step, no whole number, and nothing at all."""
    subject = written(
        f"""
        m (float[1,4,3,3] x, float[4,4,1,1] w) => (y) <{stored}> {{
            c = Conv (x, w)
            p = Slice (c, {bounds})
            q = Concat <axis = 1> (p, p, c)
            y = Conv (q, w)
        }}
        """
    )
    assert not match_shuffles(subject).matches


@pytest.mark.parametrize(
    "move",
    [
        "Concat <axis: ints = [1]> (c, c)",
        "Concat <axis = 9> (c, c)",
        "Gather <axis = 1> (c, far)",
        "Transpose <perm = [0, 0, 1, 2]> (c)",
        "Transpose <perm: ints = []> (c)",
        'Split <axis: string = "1"> (c)',
    ],
)
def test_a_movement_with_odd_settings(move: str) -> None:
    subject = written(
        f"""
        m (float[1,4,3,3] x, float[4,4,1,1] w) => (float[1,4,3,3] y)
        <float[1,4,3,3] z, int64[1] far = {{8}}> {{
            c = Conv (x, w)
            z = {move}
            y = Conv (z, w)
        }}
        """
    )
    assert not match_shuffles(subject).matches
    assert not match_units(subject).matches


def test_copies_of_copies_are_not_followed_to_the_end() -> None:
    """Twice as many channels at every step: 2⁴² in the end."""
    steps = "".join(f"v{step + 1} = Concat <axis = 1> (v{step}, v{step}) " for step in range(40))
    subject = written(
        f"m (float[1,4,3,3] x, float[4,4,1,1] w) => (v40) {{ v0 = Conv (x, w) {steps} }}"
    )
    assert not match_shuffles(subject).matches
    assert not match_units(subject).matches


def test_numbers_that_do_not_fill_their_shape_are_none() -> None:
    """The shuffle's reader failed on the weights around it."""
    subject = written("m (float[1,4,3,3] x) => (y) { y = Relu (x) }")
    proto = onnx.ModelProto()
    for name, kind, size in (("short", 1, 3), ("unheard", 99, 16), ("text", 8, 0), ("good", 1, 16)):
        tensor = TensorProto(name=name, data_type=kind, dims=[4])
        if kind == TensorProto.STRING:
            tensor.string_data.extend([b"1"] * 4)
        else:
            tensor.raw_data = bytes(size)
        proto.graph.initializer.append(tensor)
    numbers = Numbers(proto, Path("model.onnx"), subject.view)
    assert [numbers(name) is None for name in ("short", "unheard", "text", "good")] == [
        *(True, True, True, False)
    ]


def test_a_convolution_whose_weights_are_of_other_channels() -> None:
    """They were put in the order of channels that they have not."""
    subject = written(
        """
        m (float[1,4,3,3] x, float[4,4,1,1] w, float[4,3,1,1] v) => (float[1,4,3,3] y)
        <float[1,4,3,3] c, int64[4] order = {2, 0, 3, 1}> {
            c = Conv (x, w)
            z = Gather <axis = 1> (c, order)
            y = Conv (z, v)
        }
        """
    )
    assert not match_shuffles(subject).matches
