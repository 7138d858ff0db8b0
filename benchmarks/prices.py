"""Prices against what-if: a network's findings in a device's seconds, without a runtime and with.

`check` prices the findings of ShuffleNet V1 (3 groups, 1×, 224×224) by a committed device profile;
`profile --what-if` builds their alternatives and measures them. Only findings that have both are
compared, one by one and summed by rule.

    python benchmarks/prices.py --output benchmarks/results/prices.json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from math import hypot
from pathlib import Path
from typing import Any

import onnx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import graphlint  # noqa: E402
from benchmarks.process_tree import circumstances  # noqa: E402
from fixtures.shufflenet import shufflenet_v1  # noqa: E402
from graphlint.alternatives.results import Saving  # noqa: E402
from graphlint.timing import LatencyOptions  # noqa: E402

PROFILE = ROOT / "docs" / "devices" / "amd-epyc-1-thread-all.json"
RULES = ("G1", "G2", "G4", "A1")


@dataclass(frozen=True)
class Pair:
    """A finding's price and what was measured, in seconds: all its sites together."""

    rule: str
    message: str
    sites: int
    price: float
    plus_minus: float
    measured: float
    low: float
    high: float

    @property
    def meets(self) -> bool:
        """Whether what was measured lies within the price's error, or the intervals meet."""
        return (
            self.price - self.plus_minus <= self.high and self.low <= self.price + self.plus_minus
        )


def pairs(model: Path, profile: Path, latency: LatencyOptions) -> list[Pair]:
    """Every finding that has a price and was measured."""
    report = graphlint.check(model, select=RULES, device_profile=str(profile))
    findings = {(each.code, each.message): each for each in report.models[0].findings}
    found = []
    for rule in RULES:
        answer = graphlint.what_if(model, rule, latency=latency, device_profile=str(profile))
        for change in answer.changes:
            finding = findings.get((change.code, change.message))  # A1 keeps what pays alone
            predicted = None if finding is None else finding.predicted
            saving = change.saving
            if predicted is None or predicted.seconds is None or not isinstance(saving, Saving):
                continue
            found.append(
                Pair(
                    rule,
                    change.message,
                    change.sites,
                    predicted.seconds,
                    predicted.plus_minus,
                    saving.seconds,
                    saving.low,
                    saving.high,
                )
            )
    return found


def summed(rule: str, found: list[Pair]) -> dict[str, Any]:
    """The rule's findings together: errors of different findings are independent."""
    of_rule = [pair for pair in found if pair.rule == rule]
    measured = sum(pair.measured for pair in of_rule)
    return {
        "rule": rule,
        "findings": len(of_rule),
        "price": sum(pair.price for pair in of_rule),
        "plus_minus": hypot(*(pair.plus_minus for pair in of_rule)),
        "measured": measured,
        "low": measured - hypot(*(pair.measured - pair.low for pair in of_rule)),
        "high": measured + hypot(*(pair.high - pair.measured for pair in of_rule)),
        "meet": sum(pair.meets for pair in of_rule),
    }


def row(sums: dict[str, Any]) -> str:
    """A line of the table, in Markdown: microseconds."""
    price, error, measured, low, high = (
        f"{1e6 * sums[name]:.0f}" for name in ("price", "plus_minus", "measured", "low", "high")
    )
    met = f"{sums['meet']} of {sums['findings']}"
    return f"| {sums['rule']} | {price} ± {error} | {measured} ({low} … {high}) | {met} |"


def main() -> None:
    """Price, measure, print the table, write the raw figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--profile", type=Path, default=PROFILE)
    parser.add_argument("--time-budget", type=float, default=1.5, help="seconds a model")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "shufflenet_v1_g3_1x.onnx")
        onnx.save(shufflenet_v1(3, 1.0), model)
        found = pairs(model, given.profile, LatencyOptions(time_budget=given.time_budget))
    sums = [summed(rule, found) for rule in RULES]
    print("| rule | price | what-if | findings whose intervals meet |\n|---|---|---|---|")
    print("\n".join(map(row, sums)))
    if given.output is not None:
        document = {
            **circumstances("onnx", "onnxruntime"),
            "profile": given.profile.name,
            "rules": sums,
            "findings": [asdict(pair) for pair in found],
        }
        given.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
