"""`check` with its formats and files: what goes where, and what is refused before the work."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from graphlint.cli_options import CheckFormat
from graphlint.cli_output import File, Outputs, planned
from graphlint.errors import UsageError
from tests.test_cli import V1, V2, graphlint, hostile_model

FULL, JSON, SARIF = CheckFormat.FULL, CheckFormat.JSON, CheckFormat.SARIF


def first_lines(path: Path) -> str:
    return path.read_text(encoding="utf-8")[:300]


@pytest.mark.parametrize(
    ("form", "files", "stdout", "formats"),
    [
        (None, [], "full", []),
        ("json", [], "json", []),
        # One file that can hold what stdout would show takes its place.
        (None, ["r.txt"], None, ["full"]),
        (None, ["report"], None, ["full"]),
        ("concise", ["r.out"], None, ["concise"]),
        ("json", ["r.json"], None, ["json"]),
        ("gitlab", ["gl.json"], None, ["gitlab"]),
        ("sarif", ["r.json"], None, ["sarif"]),
        ("junit", ["r.XML"], None, ["junit"]),
        # Any other file is written beside it.
        (None, ["r.sarif"], "full", ["sarif"]),
        (None, ["r.sarif.json"], "full", ["sarif"]),
        (None, ["r.json"], "full", ["json"]),
        ("github", ["r.sarif"], "github", ["sarif"]),
        ("json", ["concise:r.txt"], "json", ["concise"]),
        (None, ["full:r.txt"], "full", ["full"]),
        (
            "github",
            ["r.sarif", "gitlab:r.json", "r.xml", "r.md", "r.jsonl", "r.ndjson", "r.txt"],
            "github",
            ["sarif", "gitlab", "junit", "markdown", "json-lines", "json-lines", "full"],
        ),
    ],
)
def test_what_goes_where(
    form: str | None, files: list[str], stdout: str | None, formats: list[str]
) -> None:
    outputs = planned(None if form is None else CheckFormat(form), files)
    assert outputs.stdout == stdout
    assert [file.format for file in outputs.files] == formats


@pytest.mark.parametrize(
    ("form", "files", "want", "keep"),
    [
        ("json", [], True, True),
        ("json-lines", [], True, False),  # each line is written when its model is done
        ("json-lines", ["r.json"], True, True),
        ("full", ["r.jsonl"], True, True),
        ("sarif", ["r.md"], False, False),
    ],
)
def test_formats_that_need_all_nodes_at_the_end(
    form: str, files: list[str], want: bool, keep: bool
) -> None:
    outputs = planned(CheckFormat(form), files)
    assert (outputs.want_nodes, outputs.keep_nodes) == (want, keep)


def test_a_prefix_is_a_format_and_nothing_else() -> None:
    assert planned(None, ["other:r.json"]) == Outputs(FULL, (File(Path("other:r.json"), JSON),))
    assert planned(None, ["sarif:"]) == Outputs(None, (File(Path("sarif:"), FULL),))
    with pytest.raises(UsageError, match="its format is not known"):
        planned(None, ["r.sarif", "r.out"])


def test_several_files_beside_the_terminal(tmp_path: Path) -> None:
    names = ["r.sarif", "r.json", "r.jsonl", "r.xml", "r.md", "r.txt", "gitlab:gl.json"]
    files = [part for name in names for part in ("--output-file", name)]
    done = graphlint("check", V1, *files, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stdout == graphlint("check", V1, cwd=tmp_path).stdout
    assert sorted(os.listdir(tmp_path)) == sorted(
        ["r.sarif", "r.json", "r.jsonl", "r.xml", "r.md", "r.txt", "gl.json"]
    )
    assert '"version": "2.1.0"' in first_lines(tmp_path / "r.sarif")
    assert json.loads((tmp_path / "r.json").read_text())["models"][0]["nodes"]
    assert json.loads((tmp_path / "r.jsonl").read_text())["model"]["nodes"]
    assert ET.parse(tmp_path / "r.xml").getroot().tag == "testsuites"
    assert first_lines(tmp_path / "r.md").startswith("### graphlint: ")
    assert (tmp_path / "r.txt").read_text(encoding="utf-8") == done.stdout
    assert json.loads((tmp_path / "gl.json").read_text())[0]["check_name"].startswith("G4 ")


def test_one_format_to_one_file_leaves_stdout_empty(tmp_path: Path) -> None:
    arguments = ("check", V1, "--output-format", "github")
    done = graphlint(*arguments, "--output-file", "report", cwd=tmp_path)
    assert done.stdout == ""
    shown = graphlint(*arguments, cwd=tmp_path).stdout
    assert (tmp_path / "report").read_text(encoding="utf-8") == shown


def in_all_formats(folder: Path, *arguments: str | Path, **environment: str) -> dict[str, str]:
    """What one run writes to a file of each format."""
    files = [part for form in CheckFormat for part in ("--output-file", f"{form}:{folder / form}")]
    done = graphlint("check", *arguments, *files, "--color", "never", **environment)
    assert done.stderr == ""
    texts = {form: (folder / form).read_text(encoding="utf-8") for form in CheckFormat}
    assert texts[CheckFormat.FULL] == done.stdout
    return {form.value: text for form, text in texts.items()}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["missing/r.sarif"], "there is no folder missing"),
        (["file/r.sarif"], "there is no folder file"),
        (["folder"], "folder: a folder"),
        (["sarif:folder"], "folder: a folder"),
        (["r.sarif", "./r.sarif"], "two reports can't be written to one file"),
        (["r.sarif", "json:folder/../r.sarif"], "two reports can't be written to one file"),
        (["r.sarif", "r.out"], "its format is not known"),
        (["model.onnx"], "a report would take its place"),
        (["other.onnx"], "a report would take its place"),
        (["json:/dev/null"], "no regular file"),
    ],
)
def test_senseless_files_are_told_before_the_work(
    tmp_path: Path, files: list[str], message: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "model.onnx").write_bytes(V1.read_bytes())
    before = sorted(os.listdir(tmp_path))
    options = [part for name in files for part in ("--output-file", name)]
    done = graphlint("check", "model.onnx", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "hint: " in done.stderr
    assert done.stdout == ""
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = graphlint("check", V1, "--output-file", tmp_path / "r.sarif")
    assert done.returncode == 2
    assert "may not be written to" in done.stderr


def test_errors_and_findings_in_every_format(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(V1.read_bytes()[:5000])
    paths = (V1, tmp_path / "broken.onnx", tmp_path / "missing.onnx")
    for text in in_all_formats(tmp_path, *paths).values():
        assert "a truncated model" in text
        assert "missing.onnx" in text
        assert "Add of activations" in text


def test_hostile_names_are_harmless_in_every_format(tmp_path: Path) -> None:
    model = hostile_model(tmp_path / "m.onnx")
    for text in in_all_formats(tmp_path, model).values():
        assert "evil" in text
        assert all(char == "\n" or char.isprintable() for char in text)
        assert "\n::error::x" not in text


def test_the_same_bytes_again(tmp_path: Path) -> None:
    runs = [
        in_all_formats(tmp_path, V1, V2, "--jobs", jobs, PYTHONHASHSEED=seed)
        for jobs, seed in (("1", "1"), ("2", "2"))
    ]
    assert runs[0] == runs[1]


def test_stdout_is_ascii_where_it_must_be() -> None:
    done = graphlint("check", V1, "--output-format", "junit", PYTHONIOENCODING="ascii")
    assert done.stdout.isascii()
    assert ET.fromstring(done.stdout).tag == "testsuites"


def test_lines_come_as_the_models_are_done(tmp_path: Path) -> None:
    """The first line is there while standard input keeps nothing back but the second model."""
    trap = tmp_path / "sitecustomize.py"
    trap.write_text(
        "import sys\n"
        "if 'graphlint.worker' in sys.orig_argv:\n"
        "    import os, time, graphlint.engine as engine\n"
        "    load = engine.load\n"
        "    def slow(path, **options):\n"
        "        while 'v2' in path and not os.path.exists(os.environ['GO']):\n"
        "            time.sleep(0.02)\n"
        "        return load(path, **options)\n"
        "    engine.load = slow\n",
        encoding="utf-8",
    )
    go = tmp_path / "go"
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "graphlint", "check", "--no-latency"),
            *("--output-format", "json-lines", V1, V2),
        ],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "GO": str(go)},
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert process.poll() is None
        time.sleep(0.1)
        assert process.poll() is None
        go.touch()
        second = json.loads(process.stdout.readline())
    assert [line["model"]["path"] for line in (first, second)] == [str(V1), str(V2)]
    assert process.returncode == 1
