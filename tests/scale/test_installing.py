"""The distributions, installed as a user would: built, put into an empty environment, run."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 180 << 20
"""What an installation without extras may add to an empty environment."""


def done(*command: str | Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        command, cwd=cwd, env=environment, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done(sys.executable, "-m", "hatchling", "build", "--directory", folder, cwd=ROOT)
    return folder


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_wheel_is_pure(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "graphlint/py.typed" in names
    assert "graphlint_rules/__init__.py" in names
    tops = {name.split("/")[0].partition("-")[0] for name in names}
    assert tops == {"graphlint", "graphlint_rules", "onnx_graphlint"}
    assert not [name for name in names if name.endswith((".so", ".pyd", ".dylib", ".onnx"))]


@pytest.mark.index
@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"])
def test_it_is_installed_into_an_empty_environment(
    built: Path, tmp_path: Path, pattern: str
) -> None:
    home = tmp_path / "environment"
    venv.create(home, with_pip=True)
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    before = size(home)
    (distribution,) = built.glob(pattern)
    done(
        *(programs / "python", "-m", "pip", "install", "--quiet", "--no-compile", distribution),
        cwd=tmp_path,
    )
    assert size(home) - before < MOST_BYTES
    model = ROOT / "fixtures/shufflenet_v2.onnx"
    out = done(programs / "graphlint", "check", "--isolated", model, cwd=tmp_path)
    assert "Explain: graphlint rule G4" in out
    assert "G1" in done(programs / "graphlint", "rule", cwd=tmp_path)
