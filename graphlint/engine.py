"""The pipeline for one model: read, shapes, costs, rules, report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from graphlint import registry, shapes
from graphlint.bindings import Bindings
from graphlint.costs.contract import Category, NodeCost
from graphlint.costs.totals import Costs, node_costs
from graphlint.errors import GraphlintError
from graphlint.external_data import external_locations
from graphlint.graph import GraphView, Node, TensorType
from graphlint.graph_builder import build
from graphlint.linting import ChosenRule, Lint, chosen_rules, lint
from graphlint.model import Model, load
from graphlint.problem import Problem
from graphlint.request import Request
from graphlint.results import ModelReport, NodeReport, Totals, Uncosted
from graphlint.structure.facts import dtype_name

if TYPE_CHECKING:
    from graphlint.pricing import Pricer
    from graphlint.regions import Region
    from graphlint.structure import Structure

Stage = Callable[[str, int], None]
"""Told before each stage: its name, and the bytes of structure that it will work on."""


def check(request: Request, stage: Stage = lambda name, size: None) -> ModelReport:
    """Check one model; what is wrong with the model is part of the report, never raised.

    Raises:
        UsageError: the settings name no rule, or an option that a rule does not have.
        PluginError: a rule pack can't be loaded.
    """
    settings = request.settings
    bindings = Bindings.parse(
        settings.input_shape, settings.dim, strict=request.strict_shapes, batch=request.batch
    )
    rules = chosen_rules(settings, request.path) if request.want_findings else ()
    handles = registry.handles()
    try:
        stage("read", 0)
        model = load(request.path, file=request.file)
        stage("graph", model.structure_bytes)
        view = build(model)
        stage("shapes", model.structure_bytes)
        view, notes = _with_shapes(request, model, view, bindings)
        stage("rules", model.structure_bytes)
        costs = node_costs(view, handles)
        report = _report(request, model, view, costs, rules, notes)
        if request.want_structure:
            structure = _structure(request, model, view, costs, stage)
            report = replace(report, structure=structure)
        return report
    except GraphlintError as error:
        return ModelReport(request.path, errors=(Problem.of(error),))
    except MemoryError:
        return ModelReport(
            request.path,
            errors=(
                Problem(
                    f"{request.path}: out of memory",
                    "reading its structure takes more memory than graphlint allows itself",
                    "check the parts of the model on their own",
                ),
            ),
        )


def _with_shapes(
    request: Request, model: Model, view: GraphView, bindings: Bindings
) -> tuple[GraphView, tuple[str, ...]]:
    if request.infer_shapes:
        return shapes.infer(view, bindings, model.payload)
    reason = request.why.cause if request.why is not None else "shapes were not inferred"
    return shapes.declared_only(view, bindings, reason)


def _report(
    request: Request,
    model: Model,
    view: GraphView,
    costs: Costs,
    rules: tuple[ChosenRule, ...],
    notes: tuple[str, ...],
) -> ModelReport:
    errors = [Problem.of(error) for error in model.problems]
    if request.why is not None:
        errors.append(request.why)
    pricer = None
    if request.device is not None:
        from graphlint.pricing import Pricer

        pricer = Pricer(view, costs, request.device, registry.handles())
    linted = lint(request, view, costs, rules, pricer) if request.want_findings else Lint()
    errors += linted.problems
    return ModelReport(
        path=request.path,
        batch=request.batch,
        opset=view.opsets.get(""),
        inputs=tuple(_spell_input(view, key) for key in view.inputs),
        notes=(*notes, *(_scope_notes(costs) if request.want_findings else ()), *linted.notes),
        totals=_totals(costs),
        uncosted=_uncosted(view, costs),
        findings=linted.findings,
        nodes=_node_reports(request, view, costs, pricer) if request.want_nodes else (),
        errors=tuple(errors),
        rules=linted.ran,
        ignores=linted.ignores,
        predicted=None if pricer is None else pricer.run(),
        device=None if request.device is None else request.device.device,
    )


def _scope_notes(costs: Costs) -> tuple[str, ...]:
    """What to know where the guidelines are asked about a model that they were not made for."""
    if any(cost.category is Category.CONVOLUTION for cost in costs.nodes):
        return ()
    return (
        "no node is a convolution: the guidelines were measured on convolutional networks and have "
        "little to say here; costs hold all the same",
    )


def _structure(
    request: Request, model: Model, view: GraphView, costs: Costs, stage: Stage
) -> Structure:
    from graphlint.structure.read import read

    digest = None
    if request.want_weights:
        from graphlint.structure.weights import Digests

        digest = Digests(model, view, registry.handles())
        stage("weights", model.structure_bytes + digest.weight_bytes // 1000)
    return read(view, costs, registry.handles(), external_locations(model.proto), digest)


def _totals(costs: Costs) -> Totals:
    total = costs.total
    return Totals(
        nodes=len(costs.nodes),
        uncosted_nodes=costs.uncosted,
        multiply_adds=total.multiply_adds,
        element_operations=total.element_operations,
        memory_access_elements=total.memory_access_elements,
        memory_access_bytes=total.memory_access_bytes,
        parameters=total.parameters,
    )


def _uncosted(view: GraphView, costs: Costs) -> tuple[Uncosted, ...]:
    """The reasons for unknown costs, the most frequent first."""
    groups: dict[str, list[Node]] = {}
    for node, cost in zip(view.nodes, costs.nodes, strict=True):
        if cost.unknown is not None:
            groups.setdefault(cost.unknown, []).append(node)
    rows = [Uncosted(reason, len(nodes), nodes[0].path) for reason, nodes in groups.items()]
    return tuple(sorted(rows, key=lambda row: -row.nodes))


def _spell_input(view: GraphView, key: str) -> str:
    type_ = view.type(key)
    if not isinstance(type_, TensorType):
        return "not a tensor"
    dims = (
        "?"
        if type_.shape is None
        else "x".join("?" if dim is None else str(dim) for dim in type_.shape)
    )
    return f"{dims or 'scalar'} {dtype_name(type_.dtype)}"


def _node_reports(
    request: Request, view: GraphView, costs: Costs, pricer: Pricer | None
) -> tuple[NodeReport, ...]:
    regions: Mapping[int, str] = {}
    if request.want_regions:
        from graphlint.regions import find_regions

        regions = _innermost(find_regions(view, costs.shape_arithmetic))
    shared: dict[NodeCost, NodeCost] = {}  # equal costs as one object: less to send and to hold
    return tuple(
        NodeReport(
            node.index,
            node.path,
            node.name,
            node.op,
            node.domain,
            shared.setdefault(cost, cost),
            regions.get(node.index, ""),
            predicted_seconds=None
            if pricer is None
            else pricer.prediction.nodes[node.index].seconds,
        )
        for node, cost in zip(view.nodes, costs.nodes, strict=True)
    )


def _innermost(regions: Iterable[Region]) -> Mapping[int, str]:
    names: dict[int, str] = {}
    for region in regions:  # innermost first
        for node in (*region.nodes, region.join):
            names.setdefault(node.index, region.join.path)
    return names
