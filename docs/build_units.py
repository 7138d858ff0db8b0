"""Draw `docs/pictures/unit_*.svg`: units of V1 and what `graphlint rewrite` makes of them.

python docs/build_units.py          # write
python docs/build_units.py --check  # exit 1 where a picture is not what it should be

The pictures are drawn from the graphs: the fixtures with one unit each, before and after.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path

import graphlint
from graphlint.config import Settings
from graphlint.graph import GraphView, Node
from graphlint.rewriting.request import RewriteRequest
from graphlint.rewriting.run import rewrite

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
_BOX_WIDTH, _BOX_HEIGHT, _GAP = 148, 30, 22
_COLUMN = 176
_FILLS = {"Conv": "#d8e6f5", "Add": "#f7d9d4", "Transpose": "#f6e7c4", "Split": "#dcefdc"}


def pictures() -> dict[str, str]:
    """Pictures by file name."""
    made = {}
    for stride in (1, 2):
        source = ROOT / "fixtures" / f"shufflenet_v1_unit_stride{stride}.onnx"
        made[f"unit_v1_stride{stride}.svg"] = draw(graphlint.load(source), "ShuffleNet V1")
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out.onnx"
            request = RewriteRequest(
                str(source),
                Settings(),
                out=out,
                plan="keep",
                weights="structure",
                folder=Path(folder),
            )
            rewrite(replace(request, options={"fold-bn": True}))
            made[f"unit_v2_stride{stride}.svg"] = draw(graphlint.load(out), "ShuffleNet V2")
    return made


def draw(view: GraphView, title: str) -> str:
    """The graph from top to bottom: a row a depth, a column a branch."""
    nodes = [node for node in view.nodes if not set(node.outputs) <= view.static_values]
    rows = _rows(view, nodes)
    columns = _columns(view, nodes)
    width = _COLUMN * (1 + max(columns.values())) + 24
    height = (2 + max(rows.values())) * (_BOX_HEIGHT + _GAP) + 64
    shapes = {
        node.index: (
            12 + columns[node.index] * _COLUMN,
            84 + rows[node.index] * (_BOX_HEIGHT + _GAP),
        )
        for node in nodes
    }
    body = [
        *_edges(view, nodes, shapes),
        *(_box(view, node, *shapes[node.index]) for node in nodes),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="13" '
        f'fill="#222">\n<rect width="100%" height="100%" fill="#fff"/>\n'
        f'<text x="12" y="22" font-weight="bold">{escape(title)}</text>\n'
        f'<text x="12" y="56">{escape(_spell(view, view.inputs[0]))}</text>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _rows(view: GraphView, nodes: list[Node]) -> dict[int, int]:
    """How far each node is from the input, at the longest."""
    rows: dict[int, int] = {}
    for node in nodes:
        before = (view.producer(key) for key in node.inputs)
        rows[node.index] = 1 + max(
            (rows[made.index] for made in before if made is not None and made.index in rows),
            default=-1,
        )
    return rows


def _columns(view: GraphView, nodes: list[Node]) -> dict[int, int]:
    """The first reader of a value goes on in its column, another opens a new one."""
    columns: dict[int, int] = {}
    taken: set[str] = set()
    for node in nodes:
        key = next((key for key in node.inputs if key not in view.static_values), "")
        made = view.producer(key)
        column = columns.get(made.index, 0) if made is not None else 0
        position = made.outputs.index(key) if made is not None else 0
        busy = key in taken or position > 0
        columns[node.index] = column + 1 if busy and len(_moving(view, node)) == 1 else column
        taken.add(key)
    return columns


def _moving(view: GraphView, node: Node) -> list[str]:
    return [key for key in node.inputs if key and key not in view.static_values]


def _edges(view: GraphView, nodes: list[Node], shapes: dict[int, tuple[int, int]]) -> Iterator[str]:
    for node in nodes:
        x, y = shapes[node.index]
        for key in _moving(view, node):
            made = view.producer(key)
            start = shapes[made.index] if made is not None else (12, 34)
            x1, y1 = start[0] + _BOX_WIDTH // 2, start[1] + _BOX_HEIGHT
            x2 = x + _BOX_WIDTH // 2
            bend = y - _GAP // 2
            side = max(x1, x2)
            if x1 == x2 and y - y1 > _GAP:  # past the boxes between them
                side += _BOX_WIDTH // 2 + _GAP // 2
            yield (
                f'<path d="M{x1} {y1} V{y1 + _GAP // 3} H{side} V{bend} H{x2} V{y}" fill="none" '
                f'stroke="#888"/>'
            )


def _box(view: GraphView, node: Node, x: int, y: int) -> str:
    fill = _FILLS.get(node.op, "#f0f0f0")
    return (
        f'<rect x="{x}" y="{y}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="4" fill="{fill}" '
        f'stroke="#999"/><text x="{x + _BOX_WIDTH // 2}" y="{y + 20}" text-anchor="middle">'
        f"{escape(_label(view, node))}</text>"
    )


def _label(view: GraphView, node: Node) -> str:
    if node.op == "Conv":
        weight = view.shape(node.input(1))
        assert weight is not None
        groups = int(node.attribute("group", 1))
        kernel = "×".join(map(str, weight[2:]))
        if groups == weight[0]:
            return f"{kernel} depthwise {groups}"
        grouped = f", g {groups}" if groups > 1 else ""
        return f"{kernel} conv {weight[1] * groups}→{weight[0]}{grouped}"
    if node.op == "Split":
        return f"Split {' | '.join(str((view.shape(key) or (0, 0))[1]) for key in node.outputs)}"
    return node.op


def _spell(view: GraphView, key: str) -> str:
    return "×".join(map(str, view.shape(key) or ()))


def main() -> int:
    """Write the pictures, or compare them."""
    parser = argparse.ArgumentParser(description="Draw units before and after the rewrite.")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, text in pictures().items():
        path = PICTURES / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"stale: {', '.join(stale)}; run docs/build_units.py", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
