"""GitLab's Code Quality report, against its documented fields."""

import json
from pathlib import Path
from typing import Any

import jsonschema

from graphlint.report import gitlab
from graphlint.results import Report
from tests.report import found

SCHEMA = json.loads(
    (Path(__file__).parent / "schemas" / "gitlab-code-quality.json").read_text(encoding="utf-8")
)


def issues(report: Report) -> list[dict[str, Any]]:
    text = gitlab.render(report, Path.cwd())
    assert text.isascii()
    value: list[dict[str, Any]] = json.loads(text)
    jsonschema.Draft202012Validator(SCHEMA).validate(value)
    prints = [each["fingerprint"] for each in value]
    assert len(set(prints)) == len(prints)
    return value


def test_errors_then_findings() -> None:
    told = issues(found.plain())
    assert [each["severity"] for each in told] == ["blocker", "blocker", "minor", "major", "info"]
    assert [each["location"]["path"] for each in told] == [
        *("models/broken.onnx", "."),
        *["models/a.onnx"] * 3,
    ]
    assert told[2]["check_name"] == "G4 elementwise-traffic"
    assert "/stage2/Add and 1 place more" in told[2]["description"]


def test_a_clean_report_is_an_empty_list() -> None:
    assert issues(Report(found.VERSION, (found.model("m.onnx"),))) == []


def test_fingerprints_stay_when_a_model_is_added() -> None:
    alone = issues(found.plain())
    more = issues(Report(found.VERSION, (*found.plain().models, found.model("z.onnx"))))
    assert {each["fingerprint"] for each in more} <= {each["fingerprint"] for each in alone}


def test_hostile_names_are_text() -> None:
    told = issues(found.hostile())
    assert len(told) == 3 * len(found.HOSTILE)
    assert all(each["description"].isprintable() for each in told)
    assert all(len(each["description"]) < 20_000 for each in told)


def test_many_findings() -> None:
    told = json.loads(gitlab.render(found.many(), Path.cwd()))
    assert len({each["fingerprint"] for each in told}) == 20_000
