"""The report for people (`docs/reading-a-report.md`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import hypot

from graphlint.devices.chosen import spell
from graphlint.findings import Finding, Predicted, Severity
from graphlint.report.nodes import node_table
from graphlint.report.places import summarise
from graphlint.report.text import Style, columns, problem_lines, safe
from graphlint.report.wording import baseline_tally, dearest, growth, price
from graphlint.results import ModelReport, Report, Totals
from graphlint.times import Comparison, ModelTimes
from graphlint.units import format_bytes, format_count, format_seconds, format_share

_MAX_REASONS = 3
_SHOWN = 3  # findings shown of a rule; the rest is one line
_SHOWN_INFO = 1


def render(report: Report, style: Style, *, nodes: bool = False) -> str:
    """The report as text, ending in a line break."""
    lines: list[str] = []
    for model in report.models:
        lines += [*_model(model, style, nodes=nodes), ""]
    for problem in report.errors:
        lines += [*problem_lines(problem, style), ""]
    lines.append(_closing(report))
    return style.final("\n".join(lines) + "\n")


def _model(model: ModelReport, style: Style, *, nodes: bool) -> Iterator[str]:
    if model.totals is not None:
        yield from model_head(model, model.totals, style)
        if nodes:
            yield ""
            yield from node_table(model.nodes, model.totals, style, model.times)
        for group in _groups(model.findings):
            yield ""
            yield from _group(group, model.totals, style)
        placed = [finding for finding in model.findings if finding.location.nodes]
        if placed:
            yield ""
            yield from _by_rule(placed, model.totals, model.times)
    for problem in model.errors:
        if model.totals is not None:
            yield ""
        yield from problem_lines(problem, style)


def model_head(model: ModelReport, totals: Totals, style: Style) -> Iterator[str]:
    """The model's line, what was assumed, and what is not counted."""
    yield _facts(model, totals, style)
    yield from _remarks(model, totals, style)


def _facts(model: ModelReport, totals: Totals, style: Style) -> str:
    shown = [safe(spelling, 60) for spelling in model.inputs[:3]]
    if len(model.inputs) > 3:
        shown.append(f"and {len(model.inputs) - 3} more inputs")
    facts = [f"opset {model.opset}"] if model.opset is not None else []
    if shown:
        facts.append(", ".join(shown))
    facts += [
        f"{format_count(totals.multiply_adds)} multiply-adds",
        f"{format_bytes(totals.memory_access_bytes)} memory access",
        f"{format_count(totals.parameters)} parameters",
    ]
    if model.times is not None:
        facts.append(latency(model.times))
    return f"{style.bold(safe(model.path, 400))}   {' · '.join(facts)}"


def latency(times: ModelTimes) -> str:
    """`6.43 ms (CPU, 1 thread, ONNX Runtime all)`: one run, and how it was taken."""
    return f"{format_seconds(times.wall_seconds)} ({device(times)})"


def device(times: ModelTimes | Comparison) -> str:
    """`CPU, 1 thread, ONNX Runtime all`: what times were taken on."""
    provider = times.provider.upper()
    return f"{provider}, {_count(times.threads, 'thread')}, ONNX Runtime {times.optimization}"


def _remarks(model: ModelReport, totals: Totals, style: Style) -> Iterator[str]:
    for note in model.notes:
        yield style.dim(f"  note: {safe(note, 300)}")
    if model.predicted is not None and model.device is not None:
        yield f"  predicted: {_foretold(model.predicted)}: {safe(spell(model.device), 300)}"
    if model.not_measured is not None:
        yield f"  latency is not measured: {safe(model.not_measured.reason, 400)}"
        if model.not_measured.hint:
            yield style.dim(f"    hint: {safe(model.not_measured.hint, 400)}")
    for note in model.times.notes if model.times is not None else ():
        yield style.dim(f"  note: {safe(note, 300)}")
    if not totals.uncosted_nodes:
        return
    yield (
        f"  {totals.uncosted_nodes} of {totals.nodes} nodes are not counted: "
        "their cost is unknown, and the totals leave them out"
    )
    for row in model.uncosted[:_MAX_REASONS]:
        count = _count(row.nodes, "node")
        yield f"    {count}, first {safe(row.first, 80)}: {safe(row.reason, 300)}"
    if len(model.uncosted) > _MAX_REASONS:
        more = len(model.uncosted) - _MAX_REASONS
        yield f"    … and {_count(more, 'more reason')}: see --output-format json"


def _foretold(predicted: Predicted) -> str:
    """One run, its error, and what is left out of it."""
    run = price(replace(predicted, left_out=0)) or "no time can be told for this device"
    if not predicted.left_out:
        return run
    return f"{run}, without {_count(predicted.left_out, 'node')} ({safe(predicted.reason, 200)})"


def _group(group: Sequence[Finding], totals: Totals, style: Style) -> Iterator[str]:
    """One rule's findings of one severity: their sum, the largest, and what to do."""
    first = group[0]
    title = style.severity(str(first.severity), f"{first.code} {first.name}")
    places = sum(bool(site.location.nodes) for finding in group for site in finding.sites)
    facts = [_count(places, "place")] if places else []
    excess = _excess(group)
    if excess is not None:
        facts.append(f"+{format_bytes(excess)}")
        facts.append(f"{format_share(excess, totals.memory_access_bytes)} of the memory access")
    if first.severity is Severity.INFO:
        facts.append("for information")
    yield f"{title}   {', '.join(facts)}".rstrip()
    shown = group[: _SHOWN_INFO if first.severity is Severity.INFO else _SHOWN]
    for finding in shown:
        yield from _finding(finding, totals, style)
    if len(group) > len(shown):
        left = group[len(shown) :]
        rest = _excess(left)
        more = f", +{format_bytes(rest)}" if rest is not None else ""
        yield style.dim(
            f"   … and {_count(len(left), 'finding')} more{more}: see --output-format concise"
        )
    for advice in dict.fromkeys(finding.help for finding in shown):
        yield f"   {style.dim('help:')} {safe(advice, 600)}"


def _finding(finding: Finding, totals: Totals, style: Style) -> Iterator[str]:
    indent = "   "
    if finding.excess_bytes is not None:
        share = format_share(finding.excess_bytes, totals.memory_access_bytes)
        indent += f"{'+' + format_bytes(finding.excess_bytes):>11} {share:>6}  "
    if finding.seconds is not None:
        indent += f"{format_seconds(finding.seconds):>8}  "
    blank = " " * len(indent)
    yield f"{indent}{_where(finding)}"
    yield f"{blank}{safe(finding.message, 600)}"
    if saving := price(finding.predicted):
        yield f"{blank}to save: {saving}"
    if finding.known is not None:
        yield f"{blank}worse: {growth(finding)}"
    if len(finding.sites) > 1:
        yield style.dim(f"{blank}first: {safe(str(finding.location), 400)}")


def _where(finding: Finding) -> str:
    """The sites in a few words: their common place, and how many there are."""
    firsts = [site.location.nodes[0] for site in finding.sites if site.location.nodes]
    if len(finding.sites) == 1:
        return safe(str(finding.location), 400)
    place = summarise(firsts)
    count = _count(len(finding.sites), "place")
    return f"{safe(place, 200)}, {count}" if place else count


def _excess(findings: Sequence[Finding]) -> int | None:
    """The findings' excess together; None where none of them states one."""
    counted = [f.excess_bytes for f in findings if f.excess_bytes is not None]
    return sum(counted) if counted else None


def _groups(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings by severity and rule, in the order of each group's largest."""
    groups: dict[tuple[Severity, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.code), []).append(finding)
    ranks = {
        key: (-key[0], -dearest(group), -(_excess(group) or -1), key[1])
        for key, group in groups.items()
    }
    return [groups[key] for key in sorted(groups, key=lambda key: ranks[key])]


def _by_rule(
    findings: Sequence[Finding], totals: Totals, times: ModelTimes | None
) -> Iterator[str]:
    timed = ("time in nodes", "of total") if times is not None else ()
    priced = ("to save",) if any(finding.predicted for finding in findings) else ()
    rows: list[tuple[str, ...]] = [
        ("", "rule", "findings", "places", "excess", "of total", *timed, *priced)
    ]
    for group in _groups(findings):
        excess = _excess(group)
        rows.append(
            (
                "",
                group[0].code + (" (info)" if group[0].severity is Severity.INFO else ""),
                str(len(group)),
                str(sum(len(finding.sites) for finding in group)),
                "-" if excess is None else format_bytes(excess),
                "-" if excess is None else format_share(excess, totals.memory_access_bytes),
                *_group_time(group, times),
                *(_group_price(group) for _ in priced),
            )
        )
    yield from columns(rows, "<<>>>>" + ">" * len(timed + priced))


def _group_time(group: Sequence[Finding], times: ModelTimes | None) -> tuple[str, ...]:
    """The time in the nodes of a rule's findings, and its share of the kernels' time."""
    if times is None:
        return ()
    if all(finding.seconds is None for finding in group):
        return ("-", "-")
    seconds = sum(finding.seconds or 0.0 for finding in group)
    share = seconds / times.kernel_seconds if times.kernel_seconds else 0.0
    return (format_seconds(seconds), f"{share:.1%}")


def _group_price(group: Sequence[Finding]) -> str:
    """What a rule's findings would save together on the device, and by how much that may be off."""
    told = [each.predicted for each in group if each.predicted is not None]
    known = [each for each in told if each.seconds is not None]
    if not known:
        return "-"
    error = hypot(*(each.plus_minus for each in known))
    total = Predicted(sum(each.seconds or 0.0 for each in known), error)
    return price(total).removeprefix("about ").replace(" on this device", "")


def _closing(report: Report) -> str:
    found = [
        f"{count} {severity}" if severity is Severity.INFO else _count(count, str(severity))
        for severity in sorted(Severity, reverse=True)
        if (count := sum(finding.severity == severity for finding in report.findings))
    ]
    where = _count(len(report.models), "model")
    none = "No findings" if report.baseline is None else "No new findings"
    text = f"Found {', '.join(found)} in {where}." if found else f"{none} in {where}."
    if any(model.totals is not None and model.totals.uncosted_nodes for model in report.models):
        text = f"{text[:-1]}, as far as it could be counted."
    if report.baseline is not None:
        text += f" {baseline_tally(report.baseline)}."
    if report.problems:
        text += f" {_count(len(report.problems), 'error')}."
    if found:
        worst = max(report.findings, key=lambda finding: finding.severity)
        text += f" Explain: graphlint rule {worst.code}"
    return text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
