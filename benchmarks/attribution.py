"""Whether every node of any model ends with a fate, at all of the runtime's optimisation levels.

Each model is optimised by ONNX Runtime at each level and run, and its kernels are attributed to its
nodes. Counted are nodes by what became of them, nodes and kernels that are lost, tracebacks, and
processes that stay behind.

    python benchmarks/attribution.py FOLDER --output benchmarks/results/attribution.json

Open dimensions are bound to `--size`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.backend import Case, cases_of  # noqa: E402
from benchmarks.forked import ask_all  # noqa: E402
from benchmarks.process_tree import circumstances  # noqa: E402
from benchmarks.recount import open_bindings  # noqa: E402
from graphlint import registry  # noqa: E402
from graphlint.errors import GraphlintError  # noqa: E402
from graphlint.latency.attribution import attribute  # noqa: E402
from graphlint.latency.measuring import view_and_feed  # noqa: E402
from graphlint.latency.prepared import prepare  # noqa: E402
from graphlint.latency.request import MeasureRequest  # noqa: E402
from graphlint.latency.session import LatencyError, Setup, open_session  # noqa: E402
from graphlint.model import load  # noqa: E402

LEVELS = ("disable", "basic", "extended", "all")
LIMIT_SECONDS = 60.0


@dataclass
class Level:
    """One model at one level. `fates` counts nodes by what became of them."""

    nodes: int = 0
    kernels: int = 0
    fates: dict[str, int] = field(default_factory=dict)
    lost_nodes: int = 0
    lost_kernels: int = 0
    not_run: str = ""
    traceback: str = ""
    left: int = 0


def examine(path: Path, size: int) -> dict[str, Level]:
    """The model at all levels, in a process of its own; it has to run at the first."""
    found = {}
    for level in LEVELS:
        found[level] = result = Level()
        with tempfile.TemporaryDirectory() as text:
            try:
                _fill(result, path, level, size, Path(text))
            except GraphlintError as error:
                result.not_run = type(error).__name__
            except Exception:
                result.traceback = traceback.format_exc(limit=-4)
        if result.not_run:
            break
    return found


def _fill(result: Level, path: Path, level: str, size: int, folder: Path) -> None:
    model = load(str(path))
    request = MeasureRequest(str(path), bindings=open_bindings(model, None, size))
    view, feed = view_and_feed(request, model)
    setup = Setup(optimization=level)
    prepared = prepare(path, view.inputs, setup, folder)
    session = open_session(prepared.path, Setup(optimization="disable"))
    try:
        session.run(None, feed)
    except Exception as error:  # pybind's exceptions have no common base of their own
        raise LatencyError("it does not run", cause=str(error)) from error
    found = attribute(view, prepared.proto)
    result.nodes, result.kernels = len(view.nodes), prepared.kernels
    result.fates = dict(Counter(fate.how for fate in found.fates))
    placeless = [f for f in found.fates if f.how in ("own", "fused", "inexact") and not f.groups]
    result.lost_nodes = len(view.nodes) - len(found.fates) + len(placeless)
    covered = Counter(kernel for group in found.groups for kernel in group.kernels)
    result.lost_kernels = sum(covered[kernel] != 1 for kernel in range(prepared.kernels))


def run(cases: Sequence[Case], size: int, jobs: int) -> dict[str, list[tuple[str, Level]]]:
    """All models at all levels."""
    endings = ask_all(examine, [(case.path, size) for case in cases], jobs, LIMIT_SECONDS)
    found: dict[str, list[tuple[str, Level]]] = {level: [] for level in LEVELS}
    for case, ending in zip(cases, endings, strict=True):
        levels = ending.answer or {LEVELS[0]: Level(not_run=ending.stopped)}
        levels[LEVELS[0]].left = ending.left
        for level, result in levels.items():
            found[level].append((case.name, result))
    return found


def summary(found: Sequence[tuple[str, Level]]) -> dict[str, Any]:
    """The counts of one level."""
    ran = [one for _, one in found if not one.not_run and not one.traceback]
    fates: Counter[str] = Counter()
    for one in ran:
        fates.update(one.fates)
    return {
        "models_tried": len(found),
        "models_ran": len(ran),
        "not_run": dict(Counter(one.not_run for _, one in found if one.not_run)),
        "nodes": sum(one.nodes for one in ran),
        "kernels": sum(one.kernels for one in ran),
        "fates": dict(fates.most_common()),
        "lost_nodes": sum(one.lost_nodes for one in ran),
        "lost_kernels": sum(one.lost_kernels for one in ran),
        "tracebacks": sum(bool(one.traceback) for _, one in found),
        "processes_left": sum(one.left for _, one in found),
    }


def main() -> None:
    """Run, print the counts, write them with what is amiss."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=4, help="of open dimensions")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    registry.handles()  # what is loaded here need not be loaded in every process
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as made:
        found = run(list(cases_of(options.folder, Path(made))), options.size, options.jobs)
    counts: Mapping[str, Any] = {level: summary(ones) for level, ones in found.items()}
    print(json.dumps(counts, indent=1))
    troubles = [
        {"level": level, "model": name, **asdict(one)}
        for level, ones in found.items()
        for name, one in ones
        if one.lost_nodes or one.lost_kernels or one.traceback or one.left
    ]
    for trouble in troubles[:20]:
        print(trouble)
    if options.output is not None:
        document = {
            **circumstances("onnx-graphlint", "onnx", "onnxruntime"),
            "seconds": round(time.perf_counter() - start),
            "counts": counts,
            "troubles": troubles,
        }
        options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
