"""Settings: the defaults, a configuration file, the command line; each wins over the one before.

The nearest `graphlint.toml`, or `pyproject.toml` with a `[tool.graphlint]` table, at or above a
model's folder configures that model. `extend` names a file whose settings stand below its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlint.errors import ConfigError, UsageError
from graphlint.findings import Severity
from graphlint.registry import ALL, did_you_mean
from graphlint.regular_file import read_small

if TYPE_CHECKING:
    from graphlint.rule import OptionValue

FILE_NAME = "graphlint.toml"
PYPROJECT = "pyproject.toml"
_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Ignore:
    """`codes` are not reported where `pattern` matches: `old/*.onnx` or `m.onnx::*/head/*`.

    `root` is the folder of the configuration file `origin` (`graphlint.patterns`).
    """

    pattern: str
    codes: tuple[str, ...]
    root: str
    reason: str = ""
    origin: str = ""

    @property
    def file_pattern(self) -> str:
        """The part of the pattern that means files."""
        return self.pattern.partition("::")[0]


@dataclass(frozen=True, slots=True)
class ModelBudgets:
    """Limits, as they were spelt, of the models that `pattern` matches: name and value."""

    pattern: str
    limits: tuple[tuple[str, int | str], ...]
    root: str
    origin: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides how one model is checked. `origins` tells where each setting came from."""

    select: tuple[str, ...] = (ALL,)
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: str = "warning"
    min_excess: float = 0.01
    severity: Mapping[str, str] = field(default_factory=dict)
    per_file_ignores: tuple[Ignore, ...] = ()
    require_ignore_reason: bool = False
    budgets: tuple[ModelBudgets, ...] = ()
    baseline: str = ""
    input_shape: tuple[str, ...] = ()
    dim: tuple[str, ...] = ()
    device_profile: str = ""
    exclude: tuple[str, ...] = ()
    rules: Mapping[str, Mapping[str, OptionValue]] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    def override(self, origin: str, **given: Any) -> Settings:
        """The settings with those of `given` that are not None, said to come from `origin`."""
        chosen = {name: value for name, value in given.items() if value is not None}
        return replace(self, **chosen, origins={**self.origins, **dict.fromkeys(chosen, origin)})


FAIL_ON = ("error", "warning", "info", "never")
SEVERITIES = tuple(str(severity) for severity in Severity)


def for_folder(folder: Path) -> Settings:
    """The settings of the nearest configuration file at or above `folder`, else the defaults.

    Raises:
        ConfigError: that file can't be used.
    """
    for candidate in (folder, *folder.parents):
        path = candidate / FILE_NAME
        if path.is_file():
            return from_file(path)
        path = candidate / PYPROJECT
        if path.is_file() and _table(path) is not None:
            return from_file(path)
    return Settings()


def from_file(path: Path) -> Settings:
    """The settings of one configuration file and of those that it extends.

    Raises:
        ConfigError: the file is missing or broken, or has an unknown key or a wrong value.
    """
    return _from_file(path, ())


def _from_file(path: Path, extending: tuple[Path, ...]) -> Settings:
    if path in extending:
        raise ConfigError(
            f"{path}: extends itself",
            cause=" → ".join(map(str, (*extending, path))),
            hint="break the circle",
        )
    table = dict(_table(path) or {})
    base = Settings()
    if "extend" in table:
        target = table.pop("extend")
        if not isinstance(target, str):
            raise _wrong(path, "extend", target, "a path")
        base = _from_file((path.parent / target).resolve(), (*extending, path))
    return _apply(base, table, path)


def _table(path: Path) -> Mapping[str, Any] | None:
    import tomllib  # not where settings are only held

    try:
        document = tomllib.loads(read_small(path, _MOST_BYTES).decode("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file", hint="check the path of the configuration"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: can't be read", cause=error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:  # of TOML, of UTF-8, or nested without end
        raise ConfigError(
            f"{path}: no valid TOML", cause=str(error), hint="mend the file"
        ) from error
    if path.name == PYPROJECT:
        tool = document.get("tool", {})
        return tool.get("graphlint") if isinstance(tool, dict) else None
    return document


def _apply(base: Settings, table: Mapping[str, Any], path: Path) -> Settings:
    given: dict[str, Any] = {}
    for key, value in table.items():
        reader = _READERS.get(key)
        if reader is None:
            raise ConfigError(
                f"{path}: unknown key {key!r}",
                cause=f"the keys are extend, {', '.join(_READERS)}",
                hint=did_you_mean(key, ("extend", *_READERS)),
            )
        given[key.replace("-", "_")] = reader(path, key, value)
    if "rules" in given:
        merged = {code: dict(options) for code, options in base.rules.items()}
        for code, options in given["rules"].items():
            merged.setdefault(code, {}).update(options)
        given["rules"] = merged
    if "severity" in given:
        given["severity"] = {**base.severity, **given["severity"]}
    for name in ("per_file_ignores", "budgets"):
        if name in given:
            given[name] = (*getattr(base, name), *given[name])
    return base.override(str(path), **given)


def _wrong(path: Path, key: str, value: object, expected: str) -> ConfigError:
    return ConfigError(
        f"{path}: {key} = {value!r}", cause=f"it is {expected}", hint="mend the file"
    )


def _strings(path: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(path, key, value, "a list of strings")
    return tuple(value)


def _fail_on(path: Path, key: str, value: object) -> str:
    if value not in FAIL_ON:
        raise _wrong(path, key, value, f"one of {', '.join(FAIL_ON)}")
    return str(value)


def _min_excess(path: Path, key: str, value: object) -> float:
    try:
        return parse_share(value if isinstance(value, str) else repr(value))
    except UsageError as error:
        raise _wrong(path, key, value, 'a share such as "1%" or 0.01') from error


def _severity(path: Path, key: str, value: object) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(item in SEVERITIES for item in value.values()):
        raise _wrong(path, key, value, f"a table of rule → {', '.join(SEVERITIES)}")
    return value


def _ignores(path: Path, key: str, value: object) -> tuple[Ignore, ...]:
    if not isinstance(value, dict):
        raise _wrong(path, key, value, "a table of pattern → list of rules")
    return tuple(
        _ignore(path, f'{key}."{pattern}"', pattern, given) for pattern, given in value.items()
    )


def _ignore(path: Path, key: str, pattern: str, given: object) -> Ignore:
    table = given if isinstance(given, dict) else {"codes": given}
    reason = table.get("reason", "")
    if set(table) - {"codes", "reason"} or "codes" not in table or not isinstance(reason, str):
        raise _wrong(path, key, given, 'a list of rules, or { codes = [rules], reason = "text" }')
    codes = _strings(path, key, table["codes"])
    return Ignore(pattern, codes, str(path.parent.resolve()), reason.strip(), str(path))


def _budgets(path: Path, key: str, value: object) -> tuple[ModelBudgets, ...]:
    if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
        raise _wrong(path, key, value, f'tables of limits: [{key}."models/*.onnx"]')
    return tuple(
        ModelBudgets(pattern, tuple(limits.items()), str(path.parent.resolve()), str(path))
        for pattern, limits in value.items()
    )


def _beside(path: Path, key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(path, key, value, "a path")
    return str(path.parent.resolve() / value)


def _switch(path: Path, key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(path, key, value, "true or false")
    return value


def _rules(path: Path, key: str, value: object) -> Mapping[str, Mapping[str, OptionValue]]:
    if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
        raise _wrong(path, key, value, "a table of rule → its options")
    return value


_READERS: Mapping[str, Callable[[Path, str, Any], Any]] = {
    "select": _strings,
    "extend-select": _strings,
    "ignore": _strings,
    "fail-on": _fail_on,
    "min-excess": _min_excess,
    "severity": _severity,
    "per-file-ignores": _ignores,
    "require-ignore-reason": _switch,
    "budgets": _budgets,
    "baseline": _beside,
    "input-shape": _strings,
    "dim": _strings,
    "device-profile": _beside,
    "exclude": _strings,
    "rules": _rules,
}


def parse_share(text: str) -> float:
    """`1%` or `0.01` as a fraction between 0 and 1.

    Raises:
        UsageError: it is neither.
    """
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageError(
            f"{text!r} is no share", cause="a share is 1% or 0.01, between 0 and 1", hint="mend it"
        )
    return share


def described(settings: Settings) -> list[tuple[str, str, str]]:
    """Every setting as (key, value, origin), for `graphlint config`."""
    rows = []
    for item in fields(settings):
        if item.name == "origins":
            continue
        value = getattr(settings, item.name)
        if item.name == "per_file_ignores":
            value = {ignore.pattern: _spelt(ignore) for ignore in value}
        elif item.name == "budgets":
            value = {budgets.pattern: dict(budgets.limits) for budgets in value}
        origin = settings.origins.get(item.name, "default")
        rows.append((item.name.replace("_", "-"), _toml(value), origin))
    return rows


def _spelt(ignore: Ignore) -> object:
    codes = list(ignore.codes)
    return {"codes": codes, "reason": ignore.reason} if ignore.reason else codes


def _toml(value: object) -> str:
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(str(k))} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return (
        '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if isinstance(value, str)
        else str(value)
    )
