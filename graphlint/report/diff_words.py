"""What a diff says of two models in sentences; nothing is escaped here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graphlint.diffing.results import Change, ModelDiff
from graphlint.report.wording import counted
from graphlint.results import ModelReport, Totals
from graphlint.times import ComparedTimes, NotMeasured
from graphlint.units import format_bytes, format_count


def signed(count: int, spell: Callable[[int], str] = format_count) -> str:
    """`+1.50 KiB`, `−12`, `0`."""
    if not count:
        return "0"
    return f"{'+' if count > 0 else '−'}{spell(abs(count))}"


def share(delta: float, base: float) -> str:
    """`+38.0%`; empty where there is no base, or nothing has changed."""
    return f"{100 * delta / base:+.1f}%".replace("-", "−") if base and delta else ""


def totals_of(report: ModelReport | None) -> Totals:
    assert report is not None
    assert report.totals is not None
    return report.totals


def times_of(model: ModelDiff) -> tuple[ComparedTimes, ComparedTimes] | None:
    if model.comparison is None:
        return None
    old, new = model.comparison.models
    if isinstance(old, NotMeasured) or isinstance(new, NotMeasured):
        return None
    return old, new


def answer(model: ModelDiff, threshold: float) -> str:
    """What got worse, or that nothing did."""
    if model.old is None:
        return f"Added: {_costs(model.new)}."
    if model.new is None:
        return f"Removed: {_costs(model.old)}."
    if model.change is None:
        return "It could not be compared."
    if model.is_empty:
        same = "Nothing differs: the same nodes, costs and findings."
        return same if model.change.weights_differ is None else f"{same[:-1]}, the same weights."
    worse = [
        regression.what + ("" if regression.share is None else f" {share(regression.share, 1)}")
        for regression in model.regressions
    ]
    if worse:
        return f"Worse: {', '.join(worse)}."
    more = f" by more than {100 * threshold:g}%" if _grew(model) else ""
    return f"Nothing got worse{more}{_better(model)}."


def _grew(model: ModelDiff) -> bool:
    """Whether anything grew at all."""
    delta = model.delta
    findings = model.change.findings if model.change is not None else ()
    return max(delta.memory_access_bytes, delta.multiply_adds, delta.parameters) > 0 or any(
        site.kind in ("new", "worse") for site in findings
    )


def _better(model: ModelDiff) -> str:
    delta, old = model.delta, totals_of(model.old)
    lower = [
        f"{what} {share(more, base)}"
        for what, more, base in (
            ("memory access", delta.memory_access_bytes, old.memory_access_bytes),
            ("multiply-adds", delta.multiply_adds, old.multiply_adds),
            ("parameters", delta.parameters, old.parameters),
        )
        if more < 0
    ]
    return f"; {', '.join(lower)}" if lower else ""


def _costs(report: ModelReport | None) -> str:
    if report is None or report.totals is None:
        return "it could not be read"
    totals = report.totals
    return (
        f"{format_bytes(totals.memory_access_bytes)} memory access, "
        f"{format_count(totals.multiply_adds)} multiply-adds, "
        f"{format_count(totals.parameters)} parameters"
    )


def title(model: ModelDiff, *, both: bool = False) -> str:
    """The model's path; both where they differ, of a renamed one or where `both` are wanted."""
    if model.old is None or model.new is None or model.old.path == model.new.path:
        return model.path
    return f"{model.old.path} → {model.new.path}" if both or model.renamed else model.path


def remarks(model: ModelDiff) -> Iterator[str]:
    """What is to be known beside the figures."""
    old, new, change = model.old, model.new, model.change
    if change is not None and old is not None and new is not None:
        if old.inputs != new.inputs:
            yield f"the inputs differ: {_inputs(old)} → {_inputs(new)}"
        if change.outputs_rewired:
            yield "an output comes from another node"
        if change.shared_parameters:
            yield (
                f"parameters that nodes share are counted once: {signed(change.shared_parameters)} "
                "beside the nodes'"
            )
        if any(change.free):
            yield (
                f"{change.free[0]} → {change.free[1]} nodes are free and not compared: constants, "
                "shape arithmetic, identities"
            )
        yield _weights(change)
        if change.weights_unread:
            yield f"{counted(change.weights_unread, 'node')}: weights can't be read"
    for word, report in (("old", old), ("new", new)):
        if report is not None:
            yield from (f"{word}: {note}" for note in report.notes)
            if report.totals is not None and report.totals.uncosted_nodes:
                totals = report.totals
                yield (
                    f"{word}: {totals.uncosted_nodes} of {totals.nodes} nodes are not counted; "
                    "their cost is unknown"
                )
    yield from model.notes
    yield from _measured(model)


def _weights(change: Change) -> str:
    if change.weights_differ is None:
        return "weights are not compared (--weights)"
    if not change.weights_differ:
        return "the weights are the same"
    return f"{counted(change.weights_differ, 'node')} in both models: weights differ"


def _inputs(report: ModelReport) -> str:
    return ", ".join(report.inputs[:3]) + (" …" if len(report.inputs) > 3 else "")


def _measured(model: ModelDiff) -> Iterator[str]:
    if model.comparison is None:
        return
    for word, outcome in zip(("old", "new"), model.comparison.models, strict=True):
        if isinstance(outcome, NotMeasured):
            yield f"latency is not measured: {word}: {outcome.reason}"
    if times_of(model) is not None:
        from graphlint.report.full import device

        yield f"latency: {model.comparison.rounds} rounds in turn, {device(model.comparison)}"
    yield from model.comparison.notes


def status(model: ModelDiff) -> str:
    """One word for what became of a model."""
    if model.old is None:
        return "added"
    if model.new is None:
        return "removed"
    if model.change is None:
        return "unreadable"
    if model.regressions:
        return "worse"
    renamed = model.renamed
    if model.is_empty:
        return "renamed" if renamed else "same"
    return "changed"
