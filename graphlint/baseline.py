"""Baselines: a check reports what is new or worse than what is known (`docs/baseline.md`).

A model's sites are counted by kind: rule and fingerprint. A finding all of whose sites are covered
by the baseline's counts is known and left out; one with none covered is new; between them, or where
its excess has grown by more than `min_excess` of the model's memory access, it is worse. Findings
about a model as a whole (budgets) are never known: the limit is the baseline.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from graphlint.atomic import write_text
from graphlint.baseline_file import Amount, Amounts, Baseline, Kind, read, render
from graphlint.errors import UsageError
from graphlint.findings import Finding, Known
from graphlint.patterns import is_within, relative_to
from graphlint.request import Request
from graphlint.results import BaselineSummary, ModelReport


class Baselines:
    """The baselines that the settings of the models name, read before anything is checked.

    `folders` are those that the user gave: of a model below one that is not there any more, the
    entries are stale. With `update` the files are written anew.

    Raises:
        UsageError: a baseline can't be read, or there is none to update.
    """

    def __init__(
        self, requests: Iterable[Request], folders: Iterable[str], *, update: bool = False
    ) -> None:
        by_file: dict[str, list[Request]] = {}
        for request in requests:
            by_file.setdefault(_file_of(request), []).append(request)
        others = by_file.pop("", [])
        if update:
            _check_updatable(others, by_file)
        self._held = {
            file: _Held(file, own, list(folders), update=update) for file, own in by_file.items()
        }

    def judged(self, request: Request, report: ModelReport) -> ModelReport:
        """A model's report with what is new or worse."""
        held = self._held.get(_file_of(request))
        return report if held is None else held.judged(request, report)

    def finished(self) -> tuple[BaselineSummary | None, tuple[str, ...]]:
        """What became of all findings, and notes on what is stale; the files are written.

        Raises:
            UsageError: a baseline can't be written.
        """
        if not self._held:
            return None, ()
        notes = tuple(note for held in self._held.values() for note in held.finished())
        return sum((held.summary for held in self._held.values()), BaselineSummary()), notes


def _file_of(request: Request) -> str:
    """The baseline of a model; what comes from standard input has none."""
    baseline = request.settings.baseline
    return os.path.abspath(baseline) if baseline and request.file is None else ""


def _check_updatable(others: Sequence[Request], by_file: Mapping[str, list[Request]]) -> None:
    if others and not by_file:
        raise UsageError(
            "there is no baseline to update",
            cause="neither --baseline nor the configuration names one",
            hint="name one: --baseline graphlint-baseline.json --update-baseline",
        )
    for request in (request for own in by_file.values() for request in own):
        if request.only:
            raise UsageError(
                f"{request.path}::{request.only}: a baseline takes whole models",
                cause="the findings at one node would take the place of the model's",
                hint="give the model without the node",
            )


@dataclass(frozen=True, slots=True)
class _Run:
    """A checked model: its path in the baseline, and its sites, counted by kind.

    `floor` is the growth in bytes that is noise. The findings of one that was not read `whole` are
    not all that it has.
    """

    key: str
    report: ModelReport
    amounts: Amounts
    floor: float
    whole: bool


def _run(file: str, request: Request, report: ModelReport) -> _Run:
    totals = report.totals
    moved = totals.memory_access_bytes if totals is not None else 0
    return _Run(
        key=_key(file, request.path),
        report=report,
        amounts=_amounts(report.findings),
        floor=request.settings.min_excess * moved,
        whole=totals is not None and not report.errors and not request.only,
    )


def _amounts(findings: Iterable[Finding]) -> Amounts:
    amounts: dict[Kind, Amount] = {}
    for finding in filter(_is_structural, findings):
        for site in finding.sites:
            kind = Kind(finding.code, site.fingerprint)
            one = Amount(1, site.excess_bytes)
            amounts[kind] = amounts[kind] + one if kind in amounts else one
    return amounts


def _key(file: str, path: str) -> str:
    """The model's path as a baseline has it: relative to the file, with slashes."""
    try:
        return relative_to(path, os.path.dirname(file))
    except ValueError as error:  # on another drive
        raise UsageError(
            f"{path}: not in reach of the baseline {file}",
            cause=str(error),
            hint="keep the baseline beside the models",
        ) from error


def _is_structural(finding: Finding) -> bool:
    return bool(finding.location.nodes)


class _Held:
    """One baseline held against a run, model by model."""

    def __init__(
        self, file: str, requests: Iterable[Request], folders: list[str], *, update: bool
    ) -> None:
        self.summary = BaselineSummary()
        self._file = file
        self._update = update
        self._before = {} if update and not os.path.exists(file) else read(Path(self._name))
        self._after = dict(self._before)
        self._notes: list[str] = []
        checked = {_key(file, request.path) for request in requests}
        self._lost = {key for key in self._before if key not in checked and not self._has(key)}
        self._moved: dict[str, str] = {}
        self._folders = folders

    def _has(self, key: str) -> bool:
        return os.path.exists(self._path(key))

    def _path(self, key: str) -> str:
        return os.path.join(os.path.dirname(self._file), key)

    def judged(self, request: Request, report: ModelReport) -> ModelReport:
        """The model's report with what is new or worse."""
        run = _run(self._file, request, report)
        known = self._known(run)
        if run.whole:
            self._tell_stale(run, known)
            other = {k: a for k, a in known.items() if k.code not in report.rules}
            self._after[run.key] = {**other, **run.amounts}
        report, outcome = _judged(run, self._after.get(run.key, {}) if self._update else known)
        self.summary += outcome
        return report

    def _known(self, run: _Run) -> Amounts:
        """What the baseline knows of the model, wherever that stood."""
        key = self._moved.get(run.key, run.key)
        if key in self._before or not run.whole:
            return self._before.get(key, {})
        old = _former(run, {key: self._before[key] for key in sorted(self._lost)})
        if not old:
            return {}
        self._lost.discard(old)
        self._after.pop(old)
        self._moved[run.key] = old
        self._notes.append(f"{old} is now {run.key}: --update-baseline has {self._name} say so")
        return self._before[old]

    def _tell_stale(self, run: _Run, known: Amounts) -> None:
        """Note the entries that hold more than the model has, as far as its rules ran."""
        now = run.amounts
        stale = [
            kind
            for kind, amount in known.items()
            if kind.code in run.report.rules and (kind not in now or now[kind].sites < amount.sites)
        ]
        if stale:
            self.summary += BaselineSummary(fixed=len(stale))
            codes = ", ".join(sorted({kind.code for kind in stale}))
            unknown = run.report.totals.uncosted_nodes if run.report.totals is not None else 0
            doubt = f", or no longer counted ({unknown} nodes are not)" if unknown else ""
            self._notes.append(
                f"{run.key}: {len(stale)} fixed ({codes}){doubt}: --update-baseline takes them out "
                f"of {self._name}"
            )

    def finished(self) -> list[str]:
        """Notes on what is stale or was written; the file is written if it is to be."""
        gone = [key for key in sorted(self._lost) if is_within(self._path(key), self._folders)]
        for key in gone:
            self.summary += BaselineSummary(fixed=len(self._after.pop(key)))
            self._notes.append(f"{key} is gone: --update-baseline takes it out of {self._name}")
        return [self._written()] if self._update else self._notes

    def _written(self) -> str:
        text = render(self._after)
        path = Path(self._file)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
        count = sum(map(len, self._after.values()))
        entries = "1 entry" if count == 1 else f"{count} entries"
        return f"{self._name} has {entries}{_difference(self._before, self._after)}"

    @property
    def _name(self) -> str:
        """The file as one would type it here."""
        here = os.path.join(os.getcwd(), "")
        return self._file.removeprefix(here)


def _former(run: _Run, lost: Baseline) -> str:
    """The lost model of which this one has at least half of the sites, and the most; or none."""
    now = _counts(run.amounts)
    shared = {key: (_counts(amounts) & now).total() for key, amounts in lost.items()}
    old = max(shared, key=lambda key: shared[key], default="")
    return old if old and 2 * shared[old] >= _counts(lost[old]).total() else ""


def _counts(amounts: Amounts) -> Counter[Kind]:
    return Counter({kind: amount.sites for kind, amount in amounts.items()})


def _difference(before: Baseline, after: Baseline) -> str:
    """`: 2 added, 1 changed, 3 taken out`."""
    old = {(key, kind): amount for key, kinds in before.items() for kind, amount in kinds.items()}
    new = {(key, kind): amount for key, kinds in after.items() for kind, amount in kinds.items()}
    counts = {
        "added": len(new.keys() - old.keys()),
        "changed": sum(old[entry] != new[entry] for entry in old.keys() & new.keys()),
        "taken out": len(old.keys() - new.keys()),
    }
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f": {said}" if said else ", as before"


def _judged(run: _Run, known: Amounts) -> tuple[ModelReport, BaselineSummary]:
    """The model's report with its new and worse findings, and how many there are of each."""
    left = {kind: amount.sites for kind, amount in known.items()}
    now = run.amounts
    kept: list[Finding] = []
    summary = BaselineSummary()
    for finding in run.report.findings:
        if not _is_structural(finding):
            kept.append(finding)
            continue
        kinds = Counter(Kind(finding.code, site.fingerprint) for site in finding.sites)
        covered = {kind: min(count, left.get(kind, 0)) for kind, count in kinds.items()}
        left.update({kind: left.get(kind, 0) - count for kind, count in covered.items()})
        sites = sum(covered.values())
        if not sites:
            kept.append(finding)
            summary += BaselineSummary(new=1)
        elif sites < len(finding.sites) or _growth(kinds, known, now) > run.floor:
            kept.append(replace(finding, known=Known(sites, _excess(kinds, known))))
            summary += BaselineSummary(worse=1)
        else:
            summary += BaselineSummary(known=1)
    return replace(run.report, findings=tuple(kept)), summary


def _growth(kinds: Iterable[Kind], known: Amounts, now: Amounts) -> int:
    """By how many bytes as many sites have grown; where there are more sites, that is told."""
    same = [kind for kind in kinds if now[kind].sites <= known[kind].sites]
    return (_excess(same, now) or 0) - (_excess(same, known) or 0)


def _excess(kinds: Iterable[Kind], amounts: Amounts) -> int | None:
    found = [amounts[kind].excess_bytes for kind in kinds if kind in amounts]
    counted = [excess for excess in found if excess is not None]
    return sum(counted) if counted else None
