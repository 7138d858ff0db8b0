"""Shuffles are folded into weights: the function stays, the moves go, or it is said why not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from fixtures.shufflenet import Chunk, shufflenet_v1, shufflenet_v2
from graphlint.bindings import Bindings
from graphlint.rewrites import PAGE_HEADINGS, Matches, Refusal
from graphlint.rewriting.subject import read
from graphlint_rules.rewrites.shuffle_elimination import REWRITE
from graphlint_rules.rewrites.shuffles.stages import STAGES
from tests.rewrites.shuffle_nets import Net, assert_same, operators, outputs, rewritten

MOVES = {"Transpose", "Slice", "Gather", "Reshape"}
SMALL_V2: dict[str, Any] = {
    "widths": (8, 12, 20, 14, 24),
    "repeats": (3, 4, 2),
    "size": 64,
    "classes": 5,
    "weights": "random",
}


# ShuffleNet V2


@pytest.mark.parametrize("chunk", ["split", "slice", "shape"])
@pytest.mark.parametrize("options", [{}, {"batch_norm": "kept"}, {"batch": "N"}])
def test_v2_loses_all_its_shuffles(chunk: Chunk, options: dict[str, Any], tmp_path: Path) -> None:
    proto = shufflenet_v2(chunk=chunk, **SMALL_V2, **options)
    matches, after = rewritten(proto, tmp_path)
    assert [match.what for match in matches.matches] == ["9 channel shuffles"]
    assert not matches.refusals
    assert not MOVES & operators(after).keys()
    assert operators(after)["Conv"] == operators(proto)["Conv"]
    for one, other in zip(outputs(proto, N=3), outputs(after, N=3), strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=2e-6 * np.abs(one).max())


@pytest.mark.parametrize("batch_norm", ["kept", "folded"])
def test_widths_become_multiples_of_four(batch_norm: str, tmp_path: Path) -> None:
    """Halves of 6, 10 and 7 channels become 8, 12 and 8: in what is read, made and passed on."""
    proto = shufflenet_v2(batch_norm=batch_norm, **SMALL_V2)
    _, after = rewritten(proto, tmp_path, "widened")
    dims = {tensor.name: tensor.dims for tensor in after.graph.initializer}
    shapes = [dims[node.input[1]] for node in after.graph.node if node.op_type == "Conv"]
    assert all(shape[0] % 4 == 0 for shape in shapes)
    assert {(shape[0], shape[1]) for shape in shapes} >= {(8, 8), (8, 1), (12, 12), (12, 1)}
    assert not MOVES & operators(after).keys()
    assert_same(proto, after)


def test_what_is_a_multiple_already_is_not_widened(tmp_path: Path) -> None:
    proto = Net().add_conv(8).add_shuffle().add_conv(8).done()
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    subject = read(str(path), Bindings()).subject
    plan = STAGES.plan(subject, STAGES.match(subject), "widened", {"multiple": 4})
    assert isinstance(plan, Refusal)
    assert plan.reason == "no width could be widened to a multiple of 4"


def test_channels_are_not_copied_while_they_pass_through(tmp_path: Path) -> None:
    """Each convolution's output is cut once, and each reader joins its pieces once."""
    _, after = rewritten(shufflenet_v2(**SMALL_V2), tmp_path)
    counts = operators(after)
    assert counts["Concat"] <= 9
    assert counts["Split"] <= 9
    readers = Counter(name for node in after.graph.node for name in node.input)
    for node in after.graph.node:
        if node.op_type == "Split":
            assert all(readers[name] == 1 for name in node.output)


def test_what_keeps_its_name_keeps_its_order(tmp_path: Path) -> None:
    proto = shufflenet_v2(**SMALL_V2)
    _, after = rewritten(proto, tmp_path)
    made = {name for node in proto.graph.node for name in node.output}
    kept = [name for node in after.graph.node for name in node.output if name in made]
    assert len(kept) > 10
    for model in (proto, after):
        model.graph.output.extend(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            for name in kept
            if name != "logits"
        )
    for name, one, other in zip(kept, outputs(proto), outputs(after), strict=True):
        tolerance = 2e-6 * float(np.abs(one).max())
        np.testing.assert_allclose(other, one, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("opset", [9, 11, 12, 13, 18, 21])
def test_every_operator_set_has_its_split(opset: int, tmp_path: Path) -> None:
    net = Net().add_conv(12)
    x = net.value
    a, b = net.split(net.channel_shuffle(x, 2))
    net.value = net.concat([net.conv(a, 4), net.conv(b, 4)])
    proto = net.done()
    proto.opset_import[0].version = opset
    for node in proto.graph.node:
        if node.op_type == "Split" and opset < 13:
            node.attribute.append(helper.make_attribute("split", [6, 6]))
            del node.input[1:]
    matches, after = rewritten(proto, tmp_path)
    assert len(matches.matches) == 1
    assert not {"Transpose", "Reshape"} & operators(after).keys()
    assert operators(after)["Split"] == 1
    assert_same(proto, after)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_half_precision_stays(kind: int, tmp_path: Path) -> None:
    proto = Net().add_conv(8).add_shuffle().add_conv(8).done()
    proto.opset_import[0].version = 22
    for tensor in proto.graph.initializer:
        half = numpy_helper.to_array(tensor).astype(helper.tensor_dtype_to_np_dtype(kind))
        tensor.CopyFrom(numpy_helper.from_array(half, tensor.name))
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.elem_type = kind
    matches, after = rewritten(proto, tmp_path)
    assert len(matches.matches) == 1
    assert {tensor.data_type for tensor in after.graph.initializer} == {kind}
    if kind == TensorProto.FLOAT16:  # ONNX Runtime has no Conv of bfloat16 on the CPU
        assert_same(proto, after, 2e-2)


def test_shared_weights_are_copied(tmp_path: Path) -> None:
    net = Net().add_conv(8)
    y = net.conv(net.value, 8, name="shared")
    z = net.conv(net.channel_shuffle(net.value, 4), 8, name="own")
    net.value = net.add("Identity").concat([y, z])
    proto = net.done()
    for node in proto.graph.node:
        if "own.weight" in node.input:
            node.input[1:] = ["shared.weight", "shared.bias"]
    unused = [t for t in proto.graph.initializer if t.name.startswith("own.")]
    for tensor in unused:
        proto.graph.initializer.remove(tensor)
    matches, after = rewritten(proto, tmp_path)
    assert len(matches.matches) == 1
    before = {t.name: t for t in proto.graph.initializer}
    kept = {t.name: t for t in after.graph.initializer}
    assert kept["shared.weight"] == before["shared.weight"]
    assert_same(proto, after)


# Around the shuffle


PER_CHANNEL = {
    "Relu": lambda net: net.add("Relu"),
    "LeakyRelu": lambda net: net.add("LeakyRelu", alpha=0.1),
    "PRelu": lambda net: net.add("PRelu", _column(8)),
    "Sigmoid": lambda net: net.add("Sigmoid"),
    "HardSwish": lambda net: net.add("HardSwish"),
    "Clip": lambda net: net.add("Clip", np.float32(0), np.float32(6)),
    "scale": lambda net: net.add("Mul", _column(8)).add("Add", np.float32(1)),
    "MaxPool": lambda net: net.add("MaxPool", kernel_shape=[3, 3], pads=[1] * 4),
    "AveragePool": lambda net: net.add("AveragePool", kernel_shape=[3, 3], pads=[1] * 4),
    "depthwise": lambda net: net.add_depthwise(),
    "Dropout": lambda net: net.add("Dropout"),
}


def _column(channels: int) -> np.ndarray[Any, Any]:
    return np.linspace(-1, 1, channels, dtype=np.float32).reshape(channels, 1, 1)


@pytest.mark.parametrize("name", PER_CHANNEL)
@pytest.mark.parametrize("shuffle_first", [True, False])
def test_order_passes_through(name: str, shuffle_first: bool, tmp_path: Path) -> None:
    net = Net(batch_norm="kept").add_conv(8)
    if shuffle_first:
        net.add_shuffle(4)
    PER_CHANNEL[name](net)
    if not shuffle_first:
        net.add_shuffle(4)
    proto = net.add_conv(8).done()
    matches, after = rewritten(proto, tmp_path)
    assert [place.what for place in matches.matches] == ["a channel shuffle"]
    assert not MOVES & operators(after).keys()
    assert_same(proto, after)


def test_a_squeeze_and_a_sum_keep_one_order(tmp_path: Path) -> None:
    net = Net().add_conv(8)
    net.value = net.squeeze_excite(net.value, 4)
    x = net.value
    proto = net.add_shuffle(4).add_depthwise().add("Add", net.conv(x, 8)).add_conv(6).done()
    matches, after = rewritten(proto, tmp_path)
    assert len(matches.matches) == 1
    assert not MOVES & operators(after).keys()
    assert_same(proto, after)


def test_a_classifier_reads_any_order(tmp_path: Path) -> None:
    net = Net().add_conv(8).add_shuffle()
    proto = net.classify(net.value, {"classes": 3})
    matches, after = rewritten(proto, tmp_path)
    assert len(matches.matches) == 1
    assert not MOVES & operators(after).keys()
    assert_same(proto, after)


def test_colours_are_swapped_in_the_weights(tmp_path: Path) -> None:
    """RGB to BGR at the input: the first convolution's weights can do it."""
    proto = Net(3).pick([2, 1, 0]).add_conv(8).done()
    matches, after = rewritten(proto, tmp_path)
    assert len(matches.matches) == 1
    assert operators(after).keys() == {"Conv", "Relu"}
    assert_same(proto, after)


def test_outputs_keep_their_order_and_name(tmp_path: Path) -> None:
    """One of four shuffles stays, as a Gather: the model's output is what it was."""
    net = Net().add_conv(8)
    for _ in range(4):
        a, b = net.split(net.value)
        net.value = net.channel_shuffle(net.concat([a, net.conv(b, 4, act="relu")]), 2)
    proto = net.done()
    matches, after = rewritten(proto, tmp_path)
    assert len(matches.matches) == 1
    assert operators(after)["Transpose"] == 0
    assert operators(after)["Gather"] <= 1
    assert_same(proto, after)


def test_v1_loses_the_shuffle_that_follows_a_dense_convolution(tmp_path: Path) -> None:
    """The first unit of stage 2; all others stand behind a grouped convolution."""
    proto = shufflenet_v1(2, 0.25, repeats=(2, 2, 1), size=32, weights="random")
    matches, after = rewritten(proto, tmp_path)
    assert [match.what for match in matches.matches] == ["a channel shuffle"]
    assert len(matches.refusals) == 4
    assert all("a grouped convolution" in refusal.reason for refusal in matches.refusals)
    assert operators(after)["Transpose"] == 4
    assert_same(proto, after, 0)


# What stays


def _softmax(net: Net) -> None:
    net.add("Softmax", axis=1)


def _grouped(net: Net) -> None:
    net.add_conv(8, groups=2)


def _nothing(net: Net) -> None:
    """The shuffled value is the output."""


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (_softmax, _softmax, "(Softmax): it mixes channels, or needs their order"),
        (_grouped, _grouped, "a grouped convolution fixes the order of its channels"),
        (_softmax, _nothing, "output is an output, whose channels keep their order"),
    ],
)
def test_a_shuffle_between_fixed_orders_stays(
    before: Any, after: Any, reason: str, tmp_path: Path
) -> None:
    net = Net().add_conv(8)
    before(net)
    net.add_shuffle()
    after(net)
    proto = net.done()
    matches, same = rewritten(proto, tmp_path)
    assert not matches.matches
    assert [refusal.nodes[0].op for refusal in matches.refusals] == ["Reshape"]
    assert reason in matches.refusals[0].reason
    assert same.graph.node == proto.graph.node


def test_weights_that_are_fed_stay(tmp_path: Path) -> None:
    net = Net().add_conv(8).add_shuffle().add("Softmax", axis=1)
    proto = net.done()
    weight = next(t for t in proto.graph.initializer if t.name.endswith("weight"))
    proto.graph.input.append(
        helper.make_tensor_value_info(weight.name, TensorProto.FLOAT, weight.dims)
    )
    proto.graph.initializer.remove(weight)
    matches, _ = rewritten(proto, tmp_path)
    assert not matches.matches
    assert "its weights are computed, quantised or fed" in matches.refusals[0].reason


def test_joins_without_a_shuffle_are_no_match(tmp_path: Path) -> None:
    """A layer of DenseNet, and a Split whose halves are swapped."""
    net = Net().add_conv(8)
    x = net.value
    joined = net.concat([x, net.conv(x, 4)])
    a, b = net.split(joined)
    net.value = net.conv(net.concat([b, a]), 4)
    matches, _ = rewritten(net.done(), tmp_path)
    assert matches == Matches(())


def test_a_shuffle_whose_middle_is_read_stays(tmp_path: Path) -> None:
    proto = Net().add_conv(8).add_shuffle().add_conv(8).done()
    middle = next(node for node in proto.graph.node if node.op_type == "Transpose").output[0]
    info = helper.make_tensor_value_info(middle, TensorProto.FLOAT, [2, 4, 2, 5, 5])
    proto.graph.output.append(info)
    matches, _ = rewritten(proto, tmp_path)
    assert not matches.matches


# Any net


@st.composite
def nets(draw: st.DrawFn) -> onnx.ModelProto:
    """Layers and moves on a few values, joined at the end."""
    net = Net(draw(st.sampled_from([3, 8])), batch_norm=draw(st.sampled_from(["kept", "folded"])))
    values = [net.conv(net.value, 8, act="relu")]
    for _ in range(draw(st.integers(2, 8))):
        x = draw(st.sampled_from(values[-3:]))
        even = x.channels % 2 == 0
        net.value = x
        match draw(
            st.sampled_from(["conv", "dw", "shuffle", "split", "pick", "join", "sum", "se"])
        ):
            case "conv":
                values.append(net.conv(x, draw(st.sampled_from([4, 6, 8])), act="relu"))
            case "dw":
                values.append(net.depthwise(x))
            case "shuffle" if even:
                values.append(net.channel_shuffle(x, 2))
            case "split" if even:
                values += net.split(x)
            case "pick":
                count = draw(st.integers(1, x.channels))
                picked = draw(st.permutations(range(x.channels)))[:count]
                values.append(net.pick(list(picked)).value)
            case "join":
                values.append(net.concat([x, draw(st.sampled_from(values))]))
            case "sum":
                same = [y for y in values if y.channels == x.channels]
                values.append(net.add("Add", draw(st.sampled_from(same))).value)
            case "se":
                values.append(net.squeeze_excite(x, 2))
    last = net.concat(values[-2:])
    if draw(st.booleans()):
        last = net.conv(last, 4)
    return net.model(last)


@settings(max_examples=60, deadline=None)
@given(proto=nets(), plan=st.sampled_from(["exact", "widened"]), multiple=st.sampled_from([4, 5]))
def test_the_function_stays(
    proto: onnx.ModelProto, plan: str, multiple: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    matches, after = rewritten(proto, tmp_path_factory.mktemp("net"), plan, multiple)
    assert_same(proto, after, 1e-5)
    if matches.matches and plan == "exact":
        assert _permutations(after) < _permutations(proto)


def _permutations(proto: onnx.ModelProto) -> int:
    counts = operators(proto)
    return counts["Transpose"] + counts["Gather"]


def test_the_page_has_its_headings() -> None:
    headings = [line[3:] for line in REWRITE.page.splitlines() if line.startswith("## ")]
    assert tuple(headings) == PAGE_HEADINGS
