"""Whether reports depend on anything but the model.

The JSON of `check` on a folder, twice, with other hash seeds and other numbers of children, has to
be the same bytes. Then every model is given other names, and another topological order: totals,
costs and findings with their fingerprints have to stay.

    python benchmarks/determinism.py FOLDER --output benchmarks/results/determinism.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.disguise import renamed, reordered  # noqa: E402
from benchmarks.process_tree import circumstances  # noqa: E402
from graphlint import api  # noqa: E402
from graphlint.results import ModelReport  # noqa: E402

RUNS = ((0, 1), (0, 1), (1, 2), (4242, 4), (7, 0))
"""Hash seeds, and `--jobs`."""


def digests(folder: Path) -> list[str]:
    """What a check of the folder writes as JSON, in each of the ways."""
    found = []
    for seed, jobs in RUNS:
        command = [sys.executable, "-m", "graphlint", "check", str(folder), "--no-latency"]
        command += ["--isolated", "--jobs", str(jobs), "--output-format", "json"]
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            timeout=600,
            check=False,
        )
        found.append(hashlib.sha256(done.stdout).hexdigest())
    return found


def essence(report: ModelReport) -> dict[str, Any]:
    """What must not depend on names and order."""
    return {
        "totals": report.totals,
        "nodes": sorted(
            repr((node.op, node.domain, "unknown" if node.cost.unknown else node.cost))
            for node in report.nodes
        ),
        "findings": sorted(
            (f.code, f.excess_bytes or 0, f.fingerprint, len(f.sites)) for f in report.findings
        ),
    }


def disguised(folder: Path, scratch: Path, seed: int) -> tuple[int, dict[str, list[str]]]:
    """How many models were disguised, and the parts of their reports that changed by disguise."""
    pairs: list[tuple[str, Path]] = []
    for number, path in enumerate(sorted(folder.rglob("*.onnx"))):
        try:
            model = onnx.load(str(path), load_external_data=False)
        except (DecodeError, OSError):
            continue
        for kind, change in (("renamed", renamed), ("reordered", reordered)):
            other = scratch / f"{number}.{kind}.onnx"
            other.write_bytes(change(model, seed + number).SerializeToString())
            pairs.append((kind, other))
        plain = scratch / f"{number}.plain.onnx"
        plain.write_bytes(model.SerializeToString())
    reports = {
        Path(report.path).name: report
        for report in api.check(scratch, nodes=True, dim=(), select=("ALL",)).models
    }
    changed: dict[str, list[str]] = {}
    for kind, path in pairs:
        number = path.name.split(".")[0]
        before, after = essence(reports[f"{number}.plain.onnx"]), essence(reports[path.name])
        for part in before:
            if before[part] != after[part]:
                changed.setdefault(f"{kind}: {part}", []).append(number)
    return len(pairs) // 2, changed


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, print and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    found = digests(options.folder)
    with tempfile.TemporaryDirectory() as scratch:
        models, changed = disguised(options.folder, Path(scratch), options.seed)
    counts = {
        "runs": [{"hash_seed": seed, "jobs": jobs} for seed, jobs in RUNS],
        "different_outputs": len(set(found)),
        "models_disguised": models,
        "changed": {what: len(which) for what, which in changed.items()},
    }
    print(json.dumps(counts, indent=1))
    print(changed)
    if options.output is not None:
        document = {
            **circumstances("onnx-graphlint", "onnx"),
            "seconds": round(time.perf_counter() - start),
            "counts": counts,
        }
        options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
