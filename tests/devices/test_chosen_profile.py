"""Which profile is used: the one that is given, or the machine's own if it is of the like."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from law import device

from graphlint.devices.chosen import Asked, chosen
from graphlint.devices.file import VARIABLE, write
from graphlint.errors import UsageError

LIKE, OTHER = Asked("cpu", 1, "basic"), Asked("cuda", 1, "all")


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    chosen.cache_clear()
    yield
    chosen.cache_clear()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "device.json"
    write(device(), path)
    return path


def test_there_may_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert chosen("", None).profile is None


def test_the_machines_own_is_found_and_used_for_the_like(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(file))
    for asked in (None, LIKE):
        found = chosen("", asked)
        assert (found.profile is not None, found.notes) == (True, ())
    refused = chosen("", OTHER)
    assert refused.profile is None
    assert "CPU, 1 thread, basic" in refused.notes[0]
    assert "CUDA" in refused.notes[0]


def test_one_that_is_given_is_used_for_anything_and_that_is_said(file: Path) -> None:
    assert chosen(str(file), LIKE).notes == ()
    other = chosen(str(file), OTHER)
    assert other.profile is not None
    assert "not for CUDA, 1 thread, all" in other.notes[0]


def test_a_broken_one_is_an_error_only_where_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError):
        chosen(str(broken), None)
    monkeypatch.setenv(VARIABLE, str(broken))
    found = chosen("", None)
    assert found.profile is None
    assert "not used" in found.notes[0]
