"""One question of what-if, from the model to the report, in the process that it is called in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from graphlint import __version__
from graphlint.alternatives.build import alone, changed, multiply_adds
from graphlint.alternatives.chains import chained
from graphlint.alternatives.request import MOST_CHANGES, WhatIfRequest
from graphlint.alternatives.results import Change, Saving, Untried, WhatIfReport, Where
from graphlint.bindings import Bindings
from graphlint.calibration.device import device
from graphlint.errors import RewriteError
from graphlint.findings import Finding
from graphlint.graph import Node
from graphlint.latency.compare import compare
from graphlint.latency.request import MeasureRequest
from graphlint.linting import ChosenRule, chosen_rules, lint
from graphlint.request import Request
from graphlint.rewriting.request import Progress
from graphlint.rewriting.scratch import is_editable
from graphlint.rewriting.subject import Source, read
from graphlint.rule import Alternative, Context, Site
from graphlint.times import ComparedTimes, Comparison, NotMeasured

Tell = Callable[[Progress], None]

_TOO_MANY = f"{MOST_CHANGES} larger ones were tried: ask for its rule or node alone"


@dataclass(frozen=True, slots=True)
class _Trial:
    """A finding and the alternatives of its sites.

    Where they fit there is one of each site; else one of each structure, and the `sites` that have
    it: layers that differ by their stride, say, are no measure for each other.
    """

    finding: Finding
    alternatives: tuple[Alternative, ...]
    sites: tuple[int, ...] = ()

    @property
    def fits(self) -> bool:
        return all(each.fits for each in self.alternatives)


def run(request: WhatIfRequest, tell: Tell) -> WhatIfReport:
    """Try the alternatives of a model's findings.

    Raises:
        ModelError: the model can't be read.
        UsageError: the settings name no rule.
    """
    tell(Progress("reading the model"))
    settings = request.settings
    bindings = Bindings.parse(settings.input_shape, settings.dim, strict=True)
    source = read(request.path, bindings)
    rules = {each.rule.code: each for each in chosen_rules(settings, request.path)}
    asked = Request(
        request.path, settings, only=request.only, device=request.device, device_is_named=True
    )
    subject = source.subject
    findings = lint(asked, subject.view, subject.costs, rules.values()).findings
    by_path = {node.path: node for node in subject.view.nodes}
    tried = [_trial(request, source, rules[each.code], each, by_path) for each in findings]
    trials = [each for each in tried if isinstance(each, _Trial)]
    untried = [each for each in tried if isinstance(each, Untried)]
    untried += [_untried(each.finding, _TOO_MANY) for each in trials[MOST_CHANGES:]]
    return _measured(request, source, trials[:MOST_CHANGES], untried, tell)


def _trial(
    request: WhatIfRequest,
    source: Source,
    chosen: ChosenRule,
    finding: Finding,
    by_path: Mapping[str, Node],
) -> _Trial | Untried:
    rule, subject = chosen.rule, source.subject
    if rule.alternative is None:
        return _untried(finding, "the rule knows no alternative to measure")
    context = Context(subject.view, subject.costs, chosen.options, chosen.limit, request.device)
    alternatives: list[Alternative] = []
    sites: dict[str, int] = {}
    for found in finding.sites:
        if found.fingerprint in sites:
            sites[found.fingerprint] += 1
            continue
        nodes = tuple(by_path[path] for path in found.location.nodes)
        if not all(is_editable(subject, node) for node in nodes):
            return _untried(finding, "it stands in a body or a local function")
        site = Site(nodes, finding.message, finding.help, found.excess_bytes)
        alternative = rule.alternative(context, site)
        if alternative is None:
            return _untried(finding, "there is no alternative of the same work to measure")
        alternatives.append(alternative)
        if not alternative.fits:
            sites[found.fingerprint] = 1
    return _Trial(finding, tuple(alternatives), tuple(sites.values()))


def _untried(finding: Finding, reason: str) -> Untried:
    place = finding.nodes[0] if finding.nodes else ""
    return Untried(finding.code, finding.message, place, len(finding.sites), reason)


def _measured(
    request: WhatIfRequest,
    source: Source,
    trials: Sequence[_Trial],
    untried: Sequence[Untried],
    tell: Tell,
) -> WhatIfReport:
    fitting, files, failures = _written(request, source, [trial for trial in trials if trial.fits])
    tell(_measuring(request, "the model", 1 + len(fitting)))
    whole = _race(request, [_of_model(request, source, file) for file in (source.file, *files)])
    model, *times = whole.models
    changes = [
        _change(source, trial, "in the model", _saving(model, time))
        for trial, time in zip(fitting, times, strict=True)
    ]
    for count, trial in enumerate(each for each in trials if not each.fits):
        models = 2 * len(trial.alternatives)
        tell(_measuring(request, f"{trial.finding.code} {trial.alternatives[0].label}", models))
        changes.append(_change(source, trial, "alone", _saved_alone(request, source, trial, count)))
    return WhatIfReport(
        version=__version__,
        path=request.path,
        device=device(request.latency).name,
        provider=whole.provider,
        threads=whole.threads,
        optimization=whole.optimization,
        model=model,
        clock=whole.clock,
        changes=tuple(sorted(changes, key=_largest_first)),
        untried=(*untried, *failures),
        notes=whole.notes,
    )


def _written(
    request: WhatIfRequest, source: Source, trials: Sequence[_Trial]
) -> tuple[list[_Trial], list[Path], list[Untried]]:
    """Trials, the model with the alternatives of each, and those for which that failed."""
    written, files, failures = [], [], []
    for count, trial in enumerate(trials):
        path = request.folder / f"changed-{count}.onnx"
        try:
            changed(source, trial.alternatives, path)
        except RewriteError as error:
            failures.append(_untried(trial.finding, error.cause or error.message))
        else:
            written.append(trial)
            files.append(path)
    return written, files, failures


def _saved_alone(
    request: WhatIfRequest, source: Source, trial: _Trial, count: int
) -> Saving | NotMeasured:
    """What all sites save, by one of each structure and its alternative, each among its like."""
    total = Saving(0.0, 0.0, 0.0)
    for place, (alternative, sites) in enumerate(zip(trial.alternatives, trial.sites, strict=True)):
        name = f"alone-{count}-{place}"
        saving = _saved_by_one(request, source, alternative, sites, name)
        if isinstance(saving, NotMeasured):
            return saving
        total = Saving(
            total.seconds + saving.seconds, total.low + saving.low, total.high + saving.high
        )
    return total


def _saved_by_one(
    request: WhatIfRequest, source: Source, alternative: Alternative, sites: int, name: str
) -> Saving | NotMeasured:
    """What so many like sites save by an alternative."""
    as_it_is = alone(source.subject, alternative.nodes)
    if as_it_is is None:
        return NotMeasured("its weights or shapes are not known")
    models = [as_it_is, alternative.model]
    chains = [chained(model) for model in models]
    copies = chains[0].copies
    if chains[1].copies == copies:
        models = [chain.model for chain in chains]
    else:
        copies = 1
    asked = []
    for side, model in zip(("before", "after"), models, strict=True):
        path = request.folder / f"{name}-{side}.onnx"
        path.write_bytes(model.SerializeToString(deterministic=True))
        asked.append(MeasureRequest(request.path, path))
    before, after = _race(request, asked).models
    return _saving(before, after, sites / copies)


def _race(request: WhatIfRequest, asked: Sequence[MeasureRequest]) -> Comparison:
    latency = request.latency
    return compare(
        [
            replace(
                each,
                provider=latency.provider,
                threads=latency.threads,
                optimization=latency.optimization,
                time_budget=latency.time_budget * len(asked),
            )
            for each in asked
        ]
    )


def _of_model(request: WhatIfRequest, source: Source, file: Path) -> MeasureRequest:
    data = request.latency.input_data
    return MeasureRequest(request.path, file, bindings=source.bindings, input_data=data)


def _measuring(request: WhatIfRequest, what: str, models: int) -> Progress:
    return Progress(f"measuring {what}", seconds=120 + 4 * models * request.latency.time_budget)


def _saving(
    before: ComparedTimes | NotMeasured, after: ComparedTimes | NotMeasured, times: float = 1.0
) -> Saving | NotMeasured:
    """The difference, `times` times: by the ratio, whose two sides were measured in one moment."""
    if isinstance(before, NotMeasured):
        return before
    if isinstance(after, NotMeasured):
        return after
    assert after.speed_up is not None
    whole = before.seconds * times
    ratio = after.speed_up
    return Saving(*(whole * (1 - 1 / each) for each in (ratio.value, ratio.low, ratio.high)))


def _change(source: Source, trial: _Trial, where: Where, saving: Saving | NotMeasured) -> Change:
    finding, alternative = trial.finding, trial.alternatives[0]
    return Change(
        code=finding.code,
        name=finding.name,
        message=finding.message,
        becomes=alternative.label,
        place=finding.nodes[0],
        sites=len(finding.sites),
        where=where,
        saving=saving,
        multiply_adds=_multiply_adds(source, alternative.nodes),
        multiply_adds_instead=multiply_adds(alternative.model),
    )


def _multiply_adds(source: Source, nodes: Sequence[Node]) -> int | None:
    costs = [source.subject.costs.nodes[node.index] for node in nodes]
    known = [cost.multiply_adds for cost in costs if cost.unknown is None]
    return sum(known) if len(known) == len(costs) else None


def _largest_first(change: Change) -> tuple[float, str, str]:
    saving = change.saving
    seconds = saving.seconds if isinstance(saving, Saving) else float("-inf")
    return (-seconds, change.code, change.place)
