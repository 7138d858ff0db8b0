"""A network is found whole, or the reason is said why its stages keep their widths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

from graphlint.bindings import Bindings
from graphlint.rewrites import Refusal
from graphlint.rewriting.subject import read
from graphlint_rules.rewrites.v1.matcher import match_v1_units
from graphlint_rules.rewrites.v1.networks import Network, find_network, paper_scale
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
