"""What-if against the truth: networks really changed, and measured again.

Each case is a network with sites of one rule, and the network that one would train instead, built
on its own. `graphlint profile --what-if RULE` says what the first would save; then both run in
turn, and the difference is what is really saved. They agree where they differ by at most 25 % of
it, or where their 95 % intervals meet.

    python benchmarks/what_if.py --output benchmarks/results/what_if.json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.latency import machine  # noqa: E402
from graphlint.alternatives.isolated import what_if  # noqa: E402
from graphlint.alternatives.request import WhatIfRequest  # noqa: E402
from graphlint.alternatives.results import Saving  # noqa: E402
from graphlint.calibration.network import Chain  # noqa: E402
from graphlint.config import Settings  # noqa: E402
from graphlint.latency.compare import compare  # noqa: E402
from graphlint.latency.request import MeasureRequest  # noqa: E402
from graphlint.times import ComparedTimes  # noqa: E402
from graphlint.timing import LatencyOptions  # noqa: E402

BLOCKS = 10
CLOSE = 0.25


@dataclass(frozen=True, slots=True)
class Case:
    """A network with sites of `rule`, and the one that it is held against."""

    name: str
    rule: str
    before: onnx.ModelProto
    after: onnx.ModelProto


def widths(side: int, first: int, second: int) -> onnx.ModelProto:
    """1×1 convolutions, there and back between two widths."""
    made = Chain()
    value = made.input(first, side)
    for _ in range(BLOCKS):
        value = made.conv(made.conv(value, second), first)
    return made.model(value)


def groups(side: int, channels: int, number: int = 1) -> onnx.ModelProto:
    """1×1 convolutions of one width with groups."""
    made = Chain()
    value = made.input(channels, side)
    for _ in range(BLOCKS):
        value = made.conv(value, channels, groups=number)
    return made.model(value)


def bottlenecks(side: int, channels: int, shortcut: bool) -> onnx.ModelProto:
    """ResNet's bottlenecks with or without their sums."""
    made = Chain()
    value = made.input(channels, side)
    for _ in range(BLOCKS):
        inner = made.relu(made.conv(value, channels // 4))
        inner = made.relu(made.conv(inner, channels // 4, kernel=3))
        outer = made.conv(inner, channels)
        value = made.relu(made.add(value, outer) if shortcut else outer)
    return made.model(value)


def cases() -> list[Case]:
    """Sites of four rules; widths and sides of the paper's tables and of usual networks."""
    unequal = [(56, 52, 312, 127), (56, 36, 432, 125), (28, 64, 256, 128), (14, 128, 512, 256)]
    grouped = [(56, 180, 2), (56, 256, 4), (28, 240, 3), (14, 480, 3)]
    misaligned = [(56, 60, 64), (28, 120, 128), (14, 228, 224)]
    summed = [(56, 128), (28, 256), (14, 512)]
    return [
        *(
            Case(f"{a}→{b}→{a}, {side}×{side}", "G1", widths(side, a, b), widths(side, c, c))
            for side, a, b, c in unequal
        ),
        *(
            Case(
                f"{c}→{c}, groups {g}, {side}×{side}",
                "G2",
                groups(side, c, g),
                groups(side, round(c / g**0.5)),
            )
            for side, c, g in grouped
        ),
        *(
            Case(
                f"bottleneck {c}, {side}×{side}",
                "G4",
                bottlenecks(side, c, True),
                bottlenecks(side, c, False),
            )
            for side, c in summed
        ),
        *(
            Case(f"{a}→{a}, {side}×{side}", "A1", widths(side, a, a), widths(side, b, b))
            for side, a, b in misaligned
        ),
    ]


def measured(case: Case, folder: Path, latency: LatencyOptions, block: int) -> dict[str, Any]:
    """What was foretold for a case, and what it came to."""
    files = [folder / "before.onnx", folder / "after.onnx"]
    for model, file in zip((case.before, case.after), files, strict=True):
        onnx.save(model, file)
    settings = Settings(select=(case.rule,), rules={"A1": {"block": block}})
    report = what_if(WhatIfRequest(str(files[0]), settings, latency))
    foretold = [each.saving for each in report.changes if isinstance(each.saving, Saving)]
    if not foretold or len(foretold) < len(report.changes):
        raise SystemExit(f"{case.name}: not measured: {report}")
    requests = [
        MeasureRequest(
            str(file),
            threads=latency.threads,
            optimization=latency.optimization,
            time_budget=2 * latency.time_budget,
        )
        for file in files
    ]
    before, after = compare(requests).models
    assert isinstance(before, ComparedTimes)
    assert isinstance(after, ComparedTimes)
    assert after.speed_up is not None
    low, value, high = (
        before.seconds * (1 - 1 / ratio)
        for ratio in (after.speed_up.low, after.speed_up.value, after.speed_up.high)
    )
    said = [sum(getattr(each, part) for each in foretold) for part in ("low", "seconds", "high")]
    return {
        "case": case.name,
        "rule": case.rule,
        "seconds": before.seconds,
        "what_if": dict(zip(("low", "seconds", "high"), said, strict=True)),
        "truth": {"low": low, "seconds": value, "high": high},
        "agrees": abs(said[1] - value) <= CLOSE * abs(value)
        or (said[0] <= high and low <= said[2]),
    }


def row(figures: dict[str, Any]) -> str:
    """A line of the table, in Markdown."""
    cells = [figures["rule"], figures["case"], f"{1e3 * figures['seconds']:.2f}"]
    for name in ("what_if", "truth"):
        part = figures[name]
        low, value, high = (1e3 * part[key] for key in ("low", "seconds", "high"))
        cells.append(f"{value:.2f} ({low:.2f} … {high:.2f})")
    cells.append("yes" if figures["agrees"] else "no")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure every case, print the table, write the raw figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--optimization", default="all")
    parser.add_argument("--time-budget", type=float, default=2.0, help="seconds a model")
    parser.add_argument("--block", type=int, default=16, help="channels of the device's block")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    latency = LatencyOptions(optimization=given.optimization, time_budget=given.time_budget)
    print("| rule | network | ms | what-if saves, ms | really saves, ms | agree |")
    print("|---|---|---:|---:|---:|---|")
    results = []
    for case in cases():
        with tempfile.TemporaryDirectory() as folder:
            results.append(measured(case, Path(folder), latency, given.block))
        print(row(results[-1]), flush=True)
    print(f"{sum(each['agrees'] for each in results)} of {len(results)} agree")
    if given.output:
        document = {**machine(), "optimization": given.optimization, "cases": results}
        given.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
