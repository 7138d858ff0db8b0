"""Ignores in configuration and in the model: what they silence, and what is said of idle ones."""

from pathlib import Path

import onnx
import pytest

from graphlint import registry
from graphlint.config import Ignore, Settings
from graphlint.graph import GraphView, Node
from graphlint.results import IgnoreUse
from graphlint.suppressions import METADATA_KEY, Suppressions, parse_mark
from tests.in_process import graphlint
from tests.test_cli import FIXTURES

V1 = FIXTURES / "shufflenet_v1.onnx"


def node(path: str, mark: str = "", index: int = 0, scope: str = "") -> Node:
    metadata = {METADATA_KEY: mark} if mark else {}
    name = path.rpartition("/")[2]
    return Node(index, path, name, "Conv", "", 17, (), (), {}, None, scope, metadata)


def view(*nodes: Node, mark: str = "") -> GraphView:
    metadata = {METADATA_KEY: mark} if mark else {}
    return GraphView(nodes, {}, (), (), {}, {}, {}, metadata)


def suppressions(*nodes: Node, mark: str = "", needs_reason: bool = False) -> Suppressions:
    settings = Settings(require_ignore_reason=needs_reason)
    return Suppressions("m.onnx", view(*nodes, mark=mark), settings, registry.rules())


@pytest.mark.parametrize(
    ("text", "codes", "reason"),
    [
        ("G2: kept for accuracy", ("G2",), "kept for accuracy"),
        ("G2, G4: legacy", ("G2", "G4"), "legacy"),
        ("G2", ("G2",), ""),
        ("G2: ", ("G2",), ""),
        ("", (), ""),
    ],
)
def test_a_mark_names_codes_and_a_reason(text: str, codes: tuple[str, ...], reason: str) -> None:
    assert parse_mark(text) == (codes, reason)


def test_a_marked_node_is_silent_for_its_codes_only() -> None:
    marked, plain = node("a", "G2: why"), node("b", index=1)
    silencing = suppressions(marked, plain)
    assert silencing.silent("G2", marked)
    assert not silencing.silent("G4", marked)
    assert not silencing.silent("G2", plain)
    assert not silencing.silent("G2", None)


@pytest.mark.parametrize("mark", ["G: all of them", "ALL", "elementwise-traffic: by its name"])
def test_a_marked_model_is_silent_everywhere(mark: str) -> None:
    silencing = suppressions(node("a"), mark=mark)
    assert silencing.silent("G4", node("a"))
    assert silencing.silent("G4", None)


@pytest.mark.parametrize(
    ("pattern", "model", "silent"),
    [
        ("old/*.onnx", "old/m.onnx", True),
        ("old/*.onnx", "new/m.onnx", False),
        ("m.onnx", "any/where/m.onnx", True),
        ("*.onnx::*/head/*", "new/m.onnx", True),
        ("*.onnx::*/tail/*", "new/m.onnx", False),
    ],
)
@pytest.mark.parametrize("code", ["G2", "excessive-group-convolution"])
def test_patterns_are_relative_to_the_configuration(
    tmp_path: Path, pattern: str, model: str, silent: bool, code: str
) -> None:
    settings = Settings(per_file_ignores=(Ignore(pattern, (code,), str(tmp_path)),))
    rules = registry.rules()
    silencing = Suppressions(str(tmp_path / model), view(), settings, rules)
    assert silencing.silent("G2", node("net/head/conv")) is silent
    assert not silencing.silent("G4", node("net/head/conv"))


# Ignores that do nothing


@pytest.mark.parametrize(
    ("mark", "ran", "note"),
    [
        ("G2: why", ["G2"], "graphlint.ignore of net/a: G2 silences nothing here: take it away"),
        ("G2: why", ["G4"], ""),
        ("G: why", ["G2", "G4"], ""),
        ("G9: why", [], "graphlint.ignore of net/a: G9 is no rule"),
    ],
)
def test_idle_marks_are_told_where_their_rules_ran(mark: str, ran: list[str], note: str) -> None:
    assert suppressions(node("net/a", mark)).notes(ran) == ((note,) if note else ())


def test_a_mark_that_silences_is_not_told() -> None:
    marked = node("a", "G2, G4: why")
    silencing = suppressions(marked, mark="G2: why")
    silencing.silent("G2", marked)
    (note,) = silencing.notes(["G2", "G4"])
    assert note.startswith("graphlint.ignore of a: G4 ")


def test_copies_of_a_functions_node_share_its_mark() -> None:
    copies = [node(f"call{i}/conv", "G2: why", i, f"call{i}") for i in range(3)]
    silencing = suppressions(*copies)
    silencing.silent("G2", copies[1])
    assert silencing.notes(["G2"]) == ()


def test_many_idle_marks_are_a_few_lines() -> None:
    nodes = [node(f"n{i}", "G2: why", i) for i in range(9)]
    notes = suppressions(*nodes).notes(["G2"])
    assert len(notes) == 6
    assert notes[-1] == "… and 4 more like these"


def test_what_an_ignore_of_the_configuration_did() -> None:
    ignore = Ignore("m.onnx", ("G2", "G4"), ".", origin="graphlint.toml")
    silencing = Suppressions(
        "m.onnx", view(), Settings(per_file_ignores=(ignore,)), registry.rules()
    )
    silencing.silent("G2", node("a"))
    source = 'graphlint.toml: per-file-ignores "m.onnx"'
    assert silencing.uses(["G2"]) == (
        IgnoreUse(source, "G2", True),
        IgnoreUse(source, "G4", None),
    )
    assert silencing.uses(["G2", "G4"])[1] == IgnoreUse(source, "G4", False)


# Reasons


def test_where_reasons_are_required_an_ignore_without_one_is_not_heeded() -> None:
    mute, good = node("a", "G2"), node("b", "G2: why", 1)
    silencing = suppressions(mute, good, needs_reason=True)
    assert not silencing.silent("G2", mute)
    assert silencing.silent("G2", good)
    (note,) = silencing.notes(["G2"])
    assert note.startswith("graphlint.ignore of a: G2 gives no reason")


# The whole way


def check(folder: Path, config: str, *arguments: str) -> tuple[int, str, list[str]]:
    (folder / "graphlint.toml").write_text(config, encoding="utf-8")
    if not (folder / "m.onnx").exists():
        (folder / "m.onnx").write_bytes(V1.read_bytes())
    done = graphlint("check", *arguments, cwd=folder)
    return done.returncode, done.stdout, done.stderr.splitlines()


IDLE = """
[per-file-ignores]
"m.onnx" = { codes = ["G1", "G2", "G3", "G4"], reason = "a baseline of the paper" }
"m.onnx::/nowhere/*" = ["G2"]
"old/*.onnx" = ["G2"]
"""


def test_idle_ignores_are_told_by_a_run_over_their_folder(tmp_path: Path) -> None:
    code, _, notes = check(tmp_path, IDLE, ".")
    origin = f"note: {tmp_path}/graphlint.toml: per-file-ignores"
    assert code == 0
    assert notes == [
        f'{origin} "m.onnx": G3 silences nothing here: take it away',
        f'{origin} "m.onnx::/nowhere/*": G2 silences nothing here: take it away',
        f'{origin} "old/*.onnx" matches no model: take it away',
    ]
    assert check(tmp_path, IDLE, "m.onnx")[2] == []
    assert check(tmp_path, IDLE, ".", "--ignore", "G3")[2] == notes[1:]


def test_a_required_reason_brings_the_findings_back(tmp_path: Path) -> None:
    config = 'require-ignore-reason = true\n[per-file-ignores]\n"m.onnx" = ["G"]\n'
    code, _, (note,) = check(tmp_path, config, "m.onnx")
    assert code == 1
    assert 'per-file-ignores "m.onnx" gives no reason' in note
    given = config.replace('["G"]', '{ codes = ["G"], reason = "known" }')
    assert check(tmp_path, given, "m.onnx")[::2] == (0, [])


def test_marks_in_the_model_are_heeded_and_told_when_idle(tmp_path: Path) -> None:
    model = onnx.load(V1)
    by_name = {item.name: item for item in model.graph.node}
    by_name["/stage2/unit2/Add"].metadata_props.add(key=METADATA_KEY, value="G4: a shortcut")
    by_name["/stage2/unit2/branch/pw1/Conv"].metadata_props.add(key=METADATA_KEY, value="G4")
    onnx.save(model, tmp_path / "m.onnx")
    _, text, _ = check(tmp_path, "", "m.onnx", "--select", "G4")
    assert "unit2/Add\n" not in text.split("/stage3")[0]
    assert "note: graphlint.ignore of /stage2/unit2/branch/pw1/Conv: G4 silences nothing" in text
