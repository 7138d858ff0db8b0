"""Markdown for a comment, rendered as GitHub renders it: nothing in a name is alive."""

import re
from html.parser import HTMLParser

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given
from hypothesis import strategies as st

from graphlint.report import markdown
from graphlint.report.text import markdown_text
from graphlint.results import Report
from tests.report import found

PLAIN_TAGS = set("h3 p strong ul li br table thead tbody tr th td code details summary em".split())


class Page(HTMLParser):
    """What a page consists of: its tags, and its text outside code."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.cells: list[int] = []
        self._code = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name != "align"]
        self._code += tag == "code"
        if tag == "tr":
            self.cells.append(0)
        if tag in ("td", "th"):
            self.cells[-1] += 1

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        if not self._code:
            self.texts.append(data)


def page(text: str) -> Page:
    """The page that GitHub's own renderer makes of it."""
    html = cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
    return Page(html)


def assert_nothing_is_alive(text: str) -> None:
    """No tags of its own, and no text that GitHub turns into a mention, a link or a reference."""
    shown = page(text)
    assert shown.tags <= PLAIN_TAGS
    for piece in shown.texts:
        assert not re.search(r"@\w|#\d|\bGH-\d|://|\bwww\.", piece, re.IGNORECASE), piece


def test_what_it_says() -> None:
    text = markdown.render(found.plain())
    assert text.startswith("### graphlint: 1 error, 1 warning, 1 info in 3 models\n")
    assert "**2 errors**" in text
    assert "models/broken.onnx: a truncated model" in text
    assert "| `models/clean.onnx` | 2.00 M | 200.0 KiB | 3.00 k | no findings |" in text
    row = "| G4 elementwise-traffic | warning | `/stage2/Add` and 1 more |"
    assert row in text
    assert "+2.00 KiB | 1.0% |" in text
    shown = page(text)
    assert {"table", "details", "summary"} <= shown.tags
    assert set(shown.cells) == {5, 6}


def test_a_clean_report_is_short() -> None:
    text = markdown.render(Report(found.VERSION, (found.model("m.onnx"),)))
    assert text.startswith("### graphlint: no findings in 1 model\n")
    assert "<details>" not in text


@pytest.mark.parametrize("number", range(len(found.HOSTILE)))
def test_hostile_names_are_dead(number: int) -> None:
    report = found.hostile()
    one = Report(found.VERSION, report.models[number : number + 1], report.errors[number:][:1])
    assert_nothing_is_alive(markdown.render(one))


def test_all_hostile_names_fit() -> None:
    text = markdown.render(found.hostile())
    assert len(text.encode()) <= markdown.MAX_BYTES
    assert_nothing_is_alive(text)


@given(st.text(alphabet="@#:/.wGH-1a`|\\<>&*_[]()!~\n ", max_size=40))
def test_no_text_is_alive(text: str) -> None:
    assert_nothing_is_alive(f"| a |\n| --- |\n| {markdown_text(text)} {markdown.code(text)} |\n")


def test_what_does_not_fit_is_counted() -> None:
    text = markdown.render(found.many())
    assert len(text) < 10_000
    assert "… and 19,980 findings more." in text
    models = tuple(
        found.model(f"models/{number:0100}.onnx", found.many(20).findings) for number in range(300)
    )
    text = markdown.render(Report(found.VERSION, models))
    assert len(text.encode()) <= markdown.MAX_BYTES
    assert "… and 250 models more." in text
    assert re.search(r"… and [\d,]+ findings more: see the report in full\.\n$", text)
    assert text.count("<details>") == text.count("</details>") > 1
