"""Make `docs/commands/`: a page for each command, from what its `--help` is made of.

python docs/build_commands.py          # write
python docs/build_commands.py --check  # exit 1 where a page is not what it should be

The declarations are read, not the printed help, whose form differs with the versions of typer.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

from typer.models import ArgumentInfo, OptionInfo

from graphlint.cli import app

COMMANDS = Path(__file__).resolve().parent / "commands"
_HEADS = {True: "argument", False: "option"}
_ABOUT = {
    "check": "[reading a report](../reading-a-report.md), [configuration](../configuration.md)",
    "profile": "[profiles](../profile.md), [how time is measured](../measuring.md)",
    "rewrite": "[from V1 to V2](../rewriting.md), [rewrites](../rewrites/README.md)",
    "diff": "[diffs](../diff.md)",
    "calibrate": "[device profiles](../calibrate.md)",
    "rule": "[rules](../rules/README.md), [rewrites](../rewrites/README.md)",
    "config": "[configuration](../configuration.md)",
}


def pages() -> dict[Path, str]:
    """Pages by path."""
    commands = {each.name or each.callback.__name__: each.callback for each in _registered()}
    made = {COMMANDS / f"{name}.md": _page(name, run) for name, run in commands.items()}
    rows = [f"| [{name}]({name}.md) | {_summary(run)} |" for name, run in commands.items()]
    exits = str(app.info.epilog).replace("--fail-on", "`--fail-on`")
    head = ["# Commands", "", f"{app.info.help} {exits}", "", "| command | |", "|---|---|"]
    made[COMMANDS / "README.md"] = "\n".join([*head, *rows, ""])
    return made


def _registered() -> list[Any]:
    return [each for each in app.registered_commands if not each.hidden]


def _summary(run: Callable[..., Any]) -> str:
    return (inspect.getdoc(run) or "").split("\n\n")[0].replace("\n", " ")


def _page(name: str, run: Callable[..., Any]) -> str:
    sections = {"Options": [], "Arguments": []} | {panel: [] for panel in _panels(run)}
    usage = [f"graphlint {name}"]
    for info, kind, default in _parameters(run):
        if isinstance(info, ArgumentInfo):
            word = str(info.metavar)
            usage.append(word if default is inspect.Parameter.empty else f"[{word}]")
            sections["Arguments"].append(f"| `{info.metavar}` | {_prose(info.help)} |")
        else:
            spelled = f"| {_spelling(info, kind)} | {_prose(info.help)}{_default(info, default)} |"
            sections[info.rich_help_panel or "Options"].append(spelled)
    usage.insert(1, "[OPTIONS]")
    about = f"\nMore: {_ABOUT[name]}.\n" if name in _ABOUT else ""
    tables = (
        f"\n## {title}\n\n| {_HEADS[title == 'Arguments']} | |\n|---|---|\n"
        + "\n".join(rows)
        + "\n"
        for title, rows in sorted(sections.items(), key=lambda item: item[0] != "Arguments")
        if rows
    )
    doc = inspect.getdoc(run) or ""
    return (
        f"# graphlint {name}\n\n{doc}\n{about}\n```text\n{' '.join(usage)}\n```\n{''.join(tables)}"
    )


def _panels(run: Callable[..., Any]) -> Iterator[str]:
    return (info.rich_help_panel for info, _, _ in _parameters(run) if info.rich_help_panel)


def _parameters(
    run: Callable[..., Any],
) -> Iterator[tuple[ArgumentInfo | OptionInfo, Any, Any]]:
    """How each parameter is declared, its type, and its default."""
    hints = get_type_hints(run, include_extras=True)
    for name, parameter in inspect.signature(run).parameters.items():
        kind, info = get_args(hints[name])
        yield info, kind, parameter.default


def _element(kind: Any) -> Any:
    """What a list holds; None for what is given once."""
    return next((get_args(each)[0] for each in _options(kind) if get_args(each)), None)


def _options(kind: Any) -> list[Any]:
    """The types of a union that are not None."""
    union = get_args(kind) if type(None) in get_args(kind) else (kind,)
    return [each for each in union if each is not type(None)]


def _spelling(info: OptionInfo, kind: Any) -> str:
    declared = "/".join((info.default, *(info.param_decls or ())))  # typer has the first apart
    names = ", ".join(f"`{each}`" for each in declared.split("/"))
    one = _element(kind) or _options(kind)[0]
    if one is bool:
        return names
    if isinstance(one, type) and issubclass(one, Enum):
        return f"{names} " + ", ".join(f"`{each.value}`" for each in one)
    return f"{names} `{info.metavar or one.__name__.upper()}`"


def _default(info: OptionInfo, default: Any) -> str:
    if not info.show_default or default in (None, False, "", inspect.Parameter.empty):
        return ""
    return f" Default: `{default.value if isinstance(default, Enum) else default}`."


def _prose(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description="Make pages from the commands' declarations.")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    made = pages()
    stale = [
        path
        for path, text in made.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    left = sorted(set(COMMANDS.glob("*.md")) - set(made))
    if check and stale + left:
        names = ", ".join(path.name for path in stale + left)
        print(f"stale: {names}; run docs/build_commands.py", file=sys.stderr)
        return 1
    COMMANDS.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(made[path], encoding="utf-8")
    for path in left:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
