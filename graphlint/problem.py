"""An error as a value. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from graphlint.errors import GraphlintError


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as part of a report: what is wrong, why, what to do."""

    message: str
    cause: str = ""
    hint: str = ""

    @classmethod
    def of(cls, error: GraphlintError) -> Problem:
        """The error as a value."""
        return cls(error.message, error.cause, error.hint)
