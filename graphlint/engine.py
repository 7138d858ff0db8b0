"""The pipeline for one model: read, shapes, costs, rules, report. Knows no rule by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint import registry, shapes
from graphlint.bindings import Bindings
from graphlint.config import Settings, rule_options
from graphlint.costs.totals import Costs, node_costs
from graphlint.errors import GraphlintError
from graphlint.findings import Finding, FoundSite, Location, Severity
from graphlint.fingerprints import fingerprint
from graphlint.graph import GraphView, Node, TensorType
from graphlint.graph_builder import build
from graphlint.model import Model, load
from graphlint.problem import Problem
from graphlint.request import Request
from graphlint.results import ModelReport, NodeReport, Totals, Uncosted
from graphlint.rule import Context, OptionValue, Rule, Site
from graphlint.suppressions import Suppressions

if TYPE_CHECKING:
    from graphlint.regions import Region

Stage = Callable[[str, int], None]
"""Told before each stage: its name, and the bytes of structure that it will work on."""

ChosenRule = tuple[Rule, Mapping[str, OptionValue]]


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
    rules = chosen_rules(settings) if request.want_findings else ()
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
        return _report(request, model, view, costs, rules, notes)
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


def chosen_rules(settings: Settings) -> tuple[ChosenRule, ...]:
    """The rules that the settings ask for, each with its options.

    Raises:
        UsageError: a selector or an ignore means no rule, or an option is wrong.
        PluginError: a rule pack can't be loaded.
    """
    known = registry.rules()
    options = rule_options(settings, known)
    for ignore in settings.per_file_ignores:
        registry.select(ignore.codes, known)
    codes = registry.select((*settings.select, *settings.extend_select), known)
    codes -= registry.select(settings.ignore, known)
    return tuple((rule, options[code]) for code, rule in known.items() if code in codes)


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
    findings, failures = _findings(request, view, costs, rules)
    errors += failures
    return ModelReport(
        path=request.path,
        batch=request.batch,
        opset=view.opsets.get(""),
        inputs=tuple(_spell_input(view, key) for key in view.inputs),
        notes=notes,
        totals=_totals(costs),
        uncosted=_uncosted(view, costs),
        findings=findings,
        nodes=_node_reports(request, view, costs) if request.want_nodes else (),
        errors=tuple(errors),
    )


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


def dtype_name(dtype: int) -> str:
    """`float32` for a `TensorProto.DataType`; its number where the name is not known."""
    from onnx import TensorProto

    try:
        name = str(TensorProto.DataType.Name(dtype)).lower()
    except ValueError:
        return f"type {dtype}"
    return {"float": "float32", "double": "float64", "undefined": "untyped"}.get(name, name)


def _node_reports(request: Request, view: GraphView, costs: Costs) -> tuple[NodeReport, ...]:
    regions: Mapping[int, str] = {}
    if request.want_regions:
        from graphlint.regions import find_regions

        regions = _innermost(find_regions(view, costs.shape_arithmetic))
    return tuple(
        NodeReport(
            node.index,
            node.path,
            node.name,
            node.op,
            node.domain,
            cost,
            regions.get(node.index, ""),
        )
        for node, cost in zip(view.nodes, costs.nodes, strict=True)
    )


def _innermost(regions: Iterable[Region]) -> Mapping[int, str]:
    names: dict[int, str] = {}
    for region in regions:  # innermost first
        for node in (*region.nodes, region.join):
            names.setdefault(node.index, region.join.path)
    return names


# Findings


def _findings(
    request: Request, view: GraphView, costs: Costs, rules: tuple[ChosenRule, ...]
) -> tuple[tuple[Finding, ...], list[Problem]]:
    """The findings of the rules, and one problem for each rule that fails."""
    settings = request.settings
    suppressions = Suppressions(request.path, view, settings.per_file_ignores)
    floor = settings.min_excess * costs.total.memory_access_bytes
    findings: list[Finding] = []
    problems = []
    for rule, options in rules:
        try:
            sites = list(rule.check(Context(view, costs, options)))
        except Exception as error:  # a rule is a plug-in: its crash is its own
            problems.append(_rule_failure(request.path, rule, error))
            continue
        kept = [
            site
            for site in sites
            if not suppressions.silent(rule.code, site.nodes[0])
            and (not request.only or any(node.path == request.only for node in site.nodes))
        ]
        findings += _fold(request, view, rule, kept, 0 if request.only else floor)
    return tuple(sorted(findings, key=_order)), problems


def _rule_failure(path: str, rule: Rule, error: Exception) -> Problem:
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return Problem(
        f"{path}: the rule {rule.code} failed",
        f"{type(error).__name__}: {error}{place}; the other rules went on",
        f"report it to the rule's authors: {rule.pack}; leave it out with --ignore {rule.code}",
    )


def _fold(
    request: Request, view: GraphView, rule: Rule, sites: list[Site], floor: float
) -> Iterable[Finding]:
    """Like sites as one finding; none of a severity whose excess stays below the floor."""
    default = request.settings.severity.get(rule.code)
    severity = Severity.parse(default) if default is not None else rule.severity
    groups: dict[tuple[Severity, str, str], list[Site]] = {}
    sums: dict[Severity, int] = {}
    for site in sites:
        own = severity if site.severity is None else min(site.severity, severity)
        groups.setdefault((own, site.message, site.help), []).append(site)
        sums[own] = sums.get(own, 0) + (site.excess_bytes or 0)
    for (own, message, advice), alike in groups.items():
        counted = [site.excess_bytes for site in alike if site.excess_bytes is not None]
        if counted and sums[own] < floor:
            continue
        yield Finding(
            code=rule.code,
            name=rule.name,
            severity=own,
            message=message,
            help=advice,
            sites=tuple(
                FoundSite(
                    Location(request.path, tuple(node.path for node in site.nodes)),
                    site.excess_bytes,
                )
                for site in alike
            ),
            excess_bytes=sum(counted) if counted else None,
            fingerprint=fingerprint(view, rule.code, alike),
            fixable=any(site.fixable for site in alike),
        )


def _order(finding: Finding) -> tuple[int, int, str, str]:
    """Warnings before info, the largest excess first; ties by code and place."""
    excess = -1 if finding.excess_bytes is None else finding.excess_bytes
    return (-finding.severity, -excess, finding.code, str(finding.location))
