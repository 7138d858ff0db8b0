"""Which device profile prices a check: the one that is given, else the machine's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from graphlint.devices import file
from graphlint.devices.profile import Device, DeviceProfile
from graphlint.errors import UsageError

__all__ = ["Asked", "Chosen", "chosen", "spell"]


@dataclass(frozen=True, slots=True)
class Asked:
    """How latency is asked to be measured; a profile that is used should be of the like."""

    provider: str
    threads: int
    optimization: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """The profile to price with, None for none, and what is to be said of it."""

    profile: DeviceProfile | None = None
    notes: tuple[str, ...] = ()


@cache
def chosen(given: str, asked: Asked | None) -> Chosen:
    """The profile at the path `given`, or without one the machine's own.

    One that was measured otherwise than asked is used only where it is given, and that is said; the
    machine's own is then left alone, as it is where it can't be read.

    Raises:
        UsageError: the profile that is given can't be read.
    """
    if given:
        profile = file.read(Path(given))
        other = _differs(profile.device, asked)
        note = f"{given}: prices are for {spell(profile.device)}, not for {other}"
        return Chosen(profile, (note,) if other else ())
    path = file.own()
    if path is None:
        return Chosen()
    try:
        profile = file.read(path)
    except UsageError as error:
        return Chosen(None, (f"this machine's own device profile is not used: {error}",))
    other = _differs(profile.device, asked)
    if other:
        note = f"it is for {spell(profile.device)}, not for {other}"
        return Chosen(None, (f"{path}: this machine's own device profile is not used: {note}",))
    return Chosen(profile)


def spell(device: Device) -> str:
    """`AMD EPYC (CPU, 1 thread, all)`."""
    return f"{device.name} ({_how(device.provider, device.threads, device.optimization)})"


def _differs(device: Device, asked: Asked | None) -> str:
    """What was asked, where that is something else; else empty."""
    if asked is None:
        return ""
    same = asked == Asked(device.provider, device.threads, device.optimization)
    return "" if same else _how(asked.provider, asked.threads, asked.optimization)


def _how(provider: str, threads: int, optimization: str) -> str:
    count = "1 thread" if threads == 1 else f"{threads} threads"
    return f"{provider.upper()}, {count}, {optimization}"
