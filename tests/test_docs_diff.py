"""What docs/diff.md shows is what the commands print."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "diff.md"
BLOCKS = re.findall(
    r"^```console\n\$ (.*?)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose main branch holds ShuffleNet V1, and whose working tree holds V2."""
    made = tmp_path_factory.mktemp("docs")
    (made / "fixtures").symlink_to(ROOT / "fixtures")
    (made / "models").mkdir()
    shutil.copy(ROOT / "fixtures/shufflenet_v1.onnx", made / "models/classifier.onnx")
    for command in ("init -q -b main", "add models", "commit -q -m V1"):
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
        subprocess.run(["git", *identity, *command.split()], cwd=made, check=True)
    shutil.copy(ROOT / "fixtures/shufflenet_v2.onnx", made / "models/classifier.onnx")
    return made


def printed(command: str, folder: Path) -> str:
    clean = {n: v for n, v in os.environ.items() if n != "PRE_COMMIT" and not n.startswith("GIT_")}
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=folder,
        capture_output=True,
        env={**clean, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr.decode()
    return done.stdout.decode()


def test_the_output_is_the_real_one(folder: Path) -> None:
    assert len(BLOCKS) >= 3
    for command, output in BLOCKS:
        shown = printed(command, folder)
        if output:
            assert shown == output, command
