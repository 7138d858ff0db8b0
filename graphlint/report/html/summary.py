"""The top of the page: the model, its key figures, how it was measured, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from graphlint.problem import Problem
from graphlint.report.html.markup import count, text
from graphlint.results import ModelReport, Totals
from graphlint.times import ModelTimes, NotMeasured
from graphlint.units import format_bytes, format_count, format_seconds

_SHOWN_REASONS = 5
_PROVIDERS = {"cpu": "CPU", "cuda": "CUDA", "tensorrt": "TensorRT"}


def file_name(path: str) -> str:
    """The last part of a path, on any system."""
    return PurePosixPath(path.replace("\\", "/")).name or path


def header(model: ModelReport) -> Iterator[str]:
    """The model's name, where it lies, and its facts."""
    yield '<header class="model">'
    yield '<p class="eyebrow">graphlint profile</p>'
    yield f"<h1>{text(file_name(model.path))}</h1>"
    yield f'<p class="path">{text(model.path, 400)}</p>'
    if model.totals is not None:
        yield from _figures(model, model.totals)
        yield from _facts(model)
        yield from _remarks(model, model.totals)
    for problem in model.errors:
        yield problem_markup(problem)
    yield "</header>"


def problem_markup(problem: Problem) -> str:
    """An error: what is wrong, why, what to do."""
    lines = [f"<p><strong>{text(problem.message, 400)}</strong></p>"]
    lines += [f"<p>{text(line, 600)}</p>" for line in (problem.cause, problem.hint) if line]
    return f'<div class="problem" role="note">{"".join(lines)}</div>'


def _figures(model: ModelReport, totals: Totals) -> Iterator[str]:
    figures = [
        (format_count(totals.multiply_adds), "multiply-adds"),
        (format_bytes(totals.memory_access_bytes), "memory access"),
        (format_count(totals.parameters), "parameters"),
        (f"{totals.nodes:,}", "node" if totals.nodes == 1 else "nodes"),
    ]
    if model.times is not None:
        figures.insert(0, (format_seconds(model.times.wall_seconds), "latency"))
    yield '<dl class="figures">'
    for figure, name in figures:
        yield f"<div><dt>{name}</dt><dd>{_unit_apart(figure)}</dd></div>"
    yield "</dl>"


def _unit_apart(figure: str) -> str:
    number, _, unit = figure.partition(" ")
    return f"{number}<small> {unit}</small>" if unit else number


def _facts(model: ModelReport) -> Iterator[str]:
    yield '<ul class="facts">'
    if model.opset is not None:
        yield f"<li>opset {model.opset}</li>"
    for spelling in model.inputs[:6]:
        yield f"<li>input {text(spelling, 80)}</li>"
    if len(model.inputs) > 6:
        yield f"<li>and {count(len(model.inputs) - 6, 'more input')}</li>"
    yield "</ul>"
    yield f'<p class="measured">{_latency(model.times, model.not_measured)}</p>'


def _latency(times: ModelTimes | None, reason: NotMeasured | None) -> str:
    if times is not None:
        return _measured(times)
    if reason is not None:
        hint = f" {_sentence(reason.hint)}" if reason.hint else ""
        return f"Latency was not measured: {_sentence(reason.reason)}{hint}"
    return "Latency was not measured."


def _sentence(words: str) -> str:
    shown = text(words, 400)
    return shown if shown.endswith((".", "!", "?")) else f"{shown}."


def _measured(times: ModelTimes) -> str:
    provider = _PROVIDERS.get(times.provider, text(times.provider))
    return (
        f"Measured on {provider}, {count(times.threads, 'thread')}, "
        f"optimisation {text(times.optimization)}: median of {count(times.runs, 'run')} in "
        f"{count(times.sessions, 'session')}. Its kernels sum to "
        f"{format_seconds(times.kernel_seconds)}."
    )


def _remarks(model: ModelReport, totals: Totals) -> Iterator[str]:
    notes = [*model.notes, *(model.times.notes if model.times is not None else ())]
    remarks = [f"<li>{text(note, 400)}</li>" for note in notes]
    if totals.uncosted_nodes:
        remarks.append(
            f"<li>{totals.uncosted_nodes:,} of {count(totals.nodes, 'node')} are not counted: "
            "their cost is unknown, and every sum leaves them out.</li>"
        )
    for row in model.uncosted[:_SHOWN_REASONS]:
        remarks.append(
            f"<li>{count(row.nodes, 'node')}, first <code>{text(row.first)}</code>: "
            f"{text(row.reason, 400)}</li>"
        )
    if len(model.uncosted) > _SHOWN_REASONS:
        more = count(len(model.uncosted) - _SHOWN_REASONS, "more reason")
        remarks.append(f"<li>and {more}: see the nodes’ details</li>")
    if remarks:
        yield '<ul class="remarks">'
        yield from remarks
        yield "</ul>"
