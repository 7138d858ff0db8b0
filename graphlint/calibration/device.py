"""What the device that is measured is called, as far as the machine says."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint.devices.profile import Device
from graphlint.latency.session import DEVICE_PROVIDERS

if TYPE_CHECKING:
    from graphlint.timing import LatencyOptions


def device(options: LatencyOptions) -> Device:
    """The device that `options` measure on."""
    name = _accelerator() if options.provider in DEVICE_PROVIDERS else _processor()
    return Device(name, options.provider, options.threads, options.optimization, _runtime())


def is_loaded(threads: int) -> bool:
    """Whether the machine has other work, so that so many threads may have to wait."""
    cores = os.cpu_count() or 1
    try:
        return os.getloadavg()[0] + threads > cores + 0.5
    except (AttributeError, OSError):  # not on this platform
        return False


def _processor() -> str:
    name = _linux() or _asked("sysctl", "-n", "machdep.cpu.brand_string")
    return f"{name or platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _linux() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")


def _accelerator() -> str:
    names = _asked("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return names.partition("\n")[0].strip() or "unknown accelerator"


def _asked(*command: str) -> str:
    """What a program of the system says; nothing where there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _runtime() -> str:
    for name in ("onnxruntime-gpu", "onnxruntime"):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "onnxruntime"
