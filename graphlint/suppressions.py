"""Who asked not to hear a finding: patterns in the configuration, marks in the model itself.

Every code of an ignore is a `_Claim`. It says whether it silenced anything, so that one which no
longer does can be taken away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from graphlint.config import Ignore, Settings
from graphlint.graph import GraphView, Node
from graphlint.patterns import matches_file
from graphlint.registry import meant
from graphlint.results import IgnoreUse
from graphlint.rule import Rule

METADATA_KEY = "graphlint.ignore"
"""The key of `metadata_props`, of a node or a model: `G2: reason`, or `G2, G4: reason`."""

_MAX_NOTES = 5
_MAX_SELECTOR = 80  # characters of what a model's metadata may name


@dataclass(slots=True)
class _Claim:
    """One code that somebody does not want to hear of; `source` says where that stands."""

    source: str
    selector: str
    codes: frozenset[str]
    heeded: bool
    used: bool = False


class Suppressions:
    """Tells whether a rule is to be silent at a place of one model.

    A site is silenced when its first node is: the one to look at.
    """

    def __init__(
        self, path: str, view: GraphView, settings: Settings, rules: Mapping[str, Rule]
    ) -> None:
        self._rules = rules
        self._needs_reason = settings.require_ignore_reason
        self._of_model = self._marks("the model", view.metadata)
        self._of_node = self._node_marks(view)
        self._configured: list[_Claim] = []
        self._everywhere: list[_Claim] = []
        self._by_pattern: list[tuple[str, list[_Claim]]] = []
        for ignore in settings.per_file_ignores:
            if matches_file(path, ignore.file_pattern, ignore.root):
                self._add(ignore)

    def _add(self, ignore: Ignore) -> None:
        claims = self._claims(ignore_source(ignore), ignore.codes, ignore.reason)
        self._configured += claims
        _, _, node_pattern = ignore.pattern.partition("::")
        if node_pattern:
            self._by_pattern.append((node_pattern, claims))
        else:
            self._everywhere += claims

    def _claims(self, source: str, selectors: Iterable[str], reason: str) -> list[_Claim]:
        heeded = bool(reason) or not self._needs_reason
        return [
            _Claim(source, selector, meant(selector, self._rules), heeded) for selector in selectors
        ]

    def _marks(self, source: str, metadata: Mapping[str, str]) -> list[_Claim]:
        mark = metadata.get(METADATA_KEY)
        return [] if mark is None else self._claims(source, *parse_mark(mark))

    def _node_marks(self, view: GraphView) -> Mapping[int, list[_Claim]]:
        """Claims by node index; the copies of a node in a function's calls share theirs."""
        marks: dict[int, list[_Claim]] = {}
        copies: dict[tuple[str, str, str], list[_Claim]] = {}
        for node in view.nodes:
            if METADATA_KEY not in node.metadata:
                continue
            claims = self._marks(node.path, node.metadata)
            copy = (node.name, node.op, node.metadata[METADATA_KEY])
            marks[node.index] = copies.setdefault(copy, claims) if node.scope else claims
        return marks

    def silent(self, code: str, node: Node | None) -> bool:
        """Whether the rule `code` is to be silent at `node`, or of the model as a whole."""
        silencing = [c for c in self._concerned(node) if c.heeded and code in c.codes]
        for claim in silencing:
            claim.used = True
        return bool(silencing)

    def _concerned(self, node: Node | None) -> Iterator[_Claim]:
        yield from self._of_model
        yield from self._everywhere
        if node is None:
            return
        yield from self._of_node.get(node.index, ())
        for pattern, claims in self._by_pattern:
            if fnmatchcase(node.path, pattern):
                yield from claims

    def uses(self, ran: Collection[str]) -> tuple[IgnoreUse, ...]:
        """What the ignores of the configuration did, if the rules `ran`."""
        return tuple(
            IgnoreUse(
                claim.source,
                claim.selector,
                claim.used if claim.codes <= set(ran) else (claim.used or None),
                claim.heeded,
            )
            for claim in self._configured
        )

    def notes(self, ran: Collection[str]) -> tuple[str, ...]:
        """What is wrong with the model's own marks, if the rules `ran`: at most a few lines."""
        claims = {
            id(claim): claim
            for claims in (self._of_model, *self._of_node.values())
            for claim in claims
        }
        notes = [note for claim in claims.values() if (note := _complaint(claim, ran))]
        if len(notes) > _MAX_NOTES:
            notes[_MAX_NOTES:] = [f"… and {len(notes) - _MAX_NOTES} more like these"]
        return tuple(notes)


def ignore_source(ignore: Ignore) -> str:
    """Where an entry of `per-file-ignores` stands."""
    return f'{ignore.origin}: per-file-ignores "{ignore.pattern}"'


def parse_mark(mark: str) -> tuple[tuple[str, ...], str]:
    """The codes that a `graphlint.ignore` mark names, and its reason."""
    codes, _, reason = mark.partition(":")
    return tuple(code.strip() for code in codes.split(",") if code.strip()), reason.strip()


def _complaint(claim: _Claim, ran: Collection[str]) -> str:
    mark = f"{METADATA_KEY} of {claim.source}: {claim.selector[:_MAX_SELECTOR]}"
    if not claim.codes:
        return f"{mark} is no rule"
    if not claim.heeded:
        return f"{mark} {NO_REASON}"
    if not claim.used and claim.codes <= set(ran):
        return f"{mark} {SILENCES_NOTHING}"
    return ""


NO_REASON = "gives no reason, which require-ignore-reason asks for: it is not heeded"
SILENCES_NOTHING = "silences nothing here: take it away"
