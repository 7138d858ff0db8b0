"""The report of a rewrite: for people, and as JSON (schema 1)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from graphlint.report.text import Style, columns, safe
from graphlint.rewriting.results import Candidate, Figures, PlaceResult, Refused, RewriteReport
from graphlint.times import ComparedTimes, NotMeasured
from graphlint.units import format_bytes, format_count, format_seconds, format_share

SCHEMA = 1
_MAX_REFUSALS = 10
FINE_TUNE = "A new architecture: fine-tune it before you ship it."


def render(report: RewriteReport, style: Style) -> str:
    """The report as text, ending in a line break."""
    lines = list(_nothing(report, style) if not report.plan else _rewritten(report, style))
    return style.final("\n".join(lines) + "\n")


def _nothing(report: RewriteReport, style: Style) -> Iterator[str]:
    yield f"{style.bold(safe(report.path, 400))}   {report.rewrite}: nothing to rewrite"
    yield from _notes(report, style)
    yield from _refused_plans(report)
    yield from _refusals(report.refusals, style)


def _rewritten(report: RewriteReport, style: Style) -> Iterator[str]:
    target = f" → {safe(report.output, 400)}" if report.output else ""
    count = len(report.places)
    places = f"{count} place{'s' if count != 1 else ''}"
    would = "" if report.output else ", nothing written"
    yield (
        f"{style.bold(safe(report.path, 400) + target)}   "
        f"{report.rewrite}, plan {report.plan}, {places}{would}"
    )
    yield _verdict(report)
    yield from _notes(report, style)
    if report.before is not None and report.after is not None:
        yield ""
        yield from _figures(report, report.before, report.after)
    if len(report.candidates) > 1:
        yield ""
        yield from _candidates(report)
    yield ""
    yield from _places(report.places)
    yield from _refusals(report.refusals, style)
    if report.output:
        yield ""
        yield from _weights(report)


def _verdict(report: RewriteReport) -> str:
    """What the rewrite costs or saves, before anything else."""
    work = ""
    if report.before is not None and report.after is not None and report.before.multiply_adds:
        share = report.after.multiply_adds / report.before.multiply_adds
        work = f"{100 * share:.1f}% of the multiply-adds"
    times = _chosen_times(report)
    if isinstance(times, ComparedTimes) and times.speed_up is not None:
        ratio = times.speed_up
        bounds = f"95% interval {ratio.low:.2f} to {ratio.high:.2f}"
        if not ratio.is_told_from_one:
            return f"No difference in speed that can be told ({bounds}); {work}."
        if ratio.value > 1:
            return f"{ratio.value:.2f}× as fast as the original ({bounds}), with {work}."
        return f"SLOWER: {ratio.value:.2f}× as fast as the original ({bounds}), with {work}."
    if isinstance(times, NotMeasured):
        return f"Not measured: {safe(times.reason, 300)}; {work}."
    return f"Not measured; {work}." if work else "Not measured."


def _chosen_times(report: RewriteReport) -> ComparedTimes | NotMeasured | None:
    if isinstance(report.original, NotMeasured):
        return report.original
    return next((each.times for each in report.candidates if each.chosen), None)


def _notes(report: RewriteReport, style: Style) -> Iterator[str]:
    for note in report.notes:
        yield style.dim(f"note: {safe(note, 400)}")


def _figures(report: RewriteReport, before: Figures, after: Figures) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [
        ("", "before", "after", ""),
        _row("FLOPs (multiply-adds)", before.multiply_adds, after.multiply_adds, format_count),
        _row("memory access", before.memory_access_bytes, after.memory_access_bytes, format_bytes),
        _row("parameters", before.parameters, after.parameters, format_count),
    ]
    times = _chosen_times(report)
    if isinstance(report.original, ComparedTimes) and isinstance(times, ComparedTimes):
        change = times.seconds / report.original.seconds - 1
        seconds = (format_seconds(report.original.seconds), format_seconds(times.seconds))
        rows.append(("latency", *seconds, f"{100 * change:+.1f}%"))
    for code in sorted({*before.findings, *after.findings}):
        counts = (before.findings.get(code, 0), after.findings.get(code, 0))
        if any(counts):
            rows.append((f"{code} sites", *map(str, counts), f"{counts[1] - counts[0]:+d}"))
    yield from columns([("  " + row[0], *row[1:]) for row in rows], "<>>>")


def _row(
    name: str, before: int, after: int, spell: Callable[[int], str]
) -> tuple[str, str, str, str]:
    change = f"{100 * (after / before - 1):+.1f}%" if before else ""
    return name, spell(before), spell(after), change


def _candidates(report: RewriteReport) -> Iterator[str]:
    base = report.before.multiply_adds if report.before is not None else 0
    rows: list[tuple[str, ...]] = [
        ("  plan", "multiply-adds", "memory access", "latency", "speed", "")
    ]
    rows += [_candidate(each, base) for each in report.candidates if each.figures is not None]
    if len(rows) > 1:
        yield from columns(rows, "<>>>><")
    yield from _refused_plans(report)


def _refused_plans(report: RewriteReport) -> Iterator[str]:
    for each in report.candidates:
        if each.refused:
            yield f"  {each.plan}: not possible, {safe(each.refused, 300)}"


def _candidate(each: Candidate, base: int) -> tuple[str, ...]:
    assert each.figures is not None
    work = each.figures.multiply_adds
    latency = speed = ""
    if isinstance(each.times, ComparedTimes):
        latency = format_seconds(each.times.seconds)
        if each.times.speed_up is not None:
            speed = f"{each.times.speed_up.value:.2f}×"
    elif isinstance(each.times, NotMeasured):
        latency = "not measured"
    remark = "taken" if each.chosen else "" if each.within_budget else "over the budget"
    return (
        f"  {each.plan}",
        f"{format_count(work)} ({format_share(work, base)})",
        format_bytes(each.figures.memory_access_bytes),
        latency,
        speed,
        remark,
    )


def _places(places: Sequence[PlaceResult]) -> Iterator[str]:
    """Places in a row that become the same are one line."""
    rows = []
    for (what, becomes, exact), alike in groupby(
        places, lambda place: (place.what, place.becomes, place.exact)
    ):
        group = list(alike)
        count = f"{len(group)} × " if len(group) > 1 else ""
        rows.append((f"  {count}{what}", becomes, _quality(group, exact)))
    yield from columns(rows, "<<<")


def _quality(places: Sequence[PlaceResult], exact: bool) -> str:
    if exact:
        known = [place.difference for place in places if place.difference is not None]
        return f"exact (largest difference {max(known):.1e})" if known else "exact"
    errors = [place.nmse for place in places if place.nmse is not None]
    if not errors:
        return "another function"
    low, high = min(errors), max(errors)
    return f"approximated (NMSE {low:.3f}{f' to {high:.3f}' if low < high else ''})"


def _refusals(refusals: Sequence[Refused], style: Style) -> Iterator[str]:
    if not refusals:
        return
    yield ""
    yield f"Near misses, left as they are: {len(refusals)}"
    for refused in refusals[:_MAX_REFUSALS]:
        yield f"  {safe(refused.nodes[0])}: {safe(refused.reason, 300)}"
    if len(refusals) > _MAX_REFUSALS:
        yield style.dim(f"  … and {len(refusals) - _MAX_REFUSALS} more; --output-format json")


def _weights(report: RewriteReport) -> Iterator[str]:
    if report.largest_difference is not None:
        yield f"Outputs on random inputs: largest difference {report.largest_difference:.1e}."
    yield f"Weights: {report.weights}."
    if report.agreement is not None:
        found = report.agreement
        images = "generated images" if found.made_up else "calibration images"
        what = (
            "on yours it may be far lower"
            if found.made_up
            else "no labels were seen: this is not accuracy"
        )
        yield (
            f"Agreement with the original on {found.samples} held-out {images}: "
            f"{100 * found.share:.1f}% ({100 * found.low:.1f}–{100 * found.high:.1f}); {what}."
        )
    if not report.exact:
        yield FINE_TUNE


def render_json(report: RewriteReport) -> str:
    """The report as one JSON document: bytes and counts are integers, unknown is null."""
    return json.dumps(document(report), ensure_ascii=True, indent=1) + "\n"


def document(report: RewriteReport) -> dict[str, Any]:
    """The report as JSON values."""
    agreement = report.agreement
    return {
        "schema": SCHEMA,
        "path": report.path,
        "rewrite": report.rewrite,
        "plan": report.plan or None,
        "exact": report.exact,
        "candidates": [_candidate_values(each) for each in report.candidates],
        "units": [_place_values(place) for place in report.places],
        "refusals": [
            {"nodes": list(refused.nodes), "reason": refused.reason} for refused in report.refusals
        ],
        "before": _figure_values(report.before, report.original),
        "after": _figure_values(report.after, _chosen_times(report)),
        "largest_difference": report.largest_difference,
        "weights": report.weights or None,
        "agreement": None
        if agreement is None
        else {
            "held_out": agreement.share,
            "low": agreement.low,
            "high": agreement.high,
            "samples": agreement.samples,
            "made_up": agreement.made_up,
        },
        "notes": list(report.notes),
        "output": report.output or None,
    }


def _figure_values(
    figures: Figures | None, times: ComparedTimes | NotMeasured | None
) -> dict[str, Any] | None:
    if figures is None:
        return None
    return {
        "multiply_adds": figures.multiply_adds,
        "memory_access_bytes": figures.memory_access_bytes,
        "parameters": figures.parameters,
        "findings": dict(sorted(figures.findings.items())),
        "latency_seconds": times.seconds if isinstance(times, ComparedTimes) else None,
    }


def _candidate_values(each: Candidate) -> dict[str, Any]:
    times = each.times if isinstance(each.times, ComparedTimes) else None
    ratio = times.speed_up if times is not None else None
    return {
        "plan": each.plan,
        **(_figure_values(each.figures, each.times) or {}),
        "speed_up": None if ratio is None else [ratio.value, ratio.low, ratio.high],
        "within_budget": each.within_budget,
        "chosen": each.chosen,
        "refused": each.refused or None,
    }


def _place_values(place: PlaceResult) -> dict[str, Any]:
    return {
        "nodes": list(place.nodes),
        "what": place.what,
        "becomes": place.becomes,
        **place.figures,
        "exact": place.exact,
        "difference": place.difference,
        "nmse": place.nmse,
    }
