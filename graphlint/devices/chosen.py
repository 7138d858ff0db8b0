"""Which device profile prices a check: the one that is named, else the machine's own.

Findings and exit codes are to be the same on every machine. So rules look at a device, and findings
come and go by their price, only where its profile is named: by an option, a configuration or the
environment. The machine's own, found by itself, gives findings their prices and their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from graphlint.devices import file
from graphlint.devices.profile import Device, DeviceProfile
from graphlint.errors import UsageError

__all__ = ["Asked", "Chosen", "chosen", "spell"]


class Asked(Protocol):
    """How latency is asked to be measured; a profile that is used should be of the like."""

    @property
    def provider(self) -> str: ...

    @property
    def threads(self) -> int: ...

    @property
    def optimization(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Chosen:
    """The profile to price with, None for none, whether it is named, and what is to be said."""

    profile: DeviceProfile | None = None
    is_named: bool = False
    notes: tuple[str, ...] = ()

    @property
    def named(self) -> DeviceProfile | None:
        """The profile that rules may look at."""
        return self.profile if self.is_named else None


def chosen(given: str, asked: Asked | None) -> Chosen:
    """The profile at the path `given`, else what the environment names, else the machine's own.

    One that was measured otherwise than asked is used only where it is named, and that is said; the
    machine's own is then left alone, as it is where it can't be read.

    Raises:
        UsageError: the profile that is named can't be read.
    """
    named = given or file.named()
    if named:
        profile = file.read(Path(named))
        other = _differs(profile.device, asked)
        note = f"{named}: the device profile is for {spell(profile.device)}, not for {other}"
        return Chosen(profile, True, (note,) if other else ())
    path = file.own()
    if path is None:
        return Chosen()
    try:
        profile = file.read(path)
    except UsageError as error:
        return _unused(f"this machine's own device profile is not used: {error}")
    other = _differs(profile.device, asked)
    if other:
        note = f"it is for {spell(profile.device)}, not for {other}"
        return _unused(f"{path}: this machine's own device profile is not used: {note}")
    return Chosen(profile)


def _unused(note: str) -> Chosen:
    return Chosen(notes=(note,))


def spell(device: Device) -> str:
    """`AMD EPYC (CPU, 1 thread, all)`."""
    return f"{device.name} ({_how(device)})"


def _differs(device: Device, asked: Asked | None) -> str:
    """What was asked, where that is something else; else empty."""
    if asked is None or _how(asked) == _how(device):
        return ""
    return _how(asked)


def _how(asked: Asked) -> str:
    threads = "1 thread" if asked.threads == 1 else f"{asked.threads} threads"
    return f"{asked.provider.upper()}, {threads}, {asked.optimization}"
