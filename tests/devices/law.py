"""A device whose layers follow a law, so that what is foretold of it can be worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from onnx import ModelProto, parser

from graphlint import shapes
from graphlint.costs.table import HANDLES
from graphlint.costs.totals import Costs, node_costs
from graphlint.devices.kinds import BLOCKED
from graphlint.devices.prediction import Prediction, predict
from graphlint.devices.profile import Device, DeviceProfile, Layer, LayerTime
from graphlint.graph import GraphView
from graphlint.graph_builder import build
from graphlint.model import Model
from graphlint.times import Ceilings

LAUNCH, RUN = 1e-6, 5e-6
PER_MULTIPLY_ADD, PER_BYTE = 2e-11, 1e-11

_CONVOLUTIONS = ("pointwise", "spatial", "stem", "grouped pointwise", "depthwise")
_OTHERS = ("elementwise", "max pooling", "reduction", "movement", "reorder")


def seconds(multiply_adds: float, moved: float) -> float:
    """What a layer takes."""
    return LAUNCH + PER_MULTIPLY_ADD * multiply_adds + PER_BYTE * moved


def device(level: str = "basic", block: int = 1, without: Iterable[str] = ()) -> DeviceProfile:
    """A profile of three lawful layers a kind, but of the kinds `without`."""
    kinds = [*_CONVOLUTIONS, *_OTHERS]
    if block > 1:
        kinds += [kind + BLOCKED for kind in (*_CONVOLUTIONS, "max pooling")]
    return DeviceProfile(
        device=Device("A processor", "cpu", 1, level, "onnxruntime 1.99"),
        made_on="2026-01-02",
        graphlint="0.1",
        ceilings=Ceilings(1e10, 5e10),
        launch_seconds=LAUNCH,
        run_seconds=RUN,
        channel_block=block,
        cells=(),
        layers=tuple(
            LayerTime(layer, seconds(layer.multiply_adds, layer.bytes), 0.01)
            for kind in kinds
            if kind not in without
            for layer in _layers(kind)
        ),
    )


def _layers(kind: str) -> Iterable[Layer]:
    works = kind.removesuffix(BLOCKED) in _CONVOLUTIONS
    for place, channels in enumerate((16, 32, 64)):
        positions = (784, 196, 3136)[place]
        work = positions * channels * channels if works else 0
        moved = 8 * positions * channels
        yield Layer(kind, channels, channels, 1, 1, 1, positions, work, moved)


def costed(model: ModelProto | str) -> tuple[GraphView, Costs]:
    """A model, or its text without a header, with shapes and costs."""
    if isinstance(model, str):
        model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {model}')
    view, _ = shapes.infer(build(Model("model", Path("model"), model, 1, 1)), payload=lambda t: t)
    return view, node_costs(view, HANDLES)


def foretold(model: ModelProto | str, profile: DeviceProfile) -> Prediction:
    """What is foretold of a model."""
    return predict(*costed(model), profile)
