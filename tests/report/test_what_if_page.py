"""The page of `profile --what-if`: what it says, what it draws, and that it is harmless."""

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from graphlint.alternatives.results import Change, Saving, Untried, WhatIfReport
from graphlint.report.html.savings import Axis, covering
from graphlint.report.html.what_if import render
from graphlint.times import ComparedTimes, NotMeasured, Ratio

NASTY = "</title></script><script>boom()</script><img src=x onerror=boom()>\x1b\u202e\"'&"
VOID = {"meta", "br", "img", "link"}
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


class Markup(HTMLParser):
    """The elements of a page in order, their words, and whether each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def places(self, kind: str) -> list[tuple[float, float]]:
        """Where the marks of a class begin, and how wide they are, in percent."""
        return [
            (float(found[1]), float(found[2]))
            for _, attrs in self.tags
            if kind in attrs.get("class", "").split()
            and (found := re.fullmatch(r"left:([\d.]+)%;width:([\d.]+)%", attrs.get("style", "")))
        ]


def change(seconds: float, low: float, high: float) -> Change:
    return Change(
        code="G2",
        name="n",
        message="60→240, groups 3: moves 9 KiB",
        becomes="35→139",
        place="/stage3/pw2/Conv",
        sites=3,
        where="alone",
        saving=Saving(seconds, low, high),
        multiply_adds=1000,
        multiply_adds_instead=980,
    )


def report(*changes: Change) -> WhatIfReport:
    run = ComparedTimes(0.004, 0.01, Ratio(1.0, 1.0, 1.0))
    return WhatIfReport(
        "1.2", "nets/net.onnx", "A processor, 4 cores", "cpu", 1, "all", run, "cpu", changes
    )


TOLD, UNSURE, LOSS = (
    change(4e-4, 3e-4, 5e-4),
    change(1e-4, -1e-4, 2e-4),
    change(-2e-4, -3e-4, -1e-4),
)


def test_the_headline_says_what_would_be_saved_at_most_and_where() -> None:
    page = Markup(render(report(TOLD, UNSURE, LOSS)))
    assert (
        "One change would save at most 400 µs of a run’s 4.00 ms (10.0 %) on A processor, 4 cores"
    ) in page.text
    assert "That is G2 at 3 sites: 60→240, groups 3 → 35→139." in page.text
    assert "CPU, 1 thread, optimisation all" in page.text
    assert "nothing is said of what it would predict" in page.text


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (report(), "No finding has an alternative that could be measured"),
        (report(UNSURE, LOSS), "No alternative is told to save time on A processor, 4 cores"),
        (replace(report(), model=NotMeasured("no runtime")), "Not measured: no runtime"),
    ],
)
def test_where_nothing_is_saved_the_headline_says_so(made: WhatIfReport, said: str) -> None:
    assert said in Markup(render(made)).text


def test_a_bar_runs_from_zero_and_a_whisker_over_the_interval() -> None:
    page = Markup(render(report(TOLD, UNSURE, LOSS)))
    axis = Axis(-3.16e-4, 5.16e-4)  # from the least to the most, and 2 % at either side
    zero = axis(0.0)
    assert page.places("told") == [
        pytest.approx((zero, axis(4e-4) - zero), abs=0.01),
        pytest.approx((axis(-2e-4), zero - axis(-2e-4)), abs=0.01),
    ]
    assert page.places("noise") == [pytest.approx((zero, axis(1e-4) - zero), abs=0.01)]
    whiskers = [
        (axis(each.low), axis(each.high)) for each in (_saving(c) for c in (TOLD, UNSURE, LOSS))
    ]
    assert page.places("whisker") == [
        pytest.approx((low, high - low), abs=0.02) for low, high in whiskers
    ]
    assert not {"low", "high"} & {name for _, a in page.tags for name in a.get("class", "").split()}
    lines = [a["style"] for _, a in page.tags if "zero" in a.get("class", "").split()]
    assert lines == [f"left:{zero:.2f}%"] * 3


def _saving(of: Change) -> Saving:
    assert isinstance(of.saving, Saving)
    return of.saving


def test_a_whisker_out_of_proportion_is_cut_and_does_not_squash_the_bars() -> None:
    page = Markup(render(report(TOLD, change(1e-4, -1.0, 2e-4), change(5e-5, -1.0, 1.0))))
    cut = [a["class"] for _, a in page.tags if "whisker" in a.get("class", "").split()]
    assert cut == [
        "whisker",
        "whisker",
        "whisker low",
        "whisker low high",
    ]  # the first is the key's
    (bar, *_) = page.places("told")
    assert bar[1] > 30


@pytest.mark.parametrize(
    ("savings", "low", "high"),
    [
        ([Saving(4e-6, 3e-6, 5e-6)], -1e-7, 5.1e-6),  # zero is on it
        ([Saving(-4e-6, -5e-6, -3e-6)], -5.1e-6, 1.01e-7),
        ([Saving(2e-6, -9.0, 9.0)], -3.12e-6, 3.12e-6),  # one and a half times the largest
        ([Saving(0.0, 0.0, 0.0)], -2e-11, 1.02e-9),
    ],
)
def test_an_axis_holds_zero_and_the_bars(savings: list[Saving], low: float, high: float) -> None:
    axis = covering(savings)
    assert (axis.low, axis.high) == (pytest.approx(low, rel=1e-3), pytest.approx(high, rel=1e-3))
    assert axis(axis.high + 1) == 100
    assert axis(axis.low - 1) == 0


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (Axis(-1.1e-6, 5.2e-6), [0, 2e-6, 4e-6]),
        (Axis(-19e-6, 19e-6), [-10e-6, 0, 10e-6]),
        (Axis(0.0, 6.0), [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_ticks_are_round_and_zero_is_among_them(axis: Axis, ticks: list[float]) -> None:
    assert axis.ticks() == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("seconds", "feet"), [(0.4, ["0", "100 ms", "200 ms"]), (4e-8, ["0", "10 ns", "20 ns"])]
)
def test_what_the_lines_stand_for_is_told_in_one_unit(seconds: float, feet: list[str]) -> None:
    page = render(report(change(seconds, seconds, seconds)))
    foot = page[page.index('class="foot"') :]
    assert re.findall(r'%">([^<]+)<', foot[: foot.index("</div>")])[:3] == feet


@pytest.mark.parametrize(
    ("now", "instead", "said"),
    [
        (1000, 1000, "1.00 k, equal"),
        (1000, 980, "1.00 k, −2.0%"),
        (1000, 1014, "1.00 k, +1.4%"),
        (0, 0, "none, equal"),
        (0, 5, "none, then 5"),
        (None, 5, "not known"),
        (5, None, "not known"),
    ],
)
def test_whether_the_work_is_equal_is_told(now: int | None, instead: int | None, said: str) -> None:
    made = replace(TOLD, multiply_adds=now, multiply_adds_instead=instead)
    assert f'<td class="num">{said}</td>' in render(report(made))


def test_the_table_has_the_message_the_time_the_share_and_the_interval() -> None:
    page = render(report(TOLD, UNSURE))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", page)
    assert cells[:7] == [
        '60→240, groups 3: moves 9 KiB<div class="path">/stage3/pw2/Conv</div>',
        '35→139<div class="quiet">measured alone</div>',
        "3",
        "1.00 k, −2.0%",
        "400 µs",
        "300 µs … 500 µs",
        "10.0%",
    ]
    assert cells[11:13] == ["100 µs ?", "−100 µs … 200 µs"]


def test_what_was_not_measured_or_not_tried_has_its_reason() -> None:
    lost = replace(TOLD, saving=NotMeasured("it crashed"))
    made = replace(
        report(lost), untried=(Untried("G4", "Add of activations", "/add", 1, "no alternative"),)
    )
    page = Markup(render(made))
    assert "not measured: it crashed" in page.text
    assert "1 finding was not tried" in page.text
    assert "not tried: 1 finding: no alternative." in page.text
    assert 'class="savings"' not in render(made)  # nothing to draw


def test_the_page_loads_nothing_runs_nothing_and_is_well_formed() -> None:
    text = render(report(TOLD, UNSURE, LOSS))
    page = Markup(text)
    assert page.open == []
    assert not any({"src", "href"} & set(attrs) for _, attrs in page.tags)
    assert not re.search(r"https?:|url\(|@import|<script", text)
    policy = next(attrs["content"] for _, attrs in page.tags if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {
        attrs["aria-labelledby"] for _, attrs in page.tags if "aria-labelledby" in attrs
    } <= set(ids)


def test_every_name_is_escaped() -> None:
    hostile = replace(TOLD, code=NASTY, message=NASTY, becomes=NASTY, place=NASTY)
    lost = replace(hostile, saving=NotMeasured(NASTY))
    made = replace(
        report(hostile, lost),
        version=NASTY,
        path=NASTY,
        device=NASTY,
        provider=NASTY,
        optimization=NASTY,
        untried=(Untried(NASTY, NASTY, NASTY, 1, NASTY),),
        notes=(NASTY,),
    )
    text = render(made)
    tags = {tag for tag, _ in Markup(text).tags}
    assert not {"script", "img"} & tags
    assert not set("\x1b\u202e") & set(text)
    assert not any(name.startswith("on") for _, attrs in Markup(text).tags for name in attrs)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_page_fits_a_telephone(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    page = re.sub(
        r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", render(report(TOLD, LOSS))
    )
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    probe = (
        "<!doctype html><iframe src='page.html' style='width:390px'></iframe>"
        "<script>onload=()=>document.title=frames[0].document.documentElement.scrollWidth</script>"
    )
    (tmp_path / "probe.html").write_text(probe, encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
         "--dump-dom", (tmp_path / "probe.html").as_uri()],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    width = re.search(r"<title>(\d+)</title>", done.stdout)
    assert width is not None
    assert int(width[1]) <= 390
