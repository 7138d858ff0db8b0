"""`graphlint calibrate` on the command line: formats, files, bad input, light help."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from graphlint.calibration import calibrate as calibration
from graphlint.calibration.tables import TABLES, experiments
from graphlint.devices import file
from graphlint.devices.profile import DeviceProfile
from tests.calibration.profiles import fitted_to_nothing, like_the_paper, profile
from tests.in_process import graphlint

needs_runtime = pytest.mark.skipif(
    find_spec("onnxruntime") is None, reason="onnxruntime is not installed: nothing to measure with"
)
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A device that is as the paper's, with channels in blocks of 16."""
    path = tmp_path / "device.json"
    file.write(like_the_paper(0.02, 16), path)
    return path


def test_a_profile_is_shown_as_tables(saved: Path, tmp_path: Path) -> None:
    done = graphlint("calibrate", "--show", saved, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("A processor, 4 cores · cpu, 1 thread, optimisation all\n")
    for table in TABLES:
        assert f"Table {table.number} · {table.title}" in done.stdout
        assert f"{table.guideline} holds here: " in done.stdout
    row = next(line for line in done.stdout.splitlines() if "1:12" in line and "36→432" in line)
    assert re.findall(r"\d\.\d\d", row)[-3:] == ["0.83", "-", "0.83"] or row.endswith("0.83")
    assert "note: a note" in done.stdout


def test_the_bar_is_the_device_s_and_letters_are_the_paper_s(saved: Path, tmp_path: Path) -> None:
    done = graphlint("calibrate", "--show", saved, cwd=tmp_path)
    row = next(line for line in done.stdout.splitlines() if "g=8" in line and "184" in line)
    bar = re.search(r"█[█A]*", row)
    assert bar is not None
    assert bar[0] == "█" * (round(0.695 * 30) - 1) + "A"  # here it is as in the paper


def test_ascii_alone_where_nothing_else_can_be_shown(saved: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "graphlint", "calibrate", "--show", str(saved)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=True,
    )
    text = done.stdout.decode("ascii")
    assert "####" in text
    assert "\\u" not in text


def test_a_profile_is_shown_as_json_and_as_a_page(saved: Path, tmp_path: Path) -> None:
    text = graphlint("calibrate", "--show", saved, "--output-format", "json", cwd=tmp_path).stdout
    assert text == saved.read_text(encoding="utf-8")
    page = graphlint("calibrate", "--show", saved, "--output-format", "html", cwd=tmp_path).stdout
    assert page.startswith("<!doctype html>")
    assert page.count('<svg class="panel"') == 6 + 4 + 4 + 3
    assert not re.search(r"(src|href)=|url\(|@import|<script", page)
    assert "G3 holds here" in page


def test_the_file_s_ending_says_its_format(saved: Path, tmp_path: Path) -> None:
    done = graphlint("calibrate", "--show", saved, "--output-file", "x.html", cwd=tmp_path)
    assert (tmp_path / "x.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "Table 1" in done.stdout  # the tables are printed too
    graphlint("calibrate", "--show", saved, "--output-file", "x.json", cwd=tmp_path)
    assert file.read(tmp_path / "x.json") == file.read(saved)


def test_names_from_a_file_are_harmless(tmp_path: Path) -> None:
    plain = like_the_paper()
    nasty = "</title><script>x</script>\x1b[31m\u202e"
    device = replace(plain.device, name=nasty)
    path = tmp_path / "nasty.json"
    file.write(replace(plain, device=device, notes=(nasty,)), path)
    for form in ("table", "html"):
        done = graphlint("calibrate", "--show", path, "--output-format", form, cwd=tmp_path)
        assert "\x1b" not in done.stdout
        assert "\u202e" not in done.stdout
        assert form == "table" or "<script" not in done.stdout


def test_a_profile_that_lacks_cells_or_is_out_of_all_proportion_is_shown(tmp_path: Path) -> None:
    cells = {
        (4, "ReLU, shortcut", "GPU ×1"): 1e10,
        (4, "no ReLU, shortcut", "GPU ×1"): 1e-10,
        (4, "ReLU, shortcut", "GPU ×2"): 1.0,  # alone, in columns of two names
        (4, "ReLU, shortcut", "ARM ×2"): 1.0,
        (9, "no row", "no column"): 1.0,
    }
    file.write(profile(cells, spread=3.0), tmp_path / "odd.json")
    for form in ("table", "html"):
        done = graphlint("calibrate", "--show", "odd.json", "--output-format", form, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "Table 4" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--quick", "--full"], "do not go together"),
        (["--show", "x.json", "--quick"], "--show measures nothing"),
        (["--show", "x.json", "--threads", "2"], "--show measures nothing"),
        (["--show", "x.json"], "no device profile"),
        (["--output-file", "no/such/folder.json"], "can't be written"),
    ],
)
def test_bad_input_is_said_at_once(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "graphlint", "calibrate", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two small networks in the place of the paper's, and no single layers."""
    table = replace(TABLES[3], rows=TABLES[3].rows[:2], columns=TABLES[3].columns[:1])
    table = replace(table, columns=(replace(table.columns[0], widths=((32,), (32,))),))
    plan = calibration.Plan("quick", (table,), experiments((table,), side=4), fitted_to_nothing)
    monkeypatch.setattr(calibration, "plan", lambda size, provider: plan)
    monkeypatch.setenv(file.VARIABLE, str(tmp_path / "own.json"))


@needs_runtime
@pytest.mark.usefixtures("tiny")
def test_a_calibration_saves_a_profile(tmp_path: Path) -> None:
    done = graphlint(
        "calibrate", "--quick", "--time-budget", "1", "--output-file", "p.json", "--save",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = file.read(tmp_path / "p.json")
    assert [cell.row for cell in made.cells] == ["ReLU, shortcut", "ReLU, no shortcut"]
    assert made.ceilings.bandwidth_bytes_per_second > 0
    assert file.read(tmp_path / "own.json") == made
    assert "own.json is this machine's own profile now" in done.stderr
    assert "Table 4" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"p.json", "own.json"}  # nothing partial


@needs_runtime
@pytest.mark.usefixtures("tiny")
def test_a_provider_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    done = graphlint("calibrate", "--provider", "no_such", "--time-budget", "1", cwd=tmp_path)
    assert done.returncode == 2
    assert "--provider no_such: no such execution provider" in done.stderr
    assert done.stdout == ""


@pytest.mark.usefixtures("tiny")
def test_an_interrupt_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from graphlint import cli_calibrate
    from graphlint.timing import LatencyOptions

    def interrupted(*given: object, **named: object) -> DeviceProfile:
        raise KeyboardInterrupt

    monkeypatch.setattr(calibration, "calibrate", interrupted)
    measured: Callable[..., DeviceProfile] = cli_calibrate._measured
    with pytest.raises(KeyboardInterrupt):
        measured("quick", LatencyOptions(), 0, tmp_path / "p.json")
    assert "the same command goes on from p.json.partial" in capsys.readouterr().err
    with pytest.raises(KeyboardInterrupt):
        measured("quick", LatencyOptions(), 0, None)
    assert "name an --output-file" in capsys.readouterr().err


def test_help_imports_neither_onnx_nor_numpy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "graphlint", "calibrate", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "graphlint.cli_calibrate" in modules
    assert modules & {"onnx", "numpy", "networkx", "onnxruntime"} == set()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_the_page_fits_a_narrow_window(saved: Path, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    page = graphlint("calibrate", "--show", saved, "--output-format", "html", cwd=tmp_path).stdout
    probe = "<script>document.title=document.documentElement.scrollWidth</script></body>"
    policy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    path = tmp_path / "page.html"
    path.write_text(policy.replace("</body>", probe), encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=600,800",
         "--dump-dom", path.as_uri()],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    width = re.search(r"<title>(\d+)</title>", done.stdout)
    assert width is not None
    assert int(width[1]) <= 600


def test_the_profile_is_json_for_other_tools(saved: Path) -> None:
    data = json.loads(saved.read_text(encoding="utf-8"))
    assert data["schema"] == 1
    assert data["device"]["optimization"] == "all"
