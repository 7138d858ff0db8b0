"""Device profiles as files, and where a machine's own is found.

A profile is JSON in a form that people review: one line a cell and a layer, in a fixed order,
figures of four digits. `docs/device-profile.schema.json` has its schema. Profiles come from
elsewhere: what is read is checked, figure by figure.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from graphlint.atomic import write_text
from graphlint.devices.profile import Cell, Device, DeviceProfile, Layer, LayerTime
from graphlint.errors import UsageError
from graphlint.times import Ceilings

SCHEMA = 1
VARIABLE = "GRAPHLINT_DEVICE_PROFILE"
"""The environment variable that names a profile; empty: there is none, not even the machine's."""

_MOST_BYTES = 4 << 20
_MOST_TEXT = 1000
_LARGEST = 2**53
_LEAST, _MOST = 1e-15, 1e18  # seconds; bytes and multiply-adds a second
_HINT = "measure the device with `graphlint calibrate --output-file FILE`"


def named(environment: Mapping[str, str] = os.environ) -> str:
    """The profile that `GRAPHLINT_DEVICE_PROFILE` names; empty where it names none."""
    return environment.get(VARIABLE, "")


def own(environment: Mapping[str, str] = os.environ) -> Path | None:
    """This machine's own profile, where there is one and the environment says nothing."""
    place = own_place(environment)
    return place if VARIABLE not in environment and place.is_file() else None


def own_place(environment: Mapping[str, str] = os.environ) -> Path:
    """Where a profile is kept to be found by itself.

    The file that `GRAPHLINT_DEVICE_PROFILE` names, else this machine's own:
    `graphlint/device-profile.json` in the user's folder for settings.
    """
    given = named(environment)
    return Path(given) if given else _settings(environment) / "graphlint" / "device-profile.json"


def _settings(environment: Mapping[str, str]) -> Path:
    """The user's folder for settings, by the platform's convention."""
    if sys.platform == "win32":
        return Path(environment.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def write(profile: DeviceProfile, path: Path) -> None:
    """Save a profile, all or nothing.

    Raises:
        UsageError: the file can't be written.
    """
    write_text(path, render(profile))


def render(profile: DeviceProfile) -> str:
    """A profile as the text of its file."""
    head = {
        "schema": SCHEMA,
        "device": asdict(profile.device),
        "made_on": profile.made_on,
        "graphlint": profile.graphlint,
        "ceilings": _rounded(asdict(profile.ceilings)),
        "launch_seconds": _digits(profile.launch_seconds),
        "run_seconds": _digits(profile.run_seconds),
        "channel_block": profile.channel_block,
        "busy_factor": _digits(profile.busy_factor),
        "notes": list(profile.notes),
    }
    opening = json.dumps(head, ensure_ascii=False, indent=2).removesuffix("\n}")
    cells = [asdict(cell) for cell in profile.cells]
    layers = [
        {**asdict(each.layer), "seconds": each.seconds, "spread": each.spread}
        for each in sorted(profile.layers, key=lambda each: _order(each.layer))
    ]
    parts = (opening, _lines("cells", cells), _lines("layers", layers))
    return ",\n".join(parts) + "\n}\n"


def _order(layer: Layer) -> tuple[str | int, ...]:
    return tuple(getattr(layer, field.name) for field in fields(Layer))


def _lines(name: str, rows: list[dict[str, Any]]) -> str:
    """A list, one row a line."""
    spelt = (f"    {json.dumps(_rounded(row), ensure_ascii=False)}" for row in rows)
    inner = ",\n".join(spelt)
    return f'  "{name}": [\n{inner}\n  ]' if rows else f'  "{name}": []'


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: _digits(v) if isinstance(v, float) else v for key, v in row.items()}


def _digits(value: float) -> float:
    return float(f"{value:.4g}")


def read(path: Path) -> DeviceProfile:
    """The profile in a file.

    Raises:
        UsageError: it can't be read, is no device profile, or one of another schema.
    """
    return _profile(_Record(_loaded(path), str(path)))


def _loaded(path: Path) -> Mapping[str, Any]:
    if path.is_dir():
        raise _refused(path, "it is a folder")
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    if len(data) > _MOST_BYTES:
        raise _refused(path, f"it is larger than {_MOST_BYTES >> 20} MiB")
    try:
        found = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"it is no JSON: {error}") from error
    if not isinstance(found, dict) or "schema" not in found:
        raise _refused(path, "it has no schema number")
    if found["schema"] != SCHEMA or isinstance(found["schema"], bool):
        raise UsageError(
            f"{path}: a device profile of another schema",
            cause=f"its schema is {str(found['schema'])[:40]}, this graphlint reads {SCHEMA}",
            hint="measure the device again, or use the graphlint that wrote it",
        )
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _refused(path: Path | str, cause: str) -> UsageError:
    return UsageError(f"{path}: no device profile", cause=cause, hint=_HINT)


class _Record:
    """An object of the file: its fields are asked for by name and kind."""

    def __init__(self, found: Any, path: str, place: str = "") -> None:
        self._path = path
        self._place = place
        if not isinstance(found, dict):
            raise self._error("", "an object")
        self._found = found

    def text(self, key: str) -> str:
        """A short text."""
        return str(self._checked(key, "a short text", _is_text))

    def count(self, key: str) -> int:
        """A whole number of 1 or more."""
        return int(self._checked(key, "a whole number above 0", _is_count))

    def figure(self, key: str) -> float:
        """A finite number of 0 or more."""
        return float(self._checked(key, "a number of 0 or more", _is_figure))

    def positive(self, key: str) -> float:
        """A number above 0, of an order that a measurement can have."""
        return float(self._checked(key, "a number above 0 that can be", _is_measurable))

    def texts(self, key: str) -> tuple[str, ...]:
        """Short texts."""
        return tuple(self._checked(key, "a list of short texts", _is_texts))

    def record(self, key: str) -> _Record:
        """An object within this one."""
        return _Record(self._found.get(key), self._path, self._where(key))

    def records(self, key: str) -> Iterator[_Record]:
        """The objects of a list."""
        rows: list[Any] = self._checked(key, "a list", lambda v: isinstance(v, list))
        for place, row in enumerate(rows):
            yield _Record(row, self._path, f"{self._where(key)}[{place}]")

    def _checked(self, key: str, kind: str, fits: Callable[[Any], bool]) -> Any:
        value = self._found.get(key)
        if not fits(value):
            raise self._error(key, kind)
        return value

    def _where(self, key: str) -> str:
        return ".".join(filter(None, (self._place, key)))

    def _error(self, key: str, kind: str) -> UsageError:
        return _refused(self._path, f"its {self._where(key)} is not {kind}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MOST_TEXT


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST


def _is_figure(value: Any) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return 0 <= value <= sys.float_info.max and math.isfinite(value)


def _is_measurable(value: Any) -> bool:
    return _is_figure(value) and _LEAST <= value <= _MOST


def _profile(found: _Record) -> DeviceProfile:
    device, ceilings = found.record("device"), found.record("ceilings")
    return DeviceProfile(
        device=Device(
            name=device.text("name"),
            provider=device.text("provider"),
            threads=device.count("threads"),
            optimization=device.text("optimization"),
            runtime=device.text("runtime"),
        ),
        made_on=found.text("made_on"),
        graphlint=found.text("graphlint"),
        ceilings=Ceilings(
            ceilings.positive("bandwidth_bytes_per_second"),
            ceilings.positive("multiply_adds_per_second"),
            ceilings.text("how"),
        ),
        launch_seconds=found.figure("launch_seconds"),
        run_seconds=found.figure("run_seconds"),
        channel_block=found.count("channel_block"),
        cells=tuple(map(_cell, found.records("cells"))),
        layers=tuple(map(_layer, found.records("layers"))),
        busy_factor=found.positive("busy_factor"),
        notes=found.texts("notes"),
    )


def _cell(found: _Record) -> Cell:
    return Cell(
        table=found.count("table"),
        row=found.text("row"),
        column=found.text("column"),
        seconds=found.positive("seconds"),
        spread=found.figure("spread"),
    )


def _layer(found: _Record) -> LayerTime:
    counts = {
        field.name: int(found.figure(field.name))
        if field.name == "multiply_adds"
        else found.count(field.name)
        for field in fields(Layer)
        if field.name != "kind"
    }
    layer = Layer(kind=found.text("kind"), **counts)
    return LayerTime(layer, found.positive("seconds"), found.figure("spread"))
