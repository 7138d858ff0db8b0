"""The pipeline of a rewrite: match, plan, choose, carry weights over, edit, verify, save."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphlint import registry
from graphlint.bindings import Bindings
from graphlint.errors import UsageError
from graphlint.latency.session import is_installed
from graphlint.rewrites import Match, Matches, Plan, Refusal, Rewrite
from graphlint.rewriting import verify
from graphlint.rewriting.candidates import choose
from graphlint.rewriting.job import Job, Tell
from graphlint.rewriting.request import Progress, RewriteRequest
from graphlint.rewriting.results import Candidate, PlaceResult, Refused, RewriteReport
from graphlint.rewriting.save import input_files, refuse_early, save
from graphlint.rewriting.subject import read
from graphlint.rewriting.transfer import carried_over


def rewrite(request: RewriteRequest, tell: Tell = lambda progress: None) -> RewriteReport:
    """Rewrite one model; without matches the report says why, and nothing is written.

    Raises:
        GraphlintError: the model can't be read, the request makes no sense, or the result did not
            pass a check; nothing was written.
    """
    rewrites = _named(request.rewrite)
    tell(Progress("reading the model"))
    bindings = Bindings.parse(request.settings.input_shape, request.settings.dim)
    source = read(request.path, bindings)
    tell(Progress("looking for what can be rewritten"))
    refusals: list[Refused] = []
    notes = list(source.notes)
    for each in rewrites:
        found = each.stages().match(source.subject)
        refusals += (
            Refused(tuple(node.path for node in one.nodes), one.reason) for one in found.refusals
        )
        notes += [found.note] if found.note else []
        report = RewriteReport(
            request.path, each.name, refusals=tuple(refusals), notes=tuple(notes)
        )
        matches = _asked_for(found, request.units)
        if matches.matches:
            job = Job(request, tell, each, source, matches)
            return _planned(job, report) if request.out is None else _rewritten(job, report)
    return report


def _named(name: str) -> Sequence[Rewrite]:
    """The rewrite called so; those that need not be asked for, where no name is given."""
    known = registry.rewrites()
    if not name:
        return [each for each in known.values() if not each.only_by_name]
    if name not in known:
        raise UsageError(
            f"--rewrite {name}: there is no such rewrite",
            cause=f"the rewrites are {', '.join(known)}",
            hint=registry.did_you_mean(name, known) or "see `graphlint rule`",
        )
    return [known[name]]


def _asked_for(matches: Matches, units: Sequence[str]) -> Matches:
    """The matches that hold one of the nodes; all of them where none is named."""
    if not units or not matches.matches:
        return matches
    holding = {
        node.path: place for place, match in enumerate(matches.matches) for node in match.nodes
    }
    for unit in units:
        if unit not in holding:
            raise UsageError(
                f"--unit {unit}: no place that can be rewritten has this node",
                cause=f"{len(matches.matches)} places can be rewritten",
                hint="name a node as reports do; --dry-run lists the places",
            )
    chosen = sorted({holding[unit] for unit in units})
    return replace(matches, matches=tuple(matches.matches[place] for place in chosen))


def _planned(job: Job, report: RewriteReport) -> RewriteReport:
    """What would be done: the candidates built and measured as for a rewrite, nothing written."""
    if job.request.plan_only:
        plans = [(name, job.plan(name)) for name in job.plan_names()]
        made = [plan for _, plan in plans if isinstance(plan, Plan)]
        refused = tuple(
            Candidate(name, refused=plan.reason)
            for name, plan in plans
            if isinstance(plan, Refusal)
        )
        report = replace(report, candidates=refused)
        return _with_plan(report, made[0]) if made else report
    choice = choose(job)
    return replace(
        _with_plan(report, choice.built.plan),
        candidates=choice.candidates,
        before=job.figures(job.source.file),
        after=choice.built.figures,
        original=choice.original,
    )


def _with_plan(report: RewriteReport, plan: Plan) -> RewriteReport:
    places = tuple(_place(place.match, place.becomes, place.exact) for place in plan.places)
    notes = (*report.notes, *plan.notes)
    return replace(report, plan=plan.name, places=places, exact=plan.exact, notes=notes)


def _place(match: Match, becomes: str, exact: bool) -> PlaceResult:
    paths = tuple(node.path for node in match.nodes)
    return PlaceResult(paths, match.what, becomes, exact, dict(match.figures))


def _rewritten(job: Job, report: RewriteReport) -> RewriteReport:
    request = job.request
    assert request.out is not None
    refuse_early(job.source.file, request.out, request.force, job.source.proto)
    _require_runtime(request)
    choice = choose(job)
    plan = choice.built.plan
    report = replace(
        _with_plan(report, plan),
        candidates=choice.candidates,
        before=job.figures(job.source.file),
        original=choice.original,
    )
    carried = carried_over(job, choice.built)
    edits = job.rewrite.stages().edit(job.source.subject, plan, carried.weights)
    final = request.folder / "final.onnx"
    job.write(plan, edits, final)
    job.tell(Progress("checking the new model", seconds=300))
    checked = verify.verified(job, plan, edits, final, carried.orders)
    job.tell(Progress("saving", seconds=600))
    keep = input_files(job.source.file, job.source.proto)
    written = save(checked.model, final, request.out, force=request.force, keep=keep)
    places = (
        replace(place, difference=difference, nmse=nmse)
        for place, difference, nmse in zip(
            report.places, checked.differences, carried.nmse, strict=True
        )
    )
    return replace(
        report,
        places=tuple(places),
        after=job.figures(final),
        largest_difference=checked.largest,
        weights=carried.said,
        agreement=carried.agreement,
        output=str(request.out),
        written=tuple(map(str, written)),
        notes=(*report.notes, *checked.notes, *carried.notes),
    )


def _require_runtime(request: RewriteRequest) -> None:
    if is_installed() or request.weights == "structure":
        return
    raise UsageError(
        f"{request.path}: not rewritten",
        cause="without a runtime the result can't be run beside the original",
        hint="install the extra `gpu` (or `cpu`) of onnx-graphlint, or give --weights structure "
        "to write it unrun",
    )
