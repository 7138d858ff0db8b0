"""Text for people: untrusted names made harmless, colours, columns."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphlint.problem import Problem

MAX_NAME = 160
"""Names longer than this are cut in the middle; a model may hold one of a megabyte."""

_ASCII = str.maketrans(
    {
        "·": "-",
        "×": "x",
        "→": ">",
        "−": "-",
        "–": "-",
        "…": "...",
        "√": "sqrt ",
        "²": "^2",
        "≥": ">=",
    }
)


# GitHub finds these in the text that a reader sees, where a backslash is gone; a comment parts it.
_LIVE = re.compile(r"\\[@#]|:(?=//)|\bwww(?=\.)|\bGH(?=-\d)", re.IGNORECASE)


# A CI's log is read for commands: GitHub's `::error::` where a line begins, blanks aside, and
# `##[error]`, `##vso[…]`, `##teamcity[…]` anywhere in it.
_COMMAND = re.compile(r"^(?P<blanks>\s*):(?=:)|#(?=#\w*\[)", re.MULTILINE)


def safe(text: str, limit: int = MAX_NAME) -> str:
    """`text` with everything that could steer a terminal or a page spelt out, and cut to `limit`.

    Control, format (bidi, zero-width), surrogate, private and unassigned characters become
    escapes like `\\x1b` or `\\u202e`.
    """
    if len(text) > limit:
        half = (limit - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_harmless(char) else _escape(char) for char in text)


def markdown_text(text: str, limit: int = MAX_NAME) -> str:
    """A name as Markdown text: nothing in it is markup, a mention, a link or a reference."""
    escaped = safe(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = "".join(f"\\{char}" if char in "\\`*_[]|#~$@" else char for char in escaped)
    return _LIVE.sub(r"\g<0><!-- -->", escaped)


def csv_cell(text: str) -> str:
    """A name as a cell: harmless to a terminal, and no formula to a spreadsheet."""
    text = safe(text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _is_harmless(char: str) -> bool:
    return unicodedata.category(char)[0] != "C" and char not in "\u2028\u2029"


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _inert(command: re.Match[str]) -> str:
    blanks = command["blanks"]
    return "\\x23" if blanks is None else f"{blanks}\\x3a"


@dataclass(frozen=True, slots=True)
class Style:
    """How text is shown: with colours or not, in Unicode or in ASCII."""

    colour: bool = False
    ascii: bool = False

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def bold(self, text: str) -> str:
        """What to read first."""
        return self._paint("1", text)

    def dim(self, text: str) -> str:
        """What can be skipped."""
        return self._paint("2", text)

    def severity(self, name: str, text: str) -> str:
        """`text` in the colour of a severity."""
        return self._paint({"error": "1;31", "warning": "1;33"}.get(name, "1;36"), text)

    def final(self, text: str) -> str:
        """The whole text for people: no command to a CI, and as far as the output can show it."""
        return self.spelled(_COMMAND.sub(_inert, text))

    def spelled(self, text: str) -> str:
        """A text for whatever reads it, as far as the output can show it."""
        if not self.ascii:
            return text
        return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")


def columns(rows: Sequence[Sequence[str]], aligns: str, gap: str = "  ") -> list[str]:
    """Rows as lines with columns aligned by `<` or `>`; no blanks at the end of a line."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(aligns))]
    return [
        gap.join(
            f"{cell:{align}{width}}" for cell, align, width in zip(row, aligns, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def problem_lines(problem: Problem, style: Style) -> Iterator[str]:
    """`error:`, `cause:`, `hint:`."""
    yield f"{style.severity('error', 'error:')} {safe(problem.message, 400)}"
    if problem.cause:
        yield f"cause: {safe(problem.cause, 600)}"
    if problem.hint:
        yield f"hint:  {safe(problem.hint, 400)}"
