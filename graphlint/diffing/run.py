"""From two sides to a `Diff`: models read in children, matched, held against a threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from graphlint import __version__, isolation
from graphlint.config import Settings
from graphlint.diffing.changes import change
from graphlint.diffing.regressions import regressions
from graphlint.diffing.results import Diff, ModelDiff
from graphlint.diffing.sources import Pair, Sides, Source
from graphlint.problem import Problem
from graphlint.request import Request
from graphlint.results import ModelReport
from graphlint.timing import LatencyOptions, Subject

_LARGE = 1 << 20

SettingsFor = Callable[[Path], Settings]


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a diff.

    `threshold` is the share from which on something is a regression; `latency` says how to measure,
    None not to; `weights` compares the weights' numbers too.
    """

    threshold: float = 0.01
    latency: LatencyOptions | None = None
    weights: bool = False


def diff(sides: Sides, settings_for: SettingsFor, options: Options = Options()) -> Diff:
    """What changed between the sides; what is wrong with a model is part of it, never raised.

    Both sides of a model are checked with the settings that hold for the new one.

    Raises:
        UsageError: the settings make no sense, or latency can't be measured as asked.
        PluginError: a rule pack can't be loaded.
    """
    settings = [_settings(pair, settings_for) for pair in sides.pairs]
    reports = _read(sides, settings, options)
    pairs = zip(sides.pairs, settings, reports, strict=True)
    models = [_compared(pair, each, sides_of, options) for pair, each, sides_of in pairs]
    return Diff(
        version=__version__,
        old=sides.old,
        new=sides.new,
        models=tuple(_renamed(models, options)),
        threshold=options.threshold,
        notes=sides.notes,
    )


Reports = tuple[ModelReport | None, ModelReport | None]


def _settings(pair: Pair, settings_for: SettingsFor) -> Settings:
    source = pair.new or pair.old
    assert source is not None
    folder = Path(source.path).parent
    while not folder.is_dir():  # of a model that is no longer there
        folder = folder.parent
    return settings_for(folder)


def _read(sides: Sides, settings: list[Settings], options: Options) -> list[Reports]:
    """Both reports of every pair."""
    sources = [
        (number, place, source)
        for number, pair in enumerate(sides.pairs)
        for place, source in enumerate((pair.old, pair.new))
        if source is not None
    ]
    requests = [
        _request(source, settings[number], options)
        for number, _, source in sources
        if not source.problem
    ]
    jobs = 2 if any(map(_is_large, requests)) else 1
    answers = iter(isolation.check_all(requests, jobs))
    found: list[list[ModelReport | None]] = [[None, None] for _ in sides.pairs]
    for number, place, source in sources:
        if source.problem is not None:
            found[number][place] = ModelReport(source.path, errors=(source.problem,))
            continue
        report = next(answers)
        if options.weights and _brought(source, report):
            (report,) = isolation.check_all([_request(source, settings[number], options)], 1)
        found[number][place] = _from(source, report)
    return [(old, new) for old, new in found]


def _is_large(request: Request) -> bool:
    """Whether reading a model takes so long that a second child pays."""
    try:
        return (request.file or Path(request.path)).stat().st_size > _LARGE
    except OSError:
        return False


def _brought(source: Source, report: ModelReport) -> bool:
    """Whether external data that the model was read without are there now."""
    external = report.structure.external_files if report.structure is not None else ()
    return bool(source.fetch and external and source.fetch(external) is None)


def _request(source: Source, settings: Settings, options: Options) -> Request:
    return Request(
        path=source.path,
        settings=replace(settings, min_excess=0.0),
        file=source.file,
        strict_shapes=False,
        want_nodes=True,
        want_structure=True,
        want_weights=options.weights,
    )


def _from(source: Source, report: ModelReport) -> ModelReport:
    """The report, whose errors say which revision they are of."""
    if not source.revision:
        return report
    told = (replace(error, message=f"{source.revision}:{error.message}") for error in report.errors)
    return replace(report, errors=tuple(told))


def _compared(pair: Pair, settings: Settings, reports: Reports, options: Options) -> ModelDiff:
    old, new = reports
    if old is None or new is None or old.structure is None or new.structure is None:
        return ModelDiff(old, new)
    assert old.totals is not None
    assert new.totals is not None
    with isolation.no_collection():
        changed = change(old, new, min_excess=settings.min_excess, weights=options.weights)
    worse = regressions(old.totals, new.totals, changed.findings, options.threshold)
    model = ModelDiff(old, new, changed, regressions=worse)
    if options.latency is None:
        return model
    return _measured(pair, model, settings, options.latency)


def _measured(
    pair: Pair, model: ModelDiff, settings: Settings, latency: LatencyOptions
) -> ModelDiff:
    """The diff with both models' latency from runs in turn."""
    from graphlint import timing

    problem = _external_data(pair, model)
    if problem is not None:
        reason = f"latency is not measured: {problem.message}"
        return replace(model, notes=(*model.notes, reason))
    assert pair.old is not None
    assert pair.new is not None
    assert model.old is not None
    assert model.new is not None
    subjects = (
        Subject(model.old, settings, pair.old.file),
        Subject(model.new, settings, pair.new.file),
    )
    return replace(model, comparison=timing.compare(subjects, latency))


def _external_data(pair: Pair, model: ModelDiff) -> Problem | None:
    for source, report in ((pair.old, model.old), (pair.new, model.new)):
        if source is not None and source.fetch is not None and report is not None:
            assert report.structure is not None
            problem = source.fetch(report.structure.external_files)
            if problem is not None:
                return problem
    return None


# Renamed models


def _renamed(models: list[ModelDiff], options: Options) -> Iterator[ModelDiff]:
    """The models, where a removed and an added one of the same structure are one, renamed."""
    gone: dict[object, list[ModelDiff]] = {}
    for model in models:
        if model.new is None and (key := _shape(model.old)) is not None:
            gone.setdefault(key, []).append(model)
    paired: set[str] = set()
    found = []
    for model in models:
        key = _shape(model.new) if model.old is None else None
        if key is not None and gone.get(key):
            removed = gone[key].pop(0)
            assert removed.old is not None
            assert model.new is not None
            paired.add(removed.old.path)
            changed = change(removed.old, model.new, weights=options.weights)
            model = replace(model, old=removed.old, change=changed, renamed=True)
        found.append(model)
    return (m for m in found if not (m.new is None and m.old and m.old.path in paired))


def _shape(report: ModelReport | None) -> object:
    """What two models have in common that are the same but for their names."""
    if report is None or report.structure is None:
        return None
    nodes = report.structure.nodes
    return tuple((node.family, node.facts, node.inputs) for node in nodes if not node.free)
