"""The findings: a line a rule, and under it each finding with the way to its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphlint.findings import Finding, Severity
from graphlint.report.html.markup import count, section, text
from graphlint.report.places import summarise
from graphlint.results import ModelReport, Totals
from graphlint.units import format_bytes, format_seconds, format_share

_SHOWN = 12
"""Findings shown of one rule; the table's filter shows the rest."""
_SHOWN_NODES = 4


def rules(model: ModelReport, totals: Totals, number: int) -> str:
    """The section of findings; `number` is the model's on the page."""
    identity = f"m{number}-findings"
    if not model.findings:
        return section(identity, "Findings", "Nothing was found.", [])
    body = list(_summary(model, totals, number))
    return section(identity, "Findings", _lead(model), body)


def _lead(model: ModelReport) -> str:
    told = []
    for severity in sorted(Severity, reverse=True):
        number = sum(finding.severity is severity for finding in model.findings)
        if number:
            told.append(
                f"{number:,} for information"
                if severity is Severity.INFO
                else count(number, str(severity))
            )
    return ", ".join(told) + ". Excess is what is moved beyond need."


def _summary(model: ModelReport, totals: Totals, number: int) -> Iterator[str]:
    positions = {finding: place for place, finding in enumerate(model.findings)}
    indices = {node.path: place for place, node in enumerate(model.nodes)}
    measured = any(finding.seconds is not None for finding in model.findings)
    yield '<div class="rules">'
    for group in _groups(model.findings):
        yield "<details>"
        yield f"<summary>{_heading(group, totals, measured)}</summary>"
        for advice in dict.fromkeys(finding.help for finding in group[:_SHOWN] if finding.help):
            yield f'<p class="help"><strong>What to do:</strong> {text(advice, 600)}</p>'
        yield '<ol class="found">'
        for finding in group[:_SHOWN]:
            yield _finding(finding, totals, number, positions[finding], indices)
        yield "</ol>"
        if len(group) > _SHOWN:
            yield (
                f'<p class="more">… and {count(len(group) - _SHOWN, "more finding")}: '
                f"filter the nodes by “{text(group[0].code)}”.</p>"
            )
        yield "</details>"
    yield "</div>"


def _heading(group: Sequence[Finding], totals: Totals, measured: bool) -> str:
    first = group[0]
    excess = _sum(finding.excess_bytes for finding in group)
    seconds = _sum(finding.seconds for finding in group)
    cells = [
        f'<span class="sev sev-{first.severity}">{first.severity}</span>',
        f'<span class="code">{text(first.code)}</span>',
        f'<span class="rule">{text(first.name)}</span>',
    ]
    figures = [
        count(sum(len(finding.sites) for finding in group), "place"),
        "" if excess is None else f"+{format_bytes(round(excess))}",
        _share(excess, totals),
    ]
    if measured:
        figures.append("" if seconds is None else f"{format_seconds(seconds)} in nodes")
    spans = "".join(f"<span>{figure}</span>" for figure in figures)
    return f'{"".join(cells)}<span class="sums">{spans}</span>'


def _finding(
    finding: Finding, totals: Totals, number: int, place: int, indices: Mapping[str, int]
) -> str:
    known = [indices[path] for path in finding.nodes if path in indices]
    facts = []
    if finding.excess_bytes is not None:
        share = _share(finding.excess_bytes, totals)
        facts.append(f"+{format_bytes(finding.excess_bytes)} ({share})")
    if finding.seconds is not None:
        facts.append(format_seconds(finding.seconds))
    firsts = [site.location.nodes[0] for site in finding.sites if site.location.nodes]
    where = summarise(firsts) if len(firsts) > 1 else ""
    if len(finding.sites) > 1:
        facts.append(f"{count(len(finding.sites), 'place')}{': ' if where else ''}{text(where)}")
    lines = [f"<p>{text(finding.message, 600)}</p>"]
    if facts:
        lines.append(f'<p class="quiet">{" · ".join(facts)}</p>')
    paths = finding.nodes[:_SHOWN_NODES]
    links = [_link(path, number, indices) for path in paths]
    if len(finding.nodes) > 1 and known:
        links.append(
            f'<button type="button" class="all" data-model="{number}" data-finding="{place}">'
            f"show {count(len(known), 'node')} in the table</button>"
        )
    lines.append(f'<p class="links">{" ".join(links)}</p>')
    return f"<li>{''.join(lines)}</li>"


def _link(path: str, number: int, indices: Mapping[str, int]) -> str:
    if path not in indices:
        return f"<code>{text(path)}</code>"
    return (
        f'<button type="button" class="node" data-model="{number}" '
        f'data-node="{indices[path]}">{text(path)}</button>'
    )


def _share(excess: float | None, totals: Totals) -> str:
    return "" if excess is None else format_share(round(excess), totals.memory_access_bytes)


def _sum(figures: Iterator[float | None] | Iterator[int | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None


def _groups(findings: Sequence[Finding]) -> list[list[Finding]]:
    """By severity and rule, those of the largest excess first; within one, as they came."""
    groups: dict[tuple[int, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((-finding.severity, finding.code), []).append(finding)
    ranks = {
        key: (key[0], -(_sum(f.excess_bytes for f in group) or 0), key[1])
        for key, group in groups.items()
    }
    return [groups[key] for key in sorted(groups, key=lambda key: ranks[key])]
