"""From the graph and costs of one model to its findings: runs the rules, folds like sites.

Knows no rule by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint import registry
from graphlint.config import Settings
from graphlint.costs.totals import Costs
from graphlint.findings import Finding, FoundSite, Location, Predicted, Severity
from graphlint.fingerprints import fingerprint, of_finding
from graphlint.graph import GraphView
from graphlint.problem import Problem
from graphlint.request import Request
from graphlint.results import IgnoreUse
from graphlint.rule import Context, OptionValue, Rule, Site
from graphlint.rule_settings import model_limits, rule_options
from graphlint.suppressions import Suppressions

if TYPE_CHECKING:
    from graphlint.pricing import Pricer


@dataclass(frozen=True, slots=True)
class ChosenRule:
    """A rule that is to run, its options, and the model's budget where the rule has one."""

    rule: Rule
    options: Mapping[str, OptionValue]
    limit: int | None


@dataclass(frozen=True, slots=True)
class Lint:
    """What the rules have to say of a model; `ran` are the codes of those that did not fail."""

    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    ran: tuple[str, ...] = ()
    ignores: tuple[IgnoreUse, ...] = ()


def chosen_rules(settings: Settings, path: str) -> tuple[ChosenRule, ...]:
    """The rules that the settings ask for, ready for the model at `path`.

    A rule that holds models to a budget runs where one is set.

    Raises:
        UsageError: a selector or an ignore means no rule, or an option or a budget is wrong.
        PluginError: a rule pack can't be loaded.
    """
    known = registry.rules()
    options = rule_options(settings, known)
    limits = model_limits(settings, path, known)
    for ignore in settings.per_file_ignores:
        registry.select(ignore.codes, known)
    codes = registry.select((*settings.select, *settings.extend_select), known)
    codes -= registry.select(settings.ignore, known)
    return tuple(
        ChosenRule(rule, options[code], limits.get(code))
        for code, rule in known.items()
        if code in codes and (rule.budget is None or code in limits)
    )


def lint(
    request: Request,
    view: GraphView,
    costs: Costs,
    rules: Iterable[ChosenRule],
    pricer: Pricer | None = None,
) -> Lint:
    """The findings of the rules, priced by `pricer`, and one problem for each rule that fails."""
    settings = request.settings
    suppressions = Suppressions(request.path, view, settings, registry.rules())
    floor = 0 if request.only else settings.min_excess * costs.total.memory_access_bytes
    findings: list[Finding] = []
    problems: list[Problem] = []
    ran: list[str] = []
    device = request.device if request.device_is_named else None
    for chosen in rules:
        rule = chosen.rule
        try:
            context = Context(view, costs, chosen.options, chosen.limit, device)
            sites = list(rule.check(context))
        except Exception as error:  # a rule is a plug-in: its crash is its own
            problems.append(_failure(request.path, rule, error))
            continue
        ran.append(rule.code)
        kept = [site for site in sites if not _is_silent(suppressions, rule, site)]
        price = None if pricer is None else partial(pricer.together, context, rule)
        findings += _fold(request, view, rule, _asked_for(request, kept), floor, price)
    # What is not counted may be what an ignore is there for.
    judged = ran if not costs.uncosted else []
    return Lint(
        tuple(sorted(findings, key=_order)),
        tuple(problems),
        suppressions.notes(judged),
        tuple(ran),
        suppressions.uses(judged),
    )


def _is_silent(suppressions: Suppressions, rule: Rule, site: Site) -> bool:
    return suppressions.silent(rule.code, site.nodes[0] if site.nodes else None)


def _asked_for(request: Request, sites: list[Site]) -> list[Site]:
    if not request.only:
        return sites
    return [site for site in sites if any(node.path == request.only for node in site.nodes)]


def _failure(path: str, rule: Rule, error: Exception) -> Problem:
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return Problem(
        f"{path}: the rule {rule.code} failed",
        f"{type(error).__name__}: {error}{place}; the other rules went on",
        f"report it to the rule's authors: {rule.pack}; leave it out with --ignore {rule.code}",
    )


def _fold(
    request: Request,
    view: GraphView,
    rule: Rule,
    sites: list[Site],
    floor: float,
    price: Callable[[list[Site]], Predicted] | None,
) -> Iterator[Finding]:
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
        predicted = None if price is None else price(alike)
        if rule.by_price and request.device_is_named and not _pays(predicted):
            continue
        found = tuple(_found(request.path, view, rule.code, site) for site in alike)
        yield Finding(
            code=rule.code,
            name=rule.name,
            severity=own,
            message=message,
            help=advice,
            sites=found,
            excess_bytes=sum(counted) if counted else None,
            fingerprint=of_finding(site.fingerprint for site in found),
            fixable=any(site.fixable for site in alike),
            predicted=predicted,
        )


def _pays(predicted: Predicted | None) -> bool:
    """Whether a price is above its error, or can't be told."""
    return (
        predicted is None or predicted.seconds is None or predicted.seconds > predicted.plus_minus
    )


def _found(path: str, view: GraphView, code: str, site: Site) -> FoundSite:
    return FoundSite(
        Location(path, tuple(node.path for node in site.nodes)),
        site.excess_bytes,
        fingerprint(view, code, site.nodes),
    )


def _order(finding: Finding) -> tuple[int, float, int, str, str]:
    """Warnings before info, the dearest and then the largest excess first; ties by code and place.

    What has no price stands behind what saves time and before what costs it.
    """
    excess = -1 if finding.excess_bytes is None else finding.excess_bytes
    saving = finding.predicted.seconds if finding.predicted is not None else None
    return (-finding.severity, -(saving or 0.0), -excess, finding.code, str(finding.location))
