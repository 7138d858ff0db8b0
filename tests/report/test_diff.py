"""The page of a diff: rows folded, marks, sums, nothing that steers a terminal."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from graphlint.costs.contract import NodeCost
from graphlint.diffing.results import Change, Diff, FactChange, ModelDiff, NodeChange, NodeSide
from graphlint.problem import Problem
from graphlint.report import diff_rows
from graphlint.report.diff import FORMATS
from graphlint.report.diff_markdown import MAX_BYTES
from graphlint.report.text import Style
from graphlint.results import ModelReport, NodeReport, Totals

EVIL = "\x1b[2J|<img>@team\u202e"


def side(title: str, path: str, moved: int, unknown: str | None = None) -> NodeSide:
    op = title.split()[0]
    cost = NodeCost(read_bytes=moved, unknown=unknown)
    return NodeSide(title, NodeReport(0, path, path, op, "", cost))


def model(path: str, *nodes: NodeChange) -> ModelDiff:
    old, new = (
        ModelReport(path, totals=Totals(9, 0, 0, 0, moved // 4, moved, 0)) for moved in (4096, 2048)
    )
    return ModelDiff(old, new, Change(nodes, 5, (1, 2), ()))


def diff(*models: ModelDiff) -> Diff:
    return Diff("0", "old", "new", models, 0.01)


def removed(number: int) -> NodeChange:
    return NodeChange(side("Add", f"/stage{number}/Add", 1024), None)


def test_like_nodes_are_one_row() -> None:
    (group,) = diff_rows.groups(
        model("a.onnx", removed(1), removed(2)).change or pytest.fail("no change")
    )
    assert diff_rows.node_row(group) == (
        "−2.00 KiB", "0", "0", "2 × Add removed", "/stage{1-2}/Add",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (NodeChange(None, side("Relu", "r", 0)), "Relu added"),
        (
            NodeChange(side("Conv 4→8", "a", 0), side("Conv 4→9", "b", 0)),
            "Conv 4→8 → Conv 4→9",
        ),
        (
            NodeChange(
                side("Conv 4→8", "a", 0), side("Conv 4→8", "b", 0),
                (FactChange("weight B", "8 float32", ""), FactChange("pads", "", "1,1")),
                rewired=True,
            ),
            "Conv 4→8: without weight B, pads default → 1,1, other inputs",
        ),
        (
            NodeChange(
                side("Relu", "a", 0), side("Relu", "b", 0), (FactChange("output", "4", "8"),)
            ),
            "Relu: output 4 → 8",
        ),
    ],
)  # fmt: skip
def test_what_happened_to_a_node(change: NodeChange, text: str) -> None:
    (group,) = diff_rows.groups(Change((change,), 0, (0, 0), ()))
    assert group.text == text


def test_unknown_costs_are_marked() -> None:
    change = NodeChange(None, side("Magic", "m", 0, "nobody knows"))
    (group,) = diff_rows.groups(Change((change,), 0, (0, 0), ()))
    assert diff_rows.node_row(group)[0] == "0?"


def test_marks_and_top() -> None:
    nodes = [removed(1), NodeChange(side("Relu", "r", 0), None)]
    text = FORMATS["table"](diff(model("a.onnx", *nodes)), 1, Style())
    assert "▼  −2.00 KiB  −50.0%" in text
    assert "… and 1 more: --top 0 shows all" in text
    assert FORMATS["table"](diff(model("a.onnx", *nodes)), 0, Style(ascii=True)).isascii()


@pytest.mark.parametrize("form", FORMATS)
def test_names_are_harmless(form: str) -> None:
    broken = ModelDiff(None, ModelReport(EVIL, errors=(Problem(EVIL, EVIL, EVIL),)))
    node = NodeChange(side(f"Add {EVIL}", EVIL, 1), None, (FactChange(EVIL, EVIL, EVIL),))
    for many in (diff(model(EVIL, node)), diff(model(EVIL, node), broken)):
        noted = replace(many, old=EVIL, notes=(EVIL,))
        text = FORMATS[form](noted, 0, Style())
        assert "\x1b" not in text
        assert "\u202e" not in text
        if form == "markdown":
            assert "<img>" not in text
            assert "@team" not in text


def test_a_comment_holds_no_more_than_it_may() -> None:
    many = diff(*(model(f"{n}.onnx", *map(removed, range(5))) for n in range(400)))
    text = FORMATS["markdown"](many, 15, Style())
    assert len(text.encode()) < MAX_BYTES + 200
    assert "a comment holds no more" in text


def test_json_has_all() -> None:
    value = json.loads(FORMATS["json"](diff(model("a.onnx", removed(1))), 1, Style()))
    (one,) = value["models"]
    assert one["delta"] == {"memory_access_bytes": -2048, "multiply_adds": 0, "parameters": 0}
    assert one["nodes"][0]["old"]["title"] == "Add"
    assert one["nodes"][0]["new"] is None
