"""The GitHub action: its script in a scratch repository; it and the docs' recipes by schema."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_cli import ROOT, V1
from tests.test_pre_commit import git, has_index

__all__ = ["has_index"]  # a fixture

ZERO = "0" * 40


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose last commit adds a model with a blank in its name."""
    folder = tmp_path / "repository"
    (folder / "models").mkdir(parents=True)
    git(folder, "init", "--quiet")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "empty")
    (folder / "models" / "a b.onnx").write_bytes(V1.read_bytes())
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "model")
    return folder


def act(folder: Path, **inputs: str) -> tuple[int, str]:
    """The script's exit code, which it also tells, and its output."""
    program = folder.parent / "graphlint"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m graphlint "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    defaults = {
        "GRAPHLINT": str(program),
        "PATHS": ".",
        "CHANGED_ONLY": "false",
        "ARGUMENTS": "",
        "SARIF": "",
        "MARKDOWN": "",
        "JOB_SUMMARY": "true",
        "BASE": ZERO,
        "GITHUB_OUTPUT": str(folder.parent / "output"),
        "GITHUB_STEP_SUMMARY": str(folder.parent / "summary"),
    }
    done = subprocess.run(
        ["bash", ROOT / ".github" / "check.sh"],
        cwd=folder,
        env={**os.environ, **defaults, **inputs},
        capture_output=True,
        text=True,
        check=False,
    )
    told = (folder.parent / "output").read_text(encoding="utf-8").splitlines()[-1]
    assert told == f"exit-code={done.returncode}", done.stderr
    return done.returncode, done.stdout


def test_it_annotates_and_writes_reports(repository: Path) -> None:
    code, text = act(repository, PATHS="models\n", SARIF="r.sarif", MARKDOWN="r.md")
    assert code == 1
    assert text.startswith("::warning file=models/a b.onnx,title=G4 elementwise-traffic::")
    assert (repository / "r.sarif").exists()
    summary = (repository.parent / "summary").read_text(encoding="utf-8")
    assert summary == (repository / "r.md").read_text(encoding="utf-8")


def test_it_checks_what_has_changed(repository: Path) -> None:
    before = git(repository, "rev-parse", "HEAD~1").strip()
    options = "--select=G4\n--fail-on=error"
    code, text = act(repository, CHANGED_ONLY="true", BASE=before, ARGUMENTS=options)
    assert (code, "a b.onnx" in text) == (0, True)
    assert act(repository, CHANGED_ONLY="true", BASE="HEAD") == (0, "no model has changed\n")
    assert act(repository, CHANGED_ONLY="true", BASE=before, PATHS="other")[0] == 0


def test_a_history_that_is_not_there_is_an_error(repository: Path) -> None:
    code, text = act(repository, CHANGED_ONLY="true")
    assert code == 2
    assert "fetch-depth" in text


@pytest.mark.index
def test_the_action_and_the_recipes_fit_their_schemas(has_index: None, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "check-jsonschema>=0.30"], check=True
    )

    def check(schema: str, path: Path, *options: str) -> None:
        command = [python, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
        subprocess.run([*command, *options, path], check=True)

    check("github-actions", ROOT / "action.yml")
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    recipes = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    *workflows, pipeline, _ = recipes
    assert len(workflows) == 3
    for number, workflow in enumerate(workflows):
        path = tmp_path / f"{number}.yml"
        path.write_text(workflow, encoding="utf-8")
        check("github-workflows", path)
    (tmp_path / "gitlab.yml").write_text(pipeline, encoding="utf-8")
    check("gitlab-ci", tmp_path / "gitlab.yml", "--data-transform", "gitlab-ci")
