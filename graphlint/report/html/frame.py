"""The frame of a page without scripts: its head, its styles, its foot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.resources import files

from graphlint.report.html.markup import text


def page(title: str, styles: Iterable[str], main: Iterable[str], version: str) -> str:
    """A page that loads nothing and runs nothing.

    `title` is text; `styles` are the names of style sheets beside the house's own; `main` is
    markup; `version` is graphlint's.
    """
    return "\n".join(_document(title, styles, main, version)) + "\n"


def _document(
    title: str, styles: Iterable[str], main: Iterable[str], version: str
) -> Iterator[str]:
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield "<head>"
    yield '<meta charset="utf-8">'
    yield (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
    )
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield '<meta name="color-scheme" content="light dark">'
    yield f"<title>{text(title)}</title>"
    yield f"<style>\n{''.join(map(_asset, ('page.css', *styles)))}</style>"
    yield "</head>"
    yield "<body>"
    yield '<main id="main">'
    yield from main
    yield "</main>"
    yield f"<footer>graphlint {text(version)}</footer>"
    yield "</body>"
    yield "</html>"


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
