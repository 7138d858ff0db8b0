"""What an interrupted calibration leaves: a line an experiment, to go on from.

The first line says what was being measured. A file of something else, or one that can't be read,
counts for nothing, and a line that was cut short ends what is taken from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from graphlint.calibration.experiment import Measured
from graphlint.calibration.run import Outcome
from graphlint.errors import UsageError

_MOST_BYTES = 16 << 20


def place(target: Path) -> Path:
    """Where what an interrupted calibration leaves lies: beside the file that it is for."""
    return target.with_name(f"{target.name}.partial")


class Partial:
    """A file beside the profile-to-be; `settings` say what is measured, and how."""

    def __init__(self, target: Path, settings: Mapping[str, Any]) -> None:
        self.path = place(target)
        self._head = json.dumps(settings, ensure_ascii=False)

    def found(self) -> dict[str, Outcome]:
        """What was measured before, by experiment; nothing where it is of something else."""
        try:
            with self.path.open(encoding="utf-8") as stream:
                lines = stream.read(_MOST_BYTES).splitlines()
        except (OSError, UnicodeDecodeError):
            return {}
        if lines[:1] != [self._head]:
            return {}
        outcomes: dict[str, Outcome] = {}
        for line in lines[1:]:
            try:
                outcome = _outcome(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                break
            outcomes[outcome.experiment] = outcome
        return outcomes

    def begin(self, outcomes: Mapping[str, Outcome]) -> None:
        """Write the file anew with what there is so far.

        Raises:
            UsageError: it can't be written.
        """
        self._write("w", [self._head, *map(_line, outcomes.values())])

    def add(self, outcome: Outcome) -> None:
        """Keep what an experiment came to; of two of one experiment, the later counts.

        Raises:
            UsageError: it can't be written.
        """
        self._write("a", [_line(outcome)])

    def _write(self, mode: str, lines: list[str]) -> None:
        try:
            with self.path.open(mode, encoding="utf-8") as stream:
                stream.writelines(f"{line}\n" for line in lines)
        except OSError as error:
            raise UsageError(
                f"{self.path}: can't be written",
                cause=error.strerror or str(error),
                hint="check its folder",
            ) from error


def _line(outcome: Outcome) -> str:
    return json.dumps(
        {
            "experiment": outcome.experiment,
            "measured": {key: asdict(each) for key, each in outcome.measured.items()},
            "lost": dict(outcome.lost),
            "busy_factor": outcome.busy_factor,
            "rounds": outcome.rounds,
        },
        ensure_ascii=False,
    )


def _outcome(found: Any) -> Outcome:
    return Outcome(
        str(found["experiment"]),
        {
            str(key): Measured(float(each["seconds"]), float(each["spread"]))
            for key, each in found["measured"].items()
        },
        {str(key): str(reason) for key, reason in found["lost"].items()},
        float(found["busy_factor"]),
        int(found["rounds"]),
    )
