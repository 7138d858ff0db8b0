"""What a unit of ShuffleNet V1 is, however it is spelt: its widths, its weights, its wiring."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from graphlint.graph import Node

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function: an operator with its attributes; `NONE` where there is none.

    `bounds` are Clip's minimum and maximum, `slope` PRelu's, one number or one a channel.
    """

    op: str = ""
    attributes: tuple[tuple[str, Any], ...] = ()
    bounds: tuple[float | None, float | None] | None = None
    slope: Array | None = field(default=None, compare=False)

    def __bool__(self) -> bool:
        return bool(self.op)


NONE = Activation()


@dataclass(frozen=True, slots=True)
class ConvLayer:
    """A convolution with the BatchNormalization after it folded in.

    `weight`: (out, in / groups, kh, kw), `bias`: (out,). `nodes` are the convolution and what was
    folded. `batch_norm` says whether a BatchNormalization stood there.
    """

    weight: Array
    bias: Array
    groups: int
    batch_norm: bool
    nodes: tuple[Node, ...]

    @property
    def width_out(self) -> int:
        """Output channels."""
        return int(self.weight.shape[0])

    @property
    def width_in(self) -> int:
        """Input channels."""
        return int(self.weight.shape[1]) * self.groups


@dataclass(frozen=True, slots=True)
class SpatialShape:
    """Kernel, strides, dilations and pads (top, left, bottom, right) of a window."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Pool:
    """The average pooling of a unit with stride 2.

    `counts_padding`: whether border windows are divided by the whole window's size. `nodes` are
    the pooling, and a Pad where one stands in front.
    """

    window: SpatialShape
    counts_padding: bool
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class V1Unit:
    """A unit of ShuffleNet V1 (arXiv 1707.01083, figure 2 b and c) in any of its spellings.

    branch: first 1×1 → activation → shuffle → depthwise → last 1×1, or the shuffle after the
    depthwise convolution. With stride 1, output = act(input + branch); with stride 2, output =
    act(concat(pool, branch)) in the order that `pool_first` says, or concat(pool, act(branch))
    where `activates_branch_only`.

    `shuffle[j]` is the channel that comes to place j; the identity where there is none.
    `nodes` are all nodes that go when the unit goes: in topological order, with what only they
    read (shape arithmetic, Constants) included.
    """

    nodes: tuple[Node, ...]
    input: str
    output: str
    join: Node
    stride: int
    first: ConvLayer
    activation: Activation
    shuffle: tuple[int, ...]
    shuffle_after_depthwise: bool
    depthwise: ConvLayer
    window: SpatialShape
    last: ConvLayer
    output_activation: Activation
    pool: Pool | None = None
    pool_first: bool = True
    activates_branch_only: bool = False

    @property
    def width_in(self) -> int:
        """Channels of the input."""
        return self.first.width_in

    @property
    def width_mid(self) -> int:
        """Channels of the bottleneck."""
        return self.depthwise.width_out

    @property
    def width_branch(self) -> int:
        """Channels that the branch adds to or concatenates with."""
        return self.last.width_out

    @property
    def width_out(self) -> int:
        """Channels of the output."""
        return self.width_branch + (self.width_in if self.stride == 2 else 0)
