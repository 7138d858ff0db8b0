"""Commands that write, killed (`kill -9`) at random moments: what stands there afterwards.

Each command is run to its end once, to see how long it takes and what it writes; then it is killed,
its children left to themselves, at moments drawn from that time. After each the model must be
as it was, an output must be the old one, the new one or absent, and no other file may lie beside
it. POSIX only.

    python benchmarks/kill.py --output benchmarks/results/kill.json
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.process_tree import circumstances  # noqa: E402

FIXTURES = ROOT / "fixtures"

Files = Mapping[str, bytes]

MODEL = "shufflenet_v1.onnx"
OLD = b"what stood here before\n"

COMMANDS: Mapping[str, tuple[Sequence[str], Files]] = {
    "rewrite": (
        ["rewrite", MODEL, "-o", "out.onnx", "--weights", "structure", "--no-latency"],
        {},
    ),
    "rewrite --force": (
        ["rewrite", MODEL, "-o", "out.onnx", "--weights", "structure", "--no-latency", "--force"],
        {"out.onnx": (FIXTURES / "shufflenet_v2.onnx").read_bytes()},
    ),
    "check --output-file": (
        ["check", MODEL, "--no-latency", "--exit-zero", "--output-file", "report.json"],
        {"report.json": OLD},
    ),
    "check --update-baseline": (
        [
            *("check", MODEL, "--no-latency", "--exit-zero"),
            *("--baseline", "baseline.json", "--update-baseline"),
        ],
        {"baseline.json": b'{"schema": 1, "findings": [\n{}\n]}\n'},
    ),
    "profile --annotate": (["profile", MODEL, "--no-latency", "--annotate", "out.onnx"], {}),
}
"""Arguments, and the files that stand there before."""


def prepared(folder: Path, files: Files) -> None:
    """A folder with the model and those files, and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(FIXTURES / MODEL, folder)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def state(folder: Path) -> dict[str, bytes]:
    """The files of a folder and what is in them."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def started(arguments: Sequence[str], folder: Path, scratch: Path) -> subprocess.Popen[bytes]:
    """A command in a folder, its temporary files in another."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "graphlint", *arguments],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def whole(arguments: Sequence[str], files: Files, folder: Path) -> tuple[float, dict[str, bytes]]:
    """How many seconds a command takes, and the files when it is done.

    Raises:
        RuntimeError: it did not end as it should.
    """
    prepared(folder, files)
    start = time.monotonic()
    code = started(arguments, folder, folder.parent).wait()
    if code != 0:
        raise RuntimeError(f"{' '.join(arguments)}: exit code {code}")
    return time.monotonic() - start, state(folder)


def killed(
    arguments: Sequence[str], files: Files, folder: Path, seconds: float
) -> tuple[dict[str, bytes], list[str]]:
    """The files after a command was killed so late, and what is left of its temporary ones."""
    prepared(folder, files)
    scratch = folder.parent / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    process = started(arguments, folder, scratch)
    time.sleep(seconds)
    process.kill()
    process.wait()
    wait_for_children(folder)
    return state(folder), sorted(path.name for path in scratch.iterdir())


def wait_for_children(folder: Path, most_seconds: float = 20.0) -> None:
    """Until no process has its working folder there: orphans end by themselves."""
    ends = time.monotonic() + most_seconds
    while time.monotonic() < ends:
        if not any(_works_in(process, folder) for process in Path("/proc").glob("[0-9]*")):
            return
        time.sleep(0.02)


def _works_in(process: Path, folder: Path) -> bool:
    try:
        running = (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
        return running and os.readlink(process / "cwd") == str(folder)
    except OSError:
        return False


def verdict(before: Files, after: Files, now: Files) -> str:
    """What became of the output; anything but `old` and `new` is a broken promise."""
    if now.get(MODEL) != after[MODEL]:
        return "the model changed"
    if set(now) - set(after):
        return "left beside it: " + ", ".join(sorted(set(now) - set(after)))
    outputs = [name for name in after if name != MODEL]
    fates = {
        "new" if now.get(name) == after[name] else "old" if now.get(name) == before.get(name)
        else f"half-written: {name}"
        for name in outputs
    }  # fmt: skip
    return fates.pop() if len(fates) == 1 else "mixed: " + ", ".join(sorted(fates))


def main() -> None:
    """Kill each command so many times, print and write what stood there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--times", type=int, default=10, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    record: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve() / "work"
        for name, (arguments, files) in COMMANDS.items():
            seconds, after = whole(arguments, files, folder)
            fates: Counter[str] = Counter()
            left: Counter[str] = Counter()
            for number in range(options.times):
                # Half of the moments are late ones, in which files are written.
                share = chance.random() if number % 2 else 0.7 + 0.35 * chance.random()
                now, scratch = killed(arguments, files, folder, share * seconds)
                fates[verdict(files, after, now)] += 1
                left["something" if scratch else "nothing"] += 1
            record[name] = {
                "seconds": round(seconds, 2),
                "killed": options.times,
                "output": dict(fates),
                "temporary_folder": dict(left),
            }
            print(f"{name}: {dict(fates)}, in the temporary folder: {dict(left)}", flush=True)
            document = {
                **circumstances("onnx"),
                "seed": options.seed,
                "commands": record,
            }
            options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
