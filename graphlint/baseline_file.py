"""The file of a baseline: the findings that a team has decided to live with, for now.

One entry a line, sorted, every line ending alike, without times and versions: two branches that
change different entries merge. An entry counts like sites of one model: those of one rule with one
fingerprint (`graphlint.fingerprints`). Paths are relative to the file's folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from graphlint.errors import UsageError
from graphlint.regular_file import read_small

SCHEMA = 1
_MOST_BYTES = 64 << 20
_KEYS = ("model", "code", "fingerprint", "sites", "excess_bytes")
_MEND = "restore it from version control, or delete it and make it anew with --update-baseline"


class Kind(NamedTuple):
    """What makes sites alike: their rule and their structure."""

    code: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Amount:
    """How many like sites there are, and what they move beyond need; None where no bytes count."""

    sites: int
    excess_bytes: int | None

    def __add__(self, other: Amount) -> Amount:
        counted = [e for e in (self.excess_bytes, other.excess_bytes) if e is not None]
        return Amount(self.sites + other.sites, sum(counted) if counted else None)


Amounts = Mapping[Kind, Amount]
Baseline = Mapping[str, Amounts]
"""What is known of each model, by its path."""


def render(baseline: Baseline) -> str:
    """The file's text.

    An empty entry ends the list, so that all others end in a comma, whichever is the last.
    """
    entries = sorted(
        (model, *kind, amount.sites, amount.excess_bytes)
        for model, amounts in baseline.items()
        for kind, amount in amounts.items()
    )
    lines = [json.dumps(dict(zip(_KEYS, entry, strict=True))) for entry in entries]
    body = "".join(f"{line},\n" for line in lines)
    return f'{{"schema": {SCHEMA}, "findings": [\n{body}{{}}\n]}}\n'


def read(path: Path) -> Baseline:
    """The baseline in a file.

    Raises:
        UsageError: there is no such file, it is no baseline, or it is one of another schema.
    """
    try:
        text = read_small(path, _MOST_BYTES).decode("utf-8")
    except FileNotFoundError as error:
        raise UsageError(
            f"{path}: no such baseline",
            cause="the file does not exist",
            hint="make it with --update-baseline, or check the path",
        ) from error
    except OSError as error:
        raise UsageError(
            f"{path}: can't be read", cause=error.strerror or str(error), hint="check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise _broken(path, "it is not text in UTF-8") from error
    return _parsed(path, text)


def _parsed(path: Path, text: str) -> Baseline:
    if any(line.startswith("<<<<<<<") for line in text.splitlines()):
        raise UsageError(
            f"{path}: no baseline",
            cause="a merge left its conflict in it",
            hint="keep the lines of both sides and take the markers out",
        )
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _broken(path, f"it is no JSON: {error}") from error
    if not isinstance(document, dict) or "schema" not in document:
        raise _broken(path, "it names no schema")
    if document["schema"] != SCHEMA or isinstance(document["schema"], bool):
        raise UsageError(
            f"{path}: a baseline of schema {document['schema']!r}",
            cause=f"this graphlint reads schema {SCHEMA}",
            hint="use the graphlint that wrote it, or make it anew with --update-baseline",
        )
    entries = document.get("findings")
    if not isinstance(entries, list):
        raise _broken(path, "it has no list of findings")
    return _collected(path, entries)


def _collected(path: Path, entries: Iterable[Any]) -> Baseline:
    """Entries by model and kind; of an entry that a merge has doubled, the larger one holds."""
    baseline: dict[str, dict[Kind, Amount]] = {}
    for entry in entries:
        if entry == {}:
            continue
        model, kind, amount = _entry(path, entry)
        amounts = baseline.setdefault(model, {})
        amounts[kind] = _larger(amounts.get(kind, amount), amount)
    return baseline


def _larger(one: Amount, other: Amount) -> Amount:
    return max(one, other, key=_size)


def _size(amount: Amount) -> tuple[int, int]:
    return amount.sites, -1 if amount.excess_bytes is None else amount.excess_bytes


def _entry(path: Path, entry: object) -> tuple[str, Kind, Amount]:
    if not isinstance(entry, dict) or set(entry) != set(_KEYS):
        raise _broken(path, f"an entry has not the keys {', '.join(_KEYS)}: {_shown(entry)}")
    model, code, digest, sites, excess = (entry[key] for key in _KEYS)
    texts = all(isinstance(item, str) and item for item in (model, code, digest))
    if not texts or not _is_count(sites) or sites < 1 or not (excess is None or _is_count(excess)):
        raise _broken(path, f"an entry has a value of a wrong kind: {_shown(entry)}")
    return model, Kind(code, digest), Amount(sites, excess)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _shown(entry: object) -> str:
    text = json.dumps(entry)
    return text if len(text) <= 160 else f"{text[:160]}…"


def _broken(path: Path, cause: str) -> UsageError:
    return UsageError(f"{path}: no baseline", cause=cause, hint=_MEND)
