"""The terminal: what may be written there, progress, and errors as a user should meet them."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TextIO

import typer

from graphlint.atomic import write_text
from graphlint.errors import GraphlintError
from graphlint.problem import Problem
from graphlint.report.text import Style, problem_lines, safe

FAILED = 2
"""The exit code where the job could not be done."""


class Colour(StrEnum):
    """When to use colours."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@contextmanager
def progress(note: str = "") -> Iterator[Callable[[int, int], None]]:
    """A line on stderr while many models are checked, or `note`; none in pipes and hooks."""
    shown = sys.stderr.isatty() and not os.environ.get("PRE_COMMIT")
    start = last = time.monotonic()
    if shown and note:
        sys.stderr.write(note)
        sys.stderr.flush()

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if not shown or total < 2 or now - last < 0.2:
            return
        last = now
        rate = done / (now - start)
        left = (total - done) / rate
        sys.stderr.write(
            f"\r{done} of {total} models, {rate:.0f} a second, {left:.0f} s left\x1b[K"
        )
        sys.stderr.flush()

    try:
        yield show
    finally:
        if shown and (note or last != start):
            sys.stderr.write("\r\x1b[K")


@contextmanager
def progress_line() -> Iterator[Callable[[str], None]]:
    """A line on stderr that says what is being done; none in pipes and hooks."""
    shown = sys.stderr.isatty() and not os.environ.get("PRE_COMMIT")

    def show(line: str) -> None:
        if shown:
            sys.stderr.write(f"\r{safe(line)} …\x1b[K")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")


def style(color: Colour, output_file: Path | None = None, stream: TextIO | None = None) -> Style:
    """How to write to `stream` (stdout), or to a file: those are always UTF-8 without colours."""
    stream = stream if stream is not None else sys.stdout
    if output_file is not None:
        return Style()
    utf8 = (stream.encoding or "ascii").lower().replace("-", "").startswith("utf")
    wanted = color is Colour.ALWAYS
    if color is Colour.AUTO and not os.environ.get("NO_COLOR"):
        forced = os.environ.get("FORCE_COLOR", "") not in ("", "0")
        wanted = forced or (stream.isatty() and os.environ.get("TERM") != "dumb")
    return Style(colour=wanted, ascii=not utf8)


def write(text: str, output_file: Path | None) -> None:
    """The payload, to stdout or, all or nothing, to a file."""
    if output_file is None:
        sys.stdout.write(style(Colour.NEVER).spelled(text))
        return
    write_text(output_file, text)


def tell(problem: Problem) -> None:
    """An error, on stderr."""
    how = style(Colour.NEVER, stream=sys.stderr)
    sys.stderr.write(how.final("\n".join(problem_lines(problem, how))) + "\n")


def tell_notes(notes: Iterable[str]) -> None:
    """What is to be said of a run beside its report, on stderr."""
    how = style(Colour.NEVER, stream=sys.stderr)
    sys.stderr.write(how.final("".join(f"note: {safe(note, 400)}\n" for note in notes)))


@contextmanager
def errors_told(verbose: bool) -> Iterator[None]:
    """Errors as `error:`, `cause:`, `hint:` on stderr and exit code 2; no traceback."""
    try:
        yield
        return
    except GraphlintError as error:
        problem = Problem.of(error)
        _traceback_if(verbose)
    except (typer.Exit, KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:  # a bug: said as one line unless asked for more
        problem = Problem(
            "graphlint failed unexpectedly",
            f"{type(error).__name__}: {error}",
            "run it again with --verbose and report what it prints",
        )
        _traceback_if(verbose)
    tell(problem)
    raise typer.Exit(FAILED)


def _traceback_if(verbose: bool) -> None:
    if verbose:
        traceback.print_exc()
