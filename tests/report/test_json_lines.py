"""JSON Lines: what a line holds is what the JSON report holds."""

import json

from graphlint.report import json as whole
from graphlint.report import json_lines
from tests.report import found


def test_a_model_a_line_then_errors() -> None:
    report = found.plain()
    lines = [json.loads(line) for line in json_lines.render(report).splitlines()]
    document = whole.document(report)
    assert [line["model"] for line in lines[:3]] == document["models"]
    assert [line["error"] for line in lines[3:]] == document["errors"]
    assert all(line["schema"] == 1 and line["version"] == found.VERSION for line in lines)


def test_hostile_names_end_no_line() -> None:
    text = json_lines.render(found.hostile())
    assert text.isascii()
    assert len(text.splitlines()) == 2 * len(found.HOSTILE)
    assert all(json.loads(line) for line in text.splitlines())


def test_many_findings() -> None:
    (line,) = json_lines.render(found.many()).splitlines()
    assert len(json.loads(line)["model"]["findings"]) == 20_000
