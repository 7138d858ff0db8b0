"""What the docs show behind a `$` is what the commands print, or says here why it is not run."""

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.test_baseline_scenario import MODELS
from tests.test_readme import ROOT, VARIES

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
ELSEWHERE = {  # the page, or the page's command, and the test that runs it
    "README.md": "test_readme.py",
    "docs/diff.md": "test_docs_diff.py",
    "docs/baseline.md": "test_baseline_scenario.py",
}
HERE = {"graphlint check . --baseline graphlint-baseline.json --update-baseline > report.txt"}
NOT_RUN = {  # how a command begins, and why
    "python3 -m venv": "installs; tests marked `index` install into fresh environments",
    "graphlint calibrate": "measures the device for minutes",
    "graphlint profile fixtures/shufflenet_v1_unit_stride1.onnx --what-if": "rows stand in the "
    "order of what was measured; test_cli_what_if.py runs it",
    ".venv/bin/": "needs the environment of the line before it",
    "python benchmarks/": "measures for minutes",
    "python docs/build_paper.py": "draws what a benchmark left; test_docs_paper.py runs it",
}


class Shown(NamedTuple):
    """A command of a page, and what stands below it."""

    page: str
    command: str
    output: str


def _shown() -> list[Shown]:
    found = []
    for path in PAGES:
        page = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, output = example.partition("\n")
                found.append(Shown(page, command, output))
    return found


SHOWN = _shown()
EXAMPLES = [
    each
    for each in SHOWN
    if (each.command in HERE or each.page not in ELSEWHERE)
    and not each.command.startswith(tuple(NOT_RUN))
]


def test_every_example_is_run_or_has_a_reason() -> None:
    assert len(EXAMPLES) >= 5
    assert all(each.command.startswith("graphlint ") for each in EXAMPLES)
    for page, test in ELSEWHERE.items():
        assert any(each.page == page for each in SHOWN)
        text = (ROOT / "tests" / test).read_text(encoding="utf-8")
        assert Path(page).name in text, f"{test} does not read {page}"
    for start in NOT_RUN:
        assert any(each.command.startswith(start) for each in SHOWN), start


@pytest.mark.parametrize("example", EXAMPLES, ids=[each.command for each in EXAMPLES])
def test_the_output_is_the_real_one(example: Shown, tmp_path: Path) -> None:
    measured = "ONNX Runtime" in example.output
    if measured and find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not installed: there are no times to show")
    words = shlex.split(example.command)
    redirected = ">" in words
    words = words[: words.index(">")] if redirected else words
    if measured:
        words += ["--time-budget", "1"]  # the same lines, with less certain figures
    done = run(words, staged(tmp_path))
    assert done.returncode in (0, 1), done.stderr
    shown = done.stderr if redirected else done.stdout
    if measured:
        assert without_figures(shown) == without_figures(example.output)
    elif example.output:
        assert shown == example.output


def staged(folder: Path) -> Path:
    """The folder of a project with models; the fixtures stand beside, out of its way."""
    (folder / "models").mkdir()
    for name in MODELS:
        source = ROOT / "fixtures" / f"{name}.onnx"
        (folder / "models" / source.name).write_bytes(source.read_bytes())
    (folder / "graphlint.toml").write_text('exclude = ["fixtures/*", "docs/*"]\n', encoding="utf-8")
    for name in ("fixtures", "docs"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "PRE_COMMIT"}
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**clean, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )


def without_figures(text: str) -> list[str]:
    """The lines without what is measured: times, ratios, verdicts, which nodes are slowest."""
    lines = [line for line in text.splitlines() if not line.startswith(WARNINGS)]
    lines = [NODE.sub("a node", VERDICT.sub("verdict", line)) for line in lines]
    lines = [RATIO.sub("T", VARIES.sub("T", line)) for line in lines]
    return sorted(" ".join(ROUNDS.sub("N rounds", line).split()) for line in lines)


WARNINGS = (
    "  note:",
    "note:",
    "the time budget was exceeded",
    "the machine is busy",
    "few rounds (",
)
VERDICT = re.compile(r"^.*95 % interval.*$")
NODE = re.compile(r"^/.*$")
RATIO = re.compile(r"(?<=T )\s*\d+\.\d\d$|(?<=T)\s+\d+\.\d\d$")
ROUNDS = re.compile(r"\d+ rounds")


PYTHON = re.findall(
    r"^```python\n(.*?)^```$",
    (ROOT / "docs" / "python.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)
SAYS = {  # what an example calls, and something that it must print
    "graphlint.check": "/stage2/unit2/Add G4 Add of activations",
    "graphlint.what_if": "G4 left out 1 ",
    "graphlint.load_device_profile": "AMD EPYC",
}
PYTHON_NOT_RUN = {"graphlint.calibrate": "measures the device for minutes"}


def _calls(code: str) -> str:
    """The first of graphlint's functions that an example calls."""
    return re.findall(r"graphlint\.[a-z_]+(?=\()", code)[0]


def test_every_python_example_is_run_or_has_a_reason() -> None:
    assert sorted(map(_calls, PYTHON)) == sorted([*SAYS, *PYTHON_NOT_RUN])


@pytest.mark.parametrize("code", [code for code in PYTHON if _calls(code) in SAYS], ids=_calls)
def test_a_python_example_runs(code: str) -> None:
    if _calls(code) == "graphlint.what_if" and find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not installed: nothing to measure with")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=True,
    )
    assert SAYS[_calls(code)] in done.stdout
