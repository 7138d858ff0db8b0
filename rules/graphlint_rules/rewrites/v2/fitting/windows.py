"""Depthwise convolution and average pooling as products of banded matrices.

Tensors are (channels, height, width, batch): every row of an image is a contiguous (width, batch)
matrix, and the rows below one another that a window covers are one contiguous (rows·width, batch)
matrix. A window that slides along a row is a banded (width out, rows·width in) matrix, so that a
depthwise convolution is one small matrix product for each channel and row of its output: in numpy
three to ten times as fast as shifted multiply-adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from graphlint_rules.rewrites.v1.units import SpatialShape
from graphlint_rules.rewrites.v2.fitting.arrays import Array


@dataclass(frozen=True)
class Bands:
    """A window that slides over images of `height` × `width`.

    `basis` (forward) and `adjoint` (backward) turn the weights of a window, (channels, kh·kw),
    into banded matrices; both are made once.
    """

    window: SpatialShape
    height: int
    width: int

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns that a window covers, holes of a dilation included."""
        (kh, kw), (dh, dw) = self.window.kernel, self.window.dilations
        return (kh - 1) * dh + 1, (kw - 1) * dw + 1

    @property
    def out(self) -> tuple[int, int]:
        """Height and width of what it puts out."""
        top, left, bottom, right = self.window.pads
        rows, columns = self.reach
        return (
            (self.height + top + bottom - rows) // self.window.strides[0] + 1,
            (self.width + left + right - columns) // self.window.strides[1] + 1,
        )

    def forward(self, x: Array, weight: Array) -> tuple[Array, Array]:
        """The convolution's output, and the padded input that `weight_gradient` asks for.

        x: (channels, height, width, batch); weight: (channels or 1, kh, kw).
        """
        top, _, bottom, _ = self.window.pads
        padded = _padded(x, top, bottom, 1)
        return self.slide(padded, weight), padded

    def slide(self, padded: Array, weight: Array) -> Array:
        """The convolution's output, of an input that is padded above and below."""
        return self._slide(padded, self._matrix(weight), self.window.strides[0], self.out[0])

    def input_gradient(self, gradient: Array, weight: Array) -> Array:
        """The gradient of the input: the rows of `gradient` apart by the stride, slid back over."""
        rows, stride = self.reach[0], self.window.strides[0]
        top = rows - 1 - self.window.pads[0]
        spread = (gradient.shape[1] - 1) * stride + 1
        bottom = self.height + rows - 1 - top - spread
        padded = _padded(gradient, top, bottom, stride)
        return self._slide(padded, self._adjoint_matrix(weight), 1, self.height)

    def weight_gradient(self, padded: Array, gradient: Array) -> Array:
        """The gradient of the weights, (channels, kh, kw)."""
        views = self._views(padded, self.window.strides[0], self.out[0])
        products = np.matmul(gradient, views.swapaxes(-1, -2)).sum(axis=1)
        channels = len(products)
        flat: Array = products.reshape(channels, -1) @ self.basis.T.astype(products.dtype)
        return flat.reshape(channels, *self.window.kernel)

    def _slide(self, padded: Array, matrix: Array, stride: int, rows: int) -> Array:
        result: Array = np.matmul(matrix[:, None], self._views(padded, stride, rows))
        return result

    def _views(self, padded: Array, stride: int, rows: int) -> Array:
        """(channels, rows out, rows·width, batch): overlapping views of what each row sees."""
        channels, _, width, batch = padded.shape
        by_channel, by_row, by_column, by_image = padded.strides
        return np.lib.stride_tricks.as_strided(
            padded,
            (channels, rows, self.reach[0] * width, batch),
            (by_channel, by_row * stride, by_column, by_image),
            writeable=False,
        )

    def _matrix(self, weight: Array) -> Array:
        flat = weight.reshape(len(weight), -1) @ self.basis.astype(weight.dtype, copy=False)
        return flat.reshape(len(weight), self.out[1], self.reach[0] * self.width)

    def _adjoint_matrix(self, weight: Array) -> Array:
        flat = weight.reshape(len(weight), -1) @ self.adjoint.astype(weight.dtype, copy=False)
        return flat.reshape(len(weight), self.width, self.reach[0] * self.out[1])

    @cached_property
    def basis(self) -> Array:
        """(kh·kw, width out · rows · width in): where each weight of the window stands."""
        return self._spread(adjoint=False)

    @cached_property
    def adjoint(self) -> Array:
        """(kh·kw, width in · rows · width out): the same for the way back."""
        return self._spread(adjoint=True)

    def _spread(self, adjoint: bool) -> Array:
        (kh, kw), (dh, dw) = self.window.kernel, self.window.dilations
        rows, out = self.reach[0], self.out[1]
        basis = np.zeros((kh, kw, out, rows, self.width), np.float32)
        for i in range(kh):
            for j in range(kw):
                for target in range(out):
                    source = target * self.window.strides[1] + j * dw - self.window.pads[1]
                    if 0 <= source < self.width:
                        basis[i, j, target, i * dh, source] = 1
        if adjoint:
            basis = basis[:, :, :, ::-1].transpose(0, 1, 4, 3, 2)
        return np.ascontiguousarray(basis).reshape(kh * kw, -1)

    @cached_property
    def inside(self) -> Array:
        """(height out, width out, 1): the share of each window that is no padding, inverted.

        What an average over the whole window is multiplied by to leave the padding out.
        """
        ones = np.ones((1, self.height, self.width, 1), np.float32)
        share, _ = self.forward(ones, self.mean_weight)
        inverted: Array = 1 / share[0]
        return inverted

    @cached_property
    def mean_weight(self) -> Array:
        """(1, kh, kw): the weights of an average."""
        kernel = self.window.kernel
        return np.full((1, *kernel), 1 / (kernel[0] * kernel[1]), np.float32)


def _padded(x: Array, top: int, bottom: int, stride: int) -> Array:
    """Rows of zeros above and below, and `stride` − 1 between the rows of `x`.

    Negative `top` or `bottom` take rows away.
    """
    channels, height, width, batch = x.shape
    spread = (height - 1) * stride + 1
    padded = np.zeros((channels, max(top, 0) + spread + max(bottom, 0), width, batch), x.dtype)
    padded[:, max(top, 0) : max(top, 0) + spread : stride] = x
    return padded[:, max(-top, 0) : padded.shape[1] - max(-bottom, 0)]
