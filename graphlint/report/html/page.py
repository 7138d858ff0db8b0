"""The whole page, put together."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files

from graphlint.report.html.markup import data, text
from graphlint.report.html.roofline import roofline
from graphlint.report.html.rules import rules
from graphlint.report.html.shares import shares
from graphlint.report.html.sheets import summary_article
from graphlint.report.html.strip import Block, blocks, strip
from graphlint.report.html.summary import file_name, header, problem_markup
from graphlint.report.html.table import payload, table
from graphlint.report.sheet import Summary
from graphlint.results import ModelReport, Report
from graphlint.times import Ceilings

_SCRIPTS = ("errors.js", "table.js", "page.js")


def render(report: Report, ceilings: Ceilings | None = None, summary: Summary | None = None) -> str:
    """The report as one HTML file that loads nothing.

    Models should have their nodes, with regions, and their findings. `ceilings` are drawn into the
    rooflines of the models that were measured. `summary` stands above the models.
    """
    return "\n".join(_document(report, ceilings, summary)) + "\n"


def _document(report: Report, ceilings: Ceilings | None, summary: Summary | None) -> Iterator[str]:
    script = "".join(_asset(name) for name in _SCRIPTS)
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f'<meta name="generator" content="graphlint {text(report.version)}">'
    yield f"<title>{_title(report)}</title>"
    yield f"<style>\n{_asset('page.css')}</style>"
    yield "</head>"
    yield "<body>"
    yield from _top(report, summary)
    yield '<main id="main" tabindex="-1">'
    for problem in report.errors:
        yield problem_markup(problem)
    if summary is not None:
        yield from summary_article(summary)
    payloads = []
    for number, model in enumerate(report.models):
        drawn = blocks(model.nodes)
        yield from _model(model, drawn, ceilings, number)
        if model.totals is not None and model.nodes:
            payloads.append({"number": number, **payload(model, model.totals, drawn)})
    yield "</main>"
    yield f"<footer>graphlint {text(report.version)}</footer>"
    yield f'<script type="application/json" id="data">{data(payloads)}</script>'
    yield f"<script>{script}</script>"
    yield "</body>"
    yield "</html>"


def _policy(script: str) -> str:
    """Nothing is loaded, and only this page's own script runs."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _title(report: Report) -> str:
    names = ", ".join(file_name(model.path) for model in report.models[:3])
    return f"{text(names, 120)} · graphlint profile" if names else "graphlint profile"


def _top(report: Report, summary: Summary | None) -> Iterator[str]:
    yield '<a class="skip" href="#main">Skip to the report</a>'
    yield '<nav class="top" aria-label="Parts of the report">'
    yield '<div class="parts">'
    if summary is not None:
        yield f'<a class="name" href="#summary">{text(summary.title)}</a>'
    for number, model in enumerate(report.models):
        if len(report.models) > 1:
            yield f'<a class="name" href="#m{number}">{text(file_name(model.path), 40)}</a>'
        elif model.totals is not None and model.nodes:
            yield from _links(model, number)
    yield "</div>"
    yield '<button type="button" id="theme" hidden>Theme: auto</button>'
    yield "</nav>"


def _links(model: ModelReport, number: int) -> Iterator[str]:
    parts = [("findings", "Findings"), ("shares", "Cost"), ("graph", "Graph"), ("nodes", "Nodes")]
    if model.times is not None:
        parts.insert(2, ("roofline", "Roofline"))
    for part, title in parts:
        yield f'<a href="#m{number}-{part}">{title}</a>'


def _model(
    model: ModelReport, drawn: tuple[Block, ...], ceilings: Ceilings | None, number: int
) -> Iterator[str]:
    yield f'<article id="m{number}" class="report">'
    yield from header(model)
    if model.totals is not None and model.nodes:
        yield rules(model, model.totals, number)
        yield shares(model, number)
        chart = roofline(model, ceilings, number)
        if chart is not None:
            yield chart
        yield strip(model, drawn, number)
        yield table(model, number)
    yield "</article>"


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
