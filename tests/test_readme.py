"""What README.md shows is what the commands print."""

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = re.findall(
    r"^```(console|python)\n(.*?)^```$",
    (ROOT / "README.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)
CONSOLE = [text.split("\n", 1) for kind, text in BLOCKS if kind == "console"]
EXAMPLES = [(command[2:], output) for command, output in CONSOLE if command[2:12] == "graphlint "]
PYTHON = [text for kind, text in BLOCKS if kind == "python"]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2
    assert len(PYTHON) == 1


@pytest.mark.parametrize(("command", "output"), EXAMPLES, ids=[c for c, _ in EXAMPLES])
def test_the_output_is_the_real_one(command: str, output: str, tmp_path: Path) -> None:
    measured = "ONNX Runtime" in output or "as fast as the original" in output
    if measured and find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not installed: there are no times to show")
    clean = {name: value for name, value in os.environ.items() if name != "PRE_COMMIT"}
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=tmp_path,  # what is written there is gone afterwards
        capture_output=True,
        env={**clean, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    shown = done.stdout.decode()
    assert without_times(shown) == without_times(output) if measured else shown == output


def without_times(text: str) -> list[str]:
    """The lines without what differs from run to run: times, what depends on them, warnings.

    Nor what differs from processor to processor: rounding, and what is fitted.
    """
    lines = [line for line in text.splitlines() if not line.startswith(("  note:", "note:"))]
    return sorted(" ".join(VARIES.sub("T", line).split()) for line in lines)


VARIES = re.compile(
    r"\d[\d.]* (µs|ms|s)\b( +[-+]?\d+\.\d%)?"
    r"|(SLOWER: )?\d\.\d+× as fast as the original \(95% interval [^)]*\)"
    r"|No difference in speed[^;]*;"
    r"|\d\.\de[-+]\d\d"
    r"|NMSE [^)]*"
    r"|\d+\.\d% \(\d+\.\d–\d+\.\d\)"
)


@pytest.mark.parametrize("code", PYTHON)
def test_the_python_example_runs(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "fixtures/shufflenet_v1.onnx::/stage2/unit2/Add G4 18432" in done.stdout


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
