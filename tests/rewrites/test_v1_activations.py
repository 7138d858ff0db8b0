"""Activation functions are read with their settings, in every spelling that units have."""

from __future__ import annotations

import numpy as np
import pytest

from graphlint_rules.rewrites.v1.activations import activating, per_channel, read_activation
from graphlint_rules.rewrites.v1.units import NONE, Activation
from tests.rewrites.subjects import made_by, written

X = "m (float[1,4,2,3] x, float[1] fed) => (y)"
LARGEST = "340282346638528859811704183484516925440"

READ: dict[str, tuple[str, int, Activation]] = {
    "Relu": ("y = Relu (x)", 17, Activation("Relu")),
    "HardSwish": ("y = HardSwish (x)", 17, Activation("HardSwish")),
    "LeakyRelu": ("y = LeakyRelu (x)", 17, Activation("LeakyRelu", (("alpha", 0.01),))),
    "LeakyRelu, steeper": (
        "y = LeakyRelu <alpha = 0.5> (x)",
        17,
        Activation("LeakyRelu", (("alpha", 0.5),)),
    ),
    "Clip": ("y = Clip (x, zero, six)", 17, Activation("Clip", bounds=(0.0, 6.0))),
    "Clip from above": ('y = Clip (x, "", six)', 17, Activation("Clip", bounds=(None, 6.0))),
    "Clip from below": ("y = Clip (x, zero)", 17, Activation("Clip", bounds=(0.0, None))),
    "Clip by a vector of one": ("y = Clip (x, one)", 17, Activation("Clip", bounds=(1.0, None))),
    "Clip by attributes": (
        "y = Clip <min = -1.0, max = 6.0> (x)",
        9,
        Activation("Clip", bounds=(-1.0, 6.0)),
    ),
    "Clip by the largest numbers": (
        f"y = Clip <min = -{LARGEST}.0, max = {LARGEST}.0> (x)",
        9,
        Activation("Clip", bounds=(None, None)),
    ),
    "Mul by HardSigmoid": (
        "g = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x) y = Mul (x, g)",
        17,
        Activation("HardSwish"),
    ),
    "HardSigmoid first, with its own beta": (
        "g = HardSigmoid <alpha = 0.16666667> (x) y = Mul (g, x)",
        14,
        Activation("HardSwish"),
    ),
}
FOREIGN = {
    "a function that units have not": ("y = Sigmoid (x)", 17, 1),
    "Swish": ("g = Sigmoid (x) y = Mul (x, g)", 17, 2),
    "another slope": ("g = HardSigmoid (x) y = Mul (x, g)", 17, 2),
    "another offset": (
        "g = HardSigmoid <alpha = 0.16666667, beta = 0.4> (x) y = Mul (x, g)",
        17,
        2,
    ),
    "divided": ("g = HardSigmoid <alpha = 0.16666667> (x) y = Div (x, g)", 17, 2),
    "no name for it": ("g = HardSigmoid <alpha = 0.16666667> (x) y = Mul (x, g)", 13, 2),
    "spelt out": ("s = Add (x, six) g = Clip (s, zero, six) y = Mul (x, g)", 17, 3),
    "spelt out, and divided": (
        "s = Add (six, x) r = Clip (s, zero, six) g = Div (r, six) y = Mul (g, x)",
        17,
        4,
    ),
    "divided at the end": (
        "s = Add (x, six) r = Relu (s) g = Mul (x, r) y = Div (g, six)",
        17,
        None,
    ),
    "a bound that is fed": ("y = Clip (x, fed)", 17, 1),
    "two bounds": ("y = Clip (x, two)", 17, 1),
    "a slope that is fed": ("y = PRelu (x, fed)", 17, 1),
    "a slope for every column": ("y = PRelu (x, columns)", 17, 1),
}
STORED = """<float zero = {0}, float six = {6}, float[1] one = {1}, float[2] two = {1, 2},
    float[3] columns = {1, 2, 3}>"""


@pytest.mark.parametrize("name", READ)
def test_activations_have_their_settings(name: str) -> None:
    text, opset, wanted = READ[name]
    subject = written(f"{X} {STORED} {{ {text} }}", opset)
    found = activating(subject.view, made_by(subject))
    assert found is not None
    assert (found.source, found.result) == ("x", made_by(subject))
    read = read_activation(subject, found, 1)
    assert read is not None
    assert (read.op, read.bounds, read.slope) == (wanted.op, wanted.bounds, None)
    assert dict(read.attributes) == pytest.approx(dict(wanted.attributes))


@pytest.mark.parametrize("name", FOREIGN)
def test_what_units_are_not_known_with(name: str) -> None:
    text, opset, count = FOREIGN[name]
    subject = written(f"{X} {STORED} {{ {text} }}", opset)
    found = activating(subject.view, made_by(subject))
    if count is None:
        assert found is None
        return
    assert found is not None
    assert (found.source, len(found.nodes)) == ("x", count)
    assert read_activation(subject, found, 1) is None


@pytest.mark.parametrize(
    "text",
    [
        "y = Add (x, six)",
        "y = Softmax (x)",
        "y = Mul (x, six)",
        "g = Sigmoid (fed) y = Mul (x, g)",
        "g = Softmax (x) y = Mul (x, g)",
        "y = Mul (x, x)",
        "a = Abs (x) b = Abs (a) c = Abs (b) d = Abs (c) e = Abs (d) y = Mul (x, e)",
    ],
)
def test_what_is_no_function_of_each_number(text: str) -> None:
    subject = written(f"{X} {STORED} {{ {text} }}")
    assert activating(subject.view, made_by(subject)) is None


def test_a_gate_may_take_four_steps() -> None:
    text = "a = Abs (x) b = Abs (a) c = Abs (b) d = Abs (c) y = Mul (x, d)"
    subject = written(f"{X} {{ {text} }}")
    found = activating(subject.view, made_by(subject))
    assert found is not None
    assert len(found.nodes) == 5


@pytest.mark.parametrize(
    ("shape", "axis", "channels"),
    [
        ([], 1, 1),
        ([1], 1, 1),
        ([1, 1, 1], 1, 1),
        ([4, 1, 1], 1, 4),
        ([1, 4, 1, 1], 1, 4),
        ([3], -1, 3),
        ([1, 1, 3], -1, 3),
        ([3], 1, None),
        ([4, 1, 1], -1, None),
        ([4, 2, 1], 1, None),
        ([2, 1, 1], 1, None),
        ([1, 1, 4, 1, 1], 1, None),
    ],
)
def test_an_operand_is_one_number_or_one_a_channel(
    shape: list[int], axis: int, channels: int | None
) -> None:
    subject = written(f"{X} {{ y = Relu (x) }}")
    array = np.arange(1, 1 + np.prod(shape, dtype=int), dtype=np.float64).reshape(shape)
    found = per_channel(subject, array, "y", axis)
    if channels is None:
        assert found is None
        return
    assert found is not None
    assert found.dtype == np.float32
    assert found.tolist() == list(range(1, channels + 1))


def test_an_operand_of_a_value_of_unknown_shape() -> None:
    subject = written("m (float[n] x, int64[k] s) => (y) { y = Reshape (x, s) }")
    assert per_channel(subject, np.ones((4, 1, 1)), "y", 1) is None
    assert per_channel(subject, np.ones(1), "y", 1) is not None


def test_a_slope_for_every_channel_is_read() -> None:
    subject = written(f"{X} <float[4,1,1] s = {{1, 2, 3, 4}}> {{ y = PRelu (x, s) }}")
    found = activating(subject.view, made_by(subject))
    assert found is not None
    read = read_activation(subject, found, 1)
    assert read is not None
    assert (read.op, read.attributes) == ("PRelu", ())
    assert read.slope is not None
    assert read.slope.tolist() == [1, 2, 3, 4]


def test_only_none_is_no_activation() -> None:
    assert not NONE
    assert Activation("Relu")
