"""GitHub's workflow commands, read back as the runner reads them."""

import re
from dataclasses import dataclass
from pathlib import Path

from graphlint.findings import Severity
from graphlint.report import github
from graphlint.results import Report
from tests.report import found

_PROPERTY = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
_DATA = {"%0D": "\r", "%0A": "\n", "%25": "%"}


@dataclass
class Command:
    """A workflow command as the runner understands it."""

    name: str
    properties: dict[str, str]
    message: str


def unescaped(text: str, table: dict[str, str]) -> str:
    return re.sub("|".join(table), lambda match: table[match[0]], text)


def parsed(line: str) -> Command:
    """A line as the runner parses it: `::name key=value,key=value::message`."""
    assert line.startswith("::")
    head, _, data = line[2:].partition("::")
    name, _, rest = head.partition(" ")
    pairs = (each.split("=", 1) for each in rest.split(",") if each)
    properties = {key: unescaped(value, _PROPERTY) for key, value in pairs}
    return Command(name, properties, unescaped(data, _DATA))


def commands(report: Report) -> list[Command]:
    text = github.render(report, Path.cwd())
    return [parsed(line) for line in text.split("\n")[:-1]]


def test_errors_come_first_then_the_worst() -> None:
    told = commands(found.plain())
    assert [each.name for each in told] == ["error", "error", "error", "warning", "notice"]
    unread, missing, *_, warning, _ = told
    assert unread.properties == {"file": "models/broken.onnx", "title": "graphlint"}
    assert "file" not in missing.properties
    assert warning.properties == {"file": "models/a.onnx", "title": "G4 elementwise-traffic"}
    assert warning.message == (
        "models/a.onnx::/stage2/Add and 1 place more: Add of activations: moves 1.00 KiB. "
        "Excess: 2.00 KiB, 1.0% of the memory access.\na design choice"
    )


def test_a_clean_report_says_nothing() -> None:
    assert github.render(Report(found.VERSION, (found.model("m.onnx"),)), Path.cwd()) == ""


def test_nine_and_how_many_more() -> None:
    told = commands(found.many())
    assert len(told) == 10
    assert told[-1].message == "…and 19,991 more: see the report in full"
    assert told[-1].name == "warning"
    assert len(commands(found.many(9))) == 9


def test_hidden_errors_are_as_loud() -> None:
    errors = tuple(found.broken(f"m{number}.onnx") for number in range(20))
    told = commands(Report(found.VERSION, errors))
    assert len(told) == 10
    assert {each.name for each in told} == {"error"}


def test_hostile_names_forge_nothing() -> None:
    for text in found.HOSTILE:
        path = found.hostile_path(text)
        bad = found.finding(found.site(path, text), message=text, advice=text)
        severe = found.finding(found.site(path, text), severity=Severity.INFO)
        rendered = github.render(
            Report(found.VERSION, (found.model(path, [bad, severe]),)), Path.cwd()
        )
        lines = rendered.split("\n")
        assert lines.pop() == ""
        assert [parsed(line).name for line in lines] == ["warning", "notice"]
        assert all(set(parsed(line).properties) == {"file", "title"} for line in lines)
        assert all(line.isprintable() and len(line) < 20_000 for line in lines)
    assert len(commands(found.hostile())) == 10
