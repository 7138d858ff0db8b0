"""What `graphlint rewrite` does to latency: V1 and every plan, V2 and its shuffles eliminated.

    python benchmarks/rewrite.py --output benchmarks/results/rewrite.json

Every row's models run in turn in one process; ratios are to the row's original, with 95 %
intervals. Weights are random: they do not matter for the time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.latency import machine  # noqa: E402
from fixtures.shufflenet import Chunk, shufflenet_v1, shufflenet_v2  # noqa: E402
from graphlint.config import Settings  # noqa: E402
from graphlint.latency.compare import compare  # noqa: E402
from graphlint.latency.request import MeasureRequest  # noqa: E402
from graphlint.rewriting.request import RewriteRequest  # noqa: E402
from graphlint.rewriting.run import rewrite  # noqa: E402
from graphlint.times import ComparedTimes  # noqa: E402

PLANS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "keep": ("keep", {}),
    "keep-flops": ("keep-flops", {}),
    "match": ("match", {}),
    "match-aligned, transpose": ("match-aligned", {"shuffle": "transpose"}),
    "match-aligned": ("match-aligned", {}),
}
WIDENED = (1.0, 2.0)
"""The scales with widths that are no multiples of four."""

SPELLINGS: tuple[Chunk, ...] = ("split", "slice", "shape")
PAPER = {"GPU": 1.60, "ARM": 1.12}
"""The paper's table 8: V1 1× (g = 3) to V2 1×."""


def rewritten(source: Path, out: Path, **more: Any) -> dict[str, Any]:
    """Rewrite one model; its figures."""
    scratch = out.parent / f"{out.stem}.scratch"
    scratch.mkdir()
    request = RewriteRequest(
        str(source), Settings(), out=out, weights="structure", folder=scratch, **more
    )
    report = rewrite(request)
    assert report.after is not None, report
    return {
        "multiply_adds": report.after.multiply_adds,
        "memory_access_bytes": report.after.memory_access_bytes,
        "parameters": report.after.parameters,
        "largest_difference": report.largest_difference,
    }


def timed(files: Sequence[Path], level: str, seconds: float) -> Iterator[dict[str, Any]]:
    """Seconds and speed of the files, measured in turn; the first is the original."""
    requests = [
        MeasureRequest(str(file), optimization=level, time_budget=seconds * len(files))
        for file in files
    ]
    for outcome in compare(requests).models:
        assert isinstance(outcome, ComparedTimes), outcome
        ratio = outcome.speed_up
        assert ratio is not None
        yield {
            "seconds": outcome.seconds,
            "spread": outcome.spread,
            "speed": [ratio.value, ratio.low, ratio.high],
        }


def v1(folder: Path, seconds: float) -> Iterator[dict[str, Any]]:
    """V1 g3 1× at 224² and every plan, at two levels of optimisation."""
    source = folder / "v1.onnx"
    onnx.save(shufflenet_v1(3, 1.0, weights="random"), source)
    rows: list[dict[str, Any]] = [{"model": "V1 1×, g = 3"}]
    files = [source]
    for name, (plan, options) in PLANS.items():
        files.append(folder / f"{name}.onnx".replace(", ", "-"))
        figures = rewritten(source, files[-1], plan=plan, options=options)
        rows.append({"model": name, **figures})
    for level in ("all", "basic"):
        for row, times in zip(rows, timed(files, level, seconds), strict=True):
            row[level] = times
    yield from rows


def v2(folder: Path, seconds: float) -> Iterator[dict[str, Any]]:
    """V2 at four widths in three spellings of chunk, with and without its shuffles."""
    for scale in (0.5, 1.0, 1.5, 2.0):
        for spelling in SPELLINGS:
            source = folder / f"v2-{scale}-{spelling}.onnx"
            onnx.save(shufflenet_v2(scale, chunk=spelling, weights="random"), source)
            for plan in ("exact", "widened"):
                if plan == "widened" and scale not in WIDENED:
                    continue
                out = source.with_name(f"{source.stem}-{plan}.onnx")
                figures = rewritten(source, out, rewrite="shuffle-elimination", plan=plan)
                row = {"model": f"V2 {scale:g}×, {plan}", "chunk": spelling, **figures}
                for level in ("all", "basic"):
                    row[level] = list(timed([source, out], level, seconds))[1]
                yield row


def main() -> None:
    """Measure, print, and write the raw figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--seconds", type=float, default=6.0, help="a model")
    arguments = parser.parse_args()
    result: dict[str, Any] = {**machine(), "paper": PAPER, "v1": [], "v2": []}
    with tempfile.TemporaryDirectory() as name:
        for key, rows in (("v1", v1), ("v2", v2)):
            for row in rows(Path(name), arguments.seconds):
                result[key].append(row)
                speeds = "  ".join(
                    f"{level} {row[level]['speed'][0]:.2f}×" for level in ("all", "basic")
                )
                print(f"{row['model']:26}{row.get('chunk', ''):8}{speeds}", flush=True)
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
