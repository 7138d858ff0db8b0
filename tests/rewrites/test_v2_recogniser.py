"""Units of ShuffleNet V2 are recognised, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import ModelProto

from fixtures.classics import densenet121, resnet50
from fixtures.inception import inception_v3
from fixtures.mobilenet import mobilenet_v2
from fixtures.shufflenet import shufflenet_v1, shufflenet_v2
from graphlint.bindings import Bindings
from graphlint.rewriting.subject import read
from graphlint_rules.rewrites.v2.recogniser import V2Unit, recognise_v2
from tests.rewrites.v1_builder import SIZE, Builder, Form
from tests.rewrites.v1_forms import model
from tests.rewrites.v1_shuffles import SHUFFLES

Recognise = Callable[[ModelProto], tuple[V2Unit, ...]]


@pytest.fixture
def recognise(tmp_path: Path) -> Recognise:
    """The units of a model."""

    def of(proto: ModelProto) -> tuple[V2Unit, ...]:
        path = tmp_path / "model.onnx"
        path.write_bytes(proto.SerializeToString())
        return recognise_v2(read(str(path), Bindings()).subject)

    return of


@pytest.mark.parametrize("norm", ["kept", "folded"])
@pytest.mark.parametrize(
    ("chunk", "split"), [("split", "split"), ("slice", "slice"), ("shape", "chunk")]
)
def test_finds_the_paper_s_units(recognise: Recognise, chunk: Any, split: str, norm: Any) -> None:
    units = recognise(shufflenet_v2(0.5, chunk=chunk, batch_norm=norm, size=64))
    assert [unit.stride for unit in units] == [2, 1, 1, 1, 2, *[1] * 7, 2, 1, 1, 1]
    assert {unit.split for unit in units if unit.stride == 1} == {split}
    assert {unit.split for unit in units if unit.stride == 2} == {"none"}
    assert [unit.widths for unit in units if unit.stride == 2] == [(24, 24), (48, 48), (96, 96)]


def test_finds_units_with_dynamic_batch(recognise: Recognise) -> None:
    assert len(recognise(shufflenet_v2(0.5, chunk="shape", batch="n", size=64))) == 16


def form(**figures: Any) -> Form:
    """Of V2: no groups."""
    return Form(width=16, mid=8, branch=8, groups=1, first_groups=1, norm="kept", **figures)


def layers(b: Builder, x: str, stride: int = 1, width: int = 8) -> str:
    """The branch of a unit."""
    y = b.op("Relu", b.conv(x, width, 8))
    y = b.conv(y, 8, 8, 8, 3, stride)
    return b.op("Relu", b.conv(y, 8, 8))


def joined(b: Builder, left: str, right: str, shuffle: str) -> str:
    """Both sides, shuffled."""
    y = b.op("Concat", left, right, axis=1)
    return SHUFFLES[shuffle](b, y, 16, 2, 1, SIZE)


@pytest.mark.parametrize("opset", [9, 12, 17])
@pytest.mark.parametrize(
    "shuffle", ["five", "flat", "last", "gather", "split", "open ends", "computed"]
)
def test_finds_every_shuffle(recognise: Recognise, shuffle: str, opset: int) -> None:
    b = Builder(form(opset=opset))
    left, right = b.split("x", 2, 16)
    (unit,) = recognise(model(b, joined(b, left, layers(b, right), shuffle)))
    assert (unit.stride, unit.split, unit.widths) == (1, "split", (8, 8))


def test_finds_uneven_parts_and_either_order(recognise: Recognise) -> None:
    b = Builder(form())
    left, right = b.slice("x", 0, 12), b.slice("x", 12, 16)
    y = b.op("Relu", b.conv(b.conv(b.op("Relu", b.conv(right, 4, 4)), 4, 4, 4, 3), 4, 4))
    (unit,) = recognise(model(b, joined(b, y, left, "five")))
    assert (unit.stride, unit.split, unit.widths) == (1, "slice", (12, 4))


def test_finds_a_shuffle_before_the_split(recognise: Recognise) -> None:
    """Megvii's: reshape to (n·c/2, 2, h·w), transpose, take 0 and 1."""
    b = Builder(form())
    y = b.op("Reshape", "x", b.ints(8, 2, SIZE * SIZE))
    y = b.op("Transpose", y, perm=[1, 0, 2])
    y = b.op("Reshape", y, b.ints(2, 1, 8, SIZE, SIZE))
    left, right = (b.op("Gather", y, b.initializer(number), axis=0) for number in _zero_and_one())
    (unit,) = recognise(model(b, b.op("Concat", left, layers(b, right), axis=1)))
    assert (unit.stride, unit.split) == (1, "gather")


def _zero_and_one() -> tuple[Any, Any]:
    import numpy as np

    return np.array(0), np.array(1)


def refused(make: Callable[[Builder], str]) -> ModelProto:
    """A model that is no V2."""
    b = Builder(form())
    return model(b, make(b))


def _unshuffled(b: Builder) -> str:
    left, right = b.split("x", 2, 16)
    return b.op("Concat", left, layers(b, right), axis=1)


def _same_part(b: Builder) -> str:
    left, _ = b.split("x", 2, 16)
    return joined(b, left, layers(b, left), "five")


def _of_two_values(b: Builder) -> str:
    left, _ = b.split(b.op("Abs", "x"), 2, 16)
    _, right = b.split("x", 2, 16)
    return joined(b, left, layers(b, right), "five")


def _no_depthwise(b: Builder) -> str:
    left, right = b.split("x", 2, 16)
    return joined(b, left, b.conv(b.conv(right, 8, 8), 8, 8, 1, 3), "five")


@pytest.mark.parametrize("make", [_unshuffled, _same_part, _of_two_values, _no_depthwise])
def test_leaves_other_wiring_alone(recognise: Recognise, make: Callable[[Builder], str]) -> None:
    assert recognise(refused(make)) == ()


@pytest.mark.parametrize("make", [shufflenet_v1, resnet50, densenet121, inception_v3, mobilenet_v2])
def test_other_networks_are_no_v2(recognise: Recognise, make: Callable[[], ModelProto]) -> None:
    assert recognise(make()) == ()
