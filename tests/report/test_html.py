"""The page holds what was found and measured, loads nothing, and works in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from graphlint.problem import Problem
from graphlint.report.html import render
from graphlint.report.html.markup import data
from graphlint.report.html.scales import covering
from graphlint.report.html.strip import blocks
from graphlint.results import ModelReport, Report
from graphlint.times import Ceilings, NotMeasured
from tests.report import measured

NASTY = "</script><script>boom()</script><img src=x onerror=boom()>\"'&\u202e\u2028\x1b[31m"
CEILINGS = Ceilings(1e10, 5e10)
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


class Page(HTMLParser):
    """The page's elements, ids and references, as a browser would split it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.in_script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")
        self.in_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self.in_script = False

    def handle_data(self, data: str) -> None:
        if self.in_script:
            self.scripts[-1] += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, name: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(name)) is not None]


def page_of(model: ModelReport, ceilings: Ceilings | None = None) -> Page:
    return Page(render(measured.report(model), ceilings))


@pytest.mark.parametrize("model", [measured.small(), measured.timed(measured.small())])
def test_page_loads_nothing_and_runs_only_its_own_script(model: ModelReport) -> None:
    text = render(measured.report(model), CEILINGS)
    page = Page(text)
    assert not page.values("src")
    assert all(target.startswith("#") for target in page.values("href"))
    assert "http:" not in text
    assert "https:" not in text
    assert "url(" not in text
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv"))
    digest = b64encode(sha256(page.scripts[1].encode()).digest()).decode()
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}';" in policy
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


@pytest.mark.parametrize("model", [measured.small(), measured.timed(measured.small())])
def test_ids_are_unique_and_references_lead_somewhere(model: ModelReport) -> None:
    page = page_of(model)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = [target.removeprefix("#") for target in page.values("href")]
    for name in ("aria-labelledby", "aria-describedby", "for"):
        targets += page.values(name)
    assert targets
    assert set(targets) <= set(ids)


def test_every_name_is_escaped() -> None:
    path, code = f"/{NASTY}/node", f"X{NASTY}"
    cost = measured.convolution()
    model = measured.timed(
        replace(
            measured.small(),
            path=NASTY,
            inputs=(NASTY,),
            notes=(NASTY,),
            errors=(Problem(NASTY, NASTY, NASTY),),
            nodes=(
                measured.node(0, NASTY, cost, path=path, region=NASTY),
                *measured.small().nodes[1:],
            ),
            findings=(measured.finding(path, "/unit/Add", code=code, message=NASTY),),
        )
    )
    text = render(Report(NASTY, (model,), (Problem(NASTY),)), CEILINGS)
    page = Page(text)
    assert len(page.scripts) == 2
    assert not any(tag == "img" for tag, _ in page.tags)
    assert not set("\u202e\u2028\x1b") & set(text)
    (payload,) = json.loads(page.scripts[0])
    assert payload["rows"][0][0].startswith("/</script><script>boom()")
    assert "\\u202e" in payload["rows"][0][0]


def test_data_can_not_end_their_element() -> None:
    value = ["</script>", "<!--", "&amp;", "\u2028\u2029", "\ud800"]
    spelt = data(value)
    assert spelt.isascii()
    assert not set("<>&") & set(spelt)
    assert json.loads(spelt) == value


def test_page_tells_the_figures() -> None:
    text = page_of(measured.timed(measured.small()), CEILINGS).text
    for expected in (
        "m.onnx",
        "opset 17",
        "input 1x3x8x8 float32",
        "Measured on CPU, 1 thread, optimisation all: median of 100 runs in 5 sessions.",
        "Its kernels sum to 1.08 ms.",
        "1 warning. Excess is what is moved beyond need.",
        "G9",
        "2 places",
        "+128 B",
        "1 of 5 nodes are not counted",
        "no node (the runtime’s own)",
        "50.0 G multiply-adds/s",
        "10.0 GB/s",
    ):
        assert expected in text


def test_a_model_without_times_says_so() -> None:
    page = page_of(measured.small())
    assert "Latency was not measured." in page.text
    assert "Roofline" not in page.text
    reason = NotMeasured("no runtime is installed", "install one")
    text = page_of(replace(measured.small(), not_measured=reason)).text
    assert "Latency was not measured: no runtime is installed. install one." in text


def test_roofline_without_ceilings_says_so() -> None:
    text = page_of(measured.timed(measured.small())).text
    assert "ceilings were not measured" in text
    assert "GB/s" not in text


def test_a_model_that_can_not_be_read_is_its_errors() -> None:
    broken = ModelReport("b.onnx", errors=(Problem("b.onnx: an empty file", "0 bytes", "again"),))
    text = page_of(broken).text
    assert "b.onnx: an empty file" in text
    assert "Where the cost goes" not in text


def test_shares_of_a_bar_sum_to_the_whole() -> None:
    text = render(measured.report(measured.timed(measured.small())))
    bars = re.findall(r'<div class="bar" .*?</div>', text, re.DOTALL)
    assert len(bars) == 3
    for bar in bars:
        widths = [float(width) for width in re.findall(r"flex-grow:([0-9.]+)", bar)]
        assert sum(widths) == pytest.approx(1, abs=1e-5)


def test_blocks_hold_every_node_once() -> None:
    for model in (measured.small(), measured.large(10_000)):
        drawn = blocks(model.nodes)
        places = [place for block in drawn for place in block.places]
        assert sorted(places) == list(range(len(model.nodes)))
        assert len(drawn) <= 320


def test_layers_stand_between_regions() -> None:
    kinds = "Conv Relu Conv Relu Constant Add Conv".split()
    costs = {"Conv": measured.convolution(), "Constant": measured.relu(0)}
    nodes = [
        measured.node(
            i, op, costs.get(op, measured.relu()), region="/n5/Add" if 1 < i < 6 and i != 4 else ""
        )
        for i, op in enumerate(kinds)
    ]
    assert [block.places for block in blocks(nodes)] == [(0, 1), (2, 3, 4, 5), (6,)]


def test_scale_holds_its_values() -> None:
    scale = covering([3.0, 40_000.0], 10, 110)
    assert 10 < scale(3.0) < scale(40_000.0) < 110
    assert scale.ticks() == [10, 100, 1000, 10000]
    assert covering([5.0], 0, 1).ticks() == [1, 2, 5, 10, 20]


def test_pages_are_deterministic() -> None:
    model = measured.timed(measured.small())
    assert render(measured.report(model)) == render(measured.report(model))


def test_several_models_stand_on_one_page() -> None:
    timed = measured.timed(measured.small())
    page = Page(render(measured.report(timed, replace(measured.small(), path="other.onnx"))))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert len(json.loads(page.scripts[0])) == 2


# In a browser


@needs_chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (measured.small(), 5),
        (measured.timed(measured.small()), 5),
        (measured.large(100), 100),
        (measured.large(10_000), 10_000),
    ],
    ids=["static", "timed", "100", "10000"],
)
def test_page_works_in_chromium(model: ModelReport, rows: int, theme: str, tmp_path: Path) -> None:
    text = render(measured.report(model), CEILINGS)
    text = text.replace('<html lang="en">', f'<html lang="en" data-theme="{theme}">')
    for _ in range(3):  # rows fill the table at the first frame, which a busy machine may not reach
        dom = dumped(text, tmp_path)
        drawn = len(re.findall(r'<tr class="row"', dom))
        if drawn >= min(rows, 20):
            break
    assert "data-error" not in dom[: dom.index("<head>")]
    assert f'aria-rowcount="{rows + 1}"' in dom
    assert min(rows, 20) <= drawn <= 100
    assert dom.count('tabindex="0"') >= 1
    assert f"Theme: {theme}" in dom


@needs_chromium
def test_names_stay_text_in_chromium(tmp_path: Path) -> None:
    nasty = "/<img src=x onerror=boom()>"
    nodes = [measured.node(0, "<b>", measured.convolution(), path=nasty)]
    dom = dumped(
        render(measured.report(measured.model(nodes, [measured.finding(nasty)]))), tmp_path
    )
    assert "data-error" not in dom[: dom.index("<head>")]
    assert "<img" not in dom
    assert "&lt;img src=x" in dom


PROBE = """
const body = document.querySelector(".nodes tbody");
const scroll = document.querySelector(".scroll");
const seen = {};
const rows = () => [...body.querySelectorAll("tr.row")];
const orders = () => rows().map((row) => Number(row.cells[0].textContent));
const key = (name) => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
seen.heights = [...new Set(rows().map((row) => row.getBoundingClientRect().height))];
document.querySelector('th[data-key="order"] button').click();
seen.sorted = orders().slice(0, 3);
rows()[0].focus();
key("ArrowDown");
seen.down = document.activeElement.cells[0].textContent;
key("End");
seen.end = document.activeElement.cells[0].textContent;
key("Enter");
seen.details = document.querySelector(".details h3").textContent;
key("Escape");
seen.closed = document.querySelector(".details").hidden;
document.querySelector("[data-node='7']").click();
seen.revealed = document.querySelector(".details h3").textContent;
document.querySelector("[data-block='2']").click();
seen.block = [document.querySelector(".shown").textContent.slice(0, 12), orders()[0]];
document.querySelector(".chip").click();
document.querySelector("[data-finding]").click();
seen.finding = document.querySelector(".shown").textContent;
document.querySelector(".chip").click();
document.querySelector("input[type=checkbox]").click();
seen.only = document.querySelector(".shown").textContent;
document.querySelector("input[type=checkbox]").click();
scroll.scrollTop = 5000 * 30;
scroll.dispatchEvent(new Event("scroll"));
requestAnimationFrame(() => requestAnimationFrame(() => {
  seen.middle = orders().includes(5005);
  const words = document.querySelector("input[type=search]");
  words.value = "stage12/ relu";
  words.dispatchEvent(new Event("input"));
  setTimeout(() => {
    seen.filtered = orders();
    words.value = "";
    words.dispatchEvent(new Event("input"));
  }, 200);
  setTimeout(() => {
    dispatchEvent(new Event("beforeprint"));
    seen.printed = [rows().length, document.querySelector(".shown").textContent];
    dispatchEvent(new Event("afterprint"));
    seen.after = document.querySelector(".shown").textContent;
    document.documentElement.dataset.probe = JSON.stringify(seen);
  }, 500);
}));
"""


@needs_chromium
def test_table_is_sorted_filtered_and_walked_in_chromium(tmp_path: Path) -> None:
    text = render(measured.report(measured.large(10_000)), CEILINGS)
    text = re.sub(r"<meta http-equiv=[^>]*>", "", text)  # so that the probe may run
    dom = dumped(text.replace("</body>", f"<script>{PROBE}</script></body>"), tmp_path)
    found = re.search(r'data-probe="([^"]*)"', dom)
    assert found is not None, dom[:300]
    seen = json.loads(unescape(found[1]))
    assert seen == {
        "heights": [30],
        "sorted": [0, 1, 2],
        "down": "1",
        "end": "9999",
        "details": "/stage999/n9999",
        "closed": True,
        "revealed": "/stage0/n7",
        "block": ["40 of 10,000", 80],
        "finding": seen["finding"],
        "only": seen["only"],
        "middle": True,
        "filtered": [121, 123, 125, 127, 129],
        "printed": [60, "10,000 nodes · the first 60 are printed"],
        "after": "10,000 nodes",
    }
    for shown in (seen["finding"], seen["only"]):
        assert shown.startswith("1,429 of 10,000 nodes · ")


def test_an_error_leaves_a_mark() -> None:
    script = Page(render(measured.report(measured.small()))).scripts[1]
    assert script.index('addEventListener("error"') < script.index("class Nodes")


def dumped(text: str, folder: Path) -> str:
    """The page's DOM once its script has run; nothing may be said on the console."""
    assert CHROMIUM is not None
    page = folder / "page.html"
    page.write_text(text, encoding="utf-8")
    outcome = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--enable-logging=stderr",
            "--v=0",
            f"--user-data-dir={folder / 'profile'}",
            "--window-size=1280,1000",
            "--virtual-time-budget=3000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    said = [line for line in outcome.stderr.splitlines() if ":CONSOLE" in line]
    assert said == []
    return outcome.stdout
