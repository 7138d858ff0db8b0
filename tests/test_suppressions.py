"""Ignores in configuration and in the model."""

from pathlib import Path

import pytest

from graphlint.config import Ignore
from graphlint.graph import GraphView, Node
from graphlint.suppressions import METADATA_KEY, Suppressions, marked_codes


def node(path: str, **metadata: str) -> Node:
    mark = {METADATA_KEY: metadata["mark"]} if metadata else {}
    return Node(0, path, path, "Conv", "", 17, (), (), {}, None, metadata=mark)


def view(mark: str = "") -> GraphView:
    metadata = {METADATA_KEY: mark} if mark else {}
    return GraphView((), {}, (), (), {}, {}, {}, metadata)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("G2: kept for accuracy", ("G2",)),
        ("G2, G4: legacy", ("G2", "G4")),
        ("G2", ("G2",)),
        ("", ()),
    ],
)
def test_a_mark_names_codes_and_a_reason(text: str, codes: tuple[str, ...]) -> None:
    assert marked_codes({METADATA_KEY: text}) == codes


def test_a_marked_node_is_silent_for_its_codes_only() -> None:
    suppressions = Suppressions("m.onnx", view(), ())
    assert suppressions.silent("G2", node("a", mark="G2: why"))
    assert not suppressions.silent("G4", node("a", mark="G2: why"))
    assert not suppressions.silent("G2", node("b"))


def test_a_marked_model_is_silent_everywhere() -> None:
    assert Suppressions("m.onnx", view("G: all of them"), ()).silent("G4", node("a"))


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
def test_patterns_are_relative_to_the_configuration(
    tmp_path: Path, pattern: str, model: str, silent: bool
) -> None:
    ignore = Ignore(pattern, ("G2",), str(tmp_path))
    suppressions = Suppressions(str(tmp_path / model), view(), [ignore])
    assert suppressions.silent("G2", node("net/head/conv")) is silent
    assert not suppressions.silent("G4", node("net/head/conv"))
