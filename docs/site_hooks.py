"""What mkdocs does not do by itself, so that the same Markdown reads well on a code host.

- Pages that stand outside `docs/` are taken in, and links between all of them lead where they
  should.
- An entry of the navigation that ends in a slash is a folder: its README, then its pages.
- `<!-- ::: name -->`, which a code host does not show, becomes the reference of a Python name.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "SECURITY.md": "security.md",
    "action.yml": "action.yml",
}
"""Where files of the repository stand in the site."""

_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")
_REFERENCE = re.compile(r"<!-- (:::.*?) -->")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the folders of the navigation."""
    config.nav = _filled(config.nav or [], Path(config.docs_dir))
    return config


def _filled(nav: list[Any], docs: Path) -> list[Any]:
    filled: list[Any] = []
    for entry in nav:
        ((title, what),) = entry.items()
        if isinstance(what, list):
            what = _filled(what, docs)
        elif what.endswith("/"):
            what = [f"{what}{name}" for name in _names(docs / what)]
        filled.append({title: what})
    return filled


def _names(folder: Path) -> list[str]:
    """A folder's pages in the order in which its README links to them, which is the first."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([\w.-]+\.md)\)", text)
    others = sorted(page.name for page in folder.glob("*.md"))
    return list(dict.fromkeys(["README.md", *linked, *others]))


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take in what stands outside."""
    for source, place in OUTSIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where their targets stand in the site, and show references."""
    here = page.file.src_uri
    origin = next((s for s, place in OUTSIDE.items() if place == here), f"docs/{here}")

    def moved(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), match[1]))
        place = OUTSIDE.get(target, target.removeprefix("docs/"))
        return posixpath.relpath(place, posixpath.dirname(here) or ".")

    return _REFERENCE.sub(r"\1\n", _LINK.sub(moved, markdown))
