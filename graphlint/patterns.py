"""Paths of models as configuration files mean them: relative to a folder, and by pattern."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache


def matches_file(path: str, pattern: str, root: str) -> bool:
    """Whether `pattern` means the model at `path`.

    A pattern is relative to `root`, the folder of its configuration file; one without a slash
    matches file names in any folder.
    """
    if "/" not in pattern:
        return fnmatchcase(os.path.basename(path), pattern)
    return fnmatchcase(relative_to(path, root), pattern.removeprefix("./"))


def relative_to(path: str, root: str) -> str:
    """`path` as seen from the folder `root`, with slashes; links to folders are followed.

    Raises:
        ValueError: they are on different drives.
    """
    return os.path.relpath(_real(path), _real_folder(os.path.abspath(root))).replace(os.sep, "/")


def is_within(path: str, folders: Iterable[str]) -> bool:
    """Whether `path` is one of `folders` or below one."""
    whole = os.path.join(os.path.realpath(path), "")
    return any(whole.startswith(os.path.join(os.path.realpath(f), "")) for f in folders)


def _real(path: str) -> str:
    """The path by its real folder; a model that is a link keeps its own name."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(_real_folder(folder), name)


@cache
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)
