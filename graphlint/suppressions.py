"""Who asked not to hear a finding: patterns in the configuration, marks in the model itself."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from graphlint.config import Ignore
from graphlint.graph import GraphView, Node

METADATA_KEY = "graphlint.ignore"
"""The key of `metadata_props`, of a node or a model: `G2: reason`, or `G2, G4: reason`."""


class Suppressions:
    """Tells whether a rule is to be silent at a node of one model.

    A site is silenced when its first node is: the one to look at.
    """

    def __init__(self, path: str, view: GraphView, ignores: Iterable[Ignore]) -> None:
        self._model_codes = set(marked_codes(view.metadata))
        self._node_patterns: list[tuple[str, tuple[str, ...]]] = []
        for ignore in ignores:
            file_pattern, _, node_pattern = ignore.pattern.partition("::")
            if not _matches_file(path, file_pattern, ignore.root):
                continue
            if node_pattern:
                self._node_patterns.append((node_pattern, ignore.codes))
            else:
                self._model_codes.update(ignore.codes)

    def silent(self, code: str, node: Node) -> bool:
        """Whether the rule `code` is to be silent at `node`."""
        return (
            _covers(self._model_codes, code)
            or _covers(marked_codes(node.metadata), code)
            or any(
                fnmatch.fnmatchcase(node.path, pattern) and _covers(codes, code)
                for pattern, codes in self._node_patterns
            )
        )


def marked_codes(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The codes that a `graphlint.ignore` mark names."""
    codes, _, _reason = metadata.get(METADATA_KEY, "").partition(":")
    return tuple(code.strip() for code in codes.split(",") if code.strip())


def _covers(codes: Iterable[str], code: str) -> bool:
    return any(item == "ALL" or code.startswith(item) for item in codes)


def _matches_file(path: str, pattern: str, root: str) -> bool:
    if "/" not in pattern:
        return fnmatch.fnmatchcase(Path(path).name, pattern)
    relative = os.path.relpath(os.path.abspath(path), root).replace(os.sep, "/")
    return fnmatch.fnmatchcase(relative, pattern.removeprefix("./"))
