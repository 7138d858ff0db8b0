"""Bytes as a stream of choices: what a fuzzer mutates, every generator here reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Makes choices from bytes. Where they have run out, the first of what can be chosen."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def left(self) -> int:
        """How many bytes there are still."""
        return len(self._data) - self._position

    def number(self, least: int, most: int) -> int:
        """A number from `least` to `most`, both included."""
        span = most - least + 1
        size = ((span - 1).bit_length() + 7) // 8
        taken = self._data[self._position : self._position + size]
        self._position += len(taken)
        return least + int.from_bytes(taken, "little") % span

    def one(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.number(0, len(options) - 1)]

    def chance(self, one_in: int) -> bool:
        """Rarely: once in so many times; never where the bytes have run out."""
        return self.number(0, one_in - 1) == one_in - 1

    def some(self, options: Sequence[T], most: int) -> list[T]:
        """Up to `most` of the options, each any number of times."""
        return [self.one(options) for _ in range(self.number(0, most))]

    def text(self, most: int = 12) -> str:
        """A text: a name like others, or anything, with what is special to some reader in it."""
        if not self.chance(3):
            return self.one(_NAMES)
        return "".join(self.one(_PIECES) for _ in range(self.number(0, most)))


_NAMES = ("x", "y", "w", "a/b/Conv", "stage2/unit1/Add", "")
_PIECES = (
    *(chr(code) for code in range(256)),
    *"\u200b\u202e\u2028\u2066\ufeff\ufffe\uffff\ud800\udcff\U000e0001\U0001f600卷é",
    *("::error ", "##[error]", "]]>", "<!--", "-->", "</td>", "<img src=x>", "&lt;", "\\|", "```"),
    *("](http://e)", "@octocat", "#1", "GH-1", "https://e", "www.e.e", "=1+1", "%0A", "{0}", "$x$"),
    *("\r\n", "\n\n", "| a |", "---", "x" * 300, "\x1b]0;t\x07", "\x1b[2J", "</script>", "${a}"),
)
