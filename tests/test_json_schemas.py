"""The JSON of `rewrite`, `diff` and what-if is what `docs/*.schema.json` says."""

import copy
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

from tests.in_process import graphlint

ROOT = Path(__file__).resolve().parent.parent
V1, V2, RESNET = (
    ROOT / "fixtures" / f"{name}.onnx"
    for name in ("shufflenet_v1", "shufflenet_v2", "resnet_bottleneck")
)
SCHEMAS = {
    f"{name}.schema.json": json.loads(
        (ROOT / "docs" / f"{name}.schema.json").read_text(encoding="utf-8")
    )
    for name in ("report", "rewrite", "diff", "what-if")
}
REGISTRY: Registry[Any] = Registry().with_resources(
    (name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)
needs_runtime = pytest.mark.skipif(
    find_spec("onnxruntime") is None, reason="onnxruntime is not installed: nothing can be run"
)


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = SCHEMAS[f"{name}.schema.json"]
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, registry=REGISTRY)


def document(tmp_path: Path, *arguments: str | Path) -> dict[str, Any]:
    done = graphlint(*arguments, "--output-format", "json", cwd=tmp_path)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def undeclared(value: dict[str, Any], name: str) -> set[str]:
    return set(value) - set(SCHEMAS[f"{name}.schema.json"]["properties"])


@needs_runtime
@pytest.mark.parametrize(
    "options",
    [
        ("--plan", "keep", "--dry-run", "--weights", "structure"),
        ("--plan", "auto", "--dry-run", "--latency", "--time-budget", "1"),
        ("--plan", "keep", "-o", "out.onnx", "--weights", "closed-form"),
    ],
    ids=["dry", "measured", "fitted"],
)
def test_a_rewrite(options: tuple[str, ...], tmp_path: Path) -> None:
    value = document(tmp_path, "rewrite", V1, *options)
    assert value["units"]
    assert not undeclared(value, "rewrite")
    validator("rewrite").validate(value)


@needs_runtime
def test_nothing_to_rewrite(tmp_path: Path) -> None:
    value = document(tmp_path, "rewrite", RESNET, "--dry-run")
    assert value["plan"] is None
    validator("rewrite").validate(value)


@needs_runtime
def test_what_if(tmp_path: Path) -> None:
    value = document(tmp_path, "profile", V1, "--what-if", "G4", "--time-budget", "0.1")
    assert value["changes"]
    assert value["untried"]
    assert not undeclared(value, "what-if")
    validator("what-if").validate(value)
    change = value["changes"][0]
    assert set(change) == set(SCHEMAS["what-if.schema.json"]["$defs"]["change"]["properties"])
    lost = {"seconds": None, "reason": "it crashed"}
    value["model"] = change["saving"] = lost
    validator("what-if").validate(value)
    for wrong in ({"seconds": None}, {"seconds": 1.0, "low": 0.5}):
        change["saving"] = wrong
        assert not validator("what-if").is_valid(value)


@pytest.mark.parametrize("options", [(), ("--weights",)], ids=["plain", "weights"])
def test_a_diff(options: tuple[str, ...], tmp_path: Path) -> None:
    value = document(tmp_path, "diff", V1, V2, *options)
    (model,) = value["models"]
    assert model["nodes"]
    assert model["findings"]
    assert not undeclared(value, "diff")
    assert set(model) <= set(SCHEMAS["diff.schema.json"]["$defs"]["model"]["properties"])
    validator("diff").validate(value)


def test_a_diff_of_folders(tmp_path: Path) -> None:
    for side, models in (("old", {"a": V1, "b": V1}), ("new", {"a": V2, "c": RESNET})):
        (tmp_path / side).mkdir()
        for name, model in models.items():
            (tmp_path / side / f"{name}.onnx").write_bytes(model.read_bytes())
    (tmp_path / "new" / "bad.onnx").write_bytes(b"no model")
    value = document(tmp_path, "diff", "old", "new")
    assert {model["status"] for model in value["models"]} >= {"worse", "added", "removed"}
    assert any(model["errors"] for model in value["models"])
    validator("diff").validate(value)


@needs_runtime
def test_a_measured_diff(tmp_path: Path) -> None:
    value = document(tmp_path, "diff", V1, V2, "--latency", "--time-budget", "1")
    assert value["models"][0]["comparison"]
    validator("diff").validate(value)


def test_what_is_missing_or_of_another_type_is_refused(tmp_path: Path) -> None:
    value = document(tmp_path, "diff", V1, V2)
    for change in (
        lambda model: model.pop("status"),
        lambda model: model.update(status="odd"),
        lambda model: model["nodes"][0]["delta"].update(parameters=0.5),
        lambda model: model["errors"].append({"message": "alone"}),
    ):
        wrong = copy.deepcopy(value)
        change(wrong["models"][0])
        assert not validator("diff").is_valid(wrong)
