"""Every command on every hostile model: how it ends, how long it takes, how much memory, what it
opens.

Each command is a process of its own, watched from outside: wall seconds, CPU seconds and the peak
of the whole tree's memory. Under strace (where it is installed) it is seen which files it opens or
changes. Linux only (it reads /proc).

    python benchmarks/hostile.py --output benchmarks/results/hostile.json

First comes one `check` of the whole collection. `--every N` runs the single commands on every N-th
model; `--traced N` traces N of those with external data.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.process_tree import circumstances, resident_bytes, tree  # noqa: E402
from fixtures import hostile  # noqa: E402
from fixtures.hostile_case import Case  # noqa: E402

TIMEOUT_SECONDS = 300.0
MEASURED_KINDS = ("allocation", "control flow", "external data", "shape inference", "tensors")
"""What a runtime may stumble over: these are measured too."""

_OPENED = re.compile(r'open(?:at)?\([^"]*"((?:[^"\\]|\\.)*)"[^)]*\) = \d')


@dataclass(frozen=True)
class Run:
    """One command on one model. `raw` says whether a control character came out unescaped."""

    command: str
    kind: str
    name: str
    code: int | None
    wall_seconds: float
    cpu_seconds: float
    peak_mib: float
    raw: bool
    traceback: bool
    said: str


def commands(model: Path, out: Path) -> dict[str, list[str]]:
    """The commands, each with its arguments."""
    given, isolated = str(model), "--isolated"
    return {
        "check": ["check", "--no-latency", isolated, given],
        "profile": ["profile", "--no-latency", isolated, given],
        "rewrite": ["rewrite", "--no-latency", isolated, given, "-o", str(out)],
        "diff": ["diff", isolated, given, given],
        "profile with latency": ["profile", "--latency", "--time-budget", "1", isolated, given],
    }


def watched(name: str, arguments: Sequence[str], case: Case, folder: Path) -> Run:
    """Run a command to its end."""
    start = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "graphlint", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        peak, done = 0, threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.02):
                peak = max(peak, sum(map(resident_bytes, tree(process.pid))))
                if time.monotonic() - start > TIMEOUT_SECONDS:
                    process.kill()

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        done.set()
        watcher.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode("utf-8", "surrogateescape")
    errors = [
        line.replace(f"{folder}/", "").replace(f"{folder.parent}/", "")
        for line in text.splitlines()
        if line.startswith(("error:", "cause:"))
    ]
    return Run(
        name,
        case.kind,
        case.name,
        process.returncode if wall <= TIMEOUT_SECONDS else None,
        round(wall, 2),
        round(usage.ru_utime + usage.ru_stime, 2),
        round(peak / 2**20, 1),
        any(char != "\n" and unicodedata.category(char)[0] == "C" for char in text),
        "Traceback" in text,
        " | ".join(errors)[:200],
    )


def opened(arguments: Sequence[str], folder: Path, log: Path) -> Iterator[str]:
    """The paths that a command opens, its children's too, as strace sees them."""
    subprocess.run(
        [
            *("strace", "-f", "-qq", "-s", "4096", "-o", log, "-e", "trace=open,openat,creat"),
            *(sys.executable, "-P", "-m", "graphlint", *arguments),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    for match in _OPENED.finditer(log.read_text(errors="surrogateescape")):
        yield match[1]


def escapes(folder: Path, models: dict[Path, Case], count: int) -> list[dict[str, object]]:
    """What commands on models with external data opened that they may not."""
    chosen = [path for path, case in models.items() if case.kind == "external data"][:count]
    found = []
    for path in chosen:
        out = folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        for name, arguments in commands(path, out / "out.onnx").items():
            seen = set(opened(arguments, out, folder / "strace.log"))
            wrong = sorted(
                each for each in seen if "outside/" in each or each in ("/etc/passwd", "/dev/zero")
            )
            found.append({"command": name, "name": models[path].name, "opened_outside": wrong})
    return found


def main() -> None:
    """Make the collection, run the commands, print and write what they did."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--traced", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        models = hostile.write(folder, hostile.cases())
        (folder / "work").mkdir()
        tasks = []
        for place, (path, case) in enumerate(models.items()):
            for name, arguments in commands(path, folder / "work" / f"{place}.onnx").items():
                if name == "profile with latency" and case.kind not in MEASURED_KINDS:
                    continue
                if place % options.every == 0:
                    tasks.append((name, arguments, case, folder / "work"))
        everything = ["check", "--no-latency", "--isolated", "--output-format", "concise"]
        together = watched(
            "check of the whole collection",
            [*everything, "--jobs", str(options.jobs), str(folder / "models")],
            Case("all", "all", Path.touch),
            folder / "work",
        )
        print("\n".join(table([together])), flush=True)
        traced = escapes(folder, models, options.traced) if shutil.which("strace") else []
        runs = [together]
        with ThreadPoolExecutor(options.jobs) as pool:
            for run in pool.map(lambda task: watched(*task), tasks):
                runs.append(run)
                left = sorted(path.name for path in (folder / "work").iterdir())
                record = {
                    **circumstances("onnx", "onnxruntime"),
                    "models": len(models),
                    "kinds": sorted({case.kind for case in models.values()}),
                    "side_by_side": options.jobs,
                    "files_written": left,
                    "opened_outside": traced,
                    "runs": [asdict(run) for run in runs],
                }
                options.output.write_text(json.dumps(record, indent=1) + "\n")
    print("\n".join(table(runs)))
    print(f"{len(traced)} traced, {sum(bool(t['opened_outside']) for t in traced)} opened outside")


def table(runs: Sequence[Run]) -> list[str]:
    """A line a command, as Markdown."""
    lines = [
        "| command | models | exit 0 or 1 | exit 2 | other | most CPU s | most wall s | most MiB "
        "| over 1 GiB | tracebacks | raw characters |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in dict.fromkeys(run.command for run in runs):
        own = [run for run in runs if run.command == name]
        cells = (
            len(own),
            sum(run.code in (0, 1) for run in own),
            sum(run.code == 2 for run in own),
            sum(run.code not in (0, 1, 2) for run in own),
            f"{max(run.cpu_seconds for run in own):.1f}",
            f"{max(run.wall_seconds for run in own):.0f}",
            f"{max(run.peak_mib for run in own):.0f}",
            sum(run.peak_mib > 1024 for run in own),
            sum(run.traceback for run in own),
            sum(run.raw for run in own),
        )
        lines.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
    return lines


if __name__ == "__main__":
    main()
