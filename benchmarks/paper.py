"""Whether the paper holds on this machine: figures 1 and 2, and table 8.

    python benchmarks/paper.py --level all --output benchmarks/results/paper.json
    python benchmarks/paper.py --level basic --output benchmarks/results/paper.json

All networks run in turn in one process, batch 1, one thread, twice; between the two, some of them
are profiled one by one, twice. `--level` is the runtime's level of optimisation: what is in the
file of the other level is kept. Weights are random: they do not matter for the time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import graphlint  # noqa: E402
from benchmarks.latency import machine  # noqa: E402
from benchmarks.paper_networks import FIGURE_2, NETWORKS, REFERENCE, Network  # noqa: E402
from benchmarks.paper_tables import categories, correlations, repeats, table_8  # noqa: E402
from graphlint.costs import HANDLES, Category  # noqa: E402
from graphlint.latency.compare import compare  # noqa: E402
from graphlint.latency.request import MeasureRequest  # noqa: E402
from graphlint.results import ModelReport, NodeReport  # noqa: E402
from graphlint.times import ComparedTimes, Kernel  # noqa: E402
from graphlint.timing import LatencyOptions  # noqa: E402

_REORDERS = ("ReorderInput", "ReorderOutput")
"""The runtime's own, from and to its layout in blocks of channels."""

_CATEGORIES = {operator: handle.category for (_, operator), handle in HANDLES.items()}


def save(networks: Sequence[Network], folder: Path) -> dict[str, Path]:
    """The networks as files, by name."""
    files = {}
    for number, network in enumerate(networks):
        files[network.name] = folder / f"{number}.onnx"
        onnx.save(network.build(weights="random"), files[network.name])
    return files


def counted(files: Mapping[str, Path]) -> dict[str, dict[str, int]]:
    """Multiply-adds of convolutions and fully connected layers, and parameters."""
    report = graphlint.profile([str(file) for file in files.values()])
    totals = {name: model.totals for name, model in zip(files, report.models, strict=True)}
    return {
        name: {
            "multiply_adds": each.multiply_adds,
            "parameters": each.parameters,
            "memory_access_bytes": each.memory_access_bytes,
        }
        for name, each in totals.items()
        if each is not None
    }


def raced(files: Mapping[str, Path], level: str, seconds: float) -> dict[str, Any]:
    """Seconds a run of every network, in turn; speed against the reference with its interval."""
    names = sorted(files, key=lambda name: name != REFERENCE)
    request = MeasureRequest("", optimization=level, time_budget=seconds)
    comparison = compare([replace(request, path=str(files[name])) for name in names])
    models = {}
    for name, outcome in zip(names, comparison.models, strict=True):
        assert isinstance(outcome, ComparedTimes), outcome
        ratio = outcome.speed_up
        assert ratio is not None
        models[name] = {
            "seconds": outcome.seconds,
            "spread": outcome.spread,
            "speed": [ratio.value, ratio.low, ratio.high],
        }
    return {
        "clock": comparison.clock,
        "busy_factor": comparison.busy_factor,
        "rounds": comparison.rounds,
        "models": models,
    }


def profiled(file: Path, level: str, seconds: float) -> dict[str, Any]:
    """Seconds of one run by category, from the runtime's kernels."""
    options = LatencyOptions(optimization=level, time_budget=seconds)
    report = graphlint.profile(str(file), latency=options).models[0]
    assert report.times is not None, report.not_measured
    shares: dict[str, float] = defaultdict(float)
    for kernel in report.times.kernels:
        shares[category(kernel, report)] += kernel.seconds
    return {
        "categories": dict(shares),
        "cpu_seconds": report.times.cpu_seconds,
        "busy_factor": report.times.busy_factor,
        "runs": report.times.runs,
    }


def category(kernel: Kernel, report: ModelReport) -> str:
    """What a group of kernels counts as, whole: the category of the dearest of them."""
    operator = kernel.name.split()[0]
    if operator in _REORDERS:
        return str(Category.MOVEMENT)
    found = _CATEGORIES[operator]
    if found is not Category.CONVOLUTION:
        return str(found)
    nodes = [report.nodes[index] for index in kernel.nodes]
    return "depthwise convolution" if any(map(_is_depthwise, nodes)) else str(found)


def _is_depthwise(node: NodeReport) -> bool:
    # The fixtures call it so.
    return node.op == "Conv" and node.name.split("/")[-2] == "dw"


def measured(files: Mapping[str, Path], level: str, seconds: float) -> dict[str, Any]:
    """Two races, and two profiles of some networks between them."""
    first = raced(files, level, seconds)
    profiles: dict[str, list[Any]] = {name: [] for name in FIGURE_2}
    for _ in range(2):
        for name, made in profiles.items():
            made.append(profiled(files[name], level, seconds / 25))
    return {**machine(), "races": [first, raced(files, level, seconds)], "profiles": profiles}


def tables(result: Mapping[str, Any], level: str) -> Iterator[str]:
    """What was measured at a level, as Markdown."""
    for lines in (table_8, categories, correlations, repeats):
        yield from lines(result, level)
        yield ""


def main() -> None:
    """Measure one level, print its tables, and write the raw figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--level", choices=("all", "basic"), default="all")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--seconds", type=float, default=110.0, help="a race of all networks")
    arguments = parser.parse_args()
    output: Path | None = arguments.output
    result: dict[str, Any] = {"levels": {}}
    if output is not None and output.exists():
        result = json.loads(output.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        files = save(NETWORKS, Path(folder))
        result["networks"] = counted(files)
        result["levels"][arguments.level] = measured(files, arguments.level, arguments.seconds)
    print("\n".join(tables(result, arguments.level)))
    if output is not None:
        output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
