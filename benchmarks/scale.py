"""How graphlint grows: CPU seconds and peak memory of the whole process tree, by size.

Networks of 1,000 to 100,000 nodes under every command; 20,000 findings in every report; 1,000
inputs; subgraphs in subgraphs; a folder of 1,000 models; 10 GB of external data (a sparse file).
Linux only (it reads /proc).

    python benchmarks/scale.py --output benchmarks/results/scale.json

Takes more than ten minutes on a slow machine; what is measured is written as it comes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import scale_models
from onnx import ModelProto
from process_tree import Figures, circumstances, measure

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1_000, 10_000, 100_000)
FORMATS = "full concise json json-lines sarif github gitlab junit markdown".split()
TIMEOUT = 600.0

Row = tuple[str, str, list[str]]
"""What is measured, on how much of it, and the arguments."""


def networks(folder: Path) -> Iterator[Row]:
    """Every command on networks that grow."""
    static = ("--no-latency", "--isolated")
    for kind in ("chain", "branches", "residual"):
        for nodes in SIZES:
            path = _saved(folder, getattr(scale_models, kind), nodes)
            yield f"check ({kind})", f"{nodes:,} nodes", ["check", *static, str(path)]
            if kind == "residual":
                for form in ("table", "json", "html"):
                    command = ["profile", *static, "--output-format", form, str(path)]
                    yield f"profile {form} ({kind})", f"{nodes:,} nodes", command
            if kind != "branches":
                other = _saved(folder, getattr(scale_models, kind), nodes + 70)
                command = ["diff", "--no-latency", str(other), str(path)]
                yield f"diff ({kind})", f"{nodes:,} nodes", command
    for nodes in SIZES:
        path = _saved(folder, scale_models.v1_units, nodes)
        command = ["rewrite", "--check", "--isolated", str(path)]  # matches and plans, runs nothing
        yield "rewrite --check (V1 units)", f"{nodes:,} nodes", command


def others(folder: Path) -> Iterator[Row]:
    """What else there can be much of."""
    static = ("check", "--no-latency", "--isolated")
    for number in (2_000, 20_000):
        path = scale_models.write_external(folder, scale_models.findings, number)
        for form in FORMATS:
            command = [*static, "--output-format", form, str(path)]
            yield f"check, {form}", f"{number:,} findings", command
    for number in (100, 1_000):
        path = _saved(folder, scale_models.inputs, number)
        yield "check", f"{number:,} inputs", [*static, str(path)]
    for depth in (10, 30):
        path = _saved(folder, scale_models.nested, depth)
        yield "check", f"{depth} subgraphs in each other", [*static, str(path)]
    for megabytes in (10, 10_000):
        path = scale_models.write_external(folder, scale_models.external, megabytes)
        yield "check", f"{megabytes / 1000:g} GB of external data", [*static, str(path)]
    for number in (100, 1_000):
        many = folder / str(number)
        many.mkdir()
        for i in range(number):
            shutil.copy(ROOT / "fixtures/shufflenet_v2.onnx", many / f"{i}.onnx")
        for jobs in ("1", "2"):
            yield f"check --jobs {jobs}", f"{number:,} models", [*static, "--jobs", jobs, str(many)]


def _saved(folder: Path, make: Callable[[int], ModelProto], size: int) -> Path:
    path = folder / f"{make.__name__}{size}.onnx"
    path.write_bytes(make(size).SerializeToString())
    return path


Results = dict[str, dict[str, Figures | None]]
"""Figures by what is measured and by size; None where it took too long."""


def run() -> Iterator[Results]:
    """All results so far, after every command."""
    results: Results = {}
    with tempfile.TemporaryDirectory() as name:
        for rows in (networks, others):
            for what, size, arguments in rows(Path(name)):
                found = measure([sys.executable, "-m", "graphlint", *arguments], TIMEOUT)
                results.setdefault(what, {})[size] = found
                print(f"{what}, {size}: {found}", file=sys.stderr)
                yield results


def table(results: Results) -> list[str]:
    """The figures as Markdown."""
    lines = ["| command | on | CPU seconds | peak MiB |", "|---|---|---:|---:|"]
    for what, sizes in results.items():
        for size, found in sizes.items():
            known = found is not None and found.exit_code in (0, 1)
            figures = f"{found.cpu_seconds:.2f} | {found.peak_mib:.0f}" if known else "failed |"
            lines.append(f"| {what} | {size} | {figures} |")
    return lines


def document(results: Results) -> dict[str, object]:
    """The raw figures: CPU seconds, peak MiB and exit code."""
    runs = {
        what: {
            size: found and [round(found.cpu_seconds, 3), round(found.peak_mib, 1), found.exit_code]
            for size, found in sizes.items()
        }
        for what, sizes in results.items()
    }
    return {**circumstances("onnx-graphlint", "onnx", "networkx", "typer"), "runs": runs}


def main() -> None:
    """Measure, write the raw figures as they come, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    results: Results = {}
    for results in run():
        if options.output is not None:
            options.output.write_text(json.dumps(document(results), indent=1) + "\n")
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
