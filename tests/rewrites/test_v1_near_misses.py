"""What is nearly a unit of ShuffleNet V1 is refused, with the reason that is true of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper

from graphlint.bindings import Bindings
from graphlint.rewrites import Matches
from graphlint.rewriting.subject import read
from graphlint_rules.rewrites.v1.foreign_forms import FUSED, QUANTISED
from graphlint_rules.rewrites.v1.matcher import match_v1_units
from tests.rewrites.subjects import made_by, written
from tests.rewrites.v1_builder import SIZE, Builder, Form
from tests.rewrites.v1_forms import branch, model, unit, unit_model


def other_input(form: Form, channels: int | None = None, size: int = SIZE) -> Any:
    """A second input of the model."""
    shape = [1, channels or form.width, size, size]
    return helper.make_tensor_value_info("z", 1, shape)


def extra_reader(op: str) -> ModelProto:
    """The first node of that kind is read by one more, which leaves the model."""
    b = Builder(Form())
    y = unit(b, "x")
    node = next(node for node in b.nodes if node.op_type == op)
    return model(b, y, b.op("Abs", node.output[0]))


def exported(op: str) -> ModelProto:
    """The first node of that kind makes an output of the model."""
    b = Builder(Form())
    y = unit(b, "x")
    return model(b, y, next(node for node in b.nodes if node.op_type == op).output[0])


def joined_with(
    make: Callable[[Builder], str], form: Form, *inputs: Any, last: str = ""
) -> ModelProto:
    """A branch joined with something else than its input; `last` follows its last convolution."""
    b = Builder(form)
    y, other = b.act(branch(b, "x", form), last, form.branch), make(b)
    y = b.op("Add", y, other) if form.stride == 1 else b.op("Concat", y, other, axis=1)
    return model(b, b.op("Relu", y), inputs=inputs)


def altered(form: Form, change: Callable[[Builder], None]) -> ModelProto:
    """A unit that was changed after it was built."""
    b = Builder(form)
    y = unit(b, "x")
    change(b)
    return model(b, y)


def nth(b: Builder, op: str, number: int) -> onnx.NodeProto:
    """The n-th node of a kind."""
    return [node for node in b.nodes if node.op_type == op][number]


def inserted(op: str, after: str, number: int) -> ModelProto:
    """A unit with a node more behind another."""

    def change(b: Builder) -> None:
        node = nth(b, after, number)
        name = node.output[0]
        node.output[0] = f"{name}_before"
        at = list(b.nodes).index(node)
        b.nodes.insert(at + 1, helper.make_node(op, [f"{name}_before"], [name]))

    return altered(Form(), change)


def strided_pointwise() -> ModelProto:
    """A unit that takes its stride in the first convolution."""

    def change(b: Builder) -> None:
        for number, stride in ((0, 2), (1, 1)):
            conv = nth(b, "Conv", number)
            next(each for each in conv.attribute if each.name == "strides").ints[:] = [stride] * 2

    return altered(Form(stride=2, shuffle="gather"), change)


def negative_variance() -> ModelProto:
    """A BatchNormalization that makes no numbers."""

    def change(b: Builder) -> None:
        variance = b.initializer(np.full(8, -1, np.float32))
        nth(b, "BatchNormalization", 0).input[4] = variance

    return altered(Form(norm="kept"), change)


def shared_weights() -> ModelProto:
    """Two units, whose first convolutions have one weight."""
    b = Builder(Form())
    y = unit(b, unit(b, "x"))
    first, second = nth(b, "Conv", 0), nth(b, "Conv", 3)
    second.input[1] = first.input[1]
    return model(b, y)


def shared_through_identity() -> ModelProto:
    """The same, as TorchScript's exporter writes it."""
    b = Builder(Form())
    y = unit(b, unit(b, "x"))
    first, second = nth(b, "Conv", 2), nth(b, "Conv", 5)
    copy = helper.make_node("Identity", [first.input[1]], ["copy"])
    second.input[1] = "copy"
    b.nodes.insert(0, copy)
    return model(b, y)


def computed_weights() -> ModelProto:
    """A weight that is scaled by what is fed."""
    b = Builder(Form())
    y = unit(b, "x")
    conv = nth(b, "Conv", 0)
    mean = helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0)
    scaled = helper.make_node("Mul", [conv.input[1], "mean"], ["scaled"])
    conv.input[1] = "scaled"
    b.nodes[:0] = [mean, scaled]
    return model(b, y)


def dequantised_weights() -> ModelProto:
    """A weight in 8 bits."""
    b = Builder(Form())
    y = unit(b, "x")
    conv = nth(b, "Conv", 0)
    numbers = b.initializer(np.ones((8, 8, 1, 1), np.int8))
    scale = b.initializer(np.float32(0.1))
    b.nodes.insert(0, helper.make_node("DequantizeLinear", [numbers, scale], ["float"]))
    conv.input[1] = "float"
    return model(b, y)


def quantised() -> ModelProto:
    """Q and DQ behind every convolution and around the shuffle."""
    b = Builder(Form())
    y = unit(b, "x")
    scale, zero = b.initializer(np.float32(0.1)), b.initializer(np.int8(0))
    nodes: list[onnx.NodeProto] = []
    for node in b.nodes:
        nodes.append(node)
        if node.op_type in ("Conv", "Reshape", "Relu") and node.output[0] != y:
            name = node.output[0]
            node.output[0] = f"{name}_f"
            nodes += [
                helper.make_node("QuantizeLinear", [f"{name}_f", scale, zero], [f"{name}_q"]),
                helper.make_node("DequantizeLinear", [f"{name}_q", scale, zero], [name]),
            ]
    b.nodes = nodes
    return model(b, y)


def fused() -> ModelProto:
    """What ONNX Runtime makes of a unit."""
    b = Builder(Form())
    y = unit(b, "x")
    conv, relu = nth(b, "Conv", 0), nth(b, "Relu", 0)
    conv.op_type, conv.domain = "FusedConv", "com.microsoft"
    conv.attribute.append(helper.make_attribute("activation", "Relu"))
    conv.output[0] = relu.output[0]
    b.nodes.remove(relu)
    proto = model(b, y)
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    proto.graph.value_info.append(
        helper.make_tensor_value_info(conv.output[0], 1, [1, 8, SIZE, SIZE])
    )
    return proto


def in_a_branch() -> ModelProto:
    """A unit in the body of an If."""
    inner = unit_model(Form())
    body = inner.graph
    del body.input[:]
    body.output[0].type.tensor_type.shape.CopyFrom(onnx.TensorShapeProto())
    for size in (1, 16, SIZE, SIZE):
        body.output[0].type.tensor_type.shape.dim.add().dim_value = size
    same = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["same"])],
        "else",
        [],
        [helper.make_tensor_value_info("same", 1, [1, 16, SIZE, SIZE])],
    )
    node = helper.make_node("If", ["cond"], ["out"], then_branch=body, else_branch=same)
    graph = helper.make_graph(
        [node],
        "g",
        [
            helper.make_tensor_value_info("x", 1, [1, 16, SIZE, SIZE]),
            helper.make_tensor_value_info("cond", 9, []),
        ],
        [helper.make_tensor_value_info("out", 1, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def in_a_function() -> ModelProto:
    """A unit in a local function."""
    inner = unit_model(Form(constants="node"))
    function = helper.make_function(
        "local", "Unit", ["x"], ["y"], list(inner.graph.node), [helper.make_opsetid("", 17)]
    )
    graph = helper.make_graph(
        [helper.make_node("Unit", ["x"], ["y"], domain="local")],
        "g",
        inner.graph.input,
        inner.graph.output,
    )
    return helper.make_model(
        graph,
        functions=[function],
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("local", 1)],
        ir_version=10,
    )


def channels_last() -> ModelProto:
    """A unit whose Add works on (n, h, w, c)."""
    b = Builder(Form())
    back = b.op("Transpose", "x", perm=[0, 2, 3, 1])
    to_front = b.op("Transpose", back, perm=[0, 3, 1, 2])
    y = b.op("Transpose", branch(b, to_front, b.form), perm=[0, 2, 3, 1])
    return model(b, b.op("Relu", b.op("Add", y, back)))


def grouped_spatial(groups: int) -> ModelProto:
    """A unit with a grouped 3×3 convolution, as MG2033's."""

    def change(b: Builder) -> None:
        conv = nth(b, "Conv", 1)
        conv.input[1] = b.initializer(b.weight(8, 8 // groups, 3, 3))
        next(each for each in conv.attribute if each.name == "group").i = groups

    return altered(Form(), change)


def widened() -> ModelProto:
    """A unit whose depthwise convolution makes two channels of each."""
    b = Builder(Form())
    y = b.op("Relu", b.conv("x", 16, 4, 2))
    y = b.op(
        "Reshape",
        b.op("Transpose", b.op("Reshape", y, b.ints(1, 2, 2, 6, 6)), perm=[0, 2, 1, 3, 4]),
        b.ints(1, 4, 6, 6),
    )
    weight = b.initializer(b.weight(8, 1, 3, 3))
    y = b.op("Conv", y, weight, group=4, pads=[1] * 4)
    return model(b, b.op("Add", b.conv(y, 8, 16, 2), "x"))


def made_of_one() -> ModelProto:
    """A branch that a Sum of one hands on."""
    b = Builder(Form())
    return model(b, b.op("Sum", branch(b, "x", b.form)))


def unread() -> ModelProto:
    """A unit beside what leaves the model."""
    b = Builder(Form())
    unit(b, "x")
    return model(b, b.op("Abs", "x"))


def in_another_type() -> ModelProto:
    """A branch that goes on in double precision, to be added to something else."""
    b = Builder(Form())
    double = b.op("Cast", branch(b, "x", b.form), to=onnx.TensorProto.DOUBLE)
    added = b.op("Add", double, b.op("Cast", "x", to=onnx.TensorProto.DOUBLE))
    return model(b, b.op("Cast", added, to=onnx.TensorProto.FLOAT))


def open_pads() -> ModelProto:
    """A unit of any size whose depthwise convolution pads to that size."""

    def change(b: Builder) -> None:
        conv = nth(b, "Conv", 1)
        kept = [each for each in conv.attribute if each.name != "pads"]
        del conv.attribute[:]
        conv.attribute.extend([*kept, helper.make_attribute("auto_pad", "SAME_UPPER")])

    return altered(Form(stride=2, shuffle="computed", batch="n", size="s"), change)


STRIDE_2 = Form(stride=2)
NEAR_MISSES: dict[str, tuple[Callable[[], ModelProto], str]] = {
    "Add is read twice": (lambda: extra_reader("Add"), "its Add #7(Add) also feeds Abs"),
    "activation is read twice": (lambda: extra_reader("Relu"), "its Relu #1(Relu) also feeds Abs"),
    "convolution is read twice": (lambda: extra_reader("Conv"), "also feeds Abs"),
    "shuffle is read twice": (
        lambda: extra_reader("Transpose"),
        "its Transpose #3(Transpose) also",
    ),
    "Add is an output": (lambda: exported("Add"), "its Add #7(Add) is an output of the model"),
    "activation is an output": (lambda: exported("Relu"), "is an output of the model"),
    "another tensor": (
        lambda: joined_with(lambda b: "z", Form(), other_input(Form())),
        "adds z, which is not the unit's input x",
    ),
    "broadcasting": (
        lambda: joined_with(lambda b: "z", Form(), other_input(Form(), size=1)),
        "its Add broadcasts z",
    ),
    "three addends": (
        lambda: with_third_addend(),
        "its Sum joins 3 tensors, not two",
    ),
    "no group shuffle": (
        lambda: unit_model(Form(shuffle="reversed")),
        "a permutation that is no group shuffle",
    ),
    "shuffled twice": (lambda: shuffled_twice(), "its channels are permuted twice"),
    "activation after depthwise": (
        lambda: inserted("Relu", "Conv", 1),
        "a Relu follows its depthwise convolution",
    ),
    "activation before Add": (
        lambda: inserted("Relu", "Conv", 2),
        "a Relu follows its last convolution, before Add",
    ),
    "unknown activation": (
        lambda: unit_model(Form(activation="Softsign")),
        "its Softsign #1(Softsign) is no activation that units are known with",
    ),
    "activation that opset 13 has no name for": (
        lambda: unit_model(Form(activation="spelt HardSwish", opset=13)),
        "its Mul #2(Mul) is no activation that units are known with",
    ),
    "a variance below zero": (
        negative_variance,
        "the weights of its Conv #0(Conv) depend on the input, or are no numbers",
    ),
    "shared weights": (shared_weights, "shares its weights with Conv"),
    "shared through Identity": (shared_through_identity, "shares its weights with Identity"),
    "computed weights": (computed_weights, "the weights scaled of its Conv #2(Conv)"),
    "8-bit weights": (dequantised_weights, "quantised: rewrite the float model, then quantise"),
    "quantised": (quantised, "quantised: rewrite the float model, then quantise"),
    "fused": (fused, "fused by a runtime"),
    "in a subgraph": (in_a_branch, "stands in a subgraph or a local function"),
    "in a function": (in_a_function, "stands in a subgraph or a local function"),
    "channels last": (channels_last, "works on channels-last (NHWC) tensors"),
    "grouped 3×3": (lambda: grouped_spatial(4), "its 3×3 convolution #5(Conv) has 4 groups"),
    "dense 3×3": (lambda: grouped_spatial(1), "its 3×3 convolution #5(Conv) is not depthwise"),
    "channel multiplier": (widened, "makes several channels of each"),
    "stride of the first 1×1": (
        strided_pointwise,
        "its Conv #0(Conv) has a stride or pads",
    ),
    "max pooling": (
        lambda: joined_with(pooling("MaxPool"), STRIDE_2),
        "is made by MaxPool",
    ),
    "pooling of something else": (
        lambda: joined_with(
            lambda b: b.op("AveragePool", "z", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
            STRIDE_2,
            other_input(STRIDE_2),
        ),
        "pools z, which is not the unit's input x",
    ),
    "pooling with another stride": (
        lambda: joined_with(
            lambda b: b.op("AveragePool", "x", kernel_shape=[4, 4], strides=[1, 1]), STRIDE_2
        ),
        "its pooling has strides (1, 1), not (2, 2)",
    ),
    "Sum of one": (made_of_one, "its Sum joins 1 tensors, not two"),
    "nobody reads it": (unread, "nothing reads what it makes"),
    "another type": (in_another_type, "its numbers are of another type than its input"),
    "activated twice": (
        lambda: joined_with(lambda b: b.average("x"), STRIDE_2, last="Relu"),
        "a Relu follows its last convolution, before Concat",
    ),
    "open size with auto_pad in the branch": (
        open_pads,
        "the pads of its Conv #21(Conv) depend on a size that the model leaves open",
    ),
    "open size with auto_pad": (
        lambda: unit_model(Form(stride=2, pool="same", shuffle="computed", batch="n", size="s")),
        "depends on an open size",
    ),
}


def pooling(op: str) -> Callable[[Builder], str]:
    """A pooling of the input."""
    return lambda b: b.op(op, "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)


def with_third_addend() -> ModelProto:
    """A unit whose Sum has one more."""
    b = Builder(Form())
    return model(b, b.op("Sum", branch(b, "x", b.form), "x", "z"), inputs=[other_input(b.form)])


def shuffled_twice() -> ModelProto:
    """A unit with a shuffle on either side of the depthwise convolution."""

    def change(b: Builder) -> None:
        conv = nth(b, "Conv", 1)
        name = conv.output[0]
        conv.output[0] = "unshuffled"
        order = b.initializer(np.array([0, 4, 1, 5, 2, 6, 3, 7]))
        gather = helper.make_node("Gather", ["unshuffled", order], [name], axis=1)
        b.nodes.insert(list(b.nodes).index(conv) + 1, gather)

    return altered(Form(), change)


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_refuses_near_misses(tmp_path: Path, name: str) -> None:
    make, reason = NEAR_MISSES[name]
    path = tmp_path / "model.onnx"
    path.write_bytes(make().SerializeToString())
    matches = match_v1_units(read(str(path), Bindings()).subject)
    assert len(matches.refusals) >= 1
    assert reason in matches.refusals[0].reason
    (node,) = matches.refusals[0].nodes
    assert node.op == LOOK_AT.get(name, node.op)
    assert not matches.matches


# The operator to look at, where the reason names none.
LOOK_AT = {
    "another tensor": "Add",
    "broadcasting": "Add",
    "three addends": "Sum",
    "Sum of one": "Sum",
    "no group shuffle": "Gather",
    "shuffled twice": "Gather",
    "activation after depthwise": "Relu",
    "activation before Add": "Relu",
    "channels last": "Add",
    "max pooling": "MaxPool",
    "pooling of something else": "AveragePool",
    "pooling with another stride": "AveragePool",
    "nobody reads it": "Add",
    "another type": "Add",
    "quantised": "Conv",
    "8-bit weights": "Conv",
    "fused": "Conv",
}


def test_near_misses_are_many_and_distinct() -> None:
    assert len(NEAR_MISSES) >= 20


# What stands beside a unit


def found_in(proto: ModelProto, folder: Path) -> Matches:
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return match_v1_units(read(str(path), Bindings()).subject)


@pytest.mark.parametrize("branch_first", [True, False])
def test_the_branch_is_the_operand_that_reads_the_other(tmp_path: Path, branch_first: bool) -> None:
    """Both could be branches: what the unit reads is made by three convolutions too."""
    b = Builder(Form())
    x = branch(b, "x", Form(place="none"))
    parts = [branch(b, x, b.form), x]
    y = b.op("Add", *(parts if branch_first else parts[::-1]))
    matches = found_in(model(b, y), tmp_path)
    assert [match.found.input for match in matches.matches] == [x]
    assert matches.refusals == ()


def test_of_two_branches_the_shuffled_one_is_the_unit_s(tmp_path: Path) -> None:
    b = Builder(Form())
    plain = branch(b, "x", Form(place="none"))
    (refusal,) = found_in(model(b, b.op("Add", plain, branch(b, "x", b.form))), tmp_path).refusals
    assert f"adds {plain}, which is not the unit's input x" in refusal.reason


@pytest.mark.parametrize(("number", "refused"), [(2, True), (3, False)])
def test_a_sum_of_many_is_no_near_miss(tmp_path: Path, number: int, refused: bool) -> None:
    """Of its first three addends one has to be a branch."""
    b = Builder(Form())
    addends = ["z"] * number
    y = b.op("Sum", *addends, branch(b, "x", b.form))
    matches = found_in(model(b, y, inputs=[other_input(b.form)]), tmp_path)
    assert bool(matches.refusals) is refused
    assert not matches.matches


def test_units_without_shuffles_count_with_stride_2_only(tmp_path: Path) -> None:
    """Behind shuffled ones, and before."""
    b = Builder(Form())
    plain = Form(place="none")
    y = unit(b, unit(b, unit(b, "x", plain)), Form(place="none", stride=2))
    matches = found_in(model(b, y), tmp_path)
    assert [match.found.stride for match in matches.matches] == [1, 2]
    assert matches.refusals == ()


def test_quantised_is_said_once(tmp_path: Path) -> None:
    b = Builder(Form())
    y = unit(b, unit(b, "x"))
    scale = b.initializer(np.float32(0.1))
    for number in (0, 3):
        conv = nth(b, "Conv", number)
        shape = (8, 8, 1, 1)
        stored = b.initializer(np.ones(shape, np.int8))
        b.nodes.insert(0, helper.make_node("DequantizeLinear", [stored, scale], [f"f{number}"]))
        conv.input[1] = f"f{number}"
    matches = found_in(model(b, y), tmp_path)
    assert [refusal.reason for refusal in matches.refusals] == [QUANTISED]
    assert not matches.matches


@pytest.mark.parametrize("make", [quantised, fused])
def test_without_a_shuffle_nothing_is_said(make: Callable[[], ModelProto], tmp_path: Path) -> None:
    """Of a quantised or fused network that is another."""
    proto = make()
    turned = [node for node in proto.graph.node if node.op_type == "Transpose"]
    assert len(turned) == 1
    for node in turned:
        node.op_type = "Relu"
        del node.attribute[:]
    assert found_in(proto, tmp_path) == Matches(())


@pytest.mark.parametrize(("activations", "is_told"), [(0, True), (7, True), (8, False)])
def test_a_shuffle_is_looked_for_a_few_nodes_back(activations: int, is_told: bool) -> None:
    """In a model that a runtime has fused."""
    steps = [f"v{number + 1} = PRelu (v{number}, a)" for number in range(activations)]
    subject = written(
        f"""
        m (float[1,8,3,3] x, float[8,8,1,1] w) => (y)
        <float[1,8,3,3] c, float[1] a = {{0.1}}, int64[8] shuffle = {{0, 4, 1, 5, 2, 6, 3, 7}}> {{
            c = com.microsoft.FusedConv (x, w)
            v0 = Gather <axis = 1> (c, shuffle)
            {" ".join(steps)}
            y = Conv (v{activations}, w)
        }}
        """
    )
    refusals = match_v1_units(subject).refusals
    assert [refusal.reason for refusal in refusals] == ([FUSED] if is_told else [])
    assert [refusal.nodes for refusal in refusals] == ([(made_by(subject),)] if is_told else [])
