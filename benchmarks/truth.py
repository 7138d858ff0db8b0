"""Whether a kernel's time is true, found without the profiler.

The optimised model is measured as graphlint does. Then, for kernels from dear to cheap, a variant
is made in which that kernel stands `--copies` times more, reading the same inputs, its outputs read
by nobody. Plain runs of the model and of the variant alternate; the difference from end to end, by
the number of copies, is what the kernel takes, and is compared with what was attributed to it.

    python benchmarks/truth.py --output benchmarks/results/truth.json

A copy finds its inputs in the cache, as most kernels do that follow their producer: where the
inputs are larger than the cache, or lie far back, a copy is a little faster than the original.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.latency import machine  # noqa: E402
from fixtures import classics, shufflenet  # noqa: E402
from graphlint.graph_builder import build  # noqa: E402
from graphlint.latency import inputs  # noqa: E402
from graphlint.latency.attribution import attribute  # noqa: E402
from graphlint.latency.prepared import Prepared, prepare  # noqa: E402
from graphlint.latency.protocol import measure_kernels  # noqa: E402
from graphlint.latency.quantiles import lower_quartile_seconds  # noqa: E402
from graphlint.latency.session import Setup, open_session  # noqa: E402
from graphlint.model import load  # noqa: E402
from graphlint.shapes import infer  # noqa: E402

MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "shufflenet_v1": lambda: shufflenet.shufflenet_v1(),
    "squeezenet1_1": lambda: classics.squeezenet1_1(),
    "resnet50": lambda: classics.resnet50(),
}
RANKS = (0, 1, 3, 6, 10, 15, 25, 40)
"""Which kernels are looked at: the dearest, the second, …"""


def with_copies(prepared: Prepared, kernel: int, copies: int, path: Path) -> None:
    """Save the measured model with a kernel repeated right behind itself."""
    model = onnx.load(str(prepared.path), load_external_data=False)
    nodes = list(model.graph.node)
    repeated = []
    for copy in range(copies):
        node = onnx.NodeProto()
        node.CopyFrom(nodes[kernel])
        node.name = f"copy.{copy}"
        for position, name in enumerate(node.output):
            node.output[position] = f"{name}.copy.{copy}" if name else ""
        repeated.append(node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes[: kernel + 1], *repeated, *nodes[kernel + 1 :]])
    path.write_bytes(model.SerializeToString())


def difference(
    prepared: Prepared, feed: dict[str, Any], kernel: int, copies: int, seconds: float
) -> float:
    """Seconds of one kernel, from the runs of sessions with and without its copies."""
    setup = Setup(optimization=prepared.optimization)
    path = prepared.path.with_name("variant.onnx")
    with_copies(prepared, kernel, copies, path)
    figures = []
    for _ in range(3):
        sessions = [open_session(prepared.path, setup), open_session(path, setup)]
        runs: list[list[float]] = [[], []]
        end = time.perf_counter() + seconds / 3
        while time.perf_counter() < end or len(runs[0]) < 8:
            for session, times in zip(sessions, runs, strict=True):
                start = time.thread_time()
                session.run(None, feed)
                times.append(time.thread_time() - start)
        plain, more = (lower_quartile_seconds(times[3:]) for times in runs)
        figures.append((more - plain) / copies)
    return statistics.median(figures)


def examine(
    name: str, proto: onnx.ModelProto, copies: int, seconds: float
) -> Iterator[dict[str, object]]:
    """Attributed and true times of some kernels of one model."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        source = folder / "model.onnx"
        onnx.save(proto, str(source))
        model = load(str(source))
        view, _ = infer(build(model), payload=model.payload)
        feed = dict(inputs.make(view))
        setup = Setup()
        prepared = prepare(source, view.inputs, setup, folder)
        groups = attribute(view, prepared.proto).groups
        covered = {kernel: group.nodes for group in groups for kernel in group.kernels}
        timings = measure_kernels(
            prepared, feed, setup, seconds * 3, folder, lambda stage: None, time.perf_counter()
        )
        cost = [statistics.median(timings.by_session((k,))) for k in range(prepared.kernels)]
        total = sum(cost)
        order = sorted(range(prepared.kernels), key=lambda k: -cost[k])
        for rank in RANKS:
            if rank >= len(order):
                continue
            kernel = order[rank]
            # Enough copies that their sum can be told from the noise of a run.
            times = max(copies, min(200, round(0.1 * total / max(cost[kernel], 1e-7))))
            true = difference(prepared, feed, kernel, times, seconds)
            yield {
                "model": name,
                "kernel": prepared.proto.graph.node[kernel].op_type,
                "nodes": [view.nodes[node].path for node in covered[kernel]],
                "share": round(cost[kernel] / total, 4),
                "copies": times,
                "attributed_us": round(cost[kernel] * 1e6, 2),
                "true_us": round(true * 1e6, 2),
                "ratio": round(cost[kernel] / true, 3) if true > 0 else None,
            }


def main() -> None:
    """Examine three models, print a table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--copies", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each kernel")
    parser.add_argument("--only", default="", help="names that hold this text")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    about = machine()
    rows = []
    print("| model | kernel | nodes | share | attributed µs | true µs | ratio |")
    print("|---|---|---|---:|---:|---:|---:|")
    for name, make in MODELS.items():
        if options.only not in name:
            continue
        for row in examine(name, make(), options.copies, options.seconds):
            rows.append(row)
            print(
                f"| {name} | {row['kernel']} | {len(row['nodes'])} | {row['share']:.1%} "  # type: ignore[arg-type]
                f"| {row['attributed_us']} | {row['true_us']} | {row['ratio']} |",
                flush=True,
            )
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(about | {"kernels": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
