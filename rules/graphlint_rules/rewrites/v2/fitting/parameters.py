"""Trained layers, and all their numbers as one vector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphlint_rules.rewrites.v2.fitting.arrays import Array, flat
from graphlint_rules.rewrites.v2.fitting.windows import Bands

_LEAST_SPREAD = 1e-2


class Layer:
    """Arrays that are trained, and their gradients; `Parameters` makes them views of two vectors.

    A layer computes y = spread_y · (weight' @ ((x − centre) / spread_x) + bias'), and weight' and
    bias' are trained: as if BatchNormalization with fixed statistics stood around it, so that one
    rate of learning suits all layers. At first the statistics are 0 and 1.
    """

    def __init__(self, **arrays: Array) -> None:
        self.arrays = arrays
        self.gradients = {name: np.zeros_like(array) for name, array in arrays.items()}


class Pointwise(Layer):
    """A 1×1 convolution, or a fully connected layer: one matrix product."""

    def __init__(self, weight: Array, bias: Array) -> None:
        super().__init__(weight=np.array(weight), bias=np.array(bias))
        outputs, inputs = weight.shape
        self._centre = np.zeros(inputs, weight.dtype)
        self._scale = np.ones((outputs, inputs), weight.dtype)
        self._spread = np.ones(outputs, weight.dtype)

    @property
    def weight(self) -> Array:
        """(outputs, inputs), of x as it is."""
        weight: Array = self.arrays["weight"] * self._scale
        return weight

    @property
    def bias(self) -> Array:
        """(outputs,), of x as it is."""
        bias: Array = self.arrays["bias"] * self._spread - self.weight @ self._centre
        return bias

    def normalise(self, x: Array) -> None:
        """Take the statistics from an input, and leave the function as it is."""
        weight, bias = self.weight, self.bias
        y = self.forward(x)
        self._centre = x.mean(axis=1)
        self._spread = _spread(y)
        self._scale = self._spread[:, None] / _spread(x)
        self.arrays["weight"] = weight / self._scale
        self.arrays["bias"] = (bias + weight @ self._centre) / self._spread

    def forward(self, x: Array) -> Array:
        """(inputs, positions) → (outputs, positions)."""
        y: Array = self.weight @ x
        y += self.bias[:, None]
        return y

    def learn(self, x: Array, gradient: Array) -> None:
        """Note the gradients of weight and bias."""
        total = gradient.sum(axis=1)
        by_weight = gradient @ x.T - np.outer(total, self._centre)
        np.multiply(by_weight, self._scale, out=self.gradients["weight"])
        np.multiply(total, self._spread, out=self.gradients["bias"])

    def backward(self, gradient: Array) -> Array:
        """The gradient of the input."""
        back: Array = self.weight.T @ gradient
        return back


class Depthwise(Layer):
    """A depthwise convolution; the bias only makes up for what the weights do to the mean."""

    def __init__(self, weight: Array, bands: Bands) -> None:
        super().__init__(weight=np.array(weight))
        self._bands = bands
        self._centre = np.zeros(len(weight), weight.dtype)
        self._scale = np.ones(len(weight), weight.dtype)
        self._offset = np.zeros(len(weight), weight.dtype)

    @property
    def weight(self) -> Array:
        """(channels, kh, kw), of x as it is."""
        weight: Array = self.arrays["weight"] * self._scale[:, None, None]
        return weight

    @property
    def bias(self) -> Array:
        """(channels,), of x as it is."""
        bias: Array = self._offset - self.weight.sum(axis=(1, 2)) * self._centre
        return bias

    def normalise(self, padded: Array) -> None:
        """Take the statistics from a padded input, and leave the function as it is."""
        weight, bias = self.weight, self.bias
        x, y = flat(padded), self._bands.slide(padded, weight)
        self._centre = x.mean(axis=1)
        self._scale = _spread(flat(y)) / _spread(x)
        self._offset = bias + weight.sum(axis=(1, 2)) * self._centre
        self.arrays["weight"] = weight / self._scale[:, None, None]

    def forward(self, x: Array) -> tuple[Array, Array]:
        """The output as a matrix (channels, positions), and what `learn` takes.

        x: (channels, height, width, batch).
        """
        y, padded = self._bands.forward(x, self.weight)
        y += self.bias[:, None, None, None]
        return flat(y), padded

    def learn(self, padded: Array, gradient: Array) -> None:
        """Note the weight's gradient; `gradient` as a matrix."""
        by_weight = self._bands.weight_gradient(padded, self._image(padded, gradient))
        by_weight -= (gradient.sum(axis=1) * self._centre)[:, None, None]
        np.multiply(by_weight, self._scale[:, None, None], out=self.gradients["weight"])

    def backward(self, padded: Array, gradient: Array) -> Array:
        """The gradient of the input as a matrix."""
        image = self._image(padded, gradient)
        return flat(self._bands.input_gradient(image, self.weight))

    def _image(self, padded: Array, gradient: Array) -> Array:
        return gradient.reshape(len(gradient), *self._bands.out, padded.shape[-1])


def _spread(x: Array) -> Array:
    """The standard deviation of each row, for a divisor: not 0."""
    spread: Array = x.std(axis=1) + np.asarray(_LEAST_SPREAD, x.dtype)
    return spread


class Parameters:
    """All trained numbers of some layers as one vector, their gradients as another."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        arrays = [array for layer in layers for array in layer.arrays.values()]
        self.values = np.concatenate([array.ravel() for array in arrays])
        self.gradients = np.zeros_like(self.values)
        place = 0
        for layer in layers:
            for name, array in layer.arrays.items():
                there = slice(place, place + array.size)
                layer.arrays[name] = self.values[there].reshape(array.shape)
                layer.gradients[name] = self.gradients[there].reshape(array.shape)
                place += array.size
