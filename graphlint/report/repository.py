"""Paths as a code host knows them: relative to the repository's root, with forward slashes."""

from __future__ import annotations

import os
from pathlib import Path


def root_of(folder: Path) -> Path:
    """The repository that `folder` stands in; the folder itself where there is none."""
    whole = folder.resolve()
    return next((each for each in (whole, *whole.parents) if (each / ".git").exists()), whole)


def relative(path: str, root: Path) -> str:
    """`path` from `root`; absolute where it leads out of it."""
    for spelled in (os.path.abspath(path), os.path.realpath(path)):
        if Path(spelled).is_relative_to(root):
            return Path(spelled).relative_to(root).as_posix()
    return Path(os.path.abspath(path)).as_posix()
