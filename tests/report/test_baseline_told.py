"""What a baseline made of a run is told in every format for people and code hosts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from graphlint.findings import Finding, Known
from graphlint.report import concise, full, github, markdown
from graphlint.report.text import Style
from graphlint.results import BaselineSummary, Report
from tests.report import found

TALLY = "31 findings in the baseline, 1 worse"
GROWTH = "2 places, the baseline has 1 (+1.00 KiB)"
RENDER: dict[str, Callable[[Report], str]] = {
    "full": lambda report: full.render(report, Style()),
    "concise": lambda report: concise.render(report, Style()),
    "markdown": markdown.render,
    "github": lambda report: github.render(report, Path()),
}
FINDING = found.finding(found.site("m.onnx", "/a/Add"), found.site("m.onnx", "/b/Add"))


def report(*findings: Finding, worse: int = 1) -> Report:
    model = found.model("m.onnx", findings)
    return Report(found.VERSION, (model,), baseline=BaselineSummary(known=31, worse=worse))


@pytest.mark.parametrize("form", RENDER)
def test_what_is_worse_is_told_with_the_summary(form: str) -> None:
    text = RENDER[form](report(replace(FINDING, known=Known(1, 1024))))
    assert TALLY in text
    assert GROWTH in text
    assert "worse: " in text.lower().replace("**", "")


@pytest.mark.parametrize("form", RENDER)
def test_what_is_new_is_not_called_worse(form: str) -> None:
    text = RENDER[form](replace(report(FINDING), baseline=BaselineSummary(known=31, new=1)))
    assert "31 findings in the baseline, 1 new" in text
    assert "worse" not in text.lower()


def test_concise_and_github_are_silent_where_nothing_is_new() -> None:
    clean = report(worse=0)
    assert RENDER["concise"](clean) == RENDER["github"](clean) == ""
    assert RENDER["markdown"](clean).startswith(
        "### graphlint: no new findings in 1 model\n\n31 findings in the baseline\n"
    )


def test_github_shows_no_more_than_ten_with_the_summary() -> None:
    many = report(*[found.finding(found.site("m.onnx", f"/{n}")) for n in range(30)])
    lines = RENDER["github"](many).splitlines()
    assert len(lines) == 10
    assert lines[-1] == f"::notice title=graphlint::{TALLY}"
    assert "…and 22 more" in lines[-2]
