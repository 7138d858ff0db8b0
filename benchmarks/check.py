"""What `graphlint check` costs: CPU seconds and peak memory of the whole process tree.

Beside it, on the same models and in the same interleaved rounds: importing onnx, networkx and
typer; `onnx.load`; and onnx-tool, a peer that counts multiply-adds. Linux only (it reads /proc).

    python benchmarks/check.py --peer-python PYTHON --output benchmarks/results/check.json

where PYTHON has onnx-tool installed: in an environment of its own, so that its dependencies change
nothing for the others.
Needs about 4 GB of disk in the temporary folder and about 10 GB of memory (for the peers).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, save
from process_tree import Figures, circumstances, measure

ROOT = Path(__file__).resolve().parent.parent


def dense_model(path: Path, megabytes: int) -> None:
    """A stack of 1x1 convolutions whose weights take so many megabytes in one file."""
    generator = np.random.Generator(np.random.PCG64(0))
    channels = 2048
    weight = generator.standard_normal((channels, channels, 1, 1), dtype=np.float32)
    layers = max(1, round(megabytes * 10**6 / weight.nbytes))
    nodes = []
    tensors = []
    for layer in range(layers):
        tensors.append(
            helper.make_tensor(
                f"w{layer}", TensorProto.FLOAT, weight.shape, weight.tobytes(), raw=True
            )
        )
        nodes.append(
            helper.make_node(
                "Conv", [f"x{layer}", f"w{layer}"], [f"x{layer + 1}"], name=f"conv{layer}"
            )
        )
    _save(path, nodes, [1, channels, 7, 7], f"x{layers}", tensors)


def chain_model(path: Path, length: int) -> None:
    """Alternating Relu and Sigmoid nodes."""
    nodes = [
        helper.make_node("Sigmoid" if i % 2 else "Relu", [f"x{i}"], [f"x{i + 1}"], name=f"node{i}")
        for i in range(length)
    ]
    _save(path, nodes, [1, 8, 4, 4], f"x{length}", [])


def _save(
    path: Path, nodes: list[object], shape: list[int], output: str, tensors: list[object]
) -> None:
    inputs = [helper.make_tensor_value_info("x0", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)]
    graph = helper.make_graph(nodes, "benchmark", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    save(model, path)


MODELS: dict[str, Callable[[Path], None]] = {
    "small (36 KB)": lambda path: (
        path.write_bytes((ROOT / "fixtures/shufflenet_v1.onnx").read_bytes()) and None
    ),
    "100 MB": lambda path: dense_model(path, 100),
    "1.9 GB": lambda path: dense_model(path, 1900),
    "10,000 nodes": lambda path: chain_model(path, 10_000),
    "100,000 nodes": lambda path: chain_model(path, 100_000),
}


def commands(model: Path, peer_python: str) -> dict[str, list[str]]:
    """The command to measure and its peers."""
    python = sys.executable
    graphlint = [python, "-m", "graphlint", "check", "--no-latency", "--isolated", str(model)]
    tool = f"import onnx_tool; onnx_tool.model_profile({str(model)!r})"
    return {
        "graphlint check": graphlint,
        "import onnx, networkx, typer": [python, "-c", "import onnx, networkx, typer"],
        "onnx.load": [python, "-c", f"import onnx; onnx.load({str(model)!r})"],
        "onnx-tool": [peer_python, "-c", tool],
    }


def run(
    rounds: int, timeout: float, peer_python: str
) -> dict[str, dict[str, list[Figures | None]]]:
    """Figures by model and command, a round measuring every command once."""
    results: dict[str, dict[str, list[Figures | None]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in MODELS.items():
            path = Path(folder) / "model.onnx"
            make(path)
            figures: dict[str, list[Figures | None]] = {}
            for _ in range(rounds):
                for command, arguments in commands(path, peer_python).items():
                    if figures.get(command, [None])[-1] is None and command in figures:
                        continue  # it ran out of time before
                    figures.setdefault(command, []).append(measure(arguments, timeout))
            results[name] = figures
            path.unlink()
            print(f"{name}: done", file=sys.stderr)
    return results


def table(results: dict[str, dict[str, list[Figures | None]]]) -> list[str]:
    """Medians as Markdown."""
    lines = ["| model | command | CPU seconds | × imports | peak MiB |", "|---|---|---:|---:|---:|"]
    for model, figures in results.items():
        imports = median(figures["import onnx, networkx, typer"])
        for command, runs in figures.items():
            middle = median(runs)
            if middle is None or imports is None:
                lines.append(f"| {model} | {command} | out of time | | |")
                continue
            seconds, mebibytes = middle
            ratio = seconds / imports[0]
            lines.append(f"| {model} | {command} | {seconds:.2f} | {ratio:.2f} | {mebibytes:.0f} |")
    return lines


def median(runs: Sequence[Figures | None]) -> tuple[float, float] | None:
    """Medians of CPU seconds and of peak memory; None where a run took too long or failed."""
    known = [figures for figures in runs if figures is not None and figures.exit_code in (0, 1)]
    if len(known) < len(runs):
        return None
    return (
        statistics.median(figures.cpu_seconds for figures in known),
        statistics.median(figures.peak_mib for figures in known),
    )


def main() -> None:
    """Measure, print the table, write the raw figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--timeout", type=float, default=300)
    parser.add_argument("--peer-python", default=sys.executable, help="has onnx-tool installed")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    results = run(options.rounds, options.timeout, options.peer_python)
    print("\n".join(table(results)))
    if options.output is not None:
        document = {
            **circumstances("onnx-graphlint", "onnx", "networkx", "typer"),
            "runs": {
                model: {
                    command: [
                        None
                        if f is None
                        else [round(f.cpu_seconds, 3), round(f.peak_mib, 1), f.exit_code]
                        for f in runs
                    ]
                    for command, runs in figures.items()
                }
                for model, figures in results.items()
            },
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
