"""`graphlint diff` on the command line: files, folders, git; exit codes and errors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import onnx
import pytest
from typer.testing import CliRunner

from graphlint.cli import app
from tests.test_cli_latency import needs_runtime

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"
V1, V2 = FIXTURES / "shufflenet_v1.onnx", FIXTURES / "shufflenet_v2.onnx"
BLOCK = FIXTURES / "mobilenet_v1_block.onnx"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{7:064d}\nsize 12345\n"


class Done:
    """What a call came to, in this process: most of a start is importing."""

    def __init__(self, *arguments: str | Path) -> None:
        result = CliRunner().invoke(app, ["diff", *map(str, arguments)])
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr

    @property
    def models(self) -> dict[str, dict[str, object]]:
        return {model["path"]: model for model in json.loads(self.out)["models"]}


def test_the_same_model() -> None:
    done = Done(V1, V1, "--fail-on", "regression")
    assert done.code == 0
    assert "Nothing differs: the same nodes, costs and findings." in done.out


def test_exit_codes() -> None:
    assert Done(V1, V2).code == 0
    assert Done(V1, V2, "--fail-on", "regression").code == 1
    assert Done(V1, V2, "--fail-on", "regression", "--threshold", "100%").code == 0
    assert Done(V1, V2, "--threshold", "lots").code == 2
    assert Done(V1, "missing.onnx", "--fail-on", "regression").code == 2


def test_json() -> None:
    done = Done(V1, V2, "--output-format", "json")
    (model,) = done.models.values()
    value = json.loads(done.out)
    assert value["schema"] == 1
    assert (value["old"], value["new"]) == (str(V1), str(V2))
    assert model["status"] == "worse"
    for figure in ("memory_access_bytes", "multiply_adds"):
        nodes = sum(node["delta"][figure] for node in model["nodes"])
        old, new = (model[side]["totals"][figure] for side in ("old", "new"))
        assert nodes == new - old == model["delta"][figure]


def test_a_broken_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(V1.read_bytes()[:999])
    for form in ("table", "markdown", "json"):
        done = Done(V1, broken, "--output-format", form)
        assert done.code == 2
        assert "a truncated model" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((V1,), "1 paths: a diff needs two"),
        ((V1, FIXTURES), "a folder, and"),
        (("-", V1), "standard input can't be compared"),
    ],
)
def test_what_is_refused(arguments: tuple[str | Path, ...], message: str) -> None:
    done = Done(*arguments)
    assert done.code == 2
    assert message in done.err


def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    old, new = Path("old"), Path("new")
    for folder in (old, new):
        (folder / "in").mkdir(parents=True)
        shutil.copy(BLOCK, folder / "in" / "same.onnx")
    shutil.copy(V1, old / "net.onnx")
    shutil.copy(V2, new / "net.onnx")
    shutil.copy(FIXTURES / "nasnet_cell.onnx", old / "before.onnx")
    shutil.copy(FIXTURES / "nasnet_cell.onnx", new / "after.onnx")
    shutil.copy(FIXTURES / "xception_module.onnx", new / "added.onnx")
    shutil.copy(FIXTURES / "inception_v1_module.onnx", old / "removed.onnx")
    done = Done(old, new, "--output-format", "json")
    assert done.code == 0, done.err
    assert {Path(path).name: model["status"] for path, model in done.models.items()} == {
        "same.onnx": "same",
        "net.onnx": "worse",
        "after.onnx": "renamed",
        "added.onnx": "added",
        "removed.onnx": "removed",
    }
    table = Done(old, new).out
    assert "4 models changed, 1 the same" in table
    assert "old/before.onnx → new/after.onnx" in table
    assert Done(old / "in", new / "in").out.count("Nothing differs") == 1
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "folders without models" in Done(empty, empty).err


def test_weights(tmp_path: Path) -> None:
    proto = onnx.load(str(BLOCK))
    weight = max(proto.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weight.raw_data = bytes(len(weight.raw_data))
    other = tmp_path / "other.onnx"
    onnx.save(proto, str(other))
    assert "weights are not compared (--weights)" in Done(BLOCK, other).out
    assert "the weights are the same" not in Done(BLOCK, other, "--weights").out
    assert "other weights" in Done(BLOCK, other, "--weights").out
    apart = tmp_path / "apart.onnx"
    onnx.save(
        onnx.load(str(BLOCK)), str(apart), save_as_external_data=True, size_threshold=0,
        location="apart.data",
    )  # fmt: skip
    assert "the same weights" in Done(BLOCK, apart, "--weights").out
    (tmp_path / "apart.data").unlink()
    missing = Done(BLOCK, apart, "--weights")
    assert missing.code == 2
    assert "weights can't be read" in missing.out


@needs_runtime
def test_latency() -> None:
    done = Done(V1, V2, "--latency", "--time-budget", "0.5")
    assert done.code == 0
    assert "× as fast (" in done.out
    assert "rounds in turn" in done.out


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_hostile_names_are_harmless(form: str, tmp_path: Path) -> None:
    evil = "\x1b[31m<script>|`@everyone`\u202e"
    proto = onnx.load(str(V1))
    for node in proto.graph.node:
        node.name = evil + node.name
        if node.op_type == "Relu":
            node.op_type, node.domain = evil, evil
    path = tmp_path / "evil.onnx"
    onnx.save(proto, str(path))
    out = Done(V1, path, "--output-format", form, "--top", "0").out
    assert out
    assert "\x1b" not in out
    assert "\u202e" not in out
    if form == "markdown":
        assert "<script>" not in out
        assert "@everyone" not in out


# Git


class Repo:
    """A scratch repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=n", "-c", "user.email=e@example.com")
        done = subprocess.run(
            ["git", *identity, "-c", "protocol.file.allow=always", *arguments],
            cwd=self.folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def put(self, name: str, source: Path) -> None:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """Two commits, of which the second changes one of two models."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    made = Repo(tmp_path / "repo")
    made.put("models/net.onnx", V1)
    made.put("models/same.onnx", BLOCK)
    made.commit("one")
    made.put("models/net.onnx", V2)
    made.commit("two")
    monkeypatch.chdir(made.folder)
    return made


def test_revisions(repo: Repo) -> None:
    repo.put("models/net.onnx", V1)
    for spec in ("HEAD~1..HEAD", "HEAD~1...HEAD", "HEAD~1.."):
        done = Done("--git", spec, "--output-format", "json")
        assert done.code == 0, done.err
        assert [(path, m["status"]) for path, m in done.models.items()] == [
            ("models/net.onnx", "worse")
        ]
    back = Done("--git", "HEAD", "--output-format", "json")
    assert json.loads(back.out)["new"] == "working tree"
    assert back.models["models/net.onnx"]["delta"]["parameters"] < 0
    assert "0 models changed" in Done("--git", "HEAD~1").out


def test_paths_of_revisions(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "0 models changed" in Done("--git", "HEAD~1..HEAD", "models/same.onnx").out
    monkeypatch.chdir(repo.folder / "models")
    assert Done("--git", "HEAD~1..HEAD", "net.onnx").out.startswith("net.onnx ")
    monkeypatch.chdir("/")
    assert "Worse" in Done("--git", "HEAD~1..HEAD", repo.folder / "models").out


def test_odd_names_added_renamed_and_removed_models(repo: Repo) -> None:
    odd = "models/-x \u00e9\n*.onnx"
    repo.put(odd, V1)
    repo.commit("three")
    (repo.folder / odd).rename(repo.folder / "models/plain.onnx")
    (repo.folder / "models/same.onnx").unlink()
    repo.put("models/new.onnx", FIXTURES / "nasnet_cell.onnx")
    done = Done("--git", "HEAD", "--output-format", "json")
    assert done.code == 0, done.err
    assert {path: model["status"] for path, model in done.models.items()} == {
        "models/plain.onnx": "renamed",
        "models/same.onnx": "removed",
        "models/new.onnx": "added",
    }
    assert done.models["models/plain.onnx"]["old_path"] == odd
    assert "\n*.onnx" not in Done("--git", "HEAD").out


def test_lfs_pointers_are_explained_or_followed(repo: Repo) -> None:
    pointer = repo.folder / "models/big.onnx"
    pointer.write_text(POINTER)
    repo.commit("a pointer")
    repo.put("models/big.onnx", V1)
    done = Done("--git", "HEAD")
    assert done.code == 2
    assert "HEAD:models/big.onnx: a Git LFS pointer, not the model" in done.out
    assert "git lfs fetch origin HEAD" in done.out
    stored = repo.folder / ".git/lfs/objects/00/00" / f"{7:064d}"
    stored.parent.mkdir(parents=True)
    shutil.copy(V2, stored)
    assert Done("--git", "HEAD").code == 0
    repo.put("models/big.onnx", V2)
    pointer.write_text(POINTER.replace("12345", "54321"))
    there = Done("--git", "HEAD")
    assert there.code == 2
    assert "git lfs pull" in there.out


def test_errors_of_git(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, message in (
        (("nope",), "nope: no such revision"),
        (("--output=x",), "--output=x: no such revision"),
        (("HEAD", "models/missing.onnx"), "models/missing.onnx: on neither side"),
        (("HEAD", tmp_path), "not in a git repository"),
    ):
        done = Done("--git", *arguments)
        assert done.code == 2
        assert message in done.err
        assert "Traceback" not in done.err
    shallow = tmp_path / "shallow"
    repo.git("clone", "-q", "--depth", "1", f"file://{repo.folder}", str(shallow))
    monkeypatch.chdir(shallow)
    done = Done("--git", "HEAD~1")
    assert "the clone is shallow" in done.err
    assert "git fetch --unshallow" in done.err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git can't be run" in Done("--git", "HEAD").err


def test_submodules_and_links(repo: Repo, tmp_path: Path) -> None:
    inner = Repo(tmp_path / "inner")
    inner.put("sub.onnx", V1)
    inner.commit("one")
    repo.git("submodule", "add", "-q", str(inner.folder), "inner")
    (repo.folder / "models/link.onnx").symlink_to("same.onnx")
    repo.commit("three")
    done = Done("--git", "HEAD~1..HEAD")
    assert "inner is a submodule that changed" in done.out
    assert "HEAD:models/link.onnx: a symbolic link" in done.out
    assert "in another repository" in Done("--git", "HEAD", "models", "inner/sub.onnx").err
    assert "0 models changed" in Done("--git", "HEAD", "inner/sub.onnx").out


@needs_runtime
def test_external_data_of_a_revision(repo: Repo) -> None:
    proto = onnx.load(str(BLOCK))
    path = repo.folder / "models" / "apart.onnx"
    onnx.save(proto, str(path), save_as_external_data=True, size_threshold=0, location="a.data")
    repo.commit("three")
    proto.graph.node[-1].name = "another"
    onnx.save(proto, str(path), save_as_external_data=True, size_threshold=0, location="a.data")
    options = ("--git", "HEAD", "--weights", "--latency", "--time-budget", "0.4")
    done = Done(*options)
    assert done.code == 0, done.out
    assert "the same weights" in done.out
    assert "× as fast" in done.out
    repo.git("rm", "-q", "--cached", "models/a.data")
    repo.git("commit", "-qm", "without data")
    without = Done(*options)
    assert "HEAD:models/a.data: external data is not in git" in without.out
