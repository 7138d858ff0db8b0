"""`--device-profile`: findings in a device's seconds, without a runtime."""

import json
from pathlib import Path

import jsonschema
import pytest
from in_process import graphlint
from law import device
from onnx import parser, save

from graphlint.devices import file
from graphlint.devices.file import VARIABLE, write
from graphlint_rules import A1

ROOT = Path(__file__).resolve().parents[2]
V1 = ROOT / "fixtures" / "shufflenet_v1.onnx"
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def no_profile_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "device.json"
    write(device(), path)
    return path


def _json(tmp_path: Path, *arguments: str | Path) -> dict[str, object]:
    done = graphlint("check", V1, "--output-format", "json", *arguments, cwd=tmp_path)
    value = json.loads(done.stdout)
    jsonschema.validate(value, SCHEMA)
    return value["models"][0]  # type: ignore[no-any-return]


def test_findings_are_priced_and_stay_the_same(profile: Path, tmp_path: Path) -> None:
    plain = _json(tmp_path)
    priced = _json(tmp_path, "--device-profile", profile)
    keys = [
        sorted((f["code"], f["message"], f["excess_bytes"]) for f in model["findings"])  # type: ignore[attr-defined]
        for model in (plain, priced)
    ]
    assert keys[0] == keys[1]
    assert all("predicted_seconds" not in f for f in plain["findings"])  # type: ignore[attr-defined]
    told = [f for f in priced["findings"] if f["predicted_seconds"] is not None]  # type: ignore[attr-defined]
    assert {"G1", "G4"} <= {f["code"] for f in told}
    for finding in told:
        assert finding["predicted_plus_minus_seconds"] >= 0
    untold = [f for f in priced["findings"] if f["predicted_seconds"] is None]  # type: ignore[attr-defined]
    assert all(f["predicted_reason"] for f in untold)
    assert priced["prediction"]["device"]["name"] == "A processor"  # type: ignore[index]
    assert priced["prediction"]["predicted_seconds"] > 0  # type: ignore[index]


def test_within_a_severity_the_dearest_stands_first(profile: Path, tmp_path: Path) -> None:
    found = _json(tmp_path, "--device-profile", profile)["findings"]
    prices = [f["predicted_seconds"] or 0.0 for f in found if f["severity"] == "warning"]  # type: ignore[attr-defined]
    assert len(prices) > 2
    assert prices == sorted(prices, reverse=True)


def test_an_add_saves_what_it_takes(profile: Path, tmp_path: Path) -> None:
    """At `basic` an Add is a kernel of its own, and nothing stands in its place."""
    found = _json(tmp_path, "--device-profile", profile, "--select", "G4", "--nodes")
    adds = next(f for f in found["findings"] if "Add of" in f["message"])  # type: ignore[attr-defined]
    nodes = {node["path"]: node["predicted_seconds"] for node in found["nodes"]}  # type: ignore[attr-defined]
    assert adds["predicted_seconds"] == pytest.approx(sum(nodes[path] for path in adds["nodes"]))


def test_people_read_it_with_the_device(profile: Path, tmp_path: Path) -> None:
    told = graphlint("check", V1, "--device-profile", profile, cwd=tmp_path).stdout
    assert "on this device (±" in told
    assert "A processor (CPU, 1 thread, basic)" in told
    assert "to save" in told
    lines = graphlint(
        "check", V1, "--device-profile", profile, "--output-format", "concise", cwd=tmp_path
    ).stdout.splitlines()
    assert any("on this device" in line for line in lines)


@pytest.mark.parametrize("form", ["markdown", "sarif"])
def test_other_formats_have_it(form: str, profile: Path, tmp_path: Path) -> None:
    told = graphlint(
        "check", V1, "--device-profile", profile, "--output-format", form, cwd=tmp_path
    ).stdout
    assert {"markdown": "on this device", "sarif": '"predicted_seconds":'}[form] in told


def test_a_configuration_may_name_it(profile: Path, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(V1.read_bytes())
    (tmp_path / "graphlint.toml").write_text('device-profile = "device.json"\n', encoding="utf-8")
    assert "on this device" in graphlint("check", "m.onnx", cwd=tmp_path).stdout


def test_a_profile_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text("[]", encoding="utf-8")
    done = graphlint("check", V1, "--device-profile", "none.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "none.json" in done.stderr


def test_profile_tells_the_run_and_its_nodes(profile: Path, tmp_path: Path) -> None:
    done = graphlint(
        "profile", V1, "--no-latency", "--device-profile", profile, "--output-format", "json",
        cwd=tmp_path,
    )  # fmt: skip
    model = json.loads(done.stdout)["models"][0]
    known = [node["predicted_seconds"] for node in model["nodes"]]
    total = model["prediction"]["predicted_seconds"]
    assert total == pytest.approx(5e-6 + sum(each or 0.0 for each in known))


def test_the_table_of_profile_stands_in_the_order_of_what_is_predicted(
    profile: Path, tmp_path: Path
) -> None:
    arguments = ("profile", V1, "--no-latency", "--device-profile", profile, "--isolated")
    table = graphlint(*arguments, "--top", "0", cwd=tmp_path).stdout
    document = json.loads(graphlint(*arguments, "--output-format", "json", cwd=tmp_path).stdout)
    nodes = document["models"][0]["nodes"]
    dearest = max(nodes, key=lambda node: node["predicted_seconds"] or 0)
    head, first = table.splitlines()[3:5]
    assert "predicted" in head
    assert first.startswith(dearest["path"])


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A device of blocks of 16 channels as the machine's own, which nothing names."""
    path = tmp_path / "own.json"
    write(device(block=16), path)
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(file, "own", lambda: path)
    return path


def test_the_machine_s_own_profile_changes_prices_and_nothing_else(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(parser.parse_model(A1.bad[1].model), tmp_path / "model.onnx")

    def checked() -> tuple[int, list[dict[str, object]]]:
        done = graphlint("check", "model.onnx", "--output-format", "json", cwd=tmp_path)
        return done.returncode, json.loads(done.stdout)["models"][0]["findings"]

    code, found = checked()
    assert any(each["predicted_seconds"] for each in found)
    monkeypatch.setattr(file, "own", lambda: None)
    bare_code, bare = checked()
    assert bare_code == code
    keys = [sorted(str((f["code"], f["fingerprint"])) for f in each) for each in (bare, found)]
    assert keys[0] == keys[1]
    assert {each["code"] for each in found} == {"G1", "G2"}
    monkeypatch.setenv(VARIABLE, str(own))  # named, it is a choice: rules look at it
    assert {each["code"] for each in checked()[1]} == {"A1", "G1", "G2"}


@pytest.mark.usefixtures("own")
def test_no_finding_is_left_out_over_the_price_on_the_machine_s_own(tmp_path: Path) -> None:
    (tmp_path / "graphlint.toml").write_text("[rules.A1]\nblock = 16\n", encoding="utf-8")
    save(parser.parse_model(A1.bad[0].model), tmp_path / "model.onnx")
    done = graphlint(
        "check", "model.onnx", "--no-latency", "--select", "A1", "--output-format", "json",
        cwd=tmp_path,
    )  # fmt: skip
    (finding,) = json.loads(done.stdout)["models"][0]["findings"]
    assert finding["predicted_seconds"] < finding["predicted_plus_minus_seconds"]
    assert done.returncode == 1


@pytest.mark.parametrize(("example", "pays"), [(0, False), (1, True)])
def test_widths_are_found_misaligned_only_where_that_costs_more_than_its_error(
    example: int, pays: bool, profile: Path, tmp_path: Path
) -> None:
    (tmp_path / "graphlint.toml").write_text("[rules.A1]\nblock = 16\n", encoding="utf-8")
    save(parser.parse_model(A1.bad[example].model), tmp_path / "model.onnx")
    asked = ("check", "model.onnx", "--no-latency", "--select", "A1", "--output-format", "json")
    unpriced, priced = (
        json.loads(graphlint(*asked, *more, cwd=tmp_path).stdout)["models"][0]["findings"]
        for more in ((), ("--device-profile", profile))
    )
    assert len(unpriced) == 1
    assert len(priced) == pays
    for finding in priced:
        assert finding["predicted_seconds"] > finding["predicted_plus_minus_seconds"]
