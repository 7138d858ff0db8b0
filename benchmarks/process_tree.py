"""CPU seconds and peak memory of a command with all its children. Linux only (it reads /proc)."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figures:
    """CPU seconds of a command with its children, and the peak of their memory together."""

    cpu_seconds: float
    peak_mib: float
    exit_code: int


def measure(command: Sequence[str], timeout: float) -> Figures | None:
    """Run a command to its end; None where it takes longer than `timeout` seconds."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak = 0
    killed = False
    done = threading.Event()

    def watch() -> None:
        nonlocal peak, killed
        start = time.monotonic()
        while not done.wait(0.005):
            peak = max(peak, sum(map(resident_bytes, tree(process.pid))))
            if time.monotonic() - start > timeout:
                killed = True
                process.kill()

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    done.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if killed:
        return None
    return Figures(usage.ru_utime + usage.ru_stime, peak / 2**20, process.returncode)


def tree(pid: int) -> Iterator[int]:
    """The process and its descendants."""
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from tree(int(child))
    except OSError:
        return  # it has ended


def resident_bytes(pid: int) -> int:
    """Proportional memory (shared pages divided among those who share them)."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def circumstances(*packages: str) -> dict[str, object]:
    """When, on what machine and with what versions figures were taken."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{processor()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in packages},
    }


def processor() -> str:
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
