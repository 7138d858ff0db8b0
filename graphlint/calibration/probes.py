"""The single layers that a calibration measures: the grid on which speeds depend.

A layer that changes width is chained with its reverse. What shrinks its input (strides, few
channels in) stands side by side with itself. The rest is chained with itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Literal

from graphlint.calibration.copies import (
    Step,
    batch_norm,
    chain,
    convolve,
    fan,
    layer_norm,
    product,
    reductions,
    shuffle,
    split_and_join,
    sum_with_first,
    unary,
)
from graphlint.calibration.experiment import Network
from graphlint.devices.kinds import convolution_kind
from graphlint.devices.profile import Layer

if TYPE_CHECKING:
    from onnx import ModelProto

Size = Literal["quick", "standard", "full"]

_FLOAT_BYTES = 4
_RUN_WORK = 6e7
"""Multiply-adds of a chain, about: a run is long against the clock and short against the budget."""
_MOST_COPIES = 12
_FAR_BYTES = 8 << 20
_MOVED_FOR_ONE = 12
"""Multiply-adds that take as long as moving a byte, about: only to choose the copies by."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A layer to measure, and how a network of some copies of it is built.

    `layers` are those that a copy holds, their kinds those at no block; `after` is what stands
    behind each copy and is taken off.
    """

    group: str
    name: str
    copies: int
    build: Callable[[int], ModelProto]
    layers: tuple[Layer, ...]
    after: Layer | None = None
    sizes: tuple[Size, ...] = ("quick", "standard", "full")

    def networks(self) -> tuple[Network, ...]:
        """A chain of one copy, and one of all."""
        return tuple(
            Network(f"{self.name} x{count}", partial(self.build, count))
            for count in (1, self.copies)
        )


def probes(size: Size) -> Iterator[Probe]:
    """The grid of a size; a smaller one is part of every larger one."""
    return (probe for probe in grid() if size in probe.sizes)


_STANDARD: tuple[Size, ...] = ("standard", "full")
_FULL: tuple[Size, ...] = ("full",)
_QUICK: tuple[Size, ...] = ("quick", "standard", "full")


def grid() -> Iterator[Probe]:
    """All layers."""
    yield from least()
    yield from convolutions()
    yield from _strided()
    yield from _dense()
    yield from _elementwise()
    yield from moving()


def least() -> Iterator[Probe]:
    """The least operator: what a kernel takes that does nearly nothing."""
    shape = (1, 16)
    nothing = _layer("launch", 16, 16, 1, shape)
    yield Probe("launch", "least", 65, partial(chain, shape, (sum_with_first,)), (nothing,))


# (widths in and out, groups, kernel, side, sizes), of chains: a change of width goes back again.
_CHAINS: tuple[tuple[int, int, int, int, int, tuple[Size, ...]], ...] = (
    # pointwise: square, aligned
    (32, 32, 1, 1, 56, _QUICK),
    (64, 64, 1, 1, 56, _QUICK),
    (128, 128, 1, 1, 28, _QUICK),
    (256, 256, 1, 1, 14, _QUICK),
    (512, 512, 1, 1, 14, _STANDARD),
    (512, 512, 1, 1, 7, _QUICK),
    (1024, 1024, 1, 1, 7, _STANDARD),
    (64, 64, 1, 1, 28, _STANDARD),
    (16, 16, 1, 1, 112, _STANDARD),
    (128, 128, 1, 1, 14, _STANDARD),
    (128, 128, 1, 1, 56, _FULL),
    (256, 256, 1, 1, 28, _FULL),
    # pointwise: widths whose last block is not full, and such as are not blocked
    (36, 36, 1, 1, 28, _QUICK),
    (40, 40, 1, 1, 28, _QUICK),
    (48, 48, 1, 1, 28, _QUICK),
    (116, 116, 1, 1, 28, _STANDARD),
    (30, 30, 1, 1, 56, _STANDARD),
    (62, 62, 1, 1, 28, _QUICK),
    (126, 126, 1, 1, 14, _QUICK),
    (254, 254, 1, 1, 14, _STANDARD),
    (510, 510, 1, 1, 7, _QUICK),
    (30, 126, 1, 1, 28, _STANDARD),
    (62, 254, 1, 1, 14, _STANDARD),
    (126, 510, 1, 1, 7, _STANDARD),
    # pointwise: widening and narrowing
    (16, 96, 1, 1, 112, _STANDARD),
    (32, 192, 1, 1, 28, _QUICK),
    (64, 256, 1, 1, 56, _STANDARD),
    (64, 384, 1, 1, 14, _QUICK),
    (160, 960, 1, 1, 7, _STANDARD),
    (256, 1024, 1, 1, 14, _STANDARD),
    (512, 128, 1, 1, 28, _STANDARD),
    (512, 2048, 1, 1, 7, _STANDARD),
    (16, 384, 1, 1, 1, _QUICK),
    (64, 1024, 1, 1, 1, _STANDARD),
    # spatial
    (32, 32, 1, 3, 56, _QUICK),
    (64, 64, 1, 3, 56, _QUICK),
    (128, 128, 1, 3, 28, _QUICK),
    (256, 256, 1, 3, 14, _QUICK),
    (512, 512, 1, 3, 7, _QUICK),
    (64, 64, 1, 3, 14, _STANDARD),
    (192, 192, 1, 3, 7, _STANDARD),
    (512, 512, 1, 3, 14, _FULL),
    (32, 128, 1, 3, 28, _STANDARD),
    (64, 64, 1, 5, 28, _STANDARD),
    (128, 128, 1, 3, 56, _FULL),
    (62, 62, 1, 3, 28, _STANDARD),
    (126, 126, 1, 3, 14, _STANDARD),
    # grouped: of whole blocks, and of others
    (128, 128, 4, 1, 28, _QUICK),
    (512, 512, 8, 1, 14, _STANDARD),
    (64, 64, 2, 1, 56, _STANDARD),
    (96, 384, 3, 1, 28, _STANDARD),
    (256, 256, 8, 1, 14, _STANDARD),
    (512, 512, 4, 1, 7, _STANDARD),
    (128, 128, 2, 3, 28, _QUICK),
    (256, 256, 8, 3, 14, _STANDARD),
    (60, 60, 2, 1, 28, _QUICK),
    (120, 120, 4, 1, 28, _QUICK),
    (360, 360, 4, 1, 14, _QUICK),
    (72, 288, 2, 1, 28, _STANDARD),
    (144, 576, 4, 1, 14, _STANDARD),
    (720, 720, 8, 1, 7, _STANDARD),
    (40, 40, 2, 1, 56, _STANDARD),
    (200, 800, 4, 1, 14, _STANDARD),
    (300, 900, 3, 1, 7, _STANDARD),
    (40, 160, 2, 1, 28, _STANDARD),
    (80, 320, 2, 1, 14, _STANDARD),
    (128, 128, 16, 3, 28, _QUICK),
    (256, 256, 32, 3, 14, _STANDARD),
    (512, 512, 32, 3, 14, _STANDARD),
    (64, 64, 16, 3, 56, _STANDARD),
    # depthwise
    (32, 32, 32, 3, 112, _STANDARD),
    (64, 64, 64, 3, 56, _QUICK),
    (128, 128, 128, 3, 28, _QUICK),
    (256, 256, 256, 3, 14, _STANDARD),
    (512, 512, 512, 3, 14, _QUICK),
    (960, 960, 960, 3, 7, _QUICK),
    (144, 144, 144, 3, 56, _STANDARD),
    (96, 96, 96, 5, 28, _QUICK),
    (480, 480, 480, 5, 14, _STANDARD),
    (62, 62, 62, 3, 28, _QUICK),
    (30, 30, 30, 3, 56, _STANDARD),
    (126, 126, 126, 3, 14, _STANDARD),
)

# (width in and out, groups, kernel, stride, side of the input, sizes), side by side.
_FANS: tuple[tuple[int, int, int, int, int, int, tuple[Size, ...]], ...] = (
    (3, 32, 1, 3, 2, 224, _QUICK),
    (3, 64, 1, 7, 2, 224, _QUICK),
    (3, 64, 1, 3, 1, 112, _STANDARD),
    (3, 96, 1, 5, 4, 224, _STANDARD),
    (64, 128, 1, 3, 2, 56, _QUICK),
    (256, 256, 1, 3, 2, 28, _STANDARD),
    (256, 512, 1, 1, 2, 56, _STANDARD),
    (512, 1024, 1, 1, 2, 28, _FULL),
    (64, 64, 64, 3, 2, 112, _QUICK),
    (144, 144, 144, 3, 2, 56, _STANDARD),
    (384, 384, 384, 3, 2, 28, _STANDARD),
    (126, 126, 126, 3, 2, 28, _STANDARD),
)


def convolutions() -> Iterator[Probe]:
    """Convolutions in chains."""
    for c1, c2, groups, kernel, side, sizes in _CHAINS:
        layers = [_convolution(c1, c2, groups, kernel, 1, side)]
        steps = [convolve(c1, c2, groups, kernel, 1)]
        if c1 != c2:
            layers.append(_convolution(c2, c1, groups, kernel, 1, side))
            steps.append(convolve(c2, c1, groups, kernel, 1))
        yield Probe(
            layers[0].kind,
            spell_convolution(c1, c2, groups, kernel, 1, side),
            _copies(layers),
            partial(chain, (1, c1, side, side), tuple(steps)),
            tuple(layers),
            sizes=sizes,
        )


def _strided() -> Iterator[Probe]:
    for c1, c2, groups, kernel, stride, side, sizes in _FANS:
        layer = _convolution(c1, c2, groups, kernel, stride, side)
        outside = (1, c2, side // stride, side // stride)
        yield Probe(
            layer.kind,
            spell_convolution(c1, c2, groups, kernel, stride, side),
            _copies([layer]),
            partial(fan, (1, c1, side, side), convolve(c1, c2, groups, kernel, stride)),
            (layer,),
            after=_reduction(outside),
            sizes=sizes,
        )


def _dense() -> Iterator[Probe]:
    for inside, outside, rows, sizes in (
        (2048, 2048, 1, _QUICK),
        (1024, 1024, 1, _STANDARD),
        (512, 1000, 1, _STANDARD),
        (2048, 1000, 1, _STANDARD),
        (4096, 4096, 1, _STANDARD),
        (256, 256, 1, _STANDARD),
        (256, 256, 64, _QUICK),
        (512, 2048, 128, _STANDARD),
    ):
        layers = [_product_layer(inside, outside, rows)]
        steps = [product(inside, outside)]
        if inside != outside:
            layers.append(_product_layer(outside, inside, rows))
            steps.append(product(outside, inside))
        yield Probe(
            "dense",
            f"dense {rows}x{inside}-{outside}",
            _copies_of_weights(layers),
            partial(chain, (rows, inside), tuple(steps)),
            tuple(layers),
            sizes=sizes,
        )


def _elementwise() -> Iterator[Probe]:
    for channels, side, sizes in (
        (58, 7, _STANDARD),
        (58, 28, _QUICK),
        (58, 56, _STANDARD),
        (122, 112, _QUICK),
        (122, 224, _FULL),
    ):
        shape = (1, channels, side, side)
        yield _pointwise("elementwise", "Add", shape, sum_with_first, 3, sizes)
        yield _pointwise("elementwise", "Abs", shape, unary("Abs"), 2, sizes)
    for channels, side, sizes in ((58, 14, _STANDARD), (58, 56, _QUICK), (122, 56, _STANDARD)):
        shape = (1, channels, side, side)
        yield _pointwise("transcendental", "Sigmoid", shape, unary("Sigmoid"), 2, sizes)
        norm = batch_norm(channels)
        yield _pointwise("normalisation", "BatchNormalization", shape, norm, 2, sizes)
    yield _pointwise("transcendental", "Softmax", (64, 1000), unary("Softmax"), 2, _STANDARD)
    yield _pointwise("transcendental", "Softmax", (1, 1000), unary("Softmax"), 2, _QUICK)
    yield _pointwise(
        "normalisation", "LayerNormalization", (1, 64, 256), layer_norm(256), 2, _QUICK
    )
    lrn = unary("LRN", size=5)
    yield _pointwise("local response", "LRN", (1, 64, 28, 28), lrn, 2, _QUICK)
    yield _pointwise("local response", "LRN", (1, 96, 56, 56), lrn, 2, _STANDARD)


def moving() -> Iterator[Probe]:
    """Poolings, reductions, movement, transpositions and reorderings."""
    for channels, side, sizes in (
        (64, 56, _QUICK),
        (62, 56, _QUICK),
        (256, 14, _QUICK),
        (254, 14, _STANDARD),
        (62, 112, _STANDARD),
    ):
        shape = (1, channels, side, side)
        for kind, op in (("max pooling", "MaxPool"), ("average pooling", "AveragePool")):
            step = unary(op, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
            yield _pointwise(kind, op, shape, step, 2, sizes, kernel=3)
    for channels, side, sizes in (
        (60, 7, _STANDARD),
        (62, 56, _QUICK),
        (510, 7, _QUICK),
        (126, 28, _STANDARD),
        (1022, 14, _STANDARD),
    ):
        shape = (1, channels, side, side)
        layer = _reduction(shape)
        build = partial(reductions, shape)
        yield Probe("reduction", f"reduction {_shape(shape)}", 9, build, (layer,), sizes=sizes)
    for channels, side, sizes in (
        (60, 56, _QUICK),
        (120, 28, _STANDARD),
        (240, 14, _QUICK),
        (480, 7, _STANDARD),
        (60, 112, _STANDARD),
    ):
        shape = (1, channels, side, side)
        layer = _layer("movement", channels, channels, 1, shape, 2)
        name = f"movement {_shape(shape)}"
        build = partial(chain, shape, (split_and_join,))
        yield Probe("movement", name, 9, build, (layer, layer), sizes=sizes)
        turned = _layer("transposition", channels // 3, 3, 1, (1, 3, prod(shape) // 3), 2)
        build = partial(chain, shape, (shuffle(channels, 3, side),))
        yield Probe("movement", f"shuffle {_shape(shape)}", 9, build, (turned,), sizes=sizes)
    for channels, side, sizes in (
        (64, 56, _QUICK),
        (128, 28, _STANDARD),
        (512, 14, _QUICK),
        (64, 112, _STANDARD),
        (960, 7, _STANDARD),
    ):
        shape = (1, channels, side, side)
        layer = _layer("reorder", channels, channels, 1, shape, 2)
        steps = (convolve(channels, channels, channels, 1, 1), unary("Abs"))
        build = partial(chain, shape, steps)
        yield Probe("reorder", f"reorder {_shape(shape)}", 7, build, (layer, layer), sizes=sizes)
        alone = partial(chain, shape, steps[:1])
        conv = _convolution(channels, channels, channels, 1, 1, side)
        yield Probe("reorder", f"blocked {_shape(shape)}", 7, alone, (conv,), sizes=sizes)
        alone = partial(chain, shape, steps[1:])
        plain = _layer("elementwise", channels, channels, 1, shape, 2)
        yield Probe("reorder", f"plain {_shape(shape)}", 7, alone, (plain,), sizes=sizes)


def _pointwise(
    kind: str,
    op: str,
    shape: tuple[int, ...],
    step: Step,
    tensors: int,
    sizes: tuple[Size, ...],
    kernel: int = 1,
) -> Probe:
    """A chain of an operator that moves so many tensors of a shape."""
    channels = shape[1]
    layer = _layer(kind, channels, channels, kernel, shape, tensors)
    build = partial(chain, shape, (step,))
    return Probe(kind, f"{op} {_shape(shape)}", _copies([layer]), build, (layer,), sizes=sizes)


def _layer(
    kind: str, inside: int, outside: int, kernel: int, shape: tuple[int, ...], tensors: int = 1
) -> Layer:
    elements = prod(shape)
    moved = tensors * _FLOAT_BYTES * elements
    return Layer(kind, inside, outside, 1, kernel, 1, max(1, elements // shape[1]), 0, moved)


def _reduction(shape: tuple[int, ...]) -> Layer:
    moved = _FLOAT_BYTES * (prod(shape) + shape[1])
    return Layer("reduction", shape[1], shape[1], 1, 1, 1, 1, 0, moved)


def _convolution(c1: int, c2: int, groups: int, kernel: int, stride: int, side: int) -> Layer:
    positions = (side // stride) ** 2
    weights = c2 * (c1 // groups) * kernel**2
    moved = _FLOAT_BYTES * (side**2 * c1 + positions * c2 + weights + c2)
    kind = convolution_kind(c1, c2, groups, kernel)
    return Layer(kind, c1, c2, groups, kernel, stride, positions, positions * weights, moved)


def _product_layer(inside: int, outside: int, rows: int) -> Layer:
    weights = inside * outside
    moved = _FLOAT_BYTES * (weights + outside + rows * (inside + outside))
    return Layer("dense", inside, outside, 1, 1, 1, rows, rows * weights, moved)


def _copies(layers: Iterable[Layer]) -> int:
    work = sum(layer.multiply_adds + _MOVED_FOR_ONE * layer.bytes for layer in layers)
    return max(3, min(_MOST_COPIES, round(_RUN_WORK / work)))


def _copies_of_weights(layers: Iterable[Layer]) -> int:
    """As many as hold more weights than stay near the processor from one run to the next."""
    return max(3, min(33, -(-_FAR_BYTES // sum(layer.bytes for layer in layers))))


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def spell_convolution(c1: int, c2: int, groups: int, kernel: int, stride: int, side: int) -> str:
    """A convolution's name."""
    return f"conv {c1}-{c2} g{groups} k{kernel} s{stride} at {side}"
