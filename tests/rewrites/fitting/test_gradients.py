"""Hand-written gradients against numerical ones, in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphlint_rules.rewrites.v1.units import NONE, Activation, SpatialShape
from graphlint_rules.rewrites.v2.fitting.nonlinear import nonlinear
from graphlint_rules.rewrites.v2.fitting.parameters import Layer, Parameters, Pointwise
from graphlint_rules.rewrites.v2.fitting.student import Chain, Head, Student, Unit
from graphlint_rules.rewrites.v2.fitting.windows import Bands
from graphlint_rules.rewrites.v2.units import ConvWeights, UnitPlan, UnitWeights
from graphlint_rules.rewrites.v2.weights import seeded_weights
from tests.rewrites.fitting.made_units import RELU, v1_unit, v2_plan, window

Array = np.ndarray[Any, Any]

ACTIVATIONS = [
    NONE,
    RELU,
    Activation("Clip", bounds=(0.0, 0.8)),
    Activation("Clip", bounds=(None, 0.5)),
    Activation("LeakyRelu", (("alpha", 0.1),)),
    Activation("PRelu", slope=np.array([0.25], np.float32)),
    Activation("HardSwish"),
]
WINDOWS = [
    window(),
    window(5),
    window(stride=2),
    window(dilation=2),
    window(stride=2, pads=(0, 0, 1, 1)),
    window(pads=(2, 0, 0, 3)),
    SpatialShape((1, 3), (1, 2), (1, 1), (0, 1, 0, 1)),
    window(pads=(0, 0, 0, 0)),
]


def numerical(function: Callable[[], float], array: Array, step: float = 1e-6) -> Array:
    """Central differences of `function` by each number of `array`, which it reads."""
    result = np.zeros(array.shape)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + step
        above = function()
        array[place] = kept - step
        below = function()
        array[place] = kept
        result[place] = (above - below) / (2 * step)
    return result


def close(found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def direct(x: Array, weight: Array, shape: SpatialShape) -> Array:
    """A depthwise convolution as its definition says, (channels, height, width, batch)."""
    top, left, bottom, right = shape.pads
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    (kh, kw), (sh, sw), (dh, dw) = shape.kernel, shape.strides, shape.dilations
    height = (x.shape[1] - (kh - 1) * dh - 1) // sh + 1
    width = (x.shape[2] - (kw - 1) * dw - 1) // sw + 1
    y = np.zeros((len(x), height, width, x.shape[-1]))
    for i in range(height):
        for j in range(width):
            rows = slice(i * sh, i * sh + (kh - 1) * dh + 1, dh)
            columns = slice(j * sw, j * sw + (kw - 1) * dw + 1, dw)
            y[:, i, j] = (x[:, rows, columns] * weight[..., None]).sum(axis=(1, 2))
    return y


@pytest.mark.parametrize("shape", WINDOWS, ids=str)
def test_a_depthwise_convolution_and_its_gradients(shape: SpatialShape) -> None:
    random = np.random.default_rng(0)
    x, weight = random.standard_normal((3, 7, 6, 2)), random.standard_normal((3, *shape.kernel))
    bands = Bands(shape, 7, 6)
    y, padded = bands.forward(x, weight)
    np.testing.assert_allclose(y, direct(x, weight, shape), atol=1e-12)
    gradient = random.standard_normal(y.shape)

    def loss() -> float:
        return float((bands.forward(x, weight)[0] * gradient).sum())

    close(bands.weight_gradient(padded, gradient), numerical(loss, weight))
    close(bands.input_gradient(gradient, weight), numerical(loss, x))


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda each: each.op or "none")
def test_an_activation_and_its_derivative(activation: Activation) -> None:
    x = np.random.default_rng(1).standard_normal((4, 30)) * 3
    function = nonlinear(activation)
    _, derivative = function(x.copy())
    expected = numerical(lambda: float(function(x.copy())[0].sum()), x)
    close(np.ones_like(x) if derivative is None else derivative * np.ones_like(x), expected)


def test_a_slope_for_each_channel() -> None:
    slope = np.array([0.5, 0.1], np.float32)
    y, _ = nonlinear(Activation("PRelu", slope=slope))(np.array([[-2.0, 2.0], [-10.0, 3.0]]))
    np.testing.assert_allclose(y, [[-1, 2], [-1, 3]], rtol=1e-6)


PLANS = {
    "half": lambda random: v2_plan(v1_unit(random, 8, 8)),
    "narrow": lambda random: v2_plan(v1_unit(random, 8, 8), passed=6, mid=3),
    "wide branch": lambda random: v2_plan(v1_unit(random, 8, 8), passed=2, mid=3),
    "clipped": lambda random: v2_plan(
        v1_unit(random, 8, 8, activation=ACTIVATIONS[2], output_activation=ACTIVATIONS[6])
    ),
    "stride 2": lambda random: v2_plan(v1_unit(random, 4, 12, stride=2)),
    "stride 2, pool kept": lambda random: v2_plan(
        v1_unit(random, 4, 12, stride=2, counts_padding=False)
    ),
    "stride 2, branch first": lambda random: replace(
        v2_plan(v1_unit(random, 4, 12, stride=2)), branch_first=True, shuffled=False
    ),
}


def widened(plan: UnitPlan, weights: UnitWeights) -> Unit:
    """A unit that computes in float64, with biases that are not zero."""

    def wide(conv: ConvWeights | None) -> ConvWeights | None:
        if conv is None:
            return None
        bias = np.linspace(-0.3, 0.4, len(conv.bias))
        return ConvWeights(conv.weight.astype(np.float64), bias)  # type: ignore[arg-type]

    names = ("first", "depthwise", "last", "shortcut_depthwise", "shortcut_pointwise")
    changed = {name: wide(getattr(weights, name)) for name in names}
    return Unit(plan, replace(weights, **changed), (6, 6))  # type: ignore[arg-type]


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("name", PLANS)
def test_a_unit_and_its_gradients(name: str, normalised: bool) -> None:
    random = np.random.default_rng(2)
    plan = PLANS[name](random)
    unit = widened(plan, seeded_weights(plan, random))
    x = random.standard_normal((plan.width_in, 6, 6, 2))
    gradient = random.standard_normal(unit.forward(x).shape)
    if normalised:
        before = unit.forward(x + 3)
        unit.normalise()
        np.testing.assert_allclose(unit.forward(x + 3), before, atol=1e-10)

    def loss() -> float:
        return float((unit.forward(x) * gradient).sum())

    unit.forward(x)
    below = unit.backward(gradient, learns=True, to_input=True)
    assert below is not None
    close(below, numerical(loss, x))
    for layer in unit.layers:
        for part, array in layer.arrays.items():
            close(layer.gradients[part], numerical(loss, array))


@pytest.mark.parametrize("final", [False, True])
def test_a_network_and_its_gradients(final: bool) -> None:
    random = np.random.default_rng(3)
    plans = [v2_plan(v1_unit(random, 4, 12, stride=2)), v2_plan(v1_unit(random, 12, 12))]
    units = [widened(plan, seeded_weights(plan, random)) for plan in plans]
    units[1] = Unit(plans[1], seeded_weights(plans[1], random), (3, 3))
    wide = 7 if final else 12
    head = Head(
        Pointwise(random.standard_normal((5, wide)), random.standard_normal(5)),
        Pointwise(random.standard_normal((7, 12)), random.standard_normal(7)) if final else None,
        RELU if final else NONE,
    )
    student = Student(Chain(units, [False, False]), head)
    student.forward(random.standard_normal((4, 6, 6, 2)))
    student.chain.normalise()
    head.normalise()
    parameters = Parameters(student.layers)
    x = random.standard_normal((4, 6, 6, 2))
    gradient = random.standard_normal((5, 2))
    student.forward(x)
    student.backward(gradient)
    found = parameters.gradients.copy()
    close(found, numerical(lambda: float((student.forward(x) * gradient).sum()), parameters.values))


def test_a_frozen_unit_learns_nothing_and_passes_the_gradient_on() -> None:
    random = np.random.default_rng(4)
    plans = [v2_plan(v1_unit(random, 8, 8)) for _ in range(3)]
    units = [widened(plan, seeded_weights(plan, random)) for plan in plans]
    head = Head(Pointwise(random.standard_normal((3, 8)), np.zeros(3)))
    free = Student(Chain(units, [False] * 3), head)
    x, gradient = random.standard_normal((8, 6, 6, 2)), random.standard_normal((3, 2))
    free.forward(x)
    free.backward(gradient)
    expected = units[0].first.gradients["weight"].copy()
    frozen = Student(Chain(units, [False, True, False]), head)
    untouched: list[Layer] = units[1].layers
    for layer in untouched:
        for array in layer.gradients.values():
            array.fill(7)
    frozen.forward(x)
    frozen.backward(gradient)
    np.testing.assert_array_equal(units[0].first.gradients["weight"], expected)
    assert all((array == 7).all() for layer in untouched for array in layer.gradients.values())
