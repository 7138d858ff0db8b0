"""Many node paths in a few words: `/stage3/unit1 to unit7/Add`."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PIECES = re.compile(r"\d+|\D+")


def summarise(paths: Sequence[str]) -> str:
    """What the paths have in common, with the one number that differs as a range.

    The longest common beginning where they differ otherwise; empty where they share nothing.
    """
    if len(paths) < 2:
        return "".join(paths)
    pieces = [_PIECES.findall(path) for path in paths]
    if all(len(item) == len(pieces[0]) for item in pieces):
        varying = [i for i, parts in enumerate(zip(*pieces, strict=True)) if len(set(parts)) > 1]
        if len(varying) == 1 and all(item[varying[0]].isdecimal() for item in pieces):
            place = varying[0]
            numbers = sorted(int(item[place]) for item in pieces)
            spelled = [
                "".join(pieces[0][:place]),
                _ranges(numbers),
                "".join(pieces[0][place + 1 :]),
            ]
            return "".join(spelled)
    prefix = _common_beginning(paths)
    prefix = prefix[: prefix.rfind("/") + 1]
    return f"{prefix}*" if prefix.strip("/") else ""


def _common_beginning(paths: Sequence[str]) -> str:
    first, last = min(paths), max(paths)
    pairs = enumerate(zip(first, last, strict=False))
    return first[: next((i for i, (a, b) in pairs if a != b), len(first))]


def _ranges(numbers: Sequence[int]) -> str:
    """`{1-3,5}` for 1, 2, 3, 5."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number <= runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    spelled = ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
    return "{" + spelled + "}"
