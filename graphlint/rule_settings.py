"""What settings say of single rules: options, severities and budgets, held against the rules."""

from __future__ import annotations

from collections.abc import Mapping

from graphlint.config import ModelBudgets, Settings
from graphlint.errors import ConfigError
from graphlint.patterns import matches_file
from graphlint.registry import did_you_mean
from graphlint.rule import Budget, Option, OptionValue, Rule
from graphlint.units import parse_bytes, parse_count


def rule_options(
    settings: Settings, rules: Mapping[str, Rule]
) -> Mapping[str, Mapping[str, OptionValue]]:
    """Every rule's options: the defaults with what is configured.

    Raises:
        ConfigError: an unknown rule or option, or a value of the wrong type.
    """
    for table, codes in (("rules", settings.rules), ("severity", settings.severity)):
        for code in codes:
            if code not in rules:
                raise ConfigError(
                    f"{settings.origins.get(table, table)}: no rule {code!r} for {table}",
                    cause=f"the rules are {', '.join(rules)}",
                    hint=did_you_mean(code, rules) or "see `graphlint rule`",
                )
    options = {}
    for code, rule in rules.items():
        given = settings.rules.get(code, {})
        known = {option.name: option for option in rule.options}
        for name, value in given.items():
            _check_option(settings, code, name, value, known)
        options[code] = {name: option.default for name, option in known.items()} | dict(given)
    return options


def _check_option(
    settings: Settings, code: str, name: str, value: object, known: Mapping[str, Option]
) -> None:
    origin = settings.origins.get("rules", "rules")
    option = known.get(name)
    if option is None:
        raise ConfigError(
            f"{origin}: {code} has no option {name!r}",
            cause=f"its options are {', '.join(known)}" if known else "it has no options",
            hint=did_you_mean(name, known) or f"see `graphlint rule {code}`",
        )
    kind = type(option.default)
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        fits = True
    low = option.minimum is not None and isinstance(value, int | float) and value < option.minimum
    if not fits or low:
        bound = f" of at least {option.minimum:g}" if option.minimum is not None else ""
        raise ConfigError(
            f"{origin}: {code} {name} = {value!r}",
            cause=f"it is a {kind.__name__}{bound}; the default is {option.default!r}",
            hint=f"see `graphlint rule {code}`",
        )


def model_limits(settings: Settings, path: str, rules: Mapping[str, Rule]) -> Mapping[str, int]:
    """The budgets of the model at `path`, by the code of the rule that holds it to them.

    Where several patterns match, the last one wins, limit by limit.

    Raises:
        ConfigError: an unknown budget, or a limit that is none.
    """
    known = {rule.budget.name: rule for rule in rules.values() if rule.budget is not None}
    limits: dict[str, int] = {}
    for budgets in settings.budgets:
        given = {known[name].code: limit for name, limit in _parsed(budgets, known).items()}
        if matches_file(path, budgets.pattern, budgets.root):
            limits |= given
    return limits


def _parsed(budgets: ModelBudgets, known: Mapping[str, Rule]) -> Mapping[str, int]:
    parsed = {}
    for name, value in budgets.limits:
        rule = known.get(name)
        if rule is None or rule.budget is None:
            raise ConfigError(
                f'{budgets.origin}: no budget {name!r} for "{budgets.pattern}"',
                cause=f"the budgets are {', '.join(known)}",
                hint=did_you_mean(name, known) or "see `graphlint rule`",
            )
        parsed[name] = _limit(budgets, rule.budget, rule.code, value)
    return parsed


def _limit(budgets: ModelBudgets, budget: Budget, code: str, value: object) -> int:
    parse = parse_bytes if budget.unit == "bytes" else parse_count
    spelt = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    try:
        return parse(spelt if isinstance(spelt, str) else "")
    except ValueError as error:
        raise ConfigError(
            f'{budgets.origin}: {budget.name} = {value!r} for "{budgets.pattern}"',
            cause=f"it is {budget.description}, {error}",
            hint=f"see `graphlint rule {code}`",
        ) from error
