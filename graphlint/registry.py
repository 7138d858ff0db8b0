"""Rule packs and cost handles, found by entry point; selectors over the rules.

A rule pack is a module with `RULES`, `REWRITES` or both, under the entry point group
`graphlint.rules`. A cost pack is
a module with `HANDLES` ((domain, operator) → `Handle`), under `graphlint.costs`. Packs are code
that the user installed: they run with the user's rights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from graphlint.errors import PluginError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from graphlint.costs.contract import Handle
    from graphlint.rewrites import Rewrite
    from graphlint.rule import Rule

RULES_GROUP = "graphlint.rules"
COSTS_GROUP = "graphlint.costs"
ALL = "ALL"


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule of every installed pack, by code, sorted.

    Raises:
        PluginError: a pack can't be loaded, two packs share a code, or no pack is installed.
    """
    from dataclasses import replace

    found: dict[str, Rule] = {}
    for entry in _entries(RULES_GROUP):
        for rule in _listed(entry, "RULES"):
            if rule.code in found:
                raise PluginError(
                    f"two rules have the code {rule.code}",
                    cause=f"one in {found[rule.code].pack}, one in {_title(entry)}",
                    hint="uninstall one of the packs",
                )
            _check_rule(rule, entry)
            found[rule.code] = replace(rule, pack=_title(entry))
    if not found:
        raise PluginError(
            "no rule pack is installed",
            cause=f"no installed package has an entry point in the group {RULES_GROUP!r}",
            hint="install graphlint itself: `pip install .` in its checkout",
        )
    return dict(sorted(found.items()))


@cache
def rewrites() -> Mapping[str, Rewrite]:
    """Every rewrite of every installed pack, by name, sorted.

    Raises:
        PluginError: a pack can't be loaded, two rewrites share a name, or there is none to be done
            without being asked for by name.
    """
    from dataclasses import replace

    found: dict[str, Rewrite] = {}
    for entry in _entries(RULES_GROUP):
        for rewrite in _listed(entry, "REWRITES"):
            if rewrite.name in found:
                raise PluginError(
                    f"two rewrites are called {rewrite.name}",
                    cause=f"one in {found[rewrite.name].pack}, one in {_title(entry)}",
                    hint="uninstall one of the packs",
                )
            _check_rewrite(rewrite, entry)
            found[rewrite.name] = replace(rewrite, pack=_title(entry))
    if all(rewrite.only_by_name for rewrite in found.values()):
        raise PluginError(
            "no rewrite is installed",
            cause=f"no installed package has one under the entry point group {RULES_GROUP!r}",
            hint="install graphlint itself: `pip install .` in its checkout",
        )
    return dict(sorted(found.items()))


@cache
def handles() -> Mapping[tuple[str, str], Handle]:
    """The cost handles: graphlint's own, and those of installed cost packs, which come first.

    Raises:
        PluginError: a pack can't be loaded.
    """
    from graphlint.costs.table import HANDLES

    table = dict(HANDLES)
    for entry in _entries(COSTS_GROUP):
        table.update(_attribute(entry, _load(entry), "HANDLES"))
    return table


def _entries(group: str) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points

    return sorted(entry_points(group=group), key=lambda entry: (entry.name, entry.value))


def _title(entry: EntryPoint) -> str:
    if entry.dist is None:
        return entry.value
    return f"{entry.dist.metadata['Name']} {entry.dist.version} ({entry.value})"


def _listed(entry: EntryPoint, attribute: str) -> Iterable[Any]:
    """A pack's rules or rewrites; it need not have both."""
    other = "REWRITES" if attribute == "RULES" else "RULES"
    module = _load(entry)
    if not hasattr(module, attribute) and hasattr(module, other):
        return ()
    listed: Iterable[Any] = _attribute(entry, module, attribute)
    return listed


def _attribute(entry: EntryPoint, module: Any, name: str) -> Any:
    if not hasattr(module, name):
        raise PluginError(
            f"the pack {_title(entry)} can't be loaded",
            cause=f"{entry.value} has no {name}",
            hint="update or uninstall it",
        )
    return getattr(module, name)


def _load(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except Exception as error:  # whatever an installed pack raises while it is imported
        raise PluginError(
            f"the pack {_title(entry)} can't be loaded",
            cause=f"{type(error).__name__}: {error}",
            hint="update or uninstall it",
        ) from error


def _check_rule(rule: Rule, entry: EntryPoint) -> None:
    from graphlint.rule import PAGE_HEADINGS

    missing = [heading for heading in PAGE_HEADINGS if f"## {heading}" not in rule.page]
    if missing:
        raise PluginError(
            f"the rule {rule.code} of {_title(entry)} has an incomplete page",
            cause=f"it lacks the heading {missing[0]!r}",
            hint="every rule's page has the headings of graphlint.rule.PAGE_HEADINGS",
        )


def _check_rewrite(rewrite: Rewrite, entry: EntryPoint) -> None:
    from graphlint.rewrites import PAGE_HEADINGS

    missing = [heading for heading in PAGE_HEADINGS if f"## {heading}" not in rewrite.page]
    if missing or not rewrite.plans:
        raise PluginError(
            f"the rewrite {rewrite.name} of {_title(entry)} is incomplete",
            cause=f"its page lacks the heading {missing[0]!r}" if missing else "it has no plan",
            hint="see graphlint.rewrites for what a rewrite has",
        )


def select(selectors: Iterable[str], known: Mapping[str, Rule]) -> frozenset[str]:
    """The codes that the selectors mean: a code, a prefix of codes, a rule's name, or `ALL`.

    Raises:
        UsageError: a selector means no rule.
    """
    chosen: set[str] = set()
    for selector in selectors:
        matches = meant(selector, known)
        if not matches:
            names = [*known, *(rule.name for rule in known.values()), ALL]
            raise UsageError(
                f"{selector!r} selects no rule",
                cause=f"the rules are {', '.join(known)}",
                hint=did_you_mean(selector, names) or "see `graphlint rule`",
            )
        chosen |= matches
    return frozenset(chosen)


def meant(selector: str, known: Mapping[str, Rule]) -> frozenset[str]:
    """The codes that one selector means, possibly none."""
    if not selector:
        return frozenset()
    return frozenset(
        code
        for code, rule in known.items()
        if selector == ALL or code.startswith(selector) or rule.name == selector
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?`, or nothing where no known word is near."""
    import difflib

    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else ""
