"""How well a device profile foretells the latency of networks that it never saw.

Networks of the fixtures and the onnx package's light models, predicted from their costs and a
device profile (`docs/prediction.md`), and measured from end to end. Beside it two predictors by one
figure alone, multiply-adds and memory access, whose coefficient is fitted to these very networks
(the geometric mean of their own), which favours them. Nothing of the profile or of the prediction
is fitted to the networks here.

    graphlint calibrate --output-file DEVICE.json
    python benchmarks/prediction.py DEVICE.json --output benchmarks/results/prediction.json

Provider, threads and level are the profile's. A network's time is CPU time where other programs
take the processor.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import exp, log
from pathlib import Path
from statistics import mean, median
from typing import Any

import onnx
import onnx.backend.test

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fixtures import classics, inception, mobilenet, shufflenet  # noqa: E402
from graphlint import registry, shapes  # noqa: E402
from graphlint.costs.totals import Costs, node_costs  # noqa: E402
from graphlint.devices.file import read  # noqa: E402
from graphlint.devices.prediction import predict  # noqa: E402
from graphlint.devices.profile import DeviceProfile  # noqa: E402
from graphlint.graph import GraphView  # noqa: E402
from graphlint.graph_builder import build  # noqa: E402
from graphlint.latency.compare import compare  # noqa: E402
from graphlint.latency.request import MeasureRequest  # noqa: E402
from graphlint.model import load  # noqa: E402
from graphlint.times import ComparedTimes  # noqa: E402

Build = Callable[..., onnx.ModelProto]

_V1, _V2, _MOBILE = shufflenet.shufflenet_v1, shufflenet.shufflenet_v2, mobilenet.mobilenet_v1
BUILT: dict[str, Build] = {
    **{f"shufflenet_v1 {s}x g3": partial(_V1, 3, s) for s in (0.5, 1.0, 2.0)},
    "shufflenet_v1 1.0x g8": partial(_V1, 8),
    **{f"shufflenet_v2 {s}x": partial(_V2, s) for s in (0.5, 1.0, 1.5, 2.0)},
    **{f"mobilenet_v1 {s}": partial(_MOBILE, s) for s in (0.25, 0.5, 1.0)},
    "mobilenet_v2": mobilenet.mobilenet_v2,
    "mobilenet_v3 large": mobilenet.mobilenet_v3,
    "efficientnet_b0": mobilenet.efficientnet_b0,
    "resnet50": classics.resnet50,
    "resnext50_32x4d": classics.resnext50_32x4d,
    "densenet121": classics.densenet121,
    "squeezenet1_1": classics.squeezenet1_1,
    "inception_v3": inception.inception_v3,
    "xception": inception.xception,
}


@dataclass(frozen=True)
class Row:
    """A network: predicted and measured seconds, and what the simple predictors go by."""

    network: str
    measured: float
    spread: float
    clock: str
    busy_factor: float
    predicted: float
    plus_minus: float
    unknown_nodes: int
    multiply_adds: int
    memory_access_bytes: int


def networks(folder: Path) -> Iterator[tuple[str, Path]]:
    """The networks, one file at a time."""
    for name, make in BUILT.items():
        path = folder / "network.onnx"
        onnx.save(make(weights="random", seed=1), path)
        yield name, path
    data = Path(onnx.backend.test.__file__).parent / "data" / "light"
    yield from ((path.stem, path) for path in sorted(data.glob("light_*.onnx")))


def costed(path: Path) -> tuple[GraphView, Costs]:
    """A model's view with shapes, and its costs."""
    model = load(str(path))
    view, _ = shapes.infer(build(model), payload=model.payload)
    return view, node_costs(view, registry.handles())


def row(name: str, path: Path, profile: DeviceProfile, seconds: float) -> Row:
    """Predict a network, then measure it."""
    view, costs = costed(path)
    told = predict(view, costs, profile)
    device = profile.device
    request = MeasureRequest(
        str(path),
        provider=device.provider,
        threads=device.threads,
        optimization=device.optimization,
        time_budget=seconds,
    )
    race = compare([request])
    (measured,) = race.models
    if not isinstance(measured, ComparedTimes):
        raise SystemExit(f"{name}: {measured.reason}")
    total = costs.total
    return Row(
        name,
        measured.seconds,
        measured.spread,
        race.clock,
        race.busy_factor,
        told.seconds,
        told.plus_minus,
        told.unknown,
        total.multiply_adds,
        total.memory_access_bytes,
    )


def by_one_figure(rows: Sequence[Row], work: Callable[[Row], int]) -> list[float]:
    """Seconds by one coefficient, the geometric mean of the networks' own."""
    coefficient = exp(mean(log(each.measured / work(each)) for each in rows))
    return [coefficient * work(each) for each in rows]


def quality(rows: Sequence[Row], told: Sequence[float]) -> dict[str, float]:
    """The median and the worst error, and the rank correlation (Spearman's)."""
    errors = [abs(t / each.measured - 1) for each, t in zip(rows, told, strict=True)]
    return {
        "median_error": median(errors),
        "worst_error": max(errors),
        "rank_correlation": _spearman([each.measured for each in rows], told),
    }


def _spearman(first: Sequence[float], second: Sequence[float]) -> float:
    squares = sum((a - b) ** 2 for a, b in zip(_ranks(first), _ranks(second), strict=True))
    count = len(first)
    return 1 - 6 * squares / (count * (count**2 - 1))


def _ranks(values: Sequence[float]) -> list[int]:
    order = sorted(range(len(values)), key=values.__getitem__)
    return [order.index(place) for place in range(len(values))]


def judged(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """How good each predictor is."""
    return {
        "profile": quality(rows, [each.predicted for each in rows]),
        "multiply-adds only": quality(rows, by_one_figure(rows, lambda r: r.multiply_adds)),
        "memory access only": quality(rows, by_one_figure(rows, lambda r: r.memory_access_bytes)),
    }


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The rows, and how good the predictors are, as Markdown."""
    work = by_one_figure(rows, lambda r: r.multiply_adds)
    moved = by_one_figure(rows, lambda r: r.memory_access_bytes)
    yield "| network | measured ms | predicted ms | error | by multiply-adds | by memory access |"
    yield "|---|---:|---:|---:|---:|---:|"
    for each, *others in zip(rows, work, moved, strict=True):
        errors = [t / each.measured - 1 for t in (each.predicted, *others)]
        cells = " | ".join(f"{error:+.0%}" for error in errors)
        told = f"{each.predicted * 1e3:.2f} ± {each.plus_minus * 1e3:.2f}"
        yield f"| {each.network} | {each.measured * 1e3:.2f} | {told} | {cells} |"
    yield ""
    yield "| predictor | median error | worst error | rank correlation |"
    yield "|---|---:|---:|---:|"
    for name, values in judged(rows).items():
        yield (
            f"| {name} | {values['median_error']:.1%} | {values['worst_error']:.1%} "
            f"| {values['rank_correlation']:.3f} |"
        )


def document(rows: Sequence[Row], profile: DeviceProfile) -> dict[str, Any]:
    """The raw figures, with the device and the date."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": {"system": platform.system(), "cores": os.cpu_count()},
        "profile": {**asdict(profile.device), "made_on": profile.made_on},
        "layers": len(profile.layers),
        "quality": judged(rows),
        "networks": [asdict(each) for each in rows],
    }


def main() -> None:
    """Measure and print; write the raw figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", type=Path, help="a device profile of this machine")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--seconds", type=float, default=3.0, help="a network")
    arguments = parser.parse_args()
    profile = read(arguments.profile)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, path in networks(Path(folder)):
            rows.append(row(name, path, profile, arguments.seconds))
            print(f"{name}: {rows[-1].predicted / rows[-1].measured - 1:+.1%}", file=sys.stderr)
    print("\n".join(table(rows)))
    if arguments.output is not None:
        text = json.dumps(document(rows, profile), indent=1) + "\n"
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
