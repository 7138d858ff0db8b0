"""Names that nobody else has."""

from __future__ import annotations

from collections.abc import Iterable


class Names:
    """Hands out names that are not taken."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._last: dict[str, int] = {}

    def reserve(self, names: Iterable[str]) -> None:
        """Let names be taken."""
        self._taken.update(names)

    def take(self, wanted: str) -> str:
        """`wanted`, or with `_1`, `_2` … behind it where it is taken."""
        name = wanted
        while name in self._taken:
            number = self._last[wanted] = self._last.get(wanted, 0) + 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name
