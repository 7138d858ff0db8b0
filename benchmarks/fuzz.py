"""Fuzzing, guided by coverage: what no input may do to graphlint.

Each target is a function of bytes that raises where something is wrong: any exception but
graphlint's own errors, figures that are negative or do not add up, a node without a cost and a
reason, a report that is not well formed, a node that attribution loses, a rewritten model that is
not valid. An input that takes longer than `--limit` CPU seconds is found too, and one that takes
more than `MEMORY_MIB`.

    python benchmarks/fuzz.py --seconds 3600 --jobs 2 --output RECORD [TARGET …]

Needs atheris (`pip install atheris`). What was found is written to `--findings`, an input a file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.process_tree import circumstances  # noqa: E402

MEMORY_MIB = 2048
TARGETS = ("reader", "reports", "operators", "models", "attribution", "rewrites")

_STATE = re.compile(r"#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)")


@dataclass
class Outcome:
    """What one target came to. `edges` are branches of graphlint that were reached.

    `growth` has the edges that were reached by the end of each minute that reached new ones.
    """

    target: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    executions: int = 0
    edges: int = 0
    executions_at_last_new_edge: int = 0
    growth: dict[int, int] = field(default_factory=dict)
    corpus: int = 0
    restarts: int = 0
    found: list[dict[str, str]] = field(default_factory=list)


# The process that fuzzes


def work(name: str, seconds: int, limit: float, corpus: Path, findings: Path) -> None:
    """Fuzz one target; a finding is written down once for each place where it comes up."""
    import atheris  # type: ignore[import-untyped]

    with atheris.instrument_imports(include=["graphlint", "graphlint_rules"]):
        target, seeds, mutator = _target(name)
    if not any(corpus.iterdir()):
        for seed in seeds():
            (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    known: set[str] = set()

    def watched(data: bytes) -> None:
        start = time.process_time()
        try:
            target(data)
        except Exception as error:
            _note(findings, known, data, _place(error), traceback.format_exc(limit=-6))
        taken = time.process_time() - start
        if taken > limit:
            _note(findings, known, data, f"slow by {int(taken)} s", f"{taken:.1f} CPU seconds")

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        if seed % 4 == 0:
            return bytes(atheris.Mutate(data, max_size))
        return bytes(mutator(data, max_size, seed))

    flags = [
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={MEMORY_MIB}",
        "-timeout=120",
        f"-artifact_prefix={findings}/stopped-",
        "-max_len=16384",
        "-len_control=0",
        "-print_final_stats=0",
    ]
    custom = {"custom_mutator": mutate} if mutator is not None else {}
    atheris.Setup([sys.argv[0], *flags, str(corpus)], watched, **custom)
    atheris.Fuzz()


def _target(name: str) -> tuple[Callable[[bytes], None], Callable[[], Iterable[bytes]], Any]:
    """The function of bytes, its seeds, and its own way to mutate them where it has one."""
    if name == "reader":
        from benchmarks import fuzz_reader

        return fuzz_reader.reader, fuzz_reader.seeds, fuzz_reader.mutated
    if name == "reports":
        from benchmarks.fuzz_reports import reports

        return reports, _noise, None
    if name == "operators":
        from benchmarks.fuzz_operators import operators

        return operators, _noise, None
    if name == "rewrites":
        from benchmarks.fuzz_rewrites import rewrites

        return rewrites, _noise, None
    from benchmarks import fuzz_models

    return getattr(fuzz_models, name), _noise, None


def _noise() -> Iterable[bytes]:
    import random

    rng = random.Random(0)
    return [rng.randbytes(size) for size in (16, 64, 256, 1024) for _ in range(8)]


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    detail = str(error)[:60] if isinstance(error, AssertionError) else ""
    return f"{type(error).__name__} {Path(last.filename).name} {last.name} {detail}"


def _note(findings: Path, known: set[str], data: bytes, place: str, said: str) -> None:
    if place in known:
        return
    known.add(place)
    name = hashlib.sha256(place.encode()).hexdigest()[:12]
    (findings / f"{name}.bin").write_bytes(data)
    told = {"place": place, "said": said.replace(f"{ROOT}/", "")}
    (findings / f"{name}.json").write_text(json.dumps(told))


# The process that watches


def fuzz(name: str, seconds: int, limit: float, findings: Path) -> Outcome:
    """Fuzz one target for so long, going on behind an input that ends the process."""
    outcome = Outcome(name)
    findings.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as corpus:
        while (left := seconds - int(time.monotonic() - start)) > 0:
            command = [sys.executable, __file__, "--work", name, "--seconds", str(left)]
            command += ["--limit", str(limit), "--corpus", corpus, "--findings", str(findings)]
            code = _watch(command, outcome, start)
            if code == 0:
                break
            outcome.restarts += 1
        outcome.corpus = len(list(Path(corpus).iterdir()))
    outcome.seconds = round(time.monotonic() - start)
    for path in sorted(findings.glob("*.json")):
        outcome.found.append(json.loads(path.read_text()))
    for path in sorted(findings.glob("stopped-*")):
        if path.name.startswith("stopped-slow-unit"):
            continue  # slow to one who looks at the clock on the wall, on a machine with other work
        outcome.found.append({"place": path.name, "said": "it ended the process"})
    return outcome


def _watch(command: list[str], outcome: Outcome, start: float) -> int:
    before = outcome.executions
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    assert process.stderr is not None
    for line in process.stderr:
        if match := _STATE.search(line):
            outcome.executions = before + int(match[1])
            if (edges := int(match[2])) > outcome.edges:
                outcome.edges = edges
                outcome.executions_at_last_new_edge = outcome.executions
                outcome.growth[int(time.monotonic() - start) // 60 + 1] = edges
        elif "Traceback" in line or "ERROR" in line:
            print(line.rstrip(), file=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    outcome.cpu_seconds += round(usage.ru_utime + usage.ru_stime)
    return os.waitstatus_to_exitcode(status)


def main() -> None:
    """Fuzz the targets, so many at a time, print and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS])
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("--jobs", type=int, default=1, help="targets at a time")
    parser.add_argument("--limit", type=float, default=10.0, help="CPU seconds for one input")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()) / "fuzz")
    parser.add_argument("--work", choices=TARGETS, help=argparse.SUPPRESS)
    parser.add_argument("--corpus", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.seconds, options.limit, options.corpus, options.findings)
        return
    names = options.targets or TARGETS

    def run(name: str) -> Outcome:
        return fuzz(name, options.seconds, options.limit, options.findings / name)

    outcomes = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for ended in as_completed([pool.submit(run, name) for name in names]):
            outcomes.append(asdict(ended.result()))
            print(json.dumps(outcomes[-1], indent=1), flush=True)
            if options.output is not None:
                _write(options, outcomes)


def _write(options: argparse.Namespace, outcomes: list[dict[str, Any]]) -> None:
    document = {
        **circumstances("onnx-graphlint", "onnx", "onnxruntime", "atheris"),
        "load": os.getloadavg()[0],
        "limits": {"cpu_seconds": options.limit, "memory_mib": MEMORY_MIB},
        "targets": sorted(outcomes, key=lambda one: TARGETS.index(one["target"])),
    }
    options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
