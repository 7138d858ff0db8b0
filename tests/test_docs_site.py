"""The site builds without a warning, and loads nothing from elsewhere."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_NEEDED = ("mkdocs", "material", "mkdocstrings_handlers.python")


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


pytestmark = pytest.mark.skipif(
    not all(map(_is_installed, _NEEDED)), reason="the extra `docs` is not installed"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site: no dead link or anchor, no page without a place."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|link|iframe)\b[^>]*?(?:src|href)="([^"]+)"', text)
        assert loaded
        assert not [target for target in loaded if "//" in target], page.name


def test_what_the_package_offers_is_in_the_reference(site: Path) -> None:
    import graphlint

    page = (site / "python.html").read_text(encoding="utf-8")
    shown = {name.rpartition(".")[2] for name in re.findall(r'id="(graphlint\.[\w.]+)"', page)}
    assert set(graphlint.__all__) <= shown


def test_pages_from_outside_link_into_the_site(site: Path) -> None:
    changes = (site / "changelog.html").read_text(encoding="utf-8")
    assert 'href="baseline.html"' in changes
    assert 'href="benchmarks.html"' in (site / "rewriting.html").read_text(encoding="utf-8")
    for name in ("action.yml", "report.schema.json", "pictures/unit_v1_stride1.svg"):
        assert (site / name).exists()
