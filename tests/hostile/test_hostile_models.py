"""The hostile collection: nothing crashes, hangs, escapes, lies or is lost.

What takes seconds is left to `benchmarks/hostile.py`, which runs every command on all of it.
"""

import csv
import io
import json
import os
import sys
import unicodedata
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cmarkgfm import github_flavored_markdown_to_html

from fixtures import hostile
from fixtures.hostile_case import READ, REFUSED, Case
from graphlint.checking import Options, check_paths
from graphlint.cli_options import CheckFormat
from graphlint.cli_output import File, Outputs, deliver
from graphlint.report.profile import FORMATS
from graphlint.report.text import Style
from graphlint.results import ModelReport, Report
from graphlint.terminal import Colour
from tests.in_process import graphlint

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="names, links and pipes of POSIX")

_SPY = """
import sys

if "graphlint.worker" in sys.orig_argv:
    import os

    log = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(event, arguments):
        if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str):
            os.write(log, ascii(os.path.realpath(arguments[0])).encode() + b"\\n")

    sys.addaudithook(note)
"""


@dataclass(frozen=True)
class Checked:
    """The collection, what a check made of it, and what was opened for that."""

    folder: Path
    cases: dict[str, Case]
    report: Report
    opened: frozenset[str]
    before: dict[str, tuple[int, int]]

    @property
    def models(self) -> dict[str, ModelReport]:
        return {model.path: model for model in self.report.models}


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file below a folder, links not followed."""
    found = {}
    for home, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(os.path.join(home, name))
            found[os.path.join(home, name)] = (status.st_size, status.st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    folder = tmp_path_factory.mktemp("hostile")
    written = hostile.write(folder, [case for case in hostile.cases() if not case.slow])
    spy = tmp_path_factory.mktemp("spy")
    log = spy / "opened"
    (spy / "sitecustomize.py").write_text(_SPY.format(log=str(log)))
    before = _state(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(spy))
        options = Options(isolated=True, want_nodes=True, jobs=2)
        report = check_paths([str(path) for path in written], options)
    opened = frozenset(map(str, map(eval, log.read_text().splitlines())))
    cases = {str(path): case for path, case in written.items()}
    return Checked(folder, cases, report, opened, before)


def test_the_collection_is_large_and_of_many_kinds(checked: Checked) -> None:
    assert len(checked.cases) >= 150
    assert len({case.kind for case in checked.cases.values()}) >= 15


def test_every_model_ends_as_it_should(checked: Checked) -> None:
    assert not checked.report.errors
    wrong = []
    for path, case in checked.cases.items():
        errors = checked.models[path].errors
        said = " ".join(f"{error.message} {error.cause}" for error in errors)
        if (REFUSED if errors else READ) != case.fate or case.says not in said:
            wrong.append((case.kind, case.name, case.fate, said))
    assert wrong == []


def test_no_child_crashes_or_runs_out_of_time(checked: Checked) -> None:
    """Limits are there; a model that needs them is a slow one, or shows what is to be mended."""
    errors = [error for model in checked.report.models for error in model.errors]
    assert [error for error in errors if " failed" in error.message] == []


def test_every_error_says_what_and_why(checked: Checked) -> None:
    for error in checked.report.problems:
        assert error.message
        assert error.cause


def test_nothing_outside_is_opened(checked: Checked) -> None:
    models = {os.path.realpath(path) for path in checked.cases}
    below = {path for path in checked.opened if path.startswith(str(checked.folder.resolve()))}
    assert below  # the spy works
    assert below <= models
    devices = {path for path in checked.opened if path.startswith("/dev/")}
    assert devices <= {os.devnull, "/dev/urandom"}
    assert "/etc/passwd" not in checked.opened


def test_nothing_is_written_beside_the_models(checked: Checked) -> None:
    assert _state(checked.folder) == checked.before


# What is shown of it


def _is_raw(char: str) -> bool:
    return char != "\n" and (unicodedata.category(char)[0] == "C" or char in "\u2028\u2029")


def _raw(text: str) -> set[str]:
    return {char for char in set(text) if _is_raw(char)}


@pytest.mark.parametrize("form", list(CheckFormat))
def test_no_report_has_raw_control_characters(
    form: CheckFormat, checked: Checked, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    deliver(checked.report, Outputs(None, (File(out, form),)), "warning", Colour.NEVER, nodes=True)
    text = out.read_bytes().decode()  # UTF-8, whatever the models are
    assert _raw(text) == set()
    if form in (CheckFormat.JSON, CheckFormat.SARIF, CheckFormat.GITLAB):
        json.loads(text)
    elif form is CheckFormat.JSON_LINES:
        assert all(json.loads(line) for line in text.splitlines())
    elif form is CheckFormat.JUNIT:
        ElementTree.fromstring(text)
    elif form is CheckFormat.GITHUB:
        commands = {line.partition(" ")[0] for line in text.splitlines()}
        assert not any(line.startswith("::error file=x,") for line in text.splitlines())
        assert {each for each in commands if each.startswith("::")} <= {
            "::error",
            "::warning",
            "::notice",
        }
    elif form is CheckFormat.MARKDOWN:
        assert "<img" not in github_flavored_markdown_to_html(text)


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_no_profile_has_raw_control_characters(form: str, checked: Checked) -> None:
    for path, case in checked.cases.items():
        model = checked.models[path]
        if model.totals is None:
            continue
        report = replace(checked.report, models=(model,))
        text = FORMATS[form](report, "node", 25, Style())
        assert _raw(text.replace("\r\n", "\n")) == set(), case.name
        if form == "json":
            json.loads(text)
        elif form == "csv":
            cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
            assert not any(cell.startswith(("=", "+", "@")) for cell in cells)
        elif form == "html":
            assert "<img" not in text, case.name
        elif form == "markdown":
            assert "<img" not in github_flavored_markdown_to_html(text), case.name


# The other commands

_SOME = (
    "noise in a graph 1",
    "everywhere: lines",
    "in an error: ANSI escapes",
    "cycle through a body",
    "1,000 dimensions of 2^62, convolved",
    "ConstantOfShape of 10^12",
    "Loop of 2^62",
    "link to a file outside",
    "pipe",
)


@pytest.mark.parametrize("name", _SOME)
def test_a_rewrite_of_it_writes_nothing(name: str, checked: Checked, tmp_path: Path) -> None:
    path = next(path for path, case in checked.cases.items() if case.name == name)
    done = graphlint("rewrite", path, "-o", tmp_path / "out.onnx", "--no-latency", cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert list(tmp_path.iterdir()) == []
    assert _raw(done.stdout + done.stderr) == set()
    assert "Traceback" not in done.stderr


def test_a_diff_of_them_is_made(checked: Checked, tmp_path: Path) -> None:
    folder = checked.folder / "models" / "names"
    done = graphlint("diff", folder, folder, "--isolated", "--top", "0", cwd=tmp_path)
    assert done.returncode == 2  # some are no models
    assert _raw(done.stdout + done.stderr) == set()
    assert "Traceback" not in done.stderr
