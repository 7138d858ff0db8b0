"""A network is found whole, or the reason is said why its stages keep their widths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, helper

from fixtures.shufflenet import shufflenet_v1
from graphlint.bindings import Bindings
from graphlint.graph import Node
from graphlint.rewrites import Refusal
from graphlint.rewriting.subject import read
from graphlint_rules.rewrites.v1.heads import Head as FoundHead
from graphlint_rules.rewrites.v1.matcher import match_v1_units
from graphlint_rules.rewrites.v1.networks import Network, Stage, find_network, paper_scale
from graphlint_rules.rewrites.v1.units import NONE, ConvLayer, SpatialShape, V1Unit
from tests.rewrites.v1_builder import Builder, Form
from tests.rewrites.v1_forms import model, unit

Find = Callable[[ModelProto], Network | Refusal]
Head = Callable[[Builder, str], str]

STAGE_INPUT = 16
STEM = Form(width=3)
FIRST = Form(stride=2, width=16, branch=16, size=6)
SECOND = Form(width=32, branch=32, size=3)


@pytest.fixture
def find(tmp_path: Path) -> Find:
    """The network of a model."""

    def of(proto: ModelProto) -> Network | Refusal:
        path = tmp_path / "model.onnx"
        path.write_bytes(proto.SerializeToString())
        subject = read(str(path), Bindings()).subject
        return find_network(subject, [m.found for m in match_v1_units(subject).matches])

    return of


def body(b: Builder) -> str:
    """A stem and one stage of two units: (1, 32, 3, 3)."""
    x = b.op("Relu", b.conv("x", 3, 16, kernel=3))
    x = b.op("MaxPool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
    return unit(b, unit(b, x, FIRST), SECOND)


def network(head: Head) -> ModelProto:
    """A network with that head."""
    b = Builder(STEM)
    return model(b, head(b, body(b)))


def rows(b: Builder, *shape: int) -> str:
    """A classifier's weight."""
    return b.constant(np.arange(np.prod(shape), dtype=np.float32).reshape(shape))


def _gemm(b: Builder, x: str) -> str:
    pooled = b.op("Flatten", b.op("GlobalAveragePool", x))
    return b.op("Gemm", pooled, rows(b, 10, 32), rows(b, 10), transB=1)


def _gemm_untransposed(b: Builder, x: str) -> str:
    pooled = b.op("ReduceMean", x, axes=[2, 3], keepdims=0)
    weight = b.constant(np.arange(320, dtype=np.float32).reshape(10, 32).T.copy())
    return b.op("Gemm", b.op("Dropout", pooled), weight, rows(b, 10))


def _matmul(b: Builder, x: str) -> str:
    pooled = b.op("AveragePool", x, kernel_shape=[3, 3])
    pooled = b.op("Reshape", pooled, b.ints(-1, 32))
    weight = b.constant(np.arange(320, dtype=np.float32).reshape(10, 32).T.copy())
    return b.op("Softmax", b.op("Add", b.op("MatMul", pooled, weight), rows(b, 10)))


def _pointwise(b: Builder, x: str) -> str:
    pooled = b.op("ReduceMean", x, axes=[-2, -1])
    scores = b.op("Conv", pooled, rows(b, 10, 32, 1, 1), rows(b, 10))
    return b.op("Flatten", scores)


HEADS: dict[str, tuple[Head, Sequence[str]]] = {
    "gemm": (_gemm, ["Gemm"]),
    "gemm, not transposed": (_gemm_untransposed, ["Gemm"]),
    "matmul and add": (_matmul, ["MatMul", "Add"]),
    "1×1 convolution": (_pointwise, ["Conv"]),
}


@pytest.mark.parametrize("name", HEADS)
def test_finds_every_head(find: Find, name: str) -> None:
    make, classifier = HEADS[name]
    found = find(network(make))
    assert isinstance(found, Network)
    assert [stage.width for stage in found.stages] == [32]
    assert [node.op for node in found.head.classifier_nodes] == classifier
    np.testing.assert_array_equal(found.head.weight, np.arange(320).reshape(10, 32))
    np.testing.assert_array_equal(found.head.bias, np.arange(10))
    assert paper_scale(found) is None


def test_says_which_targets_have_the_width(find: Find) -> None:
    found = find(network(_matmul))
    assert isinstance(found, Network)
    (target,) = found.head.targets
    assert (target.node.op, target.target, target.position) == ("Reshape", (-1, 32), 1)


def test_a_computed_target_leaves_the_batch_open(find: Find) -> None:
    def head(b: Builder, x: str) -> str:
        pooled = b.op("GlobalAveragePool", x)
        batch = b.op("Gather", b.op("Shape", pooled), b.ints(0), axis=0)
        flat = b.op("Reshape", pooled, b.op("Concat", batch, b.ints(32), axis=0))
        return b.op("Gemm", flat, rows(b, 10, 32), transB=1)

    found = find(network(head))
    assert isinstance(found, Network)
    (target,) = found.head.targets
    assert target.target == (-1, 32)


def test_records_the_stem(find: Find) -> None:
    found = find(network(_gemm))
    assert isinstance(found, Network)
    assert found.stem is not None
    assert (found.stem.source, found.stem.conv.width_out) == ("x", STAGE_INPUT)
    assert found.stem.activation.op == "Relu"
    assert [node.op for node in found.stem.pooling] == ["MaxPool"]
    assert found.stem_output == found.stem.pooling[0].outputs[0] == found.units[0].input


def test_a_stem_that_is_read_elsewhere_stays(find: Find) -> None:
    b = Builder(STEM)
    logits = _gemm(b, body(b))
    stem = next(node for node in b.nodes if node.op_type == "MaxPool").input[0]
    found = find(model(b, logits, b.op("Abs", stem)))
    assert isinstance(found, Network)
    assert found.stem is None


def _no_pooling(b: Builder, x: str) -> str:
    return b.op("Gemm", b.op("Flatten", x), rows(b, 10, 288), transB=1)


def _no_classifier(b: Builder, x: str) -> str:
    return b.op("GlobalAveragePool", x)


def _not_the_whole_map(b: Builder, x: str) -> str:
    pooled = b.op("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    return b.op("Gemm", b.op("Flatten", pooled), rows(b, 10, 32), transB=1)


def _two_heads(b: Builder, x: str) -> str:
    return b.op("Add", _gemm(b, x), _gemm(b, x))


BROKEN: dict[str, tuple[Callable[[], ModelProto], str]] = {
    "no pooling": (lambda: network(_no_pooling), "no global pooling with a classifier"),
    "no classifier": (lambda: network(_no_classifier), "is an output of the model"),
    "part of the map": (lambda: network(_not_the_whole_map), "no global pooling"),
    "two heads": (lambda: network(_two_heads), "no single classifier follows"),
    "a stage that is read elsewhere": (lambda: _detector(), "its width stays"),
    "something between": (lambda: _interrupted(), "are not one behind the other"),
    "no stride 2": (lambda: _begins_late(), "the first unit has stride 1"),
    "nothing": (lambda: model(*_plain()), "there are no units"),
}


def _detector() -> ModelProto:
    b = Builder(STEM)
    logits = _gemm(b, body(b))
    joined = next(node for node in b.nodes if node.op_type == "Concat").output[0]
    stage = next(node for node in b.nodes if node.input[:1] == [joined]).output[0]
    return model(b, logits, b.op("Abs", stage))


def _interrupted() -> ModelProto:
    b = Builder(STEM)
    x = b.conv("x", 3, 16)
    y = unit(b, x, Form(stride=2, width=16, branch=16))
    y = b.op("Relu", b.conv(y, 32, 32))
    return model(b, _gemm(b, unit(b, y, SECOND)))


def _begins_late() -> ModelProto:
    b = Builder(STEM)
    return model(b, _gemm(b, unit(b, b.conv("x", 3, 32), Form(width=32, branch=32))))


def _plain() -> tuple[Builder, Any]:
    b = Builder(STEM)
    return b, _gemm(b, b.conv("x", 3, 32))


@pytest.mark.parametrize("name", BROKEN)
def test_says_why_there_is_no_network(find: Find, name: str) -> None:
    make, reason = BROKEN[name]
    found = find(make())
    assert isinstance(found, Refusal)
    assert reason in found.reason


def test_says_where_something_stands_between(find: Find) -> None:
    b = Builder(STEM)
    y = unit(b, b.conv("x", 3, 16), Form(stride=2, width=16, branch=16))
    between = b.op("Relu", b.conv(y, 32, 32))
    found = find(model(b, _gemm(b, unit(b, between, SECOND))))
    assert isinstance(found, Refusal)
    assert f"those after {between}:" in found.reason
    assert [node.op for node in found.nodes] == ["Add"]


# Stems


def _with_stem(make: Callable[[Builder, str], str]) -> ModelProto:
    """A network behind that stem, (n, 16, 6, 6)."""
    b = Builder(STEM)
    return model(b, _gemm(b, unit(b, make(b, "x"), FIRST)))


def _bare(b: Builder, x: str) -> str:
    return b.conv(x, 3, 16, kernel=3)


def _padded(b: Builder, x: str) -> str:
    x = b.pad(b.op("Relu", _bare(b, x)), 1)
    return b.op("MaxPool", x, kernel_shape=[3, 3])


def _scaled(b: Builder, x: str) -> str:
    x = b.op("Mul", _bare(b, x), b.constant(b.weight(1, 16, 1, 1)))
    return b.op("LeakyRelu", x, alpha=0.2)


STEMS: dict[str, tuple[Head, str, list[str], list[str]]] = {
    "bare": (_bare, "", ["Conv"], []),
    "padded": (_padded, "Relu", ["Conv", "Relu"], ["Pad", "MaxPool"]),
    "scaled": (_scaled, "LeakyRelu", ["Conv", "Mul", "LeakyRelu"], []),
}


@pytest.mark.parametrize("name", STEMS)
def test_finds_every_stem(find: Find, name: str) -> None:
    make, op, nodes, pooling = STEMS[name]
    found = find(_with_stem(make))
    assert isinstance(found, Network)
    assert found.stem is not None
    assert (found.stem.source, found.stem.activation.op) == ("x", op)
    assert [node.op for node in found.stem.nodes] == nodes
    assert [node.op for node in found.stem.pooling] == pooling
    assert found.stem.result == found.stem.nodes[-1].outputs[0]
    assert found.stem_output == (found.stem.pooling or found.stem.nodes)[-1].outputs[0]
    assert (found.stem.conv.width_in, found.stem.conv.width_out) == (3, 16)
    assert found.stem.window.kernel == (3, 3)
    assert [stage.width for stage in found.stages] == [32]


def _grouped(b: Builder, x: str) -> str:
    return b.op("Relu", b.conv(b.conv(x, 3, 16, kernel=3), 16, 16, 2, kernel=3))


def _foreign(b: Builder, x: str) -> str:
    return b.op("Softsign", _bare(b, x))


def _moved(b: Builder, x: str) -> str:
    return b.op("Gather", _bare(b, x), b.ints(*range(16)[::-1]), axis=1)


def _twice(b: Builder, x: str) -> str:
    """A weight that another convolution has as well."""
    y = b.op("Relu", _bare(b, x))
    other = b.op("Conv", x, next(n.input[1] for n in b.nodes if n.op_type == "Conv"), pads=[1] * 4)
    return b.op("Add", y, other)


def _computed(b: Builder, x: str) -> str:
    mean = b.op("ReduceMean", x, keepdims=0)
    weight = b.op("Mul", b.constant(b.weight(16, 3, 3, 3)), mean)
    return b.op("Conv", x, weight, pads=[1] * 4)


@pytest.mark.parametrize("make", [_grouped, _foreign, _moved, _twice, _computed])
def test_what_is_no_plain_stem_stays(find: Find, make: Head) -> None:
    found = find(_with_stem(make))
    assert isinstance(found, Network)
    assert found.stem is None
    assert found.stem_output == found.units[0].input


@pytest.mark.parametrize("name", ["image", "weight"])
def test_a_stem_shares_its_image_but_not_its_weight(find: Find, name: str) -> None:
    b = Builder(STEM)
    logits = _gemm(b, body(b))
    stem = next(node for node in b.nodes if node.op_type == "Conv")
    other = b.op("Abs", stem.input[0 if name == "image" else 1])
    found = find(model(b, logits, other))
    assert isinstance(found, Network)
    assert (found.stem is not None) is (name == "image")


@pytest.mark.parametrize("op", ["Conv", "Relu", "MaxPool"])
def test_a_stem_that_somebody_else_reads_stays(find: Find, op: str) -> None:
    b = Builder(STEM)
    logits = _gemm(b, body(b))
    value = next(node for node in b.nodes if node.op_type == op).output[0]
    found = find(model(b, logits, b.op("Abs", value)))
    assert isinstance(found, Network)
    assert found.stem is None


# Stages


def test_two_units_that_read_one_value_are_no_chain(find: Find) -> None:
    b = Builder(STEM)
    x = b.conv("x", 3, 16)
    y = b.op("Concat", unit(b, x, FIRST), unit(b, x, FIRST), axis=1)
    found = find(model(b, y))
    assert isinstance(found, Refusal)
    assert "two units read" in found.reason
    assert [node.op for node in found.nodes] == ["Concat"]


def test_stages_begin_with_stride_2(find: Find) -> None:
    b = Builder(Form(width=3, size=12))
    x = unit(b, b.conv("x", 3, 16), Form(stride=2, width=16, branch=16, size=12))
    x = unit(b, unit(b, x, Form(width=32, branch=32, size=6)), Form(stride=2, width=32, size=6))
    x = unit(b, x, Form(width=48, branch=48, size=3))
    pooled = b.op("Flatten", b.op("GlobalAveragePool", x))
    found = find(model(b, b.op("Gemm", pooled, rows(b, 10, 48), transB=1)))
    assert isinstance(found, Network)
    assert [[each.stride for each in stage.units] for stage in found.stages] == [[2, 1], [2, 1]]
    assert [stage.width for stage in found.stages] == [32, 48]
    assert [each.width_out for each in found.units] == [32, 32, 48, 48]


# Those of the paper


@pytest.mark.parametrize(("groups", "scale"), [(3, 2.0), (4, 0.5)])
def test_knows_the_paper_s_networks(find: Find, groups: int, scale: float) -> None:
    """Four groups at half the size have widths that had to be rounded."""
    found = find(shufflenet_v1(groups, scale=scale, size=32, classes=2))
    assert isinstance(found, Network)
    assert paper_scale(found) == (groups, scale)


def units_of(width: int, groups: int, number: int) -> tuple[V1Unit, ...]:
    """Units that are as wide as those of a stage of the paper's; of no numbers."""

    def layer(channels: int) -> ConvLayer:
        return ConvLayer(np.empty((channels, 0, 1, 1)), np.empty(channels), groups, False, ())

    window = SpatialShape((3, 3), (1, 1), (1, 1), (1, 1, 1, 1))
    node = helper.make_node("Add", ["x"], ["y"])
    join = Node(0, "y", "", "Add", "", 17, ("x",), ("y",), {}, node)
    unit = V1Unit(
        (join,),
        "x",
        "y",
        join,
        1,
        layer(0),
        NONE,
        (),
        False,
        layer(width // 4),
        window,
        layer(width),
        NONE,
    )
    return (unit,) * number


def network_of(widths: Sequence[int], groups: int, units: Sequence[int] = (4, 8, 4)) -> Network:
    """A network of stages of these widths, with as many units."""
    head = FoundHead("", "", "", (), (), np.empty((0, 0)), np.empty(0), ())
    pairs = zip(widths, units, strict=True)
    stages = tuple(Stage(units_of(width, groups, number)) for width, number in pairs)
    return Network("", None, stages, head)


# Table 1: the output channels of stages 2, 3 and 4.
TABLE = {2: (200, 400, 800), 3: (240, 480, 960), 4: (272, 544, 1088), 8: (384, 768, 1536)}


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("groups", TABLE)
def test_the_paper_s_widths_may_be_rounded(groups: int, scale: float) -> None:
    """To a multiple of four times the groups, which the groups of a bottleneck divide."""
    step = 4 * groups
    for stage in range(3):
        for less, known in (
            (0, True),
            (4 - step, True),
            (step - 4, True),
            (step, False),
            (-step, False),
        ):
            widths = [int(scale * width) for width in TABLE[groups]]
            widths[stage] += less
            found = paper_scale(network_of(widths, groups))
            assert found == ((groups, scale) if known else None), (stage, less)


def test_other_networks_are_none_of_the_paper_s() -> None:
    widths = TABLE[3]
    assert paper_scale(network_of(widths, 3)) == (3, 1.0)
    for units in ((4, 8, 3), (3, 8, 4), (4, 7, 4), (5, 8, 4)):
        assert paper_scale(network_of(widths, 3, units)) is None
    assert paper_scale(network_of(widths[:2], 3, (4, 8))) is None
    assert paper_scale(network_of(widths, 2)) is None
    assert paper_scale(network_of(widths, 5)) is None
    whole = network_of(widths, 3)
    first, *others = whole.units[:4]
    wide = replace(first, depthwise=first.last)
    alone = replace(first, last=replace(first.last, groups=1))
    for odd in (wide, alone):
        stages = (Stage((odd, *others)), *whole.stages[1:])
        assert paper_scale(replace(whole, stages=stages)) is None
