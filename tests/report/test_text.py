"""Names from models never reach a terminal raw; figures and places read well."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphlint.report.places import summarise
from graphlint.report.text import MAX_NAME, Style, columns, safe
from graphlint.units import format_bytes, format_count, format_share


@given(st.text(max_size=400))
def test_safe_text_has_no_control_or_format_characters(text: str) -> None:
    shown = safe(text)
    assert all(unicodedata.category(char)[0] != "C" for char in shown)
    assert "\u2028" not in shown
    assert len(shown) <= MAX_NAME * 10


@given(
    st.text(alphabet=st.characters(codec="ascii", categories=("L", "N", "P")), max_size=MAX_NAME)
)
def test_harmless_names_are_unchanged(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb", "a\\x0ab"),
        ("right\u202eleft", "right\\u202eleft"),
        ("\U000e0001", "\\U000e0001"),
        ("größe/卷积", "größe/卷积"),
    ],
)
def test_what_steers_is_spelt_out(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_a_megabyte_is_cut() -> None:
    assert len(safe("x" * 1_000_000)) <= MAX_NAME


def test_ascii_style_shows_everything_in_ascii() -> None:
    assert Style(ascii=True).final("120→480 · 3×3 größe").isascii()


def test_columns_align() -> None:
    assert columns([("a", "1"), ("bcd", "22")], "<>") == ["a     1", "bcd  22"]


@pytest.mark.parametrize(
    ("paths", "place"),
    [
        (["/s3/unit1/Add", "/s3/unit2/Add", "/s3/unit3/Add"], "/s3/unit{1-3}/Add"),
        (["/s3/unit1/Add", "/s3/unit2/Add", "/s3/unit5/Add"], "/s3/unit{1-2,5}/Add"),
        (["/a/x", "/a/y"], "/a/*"),
        (["x", "y"], ""),
        (["/only/one"], "/only/one"),
    ],
)
def test_places_in_a_few_words(paths: list[str], place: str) -> None:
    assert summarise(paths) == place


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (96, "96 B"), (1024, "1.00 KiB"), (80_450_000, "76.7 MiB"), (1 << 40, "1.00 TiB")],
)
def test_bytes(count: int, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (840, "840"), (137_460_672, "137.5 M"), (1_865_728, "1.87 M")]
)
def test_counts(count: int, text: str) -> None:
    assert format_count(count) == text


def test_shares_of_nothing_are_no_number() -> None:
    assert format_share(0, 0) == "-"
    assert format_share(1, 10) == "10.0%"
