"""The command line as a user meets it: exit codes, reports, errors."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import onnx
import pytest
from onnx import TensorProto, helper

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"
V1 = FIXTURES / "shufflenet_v1.onnx"
V2 = FIXTURES / "shufflenet_v2.onnx"


def graphlint(
    *arguments: str | Path,
    stdin: bytes = b"",
    cwd: Path | None = None,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own; its output as text.

    As in a hook, where nothing is measured unless asked for: the times would be the machine's.
    """
    done = subprocess.run(
        [sys.executable, "-m", "graphlint", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONIOENCODING": "utf-8",
            "COLUMNS": "100",
            "PRE_COMMIT": "1",
            **environment,
        },
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def hostile_model(path: Path) -> Path:
    """A model whose names try to steer a terminal; its Add is a finding."""
    evil = "\x1b[2J\x07\u202eevil\n::error::x"
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name=f"{evil}1"),
        helper.make_node("Sigmoid", ["x"], ["b"], name=f"{evil}2"),
        helper.make_node("Add", ["a", "b"], ["y"], name=evil),
    ]
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 8, 16, 16]) for n in "xy"]
    graph = helper.make_graph(nodes, evil, info[:1], info[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


# Exit codes


def test_a_clean_model_exits_with_0() -> None:
    done = graphlint("check", V2)
    assert done.returncode == 0, done.stderr
    assert " warning" not in done.stdout


def test_findings_exit_with_1() -> None:
    done = graphlint("check", V1)
    assert done.returncode == 1
    for code in ("G1", "G2", "G4"):
        assert re.search(rf"^{code} ", done.stdout, re.MULTILINE)


def test_exit_zero_hides_findings_but_no_errors(tmp_path: Path) -> None:
    assert graphlint("check", "--exit-zero", V1).returncode == 0
    assert graphlint("check", "--exit-zero", V1, tmp_path / "missing.onnx").returncode == 2


@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 1), ("never", 0)])
def test_fail_on(fail_on: str, code: int) -> None:
    assert graphlint("check", "--fail-on", fail_on, V1).returncode == code


def test_fail_on_info_counts_depthwise_convolutions() -> None:
    assert graphlint("check", "--fail-on", "info", V2).returncode == 1


def test_errors_beat_findings_and_the_good_models_are_reported(tmp_path: Path) -> None:
    (tmp_path / "good.onnx").write_bytes(V1.read_bytes())
    (tmp_path / "broken.onnx").write_bytes(V1.read_bytes()[:5000])
    done = graphlint("check", tmp_path)
    assert done.returncode == 2
    assert "good.onnx" in done.stdout
    assert "truncated" in done.stdout
    assert "G2 excessive-group-convolution" in done.stdout


# Bad input


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.onnx", b"", "an empty file"),
        ("text.onnx", b"hello, I am text\n", "text, not an ONNX model"),
        (
            "lfs.onnx",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "a Git LFS pointer",
        ),
        ("zip.onnx", b"PK\x03\x04" + bytes(64), "a zip archive"),
        ("runtime.ort", b"\x18\x00\x00\x00ORTM" + bytes(64), "an ONNX Runtime .ort file"),
        ("noise.onnx", bytes(range(250, 256)) * 40, "no ONNX model"),
    ],
)
def test_a_bad_file_gets_one_clear_error(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = graphlint("check", tmp_path / name)
    assert done.returncode == 2
    assert message in done.stdout
    assert done.stdout.count("error:") == 1
    assert "cause: " in done.stdout
    assert "hint: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_missing_file_and_an_empty_folder(tmp_path: Path) -> None:
    done = graphlint("check", tmp_path / "missing.onnx")
    assert done.returncode == 2
    assert "no such file" in done.stdout
    done = graphlint("check", tmp_path)
    assert done.returncode == 2
    assert "a folder without models" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--select", "G9"], "'G9' selects no rule"),
        (["--min-excess", "lots"], "'lots' is no share"),
        (["--input-shape", "x=1"], "not a shape"),
        (["--dim", "N"], "not a dimension"),
        (["--config", "missing.toml"], "no such file"),
        (["--output-file", "missing/folder/report.txt"], "can't be written"),
    ],
)
def test_senseless_options_are_told(arguments: list[str], message: str) -> None:
    done = graphlint("check", V2, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_shape_that_does_not_fit_names_the_input() -> None:
    done = graphlint("check", V2, "--input-shape", "inptu:1x3x64x64")
    assert done.returncode == 2
    assert "no input 'inptu'" in done.stdout
    assert "did you mean" in done.stdout


# Paths


def test_standard_input() -> None:
    done = graphlint("check", "-", stdin=V1.read_bytes())
    assert done.returncode == 1
    assert "<stdin>" in done.stdout


def test_a_path_given_twice_is_checked_once() -> None:
    done = graphlint("check", "--output-format", "json", V1, V1)
    assert len(json.loads(done.stdout)["models"]) == 1


def test_a_location_pastes_back() -> None:
    first = graphlint("check", "--output-format", "concise", "--select", "G4", V1).stdout
    location = first.splitlines()[0].split(": G4 ")[0]
    done = graphlint("check", "--output-format", "concise", "--select", "G4", location)
    assert done.stdout.splitlines() == [first.splitlines()[0]]


def test_an_exclude_pattern_leaves_models_of_a_folder_out(tmp_path: Path) -> None:
    for name in ("keep.onnx", "drop.onnx"):
        (tmp_path / name).write_bytes(V2.read_bytes())
    (tmp_path / "graphlint.toml").write_text('exclude = ["drop*"]')
    done = graphlint("check", ".", "--output-format", "json", cwd=tmp_path)
    assert [m["path"] for m in json.loads(done.stdout)["models"]] == [
        os.path.join(".", "keep.onnx")
    ]


# Reports


def test_json_fits_the_published_schema() -> None:
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    done = graphlint("check", "--output-format", "json", V1, V2, FIXTURES / "missing.onnx")
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(schema).validate(document)
    v1, v2, missing = document["models"]
    assert "totals" not in missing
    assert missing["errors"]
    assert v2["errors"] == []
    nodes = [node for node in v1["nodes"] if node["unknown"] is None]
    assert sum(node["multiply_adds"] for node in nodes) == v1["totals"]["multiply_adds"]
    assert (
        sum(node["read_bytes"] + node["write_bytes"] + node["weight_bytes"] for node in nodes)
        == v1["totals"]["memory_access_bytes"]
    )


def test_reports_are_the_same_bytes_again_whatever_the_jobs_and_hash_seed() -> None:
    runs = [
        graphlint(
            "check", "--output-format", "json", "--jobs", jobs, FIXTURES, PYTHONHASHSEED=seed
        ).stdout
        for jobs, seed in (("1", "1"), ("2", "2"))
    ]
    assert runs[0] == runs[1]
    assert len(json.loads(runs[0])["models"]) == len(list(FIXTURES.rglob("*.onnx")))


def test_concise_is_one_line_a_site() -> None:
    lines = graphlint("check", "--output-format", "concise", V1).stdout.splitlines()
    pattern = re.compile(r".*shufflenet_v1\.onnx::\S+: G\d (info|warning) .+")
    assert lines
    assert all(pattern.fullmatch(line) for line in lines)


def test_nodes_shows_every_node() -> None:
    model = onnx.load(V2)
    text = graphlint("check", "--nodes", V2).stdout
    assert all(node.name in text for node in model.graph.node if node.op_type == "Conv")


def test_an_output_file_holds_what_stdout_would(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    done = graphlint("check", V1, "--output-file", path)
    assert done.stdout == ""
    assert path.read_text(encoding="utf-8") == graphlint("check", V1).stdout
    assert os.listdir(tmp_path) == ["report.txt"]


@pytest.mark.parametrize("form", ["full", "concise", "json"])
def test_hostile_names_are_harmless(tmp_path: Path, form: str) -> None:
    model = hostile_model(tmp_path / "m.onnx")
    done = graphlint("check", "--nodes", "--color", "never", "--output-format", form, model)
    assert done.returncode == 1
    assert "evil" in done.stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", done.stdout)
    assert "\n::error::" not in done.stdout


def test_output_is_ascii_where_the_terminal_is() -> None:
    done = graphlint("check", V1, PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert done.stdout.isascii()


def test_colours_only_where_wanted() -> None:
    assert "\x1b[" not in graphlint("check", V1).stdout
    assert "\x1b[" in graphlint("check", V1, FORCE_COLOR="1").stdout
    assert "\x1b[" not in graphlint("check", V1, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b[" in graphlint("check", V1, "--color", "always").stdout


# Settings


def test_select_and_ignore() -> None:
    only = graphlint("check", "--output-format", "concise", "--select", "G2,G4", V1).stdout
    assert {line.split(": ")[1].split()[0] for line in only.splitlines()} == {"G2", "G4"}
    rest = graphlint("check", "--output-format", "concise", "--ignore", "G2,G4", V1).stdout
    assert not re.search(r": G[24] ", rest)


def test_min_excess_is_a_floor_a_rule() -> None:
    assert graphlint("check", "--min-excess", "100%", "--ignore", "G3", V1).returncode == 0


def test_configuration_is_read_and_can_be_ignored(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(V1.read_bytes())
    (tmp_path / "graphlint.toml").write_text('[per-file-ignores]\n"m.onnx" = ["G"]\n')
    assert graphlint("check", "m.onnx", cwd=tmp_path).returncode == 0
    assert graphlint("check", "m.onnx", "--isolated", cwd=tmp_path).returncode == 1
    assert "per-file-ignores" in graphlint("config", cwd=tmp_path).stdout


def test_severity_from_configuration(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(V1.read_bytes())
    (tmp_path / "graphlint.toml").write_text('[severity]\nG4 = "error"\n')
    done = graphlint("check", "m.onnx", "--fail-on", "error", cwd=tmp_path)
    assert done.returncode == 1


def test_an_unknown_key_says_did_you_mean(tmp_path: Path) -> None:
    (tmp_path / "graphlint.toml").write_text('ingore = ["G1"]\n')
    done = graphlint("check", V2, "--config", tmp_path / "graphlint.toml")
    assert done.returncode == 2
    assert "did you mean 'ignore'?" in done.stderr


def test_dynamic_dimensions_name_their_flags() -> None:
    model = FIXTURES / "shufflenet_v1_dynamic_size.onnx"
    told = graphlint("check", model)
    assert "--dim height=" in told.stdout
    given = graphlint("check", model, "--dim", "height=64", "--dim", "width=64")
    assert "not counted" not in given.stdout


# Other commands


def test_rule_lists_and_shows_pages() -> None:
    listed = graphlint("rule").stdout
    first = [line.split()[0] for line in listed.splitlines() if line]
    rewrites = ["shuffle-elimination", "shufflenet-v1-to-v2"]
    assert first == ["A1", "B1", "B2", "B3", "B4", "G1", "G2", "G3", "G4", *rewrites]
    page = graphlint("rule", "G1").stdout
    assert "## Why it costs" in page
    assert graphlint("rule", "unequal-channel-width").stdout == page
    assert graphlint("rule", "G8").returncode == 2


def test_version_names_what_it_stands_on() -> None:
    text = graphlint("version").stdout
    assert onnx.__version__ in text
    assert "onnxruntime" in text


@pytest.mark.parametrize("arguments", [["--help"], ["rule"], ["rule", "G1"], ["version"]])
def test_light_commands_import_neither_onnx_nor_networkx(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "graphlint", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "graphlint.cli" in modules
    assert modules & {"onnx", "numpy", "networkx"} == set()


def test_profile_tables_agree_with_check() -> None:
    totals = json.loads(graphlint("check", "--output-format", "json", V1).stdout)["models"][0]
    for by in ("node", "op", "category", "region"):
        done = graphlint("profile", V1, "--by", by, "--output-format", "json")
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)["models"][0]["summary"]
        for figure in ("memory_access_bytes", "multiply_adds"):
            assert sum(row[figure] for row in summary) == totals["totals"][figure]


def test_profile_shows_the_top_and_says_how_many_more() -> None:
    lines = graphlint("profile", V1, "--top", "3").stdout.splitlines()
    assert "more: --top 0 shows all" in lines[-1]
    assert lines.index(lines[-1]) - next(i for i, x in enumerate(lines) if x[:5] == "node ") == 4


def test_profile_csv_and_markdown_have_a_row_a_group() -> None:
    table = graphlint("profile", V1, "--by", "category", "--output-format", "csv").stdout
    assert table.splitlines()[0].startswith("category,detail,nodes,")
    page = graphlint("profile", V1, "--by", "category", "--output-format", "markdown").stdout
    assert len(table.splitlines()) - 1 == len([x for x in page.splitlines() if x[:2] == "| "]) - 2


def test_profile_of_a_broken_file_fails(tmp_path: Path) -> None:
    done = graphlint("profile", tmp_path / "missing.onnx")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "no such file" in done.stderr
