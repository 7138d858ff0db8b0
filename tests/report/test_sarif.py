"""SARIF holds to its schema and to what GitHub takes, whatever is in a model."""

import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from graphlint.registry import rules
from graphlint.report import sarif
from graphlint.results import Report
from tests.report import found

SCHEMA = json.loads(
    (Path(__file__).parent / "schemas" / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8")
)


def run_of(report: Report) -> dict[str, Any]:
    """The one run of the report's SARIF, which fits the schema."""
    text = sarif.render(report, rules(), Path.cwd())
    assert text.isascii()
    log = json.loads(text)
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    (run,) = log["runs"]
    return dict(run)


def test_a_finding_is_a_result() -> None:
    run = run_of(found.plain())
    error, warning, info = run["results"]
    assert [each["level"] for each in (error, warning, info)] == ["error", "warning", "note"]
    location = warning["locations"][0]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "models/a.onnx", "index": 0},
        "region": {"startLine": 1},
    }
    assert [each["fullyQualifiedName"] for each in location["logicalLocations"]] == [
        "/stage2/Add",
        "/stage2/Relu",
    ]
    assert len(warning["relatedLocations"]) == 1
    assert warning["properties"]["excess_bytes"] == 2048
    assert warning["partialFingerprints"] == {"primaryLocationLineHash": "f" * 32}
    assert "models/a.onnx::/stage2/Add and 1 place more" in warning["message"]["text"]
    assert error["properties"]["excess_bytes"] is None


def test_rules_have_their_pages() -> None:
    run = run_of(found.plain())
    described = run["tool"]["driver"]["rules"]
    assert [each["id"] for each in described] == list(rules())
    assert all("## What it does" in each["help"]["markdown"] for each in described)
    assert all(len(each["properties"]["tags"]) <= 10 for each in described)
    for result in run["results"]:
        assert described[result["ruleIndex"]]["id"] == result["ruleId"]


def test_what_no_pack_knows_is_described_from_its_finding() -> None:
    odd = found.finding(found.site("m.onnx"), code="X1")
    run = run_of(Report(found.VERSION, (found.model("m.onnx", [odd]),)))
    assert run["tool"]["driver"]["rules"][-1]["id"] == "X1"
    assert run["results"][0]["locations"][0]["logicalLocations"] == []


def test_models_carry_their_costs() -> None:
    first, _, unread = run_of(found.plain())["artifacts"]
    assert first["properties"]["memory_access_bytes"] == 204_800
    assert "properties" not in unread


def test_errors_are_notifications() -> None:
    (invocation,) = run_of(found.plain())["invocations"]
    assert invocation["executionSuccessful"] is False
    unread, missing = invocation["toolExecutionNotifications"]
    assert "a truncated model" in unread["message"]["text"]
    uri = unread["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "models/broken.onnx"
    assert "locations" not in missing


def test_a_clean_report_is_a_success() -> None:
    run = run_of(Report(found.VERSION, (found.model("m.onnx"),)))
    assert run["results"] == []
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_fingerprints_of_one_rule_in_one_model_differ() -> None:
    run = run_of(found.many(200))
    prints = [each["partialFingerprints"]["primaryLocationLineHash"] for each in run["results"]]
    assert len(set(prints)) == 200


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("models/a b.onnx", "models/a%20b.onnx"),
        ("./models/größe%.onnx", "models/gr%C3%B6%C3%9Fe%25.onnx"),
        ("a:b#c?.onnx", "a%3Ab%23c%3F.onnx"),
        ("/elsewhere/m.onnx", "file:///elsewhere/m.onnx"),
        ("\udcff.onnx", "%FF.onnx"),
    ],
)
def test_paths_are_uris_from_the_root(path: str, uri: str) -> None:
    run = run_of(Report(found.VERSION, (found.model(path),)))
    assert run["artifacts"][0]["location"]["uri"] == uri


def test_a_path_starts_at_the_root_not_at_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graphlint.report.repository import relative, root_of

    (tmp_path / ".git").mkdir()
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert relative("m.onnx", root_of(Path())) == "sub/m.onnx"
    assert relative(str(tmp_path / "m.onnx"), root_of(Path())) == "m.onnx"


def test_hostile_names_are_text() -> None:
    run = run_of(found.hostile())
    assert len(run["results"]) == len(found.HOSTILE)
    names = [
        each["fullyQualifiedName"]
        for result in run["results"]
        for location in result["locations"]
        for each in location["logicalLocations"]
    ]
    assert all(name.isprintable() and len(name) <= 10_000 for name in names)
    for result in run["results"]:
        text = result["message"]["text"]
        plain = text.replace("\\\\", "").replace("\\[", "").replace("\\]", "")
        assert not set(plain) & set("[]\\")
        assert "{" not in text.replace("{{", "")


def test_many_findings_are_all_there() -> None:
    text = sarif.render(found.many(), rules(), Path.cwd())
    results = json.loads(text)["runs"][0]["results"]
    assert len(results) == 20_000
    assert results[0]["properties"]["excess_bytes"] == 19_999


def test_no_more_than_github_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MAX_RESULTS", 150)
    run = run_of(found.many(200))
    assert [each["properties"]["excess_bytes"] for each in run["results"]] == list(
        range(199, 49, -1)
    )
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    assert told["level"] == "warning"
    assert "50 findings left out" in told["message"]["text"]
    assert run["invocations"][0]["executionSuccessful"] is True


def test_no_larger_than_github_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MAX_COMPRESSED_BYTES", 12_000)
    text = sarif.render(found.many(2_000), rules(), Path.cwd())
    assert len(gzip.compress(text.encode(), 6)) <= 12_000
    assert 0 < len(json.loads(text)["runs"][0]["results"]) < 2_000
