"""A name can't forge a command to the CI in whose log a report is shown."""

import re

import pytest

from graphlint import terminal
from graphlint.diffing.results import Diff
from graphlint.problem import Problem
from graphlint.report import concise, diff, full
from graphlint.report.text import Style
from graphlint.results import Report
from tests.report import found

HOSTILE = (
    "::error file=a::forged",
    "  ::error::forged",
    "\u3000::error::forged",
    "##[error]forged",
    "a ##[error]forged",
    "##vso[task.setvariable variable=x]forged",
    "###[error]forged",
)
STYLES = (Style(), Style(ascii=True))
# As the runners look for them: GitHub after taking off blanks, or anywhere; Azure anywhere.
COMMAND = re.compile(r"^\s*::|##\w*\[", re.MULTILINE)


def report(name: str) -> Report:
    finding = found.finding(found.site(name, name, name), message=name, advice=name)
    sites = found.finding(found.site(name, name), found.site(name, name), message=name)
    problem = Problem(name, name, name)
    return Report(found.VERSION, (found.model(name, [finding, sites], problem),), (problem,))


@pytest.mark.parametrize("style", STYLES, ids=["unicode", "ascii"])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_line_of_a_report_is_a_command(name: str, style: Style) -> None:
    empty = Diff(found.VERSION, name, name, (), 0.01, (name,))
    for text in (
        full.render(report(name), style, nodes=True),
        concise.render(report(name), style),
        diff.as_table(empty, 0, style),
    ):
        assert "forged" in text
        assert not COMMAND.search(text), text


@pytest.mark.parametrize("name", HOSTILE)
def test_no_line_on_stderr_is_a_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.tell(Problem(name, name, name))
    terminal.tell_notes([name])
    text = capsys.readouterr().err
    assert text.count("forged") == 4
    assert not COMMAND.search(text)


def test_places_stay_as_they_are() -> None:
    line = "models/a.onnx::/stage2/Add: G4 warning a # b, [1] ## c\n"
    assert Style().final(line) == line
