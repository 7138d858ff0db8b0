"""The probes of a device's ceilings, as the child runs them.

Bandwidth: `z = x + y` on tensors far larger than a last-level cache, of whose result the graph
gives one element back, so that nothing is copied to the caller. What counts is what the operator
reads and writes, as graphlint counts a node's memory access; what a processor reads of `z` before
it writes it is not counted. Multiply-adds: a product of square matrices and a convolution, large
enough to hide what a run costs besides, small enough for a processor's caches; which of the two
comes closer to the peak depends on the runtime's kernels. The quickest run makes the ceiling.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlint.errors import GraphlintError
from graphlint.latency.measuring import refusal
from graphlint.latency.protocol import Stage, timed
from graphlint.latency.request import ProbeRequest
from graphlint.latency.session import DEVICE_PROVIDERS, Setup, bound_run, open_session
from graphlint.times import Ceilings, NotMeasured

if TYPE_CHECKING:
    import numpy as np

    Feed = Mapping[str, np.ndarray[Any, Any]]

ADDED = 1 << 25
"""Elements of each tensor of the addition: 128 MiB."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows and columns of the matrices; channels, rows and columns of the convolution's input."""

    matrix: int
    channels: int
    picture: int


CPU_SIZES, DEVICE_SIZES = Sizes(512, 128, 28), Sizes(4096, 512, 112)
"""A device takes more to be filled."""

_LEAST_RUNS = 3
_MAX_RUNS = 200


@dataclass(frozen=True, slots=True)
class Probe:
    """A model on disk, what it is fed, and the work of a run: bytes moved, or multiply-adds."""

    path: Path
    feed: Feed
    work: int


def run(request: ProbeRequest, stage: Stage) -> Ceilings | NotMeasured:
    """Measure both ceilings; what is refused is a value."""
    setup = Setup(request.provider, request.threads)
    sizes = DEVICE_SIZES if request.provider in DEVICE_PROVIDERS else CPU_SIZES
    multiplying = (product(request.folder, sizes), convolution(request.folder, sizes))
    try:
        bandwidth = _rate(addition(request.folder, ADDED), setup, request.seconds, stage)
        rates = [_rate(probe, setup, request.seconds / 2, stage) for probe in multiplying]
    except (GraphlintError, MemoryError) as error:
        return refusal(error)
    return Ceilings(
        bandwidth,
        max(rates),
        f"bytes per second by adding two tensors of {4 * ADDED >> 20} MiB, multiply-adds per "
        f"second by a product of {sizes.matrix}×{sizes.matrix} matrices and a 3×3 convolution of "
        f"{sizes.channels} channels at {sizes.picture}×{sizes.picture}, in float32; the quickest "
        "run counts",
    )


def _rate(probe: Probe, setup: Setup, seconds: float, stage: Stage) -> float:
    """Work per second in the quickest run."""
    ends = time.perf_counter() + seconds
    stage("open")
    once = bound_run(open_session(probe.path, setup), probe.feed, setup.provider)
    return probe.work / min(timed(once)[0] for _ in _runs(ends, stage))


def _runs(ends: float, stage: Stage) -> Iterator[int]:
    for count in range(_MAX_RUNS):
        if count >= _LEAST_RUNS and time.perf_counter() > ends:
            return
        stage("probe")
        yield count


def addition(folder: Path, elements: int) -> Probe:
    """Two tensors added: three times their bytes are moved."""
    import numpy as np
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Add", ["x", "y"], ["z"]),
        helper.make_node("Gather", ["z", "first"], ["one"]),
    ]
    shapes = {"x": [elements], "y": [elements], "one": []}
    values = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    }
    graph = helper.make_graph(
        nodes,
        "bandwidth",
        [values["x"], values["y"]],
        [values["one"]],
        [helper.make_tensor("first", TensorProto.INT64, [], [0])],
    )
    tensor = np.ones(elements, np.float32)
    return Probe(_saved(graph, folder), {"x": tensor, "y": tensor.copy()}, 3 * 4 * elements)


def product(folder: Path, sizes: Sizes) -> Probe:
    """A square matrix times a square weight."""
    from onnx import helper

    shape = (sizes.matrix, sizes.matrix)
    node = helper.make_node("MatMul", ["x", "w"], ["z"])
    return _weighted(node, shape, shape, sizes.matrix**3, folder)


def convolution(folder: Path, sizes: Sizes) -> Probe:
    """3×3, as many channels out as in, the picture as large out as in."""
    from onnx import helper

    channels, side = sizes.channels, sizes.picture
    node = helper.make_node("Conv", ["x", "w"], ["z"], pads=[1, 1, 1, 1])
    weight = (channels, channels, 3, 3)
    work = 9 * channels**2 * side**2
    return _weighted(node, (1, channels, side, side), weight, work, folder)


def _weighted(
    node: Any, shape: tuple[int, ...], weight: tuple[int, ...], work: int, folder: Path
) -> Probe:
    """A model of one node with a weight, whose output has its input's shape."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [node],
        node.op_type,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.full(weight, 1e-3, np.float32), "w")],
    )
    return Probe(_saved(graph, folder), {"x": np.ones(shape, np.float32)}, work)


def _saved(graph: Any, folder: Path) -> Path:
    from onnx import helper, save

    path = folder / f"{graph.name}.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
