"""V2 units and the network of them: forward and backward, in numpy.

Tensors are (channels, height, width, batch). A forward run leaves what the backward run needs in
the unit; there is one of each at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from graphlint_rules.rewrites.v1.units import NONE, Activation
from graphlint_rules.rewrites.v2.fitting.arrays import Array, Indices, flat
from graphlint_rules.rewrites.v2.fitting.nonlinear import Derivative, backward, nonlinear
from graphlint_rules.rewrites.v2.fitting.parameters import Depthwise, Layer, Pointwise
from graphlint_rules.rewrites.v2.fitting.windows import Bands
from graphlint_rules.rewrites.v2.units import ConvWeights, UnitPlan, UnitWeights

Observer = Callable[[str, Array], None]
"""Told the name of a convolution and its output, (channels, positions), with the bias added."""


@dataclass(slots=True)
class _Tape:
    """What a forward run leaves for the backward run."""

    branch_in: Array
    padded: Array
    mid_derivative: Derivative
    spatial: Array
    derivative: Derivative
    pooled: Array | None = None
    pool_padded: Array | None = None
    shortcut_derivative: Derivative = None


class Unit:
    """A V2 unit that computes and learns.

    The depthwise convolution's bias is folded into that of the 1×1 convolution after it: nothing
    stands between the two.
    """

    def __init__(self, plan: UnitPlan, weights: UnitWeights, area: tuple[int, int]) -> None:
        self.plan = plan
        self._given = weights
        self._bands = Bands(plan.unit.window, *area)
        self.out_area = self._bands.out
        self.first = _pointwise(weights.first)
        self.depthwise = Depthwise(weights.depthwise.weight[:, 0], self._bands)
        self.last = _pointwise(weights.last, before=weights.depthwise)
        self.shortcut: Pointwise | None = None
        self.pool: Depthwise | None = None
        if plan.stride == 2:
            assert plan.unit.pool is not None
            assert weights.shortcut_pointwise is not None
            self._pool_bands = Bands(plan.unit.pool.window, *area)
            given = weights.shortcut_depthwise
            self.shortcut = _pointwise(weights.shortcut_pointwise, before=given)
            if given is not None:
                self.pool = Depthwise(given.weight[:, 0], self._pool_bands)
        self.places = places(plan)
        self._activate_mid = nonlinear(plan.activation, weights.activation_slope)
        parts = output_slopes(plan)
        self._activate = nonlinear(plan.branch_activation, parts[1])
        self._activate_shortcut = nonlinear(plan.shortcut_activation, parts[0])
        self._tape: _Tape | None = None

    @property
    def layers(self) -> list[Layer]:
        """What can be trained."""
        own: list[Layer | None] = [self.first, self.depthwise, self.last, self.pool, self.shortcut]
        return [layer for layer in own if layer is not None]

    def forward(self, x: Array, observe: Observer | None = None) -> Array:
        """(width_in, height, width, batch) → (width_out, height out, width out, batch)."""
        plan, batch = self.plan, x.shape[-1]
        branch_in = x[plan.passed :] if plan.stride == 1 else x
        z = self.first.forward(flat(branch_in))
        _tell(observe, "first", z)
        mid, mid_derivative = self._activate_mid(z)
        spatial, padded = self.depthwise.forward(mid.reshape(plan.width_mid, *x.shape[1:]))
        _tell(observe, "depthwise", spatial)
        z = self.last.forward(spatial)
        _tell(observe, "last", z)
        branch, derivative = self._activate(z)
        self._tape = _Tape(branch_in, padded, mid_derivative, spatial, derivative)
        passed = flat(x[: plan.passed]) if plan.stride == 1 else self._shortcut(x, observe)
        y = np.empty((plan.width_out, branch.shape[1]), x.dtype)
        y[self.places[0]] = passed
        y[self.places[1]] = branch
        return y.reshape(plan.width_out, *self.out_area, batch)

    def _shortcut(self, x: Array, observe: Observer | None) -> Array:
        assert self.shortcut is not None
        assert self._tape is not None
        if self.pool is None:
            pooled, self._tape.pool_padded = self._average(x)
        else:
            pooled, self._tape.pool_padded = self.pool.forward(x)
            _tell(observe, "shortcut_depthwise", pooled)
        z = self.shortcut.forward(pooled)
        _tell(observe, "shortcut_pointwise", z)
        y, self._tape.shortcut_derivative = self._activate_shortcut(z)
        self._tape.pooled = pooled
        return y

    def _average(self, x: Array) -> tuple[Array, Array]:
        bands = self._pool_bands
        y, padded = bands.forward(x, bands.mean_weight.astype(x.dtype, copy=False))
        if not self._counts_padding:
            y *= bands.inside.astype(x.dtype, copy=False)
        return flat(y), padded

    @property
    def _counts_padding(self) -> bool:
        pool = self.plan.unit.pool
        return pool is not None and pool.counts_padding

    def backward(self, gradient: Array, *, learns: bool, to_input: bool) -> Array | None:
        """The gradient of the input if `to_input`, of that of the last forward run's output.

        `learns`: note the gradients of the weights too.
        """
        tape = self._tape
        assert tape is not None
        plan = self.plan
        upper = flat(gradient)
        g = backward(upper[self.places[1]], tape.derivative)
        if learns:
            self.last.learn(tape.spatial, g)
        g = self.last.backward(g)
        if learns:
            self.depthwise.learn(tape.padded, g)
        g = backward(self.depthwise.backward(tape.padded, g), tape.mid_derivative)
        if learns:
            self.first.learn(flat(tape.branch_in), g)
        shortcut = None
        if plan.stride == 2:
            shortcut = self._shortcut_backward(upper[self.places[0]], learns, to_input)
        if not to_input:
            return None
        below = self.first.backward(g)
        if plan.stride == 2:
            assert shortcut is not None
            below += shortcut
        else:
            below = np.concatenate([upper[self.places[0]], below])
        return below.reshape(plan.width_in, *tape.branch_in.shape[1:])

    def _shortcut_backward(self, g: Array, learns: bool, to_input: bool) -> Array | None:
        tape = self._tape
        assert tape is not None
        assert tape.pooled is not None
        assert tape.pool_padded is not None
        assert self.shortcut is not None
        g = backward(g, tape.shortcut_derivative)
        if learns:
            self.shortcut.learn(tape.pooled, g)
        if not (to_input or (learns and self.pool is not None)):
            return None
        g = self.shortcut.backward(g)
        if self.pool is not None:
            if learns:
                self.pool.learn(tape.pool_padded, g)
            return self.pool.backward(tape.pool_padded, g) if to_input else None
        bands = self._pool_bands
        image = g.reshape(len(g), *self.out_area, -1)
        if not self._counts_padding:
            image = image * bands.inside.astype(g.dtype, copy=False)
        return flat(bands.input_gradient(image, bands.mean_weight.astype(g.dtype, copy=False)))

    def normalise(self) -> None:
        """Let all layers take their statistics from the last forward run; the function stays."""
        tape = self._tape
        assert tape is not None
        self.first.normalise(flat(tape.branch_in))
        self.depthwise.normalise(tape.padded)
        self.last.normalise(tape.spatial)
        if self.shortcut is not None and tape.pooled is not None:
            self.shortcut.normalise(tape.pooled)
        if self.pool is not None and tape.pool_padded is not None:
            self.pool.normalise(tape.pool_padded)

    def forget(self) -> None:
        """Let go of what the last forward run left."""
        self._tape = None

    def weights(self) -> UnitWeights:
        """Its weights as they are now, the depthwise convolutions without bias."""
        return replace(
            self._given,
            first=conv_weights(self.first),
            depthwise=_depthwise_conv(self.depthwise),
            last=conv_weights(self.last),
            shortcut_depthwise=None if self.pool is None else _depthwise_conv(self.pool),
            shortcut_pointwise=None if self.shortcut is None else conv_weights(self.shortcut),
        )


def places(plan: UnitPlan) -> tuple[Indices, Indices]:
    """Where the passed part's channels, and the branch's, come to stand in the unit's output."""
    joined = np.argsort(plan.order)
    if plan.branch_first:
        return joined[plan.branch_out :], joined[: plan.branch_out]
    return joined[: plan.passed], joined[plan.passed :]


def output_slopes(plan: UnitPlan) -> tuple[Array | None, Array | None]:
    """The slopes of the output's PRelu for the shortcut and the branch: as the graph has them."""
    slope = plan.unit.output_activation.slope
    if slope is None or slope.size == 1:
        return slope, slope
    if not plan.exact:
        mean = slope.mean(keepdims=True)
        return mean, mean
    if plan.unit.activates_branch_only:
        return None, slope
    if plan.branch_first:
        return slope[plan.branch_out :], slope[: plan.branch_out]
    return slope[: plan.passed], slope[plan.passed :]


def _pointwise(weights: ConvWeights, before: ConvWeights | None = None) -> Pointwise:
    """As a matrix, with the bias of the convolution `before` it folded in."""
    matrix, bias = weights.weight[:, :, 0, 0], weights.bias
    return Pointwise(matrix, bias if before is None else bias + matrix @ before.bias)


def conv_weights(layer: Pointwise) -> ConvWeights:
    """A layer as a 1×1 convolution in float32."""
    return ConvWeights(_single(layer.weight)[:, :, None, None], _single(layer.bias))


def _depthwise_conv(layer: Depthwise) -> ConvWeights:
    return ConvWeights(_single(layer.weight)[:, None], _single(layer.bias))


def _single(array: Array) -> npt.NDArray[np.float32]:
    return np.array(array, np.float32)


def _tell(observe: Observer | None, name: str, z: Array) -> None:
    if observe is not None:
        observe(name, z)


@dataclass
class Head:
    """What comes after the units: a 1×1 convolution or none, global pooling, and a classifier.

    The pooling and the classifier come in one: features (channels, batch) → outputs (classes,
    batch).
    """

    classifier: Pointwise
    final: Pointwise | None = None
    final_activation: Activation = NONE

    def __post_init__(self) -> None:
        self._activate = nonlinear(self.final_activation)

    @property
    def layers(self) -> list[Layer]:
        """What can be trained."""
        return [self.classifier, *([] if self.final is None else [self.final])]

    def features(self, x: Array, observe: Observer | None = None) -> Array:
        """The averages that the classifier reads, (channels, batch)."""
        self._input, self._derivative = x, None
        if self.final is not None:
            z = self.final.forward(flat(x))
            _tell(observe, "final", z)
            z, self._derivative = self._activate(z)
            x = z.reshape(len(z), *x.shape[1:])
        averages: Array = x.mean(axis=(1, 2))
        return averages

    def forward(self, x: Array) -> Array:
        """(channels, height, width, batch) → (classes, batch)."""
        self._features = self.features(x)
        return self.classifier.forward(self._features)

    def normalise(self) -> None:
        """Let all layers take their statistics from the last forward run; the function stays."""
        self.classifier.normalise(self._features)
        if self.final is not None:
            self.final.normalise(flat(self._input))

    def backward(self, gradient: Array) -> Array:
        """The gradient of the input, of that of the outputs; notes those of the weights."""
        self.classifier.learn(self._features, gradient)
        g = self.classifier.backward(gradient)
        height, width = self._input.shape[1:3]
        g = np.broadcast_to(
            g[:, None, None] / (height * width), (len(g), height, width, g.shape[-1])
        )
        if self.final is None:
            return np.ascontiguousarray(g)
        flat_g = backward(flat(np.ascontiguousarray(g)), self._derivative)
        self.final.learn(flat(self._input), flat_g)
        return self.final.backward(flat_g).reshape(self._input.shape)


@dataclass
class Chain:
    """Units in a row; `frozen` has whether each keeps its weights."""

    units: Sequence[Unit]
    frozen: Sequence[bool]

    @property
    def layers(self) -> list[Layer]:
        """All that are trained."""
        free = [unit for unit, frozen in zip(self.units, self.frozen, strict=True) if not frozen]
        return [layer for unit in free for layer in unit.layers]

    def forward(self, x: Array) -> list[Array]:
        """Every unit's output."""
        outputs = []
        for unit in self.units:
            x = unit.forward(x)
            outputs.append(x)
        return outputs

    def normalise(self) -> None:
        """Let the layers that are trained take their statistics from the last forward run."""
        for unit, frozen in zip(self.units, self.frozen, strict=True):
            if not frozen:
                unit.normalise()

    def backward(self, gradients: Sequence[Array | None]) -> None:
        """Note the gradients of all that is trained, of those of the units' outputs."""
        below: Array | None = None
        for place in reversed(range(len(self.units))):
            given = gradients[place]
            if below is None or given is None:
                g = given if below is None else below
            else:
                g = given + below
            if g is not None:
                below = self.units[place].backward(
                    g, learns=not self.frozen[place], to_input=not all(self.frozen[:place])
                )


@dataclass
class Student:
    """A network: units in a row and a head."""

    chain: Chain
    head: Head

    @property
    def layers(self) -> list[Layer]:
        """All that are trained."""
        return [*self.chain.layers, *self.head.layers]

    def forward(self, x: Array) -> Array:
        """(channels, height, width, batch) → (classes, batch)."""
        return self.head.forward(self.chain.forward(x)[-1])

    def backward(self, gradient: Array) -> None:
        """Note the gradients of all that is trained, of that of the outputs."""
        unknown = [None] * (len(self.chain.units) - 1)
        self.chain.backward([*unknown, self.head.backward(gradient)])
