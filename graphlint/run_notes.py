"""What a run over folders can tell of a configuration: patterns and ignores that do nothing.

A run over a few files, as of a pre-commit hook, can't tell: what it did not look at may need them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from graphlint.config import Ignore, ModelBudgets
from graphlint.patterns import is_within, matches_file
from graphlint.request import Request
from graphlint.results import IgnoreUse, ModelReport
from graphlint.suppressions import NO_REASON, SILENCES_NOTHING, ignore_source

_Entry = TypeVar("_Entry", Ignore, ModelBudgets)


def run_notes(
    requests: Sequence[Request], reports: Sequence[ModelReport], folders: Sequence[str]
) -> Iterator[str]:
    """Notes on the configuration files all of whose models were checked, or on any at fault."""
    settings = list({id(request.settings): request.settings for request in requests}.values())
    paths = [request.path for request in requests]
    uses = [use for report in reports for use in report.ignores]
    yield from _without_reason(uses)
    if any(report.errors for report in reports):
        return
    for ignore in _covered([i for s in settings for i in s.per_file_ignores], folders):
        if not _matched(ignore.file_pattern, ignore.root, paths):
            yield f"{ignore_source(ignore)} matches no model: take it away"
        else:
            yield from _unused(ignore, uses)
    for budgets in _covered([b for s in settings for b in s.budgets], folders):
        if not _matched(budgets.pattern, budgets.root, paths):
            yield f'{budgets.origin}: budgets."{budgets.pattern}" matches no model'


def _without_reason(uses: Sequence[IgnoreUse]) -> Iterator[str]:
    for source in dict.fromkeys(use.source for use in uses if not use.heeded):
        yield f"{source} {NO_REASON}"


def _covered(entries: Sequence[_Entry], folders: Sequence[str]) -> list[_Entry]:
    """Those of configuration files whose folders were looked at whole, each once."""
    unique = {(entry.origin, entry.pattern): entry for entry in entries}
    return [entry for entry in unique.values() if is_within(entry.root, folders)]


def _matched(pattern: str, root: str, paths: Sequence[str]) -> bool:
    return any(matches_file(path, pattern, root) for path in paths)


def _unused(ignore: Ignore, uses: Sequence[IgnoreUse]) -> Iterator[str]:
    """The codes that silenced nothing in any model, though their rules ran on all of them."""
    source = ignore_source(ignore)
    for code in ignore.codes:
        own = [use for use in uses if (use.source, use.code) == (source, code)]
        if own and all(use.silenced is False and use.heeded for use in own):
            yield f"{source}: {code} {SILENCES_NOTHING}"
