"""Plans built and measured side by side, and which of them is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphlint.errors import UsageError
from graphlint.latency.compare import compare
from graphlint.latency.request import MeasureRequest
from graphlint.latency.session import is_installed
from graphlint.rewrites import AUTO, Plan, Refusal
from graphlint.rewriting.job import Job
from graphlint.rewriting.request import Progress
from graphlint.rewriting.results import Candidate, Figures
from graphlint.times import ComparedTimes, NotMeasured


@dataclass(frozen=True, slots=True)
class Built:
    """A plan as a model in a file, with its first weights."""

    plan: Plan
    weights: Any
    path: Path
    figures: Figures


@dataclass(frozen=True, slots=True)
class Choice:
    """The plan that is taken, all that were tried, and the original's time."""

    built: Built
    candidates: tuple[Candidate, ...]
    original: ComparedTimes | NotMeasured | None


def choose(job: Job) -> Choice:
    """Build what the request asks for, measure it where that is possible, and take one.

    Raises:
        UsageError: no plan can be made.
    """
    built: list[Built] = []
    refused: list[Candidate] = []
    for name in job.plan_names():
        job.tell(Progress(f"building the plan {name}"))
        plan = job.plan(name)
        if isinstance(plan, Refusal):
            refused.append(Candidate(name, refused=plan.reason))
        else:
            built.append(_build(job, plan))
    if not built:
        raise UsageError(
            f"{job.request.path}: not rewritten as asked",
            cause="; ".join(f"{each.plan}: {each.refused}" for each in refused),
            hint="--plan auto takes a plan that can be done",
        )
    original, *times = _times(job, built)
    limit = job.request.budget * job.source.subject.costs.total.multiply_adds
    taken = _taken(job, built, times, limit)
    candidates = (
        Candidate(
            each.plan.name,
            each.figures,
            time,
            within_budget=each.figures.multiply_adds <= limit,
            chosen=each is taken,
        )
        for each, time in zip(built, times, strict=True)
    )
    return Choice(taken, (*candidates, *refused), original)


def _build(job: Job, plan: Plan) -> Built:
    subject, stages = job.source.subject, job.rewrite.stages()
    weights = stages.start(subject, plan, job.request.seed)
    path = job.request.folder / f"{plan.name}.onnx"
    job.write(plan, stages.edit(subject, plan, weights), path)
    return Built(plan, weights, path, job.figures(path))


def _times(job: Job, built: Sequence[Built]) -> Sequence[ComparedTimes | NotMeasured | None]:
    """The original's time and the plans', from one interleaved run; None where none was wanted."""
    options = job.request.latency
    if options is None or not is_installed():
        return [None] * (1 + len(built))
    files = (job.source.file, *(each.path for each in built))
    seconds = options.time_budget * len(files)
    job.tell(Progress("measuring the plans", seconds=4 * seconds + 120))
    requests = [
        MeasureRequest(
            path=job.request.path,
            file=file,
            bindings=job.source.bindings,
            provider=options.provider,
            threads=options.threads,
            optimization=options.optimization,
            time_budget=seconds,
            input_data=options.input_data,
        )
        for file in files
    ]
    return compare(requests).models


def _taken(
    job: Job,
    built: Sequence[Built],
    times: Sequence[ComparedTimes | NotMeasured | None],
    limit: float,
) -> Built:
    """The fastest within the budget; unmeasured, the first; else that with the least work."""
    if job.request.plan != AUTO:
        return built[0]
    pairs = [
        (each, time)
        for each, time in zip(built, times, strict=True)
        if each.figures.multiply_adds <= limit
    ]
    if not pairs:
        return min(built, key=lambda each: each.figures.multiply_adds)
    measured = [
        (time.seconds, place)
        for place, (_, time) in enumerate(pairs)
        if isinstance(time, ComparedTimes)
    ]
    return pairs[min(measured)[1] if measured else 0][0]
