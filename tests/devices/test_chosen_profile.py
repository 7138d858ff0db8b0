"""Which profile is used: the one that is named, or the machine's own if it is of the like."""

from pathlib import Path

import pytest
from law import device

from graphlint.devices import file
from graphlint.devices.chosen import Chosen, chosen
from graphlint.errors import UsageError
from graphlint.timing import LatencyOptions

LIKE, OTHER = LatencyOptions(optimization="basic"), LatencyOptions("cuda")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "device.json"
    file.write(device(), path)
    return path


@pytest.fixture
def own(saved: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The profile as the machine's own, which nothing names."""
    monkeypatch.setattr(file, "own", lambda: saved)
    return saved


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(file.VARIABLE, raising=False)


def test_there_may_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(file.VARIABLE, "")
    assert chosen("", None) == Chosen()


def test_the_machine_s_own_is_found_used_for_the_like_and_shown_to_no_rule(own: Path) -> None:
    for asked in (None, LIKE):
        found = chosen("", asked)
        assert found == Chosen(file.read(own))
        assert found.named is None
    refused = chosen("", OTHER)
    assert refused.profile is None
    assert "it is for A processor (CPU, 1 thread, basic), not for CUDA" in refused.notes[0]


@pytest.mark.parametrize("by", ["option", "environment"])
def test_one_that_is_named_is_used_for_anything_and_that_is_said(
    by: str, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "environment":
        monkeypatch.setenv(file.VARIABLE, str(saved))
    given = str(saved) if by == "option" else ""
    assert chosen(given, LIKE) == Chosen(file.read(saved), is_named=True)
    other = chosen(given, OTHER)
    assert other.named == file.read(saved)
    assert other.notes == (
        f"{saved}: the device profile is for A processor (CPU, 1 thread, basic), not for CUDA, "
        "1 thread, all",
    )


def test_an_option_wins_over_the_environment(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(file.VARIABLE, "no/such/file.json")
    assert chosen(str(saved), LIKE).named == file.read(saved)


def test_a_broken_one_is_an_error_only_where_it_is_named(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.write_text("{}", encoding="utf-8")
    found = chosen("", None)
    assert found.profile is None
    assert "not used" in found.notes[0]
    with pytest.raises(UsageError):
        chosen(str(own), None)
    monkeypatch.setenv(file.VARIABLE, str(own))
    with pytest.raises(UsageError):
        chosen("", None)
