"""Figures for people: bytes, counts, shares; and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

_BYTES: Mapping[str, int] = (
    {"B": 1, "kB": 1000}
    | {f"{unit}B": 1000**power for power, unit in enumerate("KMGT", 1)}
    | {f"{unit}iB": 1024**power for power, unit in enumerate("KMGT", 1)}
)
_COUNTS: Mapping[str, int] = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def format_bytes(count: int) -> str:
    """`1.08 MiB`, `532.1 KiB`, `96 B`: binary units."""
    return _scaled(count, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"))


def format_count(count: int) -> str:
    """`137.5 M`, `1.87 M`, `840`: decimal units."""
    return _scaled(count, 1000, ("", "k", "M", "G", "T", "P", "E"))


def format_seconds(seconds: float) -> str:
    """`6.43 ms`, `412 µs`, `1.20 s`: three digits."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 0.9995 or unit == "µs":
            value = seconds * factor
            digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
            return f"{value:.{digits}f} {unit}"
    raise AssertionError("the last unit always fits")


def format_share(part: int, whole: int) -> str:
    """`9.8%`; a dash where there is no whole."""
    return f"{100 * part / whole:.1f}%" if whole else "-"


def parse_bytes(text: str) -> int:
    """`40 MiB`, `1.5 GB`, `4096`, exactly; what is left of a byte is cut off.

    Raises:
        ValueError: it is none of these; its text says what would be.
    """
    return _parsed(text, _BYTES, "such as 40 MiB, 40 MB (10^6) or a number of bytes")


def parse_count(text: str) -> int:
    """`150 M`, `2.5 k`, `840`, exactly; what is left of one is cut off.

    Raises:
        ValueError: it is none of these; its text says what would be.
    """
    return _parsed(text, _COUNTS, "such as 150 M, 3.5 k or a plain number")


def _parsed(text: str, units: Mapping[str, int], expected: str) -> int:
    match = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z]*)", text.strip())
    if match is None or match[2] not in {"", *units}:
        raise ValueError(expected)
    return int(Fraction(match[1]) * units.get(match[2], 1))


def _scaled(count: int, base: int, units: tuple[str, ...]) -> str:
    value, unit = float(count), 0
    while value >= base * 0.9995 and unit < len(units) - 1:
        value /= base
        unit += 1
    digits = 0 if unit == 0 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {units[unit]}".rstrip()
