"""What is compared with what: two models, or the models of two folders by their relative paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from graphlint.errors import ModelError, UsageError
from graphlint.model import STANDARD_INPUT, find
from graphlint.problem import Problem

Fetch = Callable[[Iterable[str]], Problem | None]
"""Brings files of external data, by their locations, to where the model's file lies."""


@dataclass(frozen=True, slots=True)
class Source:
    """A model on one side: `path` is what reports call it, `file` where its bytes lie.

    `revision` is the one of git that it is from, if any; `fetch` brings its external data.
    `problem` says why there is none to read.
    """

    path: str
    file: Path | None = None
    revision: str = ""
    fetch: Fetch | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """One model on both sides, or on one."""

    old: Source | None
    new: Source | None


@dataclass(frozen=True, slots=True)
class Sides:
    """All that is compared: `old` and `new` say what the sides are."""

    old: str
    new: str
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()


def of_paths(old: str, new: str) -> Sides:
    """Two models, or two folders.

    Raises:
        UsageError: one is a folder and the other is not, or it is standard input.
        ModelError: neither folder holds a model.
    """
    for path in (old, new):
        if path == STANDARD_INPUT:
            raise UsageError(
                "-: standard input can't be compared",
                cause="a diff needs two files or two folders",
                hint="save the model to a file first",
            )
    folders = [os.path.isdir(path) for path in (old, new)]
    if folders[0] != folders[1]:
        folder, other = (old, new) if folders[0] else (new, old)
        raise UsageError(
            f"{folder}: a folder, and {other} is none",
            cause="two models are compared, or two folders",
            hint="give two paths of a kind",
        )
    if not folders[0]:
        return Sides(old, new, (Pair(Source(old), Source(new)),))
    return Sides(old, new, tuple(_by_relative_path(old, new)))


def _by_relative_path(old: str, new: str) -> list[Pair]:
    sides = [_models(folder) for folder in (old, new)]
    if not any(sides):
        raise ModelError(
            f"{old}, {new}: folders without models",
            cause="no file below them ends with .onnx",
            hint="give other folders, or the models' paths",
        )
    names = sorted({*sides[0], *sides[1]})
    return [Pair(sides[0].get(name), sides[1].get(name)) for name in names]


def _models(folder: str) -> dict[str, Source]:
    try:
        return {os.path.relpath(path, folder): Source(path) for path in find(folder)}
    except ModelError:  # none
        return {}
