"""Device profiles as files: what is written is read again, and what is broken is said."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from graphlint.devices import file
from graphlint.errors import UsageError
from tests.calibration.profiles import like_the_paper

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "device-profile.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "device.json"
    file.write(like_the_paper(0.02, 16), path)
    return path


def test_what_is_written_is_read_again(written: Path) -> None:
    profile = like_the_paper(0.02, 16)
    found = file.read(written)
    assert found.cells[0].seconds == pytest.approx(profile.cells[0].seconds, rel=1e-3)
    assert file.render(found) == written.read_text(encoding="utf-8")  # nothing is lost twice
    strip = {"cells": (), "layers": ()}
    assert replace(found, **strip) == replace(profile, **strip)
    assert found.layers[0].layer == profile.layers[0].layer


def test_a_profile_fits_the_schema(written: Path) -> None:
    validator = Draft202012Validator(SCHEMA)
    validator.check_schema(SCHEMA)
    data = json.loads(written.read_text(encoding="utf-8"))
    validator.validate(data)
    assert set(SCHEMA["properties"]) == set(data)
    for name in ("cells", "layers"):
        assert set(SCHEMA["properties"][name]["items"]["properties"]) == set(data[name][0])


def test_a_cell_and_a_layer_are_a_line_each(written: Path) -> None:
    lines = written.read_text(encoding="utf-8").splitlines()
    profile = like_the_paper()
    assert sum('"row"' in line for line in lines) == len(profile.cells)
    assert sum('"kind"' in line for line in lines) == len(profile.layers)
    assert len(lines) < len(profile.cells) + len(profile.layers) + 40


def edited(path: Path, change: dict[str, Any]) -> Path:
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**data, **change}), encoding="utf-8")
    return path


def test_unknown_fields_are_passed_over(written: Path) -> None:
    before = file.read(written)
    assert file.read(edited(written, {"colour": "red"})) == before


def test_another_schema_is_said(written: Path) -> None:
    with pytest.raises(UsageError, match="of another schema") as error:
        file.read(edited(written, {"schema": 2}))
    assert "its schema is 2, this graphlint reads 1" in error.value.cause
    assert error.value.hint


CELL = {"table": 1, "row": "1:1", "column": "ARM ×1", "seconds": 1.0, "spread": 0.0}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"launch_seconds": -1}, "launch_seconds"),
        ({"launch_seconds": True}, "launch_seconds"),
        ({"launch_seconds": 10**400}, "launch_seconds"),
        ({"channel_block": 0}, "channel_block"),
        ({"channel_block": 2**60}, "channel_block"),
        ({"channel_block": 8.0}, "channel_block"),
        ({"device": []}, "device"),
        ({"device": {"name": 3}}, "device.name"),
        ({"made_on": "x" * 2000}, "made_on"),
        ({"notes": "text"}, "notes"),
        ({"cells": {}}, "cells"),
        ({"cells": [CELL, 3]}, "cells[1]"),
        ({"cells": [{**CELL, "seconds": 0}]}, "cells[0].seconds"),
        ({"cells": [{**CELL, "seconds": 1e-300}]}, "cells[0].seconds"),
        ({"layers": [{"kind": "pointwise"}]}, "layers[0].channels_in"),
    ],
)
def test_what_is_wrong_is_named(written: Path, change: dict[str, Any], place: str) -> None:
    with pytest.raises(UsageError, match="no device profile") as error:
        file.read(edited(written, change))
    assert f"its {place} is not" in error.value.cause


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"[1, 2]",
        b"{}",
        b'{"schema": NaN}',
        b"[" * 200_000,
        b'{"schema": 1' + b"9" * 5000 + b"}",
        b" " * (5 << 20),
    ],
    ids=["empty", "bytes", "list", "object", "NaN", "deep", "long", "large"],
)
def test_a_hostile_file_is_an_error_with_a_cause(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(UsageError) as error:
        file.read(path)
    assert error.value.cause
    assert error.value.hint


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it is a folder"):
        file.read(tmp_path)
    with pytest.raises(UsageError, match="No such file"):
        file.read(tmp_path / "x.json")


def test_what_the_variable_names_takes_the_machine_s_own_place(tmp_path: Path) -> None:
    named = tmp_path / "mine.json"
    given = {file.VARIABLE: str(named), "XDG_CONFIG_HOME": str(tmp_path)}
    assert file.named(given) == str(named)
    assert file.own_place(given) == named
    assert file.named({}) == ""


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the folder is Linux's")
def test_the_machine_s_own_lies_in_the_user_s_folder(tmp_path: Path) -> None:
    settings = {"XDG_CONFIG_HOME": str(tmp_path)}
    place = file.own_place(settings)
    assert place == tmp_path / "graphlint" / "device-profile.json"
    assert file.own(settings) is None
    place.parent.mkdir()
    place.write_text("{}", encoding="utf-8")
    assert file.own(settings) == place
    assert file.own({**settings, file.VARIABLE: ""}) is None
    assert file.own({**settings, file.VARIABLE: "named.json"}) is None
