"""Figures for people: bytes, counts, shares."""

from __future__ import annotations


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


def _scaled(count: int, base: int, units: tuple[str, ...]) -> str:
    value, unit = float(count), 0
    while value >= base * 0.9995 and unit < len(units) - 1:
        value /= base
        unit += 1
    digits = 0 if unit == 0 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {units[unit]}".rstrip()
