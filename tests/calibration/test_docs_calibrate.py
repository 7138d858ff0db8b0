"""The page on calibrations says of the committed profiles what they say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from graphlint.calibration.calibrate import plan
from graphlint.devices import file

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROFILES = sorted((DOCS / "devices").glob("*.json"))


def test_the_page_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, DOCS / "build_calibrate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_there_are_profiles_of_one_and_two_threads_at_either_level() -> None:
    devices = [file.read(path).device for path in PROFILES]
    found = {(each.threads, each.optimization) for each in devices}
    assert found >= {(threads, level) for threads in (1, 2) for level in ("all", "basic")}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_a_committed_profile_is_whole(path: Path) -> None:
    schema = json.loads((DOCS / "device-profile.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(json.loads(path.read_text(encoding="utf-8")))
    profile = file.read(path)
    assert file.render(profile) == path.read_text(encoding="utf-8")
    assert {(c.table, c.column, c.row) for c in profile.cells} in [
        {
            (table.number, column.name, row.name)
            for table in plan(size, profile.device.provider).tables
            for column in table.columns
            for row in table.rows
        }
        for size in ("quick", "standard")
    ]
