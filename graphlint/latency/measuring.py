"""The pipeline of a measurement, as the child runs it: read, optimise, attribute, time, share."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median
from typing import TYPE_CHECKING, Any

from graphlint import registry, shapes
from graphlint.bindings import Bindings
from graphlint.costs.contract import NodeCost
from graphlint.costs.totals import node_costs
from graphlint.errors import GraphlintError
from graphlint.external_data import external_problems
from graphlint.graph import GraphView
from graphlint.graph_builder import build
from graphlint.latency import engines, inputs, shares
from graphlint.latency.anchors import read
from graphlint.latency.attribution import attribute
from graphlint.latency.prepared import Prepared, prepare
from graphlint.latency.protocol import Stage, Timings, measure_kernels, measure_plain
from graphlint.latency.request import MeasureRequest, PlainTimes
from graphlint.latency.session import LatencyError, Setup, resolve_provider
from graphlint.model import Model, load
from graphlint.times import Kernel, ModelTimes, NodeTime, NotMeasured

if TYPE_CHECKING:
    import numpy as np

    Feed = dict[str, np.ndarray[Any, Any]]


def run(request: MeasureRequest, stage: Stage) -> ModelTimes | PlainTimes | NotMeasured:
    """Measure one model; what is refused is a value."""
    try:
        return _run(request, stage)
    except (GraphlintError, MemoryError) as error:
        return refusal(error)


def refusal(error: GraphlintError | MemoryError) -> NotMeasured:
    """What became of a model that can't be measured."""
    if isinstance(error, MemoryError):
        return NotMeasured("out of memory", "give smaller shapes, or more memory")
    is_usage = isinstance(error, LatencyError) and error.is_usage
    return NotMeasured(str(error), error.hint, is_usage)


def _run(request: MeasureRequest, stage: Stage) -> ModelTimes | PlainTimes:
    started = time.perf_counter()
    assert request.folder is not None
    setup = Setup(request.provider, request.threads, request.optimization)
    resolve_provider(setup.provider)
    stage("read")
    model = load(request.path, file=request.file)
    view, feed = view_and_feed(request, model)
    if request.plain_only:
        plain = measure_plain(model.file, feed, setup, request.time_budget, stage)
        return PlainTimes(plain)
    if setup.provider in engines.PROVIDERS:
        whole = Prepared(model.file, model.proto, 0, 0, setup.optimization)
    else:
        stage("optimise")
        whole = prepare(model.file, view.inputs, setup, request.folder)
    stage("attribute")
    attribution = attribute(view, whole.proto) if whole.kernels else None
    try:
        timings = measure_kernels(
            whole, feed, setup, request.time_budget, request.folder, stage, started
        )
    except LatencyError as error:
        raise type(error)(
            error.message, cause=whole.readable(error.cause), hint=error.hint
        ) from error
    if attribution is None:
        measured, fates = engines.kernels(view, timings)
    else:
        measured = shares.kernels(attribution, timings, read(whole.proto).kernels)
        fates = tuple(fate.how for fate in attribution.fates)
    nodes = shares.node_times(fates, measured, _costs(view))
    return _result(setup, timings, measured, nodes)


def _result(
    setup: Setup,
    timings: Timings,
    measured: tuple[Kernel, ...],
    nodes: tuple[NodeTime, ...],
) -> ModelTimes:
    """The times of a model from those of its sessions."""
    wall = tuple(session.wall for session in timings.sessions)
    cpu = tuple(session.cpu for session in timings.sessions)
    return ModelTimes(
        nodes=nodes,
        kernels=measured,
        wall_seconds=median(wall),
        cpu_seconds=median(cpu),
        sessions=len(timings.sessions),
        runs=sum(session.runs for session in timings.sessions),
        busy_factor=timings.busy_factor,
        provider=setup.provider,
        threads=setup.threads,
        optimization=setup.optimization,
        constant_seconds=median(session.constant for session in timings.sessions),
        wall_by_session=wall,
        cpu_by_session=cpu,
        notes=timings.notes,
    )


def view_and_feed(request: MeasureRequest, model: Model) -> tuple[GraphView, Feed]:
    """The view with the shapes that the model is run with, and what it is fed.

    Raises:
        ModelError: it has external data that may not be opened, or can't be.
    """
    for problem in external_problems(request.path, model.file, model.proto):
        raise problem  # the runtime opens them itself
    view = build(model)
    bindings = request.bindings
    given: Mapping[str, np.ndarray[Any, Any]] | None = None
    if request.input_data is not None:
        given = inputs.load(request.input_data)
        inputs.check(given, view)
        bound = {name: tuple(array.shape) for name, array in given.items()}
        bindings = Bindings(bound, bindings.dims, strict=False)
    if request.infer_shapes:
        view, _ = shapes.infer(view, bindings, model.payload)
    else:
        view, _ = shapes.declared_only(view, bindings, "shapes were not inferred")
    return view, dict(given if given is not None else inputs.make(view))


def _costs(view: GraphView) -> tuple[NodeCost, ...]:
    return node_costs(view, registry.handles()).nodes
