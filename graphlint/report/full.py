"""The report for people (`docs/reading-a-report.md`)."""

from __future__ import annotations

from collections.abc import Iterator

from graphlint.findings import Finding, Severity
from graphlint.report.nodes import node_table
from graphlint.report.places import summarise
from graphlint.report.text import Style, columns, safe
from graphlint.results import ModelReport, Problem, Report, Totals
from graphlint.units import format_bytes, format_count, format_share

_MAX_REASONS = 3


def render(report: Report, style: Style, *, nodes: bool = False) -> str:
    """The report as text, ending in a line break."""
    lines: list[str] = []
    for model in report.models:
        lines += [*_model(model, style, nodes=nodes), ""]
    for problem in report.errors:
        lines += [*problem_lines(problem, style), ""]
    lines.append(_closing(report))
    return style.final("\n".join(lines) + "\n")


def problem_lines(problem: Problem, style: Style) -> Iterator[str]:
    """`error:`, `cause:`, `hint:`."""
    yield f"{style.severity('error', 'error:')} {safe(problem.message, 400)}"
    if problem.cause:
        yield f"cause: {safe(problem.cause, 600)}"
    if problem.hint:
        yield f"hint:  {safe(problem.hint, 400)}"


def _model(model: ModelReport, style: Style, *, nodes: bool) -> Iterator[str]:
    if model.totals is not None:
        yield from model_head(model, model.totals, style)
        if nodes:
            yield ""
            yield from node_table(model.nodes, model.totals, style)
        for finding in model.findings:
            yield ""
            yield from _finding(finding, model.totals, style)
        if model.findings:
            yield ""
            yield from _by_rule(model, model.totals)
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
    return f"{style.bold(safe(model.path, 400))}   {' · '.join(facts)}"


def _remarks(model: ModelReport, totals: Totals, style: Style) -> Iterator[str]:
    for note in model.notes:
        yield style.dim(f"  note: {safe(note, 300)}")
    if not totals.uncosted_nodes:
        return
    yield (
        f"  {totals.uncosted_nodes} of {totals.nodes} nodes are not counted: "
        "their cost is unknown, and the totals leave them out"
    )
    for row in model.uncosted[:_MAX_REASONS]:
        count = f"{row.nodes} node{'s' if row.nodes > 1 else ''}"
        yield f"    {count}, first {safe(row.first, 80)}: {safe(row.reason, 300)}"
    if len(model.uncosted) > _MAX_REASONS:
        yield f"    … and {len(model.uncosted) - _MAX_REASONS} more reasons: see --output-format json"


def _finding(finding: Finding, totals: Totals, style: Style) -> Iterator[str]:
    title = style.severity(str(finding.severity), f"{finding.code} {finding.name}")
    excess = ""
    if finding.excess_bytes is not None:
        share = format_share(finding.excess_bytes, totals.memory_access_bytes)
        excess = f"   +{format_bytes(finding.excess_bytes)}  {share}"
    yield f"{title}   {_where(finding)}{excess}"
    yield f"   {safe(finding.message, 600)}"
    if len(finding.sites) > 1:
        yield f"   first: {safe(str(finding.location), 400)}"
    yield f"   {style.dim('help:')}  {safe(finding.help, 600)}"


def _where(finding: Finding) -> str:
    """The sites in a few words: their common place, and how many there are."""
    firsts = [site.location.nodes[0] for site in finding.sites]
    if len(firsts) == 1:
        return safe(str(finding.location), 200)
    place = summarise(firsts)
    count = f"{len(firsts)} places"
    return f"{safe(place, 200)}, {count}" if place else count


def _by_rule(model: ModelReport, totals: Totals) -> Iterator[str]:
    rows = [("", "rule", "findings", "places", "excess", "of total")]
    codes = dict.fromkeys((finding.code, str(finding.severity)) for finding in model.findings)
    for code, severity in sorted(codes):
        group = [f for f in model.findings if (f.code, str(f.severity)) == (code, severity)]
        counted = [f.excess_bytes for f in group if f.excess_bytes is not None]
        rows.append(
            (
                "",
                code if severity != "info" else f"{code} (info)",
                str(len(group)),
                str(sum(len(finding.sites) for finding in group)),
                format_bytes(sum(counted)) if counted else "-",
                format_share(sum(counted), totals.memory_access_bytes) if counted else "-",
            )
        )
    yield from columns(rows, "<<>>>>")


def _closing(report: Report) -> str:
    models = len(report.models)
    counts = {
        severity: sum(finding.severity == severity for finding in report.findings)
        for severity in sorted(Severity, reverse=True)
    }
    found = [
        f"{count} {severity if severity is Severity.INFO else f'{severity}{_s(count)}'}"
        for severity, count in counts.items()
        if count
    ]
    failed = len(report.problems)
    where = f"{models} model{_s(models)}"
    text = f"Found {', '.join(found)} in {where}." if found else f"No findings in {where}."
    if failed:
        text += f" {failed} error{_s(failed)}."
    if found:
        codes = sorted({finding.code for finding in report.findings})
        text += f" Explain one: graphlint rule {codes[0]}"
    return text


def _s(count: int) -> str:
    return "" if count == 1 else "s"
