"""The hook, with the real pre-commit program in a scratch repository."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def has_index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where no package index answers: pre-commit installs the hook from one."""
    folder = tmp_path_factory.mktemp("index")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--retries", "0", "--timeout", "15", "--dest", folder, "hatchling"),
        ],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("no package index answers, and pre-commit installs the hook from one")


def git(folder: Path, *arguments: str) -> str:
    environment = {
        **os.environ,
        **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Test"),
        **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "test@example.invalid"),
    }
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_the_hook_installs_no_runtime() -> None:
    required = [text for text in requires("onnx-graphlint") or () if "extra ==" not in text]
    assert any(text.startswith("onnx>") for text in required)
    assert not any("onnxruntime" in text for text in required)


@pytest.mark.index
def test_the_hook_blocks_a_bad_model_and_lets_a_good_one_through(
    has_index: None, tmp_path: Path
) -> None:
    hooks = tmp_path / "hooks"
    shutil.copytree(
        ROOT,
        hooks,
        ignore=shutil.ignore_patterns(".git", ".ci", ".venv", "__pycache__", ".*_cache"),
    )
    git(hooks, "init", "--quiet")
    git(hooks, "add", "--all")
    git(hooks, "commit", "--quiet", "--message", "hooks")
    models = tmp_path / "models"
    models.mkdir()
    git(models, "init", "--quiet")

    def try_repo(fixture: str) -> subprocess.CompletedProcess[str]:
        (models / "model.onnx").write_bytes((ROOT / "fixtures" / fixture).read_bytes())
        git(models, "add", "--all")
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", "try-repo", hooks, "graphlint", "--verbose"],
            cwd=models,
            env={**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "cache"), "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
        )

    good = try_repo("shufflenet_v2.onnx")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "Passed" in good.stdout
    bad = try_repo("shufflenet_v1.onnx")
    assert bad.returncode == 1
    assert "Failed" in bad.stdout
    assert "G2 excessive-group-convolution" in bad.stdout
