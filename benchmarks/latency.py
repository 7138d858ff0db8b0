"""Whether measured latencies repeat, and whether they add up.

Every model is measured twice, the second time after all others had their first. Of the nodes above
1 % of the total in either measurement: how many agree within 5 and within 10 %. Beside it the sum
over the nodes against the CPU time from end to end, and the seconds spent.

    python benchmarks/latency.py --output benchmarks/results/latency.json [--models DIR]

`--models` adds every .onnx file of a folder. Needs a quiet machine; the busy factor says how quiet
it was.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.backend.test

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fixtures import classics, mobilenet, shufflenet  # noqa: E402
from graphlint.latency.measure import measure  # noqa: E402
from graphlint.latency.request import MeasureRequest  # noqa: E402
from graphlint.times import ModelTimes, NotMeasured  # noqa: E402

BUILT: dict[str, Callable[[], onnx.ModelProto]] = {
    "shufflenet_v1 1.0x g3": lambda: shufflenet.shufflenet_v1(),
    "shufflenet_v2 1.0x": lambda: shufflenet.shufflenet_v2(),
    "mobilenet_v2": lambda: mobilenet.mobilenet_v2(),
    "mobilenet_v3": lambda: mobilenet.mobilenet_v3(),
    "efficientnet_b0": lambda: mobilenet.efficientnet_b0(),
    "squeezenet1_1": lambda: classics.squeezenet1_1(),
    "densenet121": lambda: classics.densenet121(),
    "resnet50": lambda: classics.resnet50(),
}
LIGHT = ("light_shufflenet", "light_squeezenet", "light_inception_v1")
FLOOR = 0.01


@dataclass(frozen=True)
class Agreement:
    """Two measurements of one model, compared node by node."""

    nodes: int
    within_5: int
    within_10: int
    ratios: tuple[float, float]
    wall_ms: tuple[float, float]
    cpu_ms: tuple[float, float]
    busy: tuple[float, float]
    runs: tuple[int, int]
    seconds: tuple[float, float]


def compare(first: ModelTimes, second: ModelTimes, seconds: tuple[float, float]) -> Agreement:
    """How well two measurements agree on the nodes above 1 % of the total."""
    pairs = [
        (a.seconds, b.seconds)
        for a, b in zip(first.nodes, second.nodes, strict=True)
        if a is not None
        and b is not None
        and (a.seconds > FLOOR * first.kernel_seconds or b.seconds > FLOOR * second.kernel_seconds)
    ]
    apart = [abs(a - b) / max(a, b) for a, b in pairs]
    both = (first, second)
    return Agreement(
        nodes=len(pairs),
        within_5=sum(distance <= 0.05 for distance in apart),
        within_10=sum(distance <= 0.10 for distance in apart),
        ratios=_two(times.kernel_seconds / times.cpu_seconds for times in both),
        wall_ms=_two(times.wall_seconds * 1e3 for times in both),
        cpu_ms=_two(times.cpu_seconds * 1e3 for times in both),
        busy=_two(times.busy_factor for times in both),
        runs=(first.runs, second.runs),
        seconds=seconds,
    )


def _two(figures: Iterator[float]) -> tuple[float, float]:
    first, second = (round(figure, 4) for figure in figures)
    return first, second


def models(folder: Path, more: Path | None) -> dict[str, Path]:
    """Every model of the benchmark, by name, as a file."""
    found = {}
    for name, build in BUILT.items():
        path = folder / f"{name.replace(' ', '_')}.onnx"
        onnx.save(build(), str(path))
        found[name] = path
    light = Path(onnx.backend.test.__file__).parent / "data" / "light"
    found |= {name: light / f"{name}.onnx" for name in LIGHT}
    if more is not None:
        found |= {path.stem: path for path in sorted(more.glob("*.onnx"))}
    return found


def run(paths: dict[str, Path], budget: float, threads: int) -> dict[str, Agreement | str]:
    """Measure all models once, then all again."""
    rounds: list[dict[str, tuple[ModelTimes | NotMeasured, float]]] = [{}, {}]
    for number, results in enumerate(rounds):
        for name, path in paths.items():
            start = time.perf_counter()
            times = measure(MeasureRequest(str(path), time_budget=budget, threads=threads))
            results[name] = times, round(time.perf_counter() - start, 2)
            print(f"round {number + 1}: {name}", file=sys.stderr)
    answers: dict[str, Agreement | str] = {}
    for name in paths:
        (first, took), (second, took_again) = (results[name] for results in rounds)
        if isinstance(first, NotMeasured) or isinstance(second, NotMeasured):
            failed = first if isinstance(first, NotMeasured) else second
            assert isinstance(failed, NotMeasured)
            answers[name] = failed.reason
        else:
            answers[name] = compare(first, second, (took, took_again))
    return answers


def table(results: dict[str, Agreement | str]) -> Iterator[str]:
    """The figures as Markdown, with the sum over all models."""
    yield "| model | nodes > 1 % | ≤ 5 % | ≤ 10 % | sum / CPU | CPU ms | busy | seconds |"
    yield "|---|---:|---:|---:|---|---|---|---|"
    nodes = within_5 = within_10 = 0
    for name, figures in results.items():
        if isinstance(figures, str):
            yield f"| {name} | not measured: {figures} | | | | | | |"
            continue
        nodes += figures.nodes
        within_5 += figures.within_5
        within_10 += figures.within_10
        cells = [
            name,
            str(figures.nodes),
            str(figures.within_5),
            str(figures.within_10),
            "{:.3f}, {:.3f}".format(*figures.ratios),
            "{:.2f}, {:.2f}".format(*figures.cpu_ms),
            "{:.2f}, {:.2f}".format(*figures.busy),
            "{:.1f}, {:.1f}".format(*figures.seconds),
        ]
        yield f"| {' | '.join(cells)} |"
    if nodes:
        yield (
            f"| all | {nodes} | {within_5} ({within_5 / nodes:.1%}) | "
            f"{within_10} ({within_10 / nodes:.1%}) | | | | |"
        )


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    processor = platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                processor = line.split(":", 1)[1].strip()
                break
    packages = ("onnx-graphlint", "onnx", "onnxruntime", "onnxruntime-gpu", "numpy")
    found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{processor}, {os.cpu_count()} cores, {platform.system()}",
        "load": [round(figure, 2) for figure in os.getloadavg()],
        "python": platform.python_version(),
        "packages": {name: found[name] for name in packages if name in found},
    }


def main() -> None:
    """Measure, print the table, write the raw figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--time-budget", type=float, default=11.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", type=Path, help="a folder of more models")
    parser.add_argument("--only", help="names that hold this text")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    about = machine()
    with tempfile.TemporaryDirectory() as folder:
        paths = models(Path(folder), options.models)
        if options.only:
            paths = {name: path for name, path in paths.items() if options.only in name}
        results = run(paths, options.time_budget, options.threads)
    print("\n".join(table(results)))
    if options.output is not None:
        document = about | {
            "time_budget": options.time_budget,
            "threads": options.threads,
            "models": {
                name: figures if isinstance(figures, str) else vars(figures)
                for name, figures in results.items()
            },
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
