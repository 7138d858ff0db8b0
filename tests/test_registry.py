"""What is said where no pack brings rules or rewrites."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from graphlint import registry
from graphlint.errors import PluginError


@pytest.fixture
def _nothing_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_entries", lambda group: ())
    for found in (registry.rules, registry.rewrites):
        found.cache_clear()
    yield
    for found in (registry.rules, registry.rewrites):
        found.cache_clear()


@pytest.mark.usefixtures("_nothing_installed")
@pytest.mark.parametrize(
    ("found", "words"),
    [(registry.rules, "no rule pack is installed"), (registry.rewrites, "no rewrite is installed")],
)
def test_what_is_missing_is_said(found: Callable[[], Any], words: str) -> None:
    with pytest.raises(PluginError, match=words) as raised:
        found()
    assert "pip install ." in raised.value.hint
