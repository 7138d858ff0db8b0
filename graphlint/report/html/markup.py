"""Text and data on their way into the page: nothing that a model says is ever markup."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import Any

from graphlint.report.text import MAX_NAME, safe


def text(value: str, limit: int = MAX_NAME) -> str:
    """`value` as HTML text or as an attribute's value in double quotes."""
    return html.escape(safe(value, limit), quote=True)


def data(value: Any) -> str:
    """`value` as JSON for a `<script type="application/json">`.

    ASCII alone, and without the characters that could end the element or begin another.
    """
    spelt = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for char in "<>&":
        spelt = spelt.replace(char, f"\\u{ord(char):04x}")
    return spelt


def section(identity: str, title: str, lead: str, body: Sequence[str]) -> str:
    """A part of the page under a heading; `lead` and `body` are markup."""
    inner = "\n".join(body)
    opening = f'<p class="lead">{lead}</p>\n' if lead else ""
    return (
        f'<section id="{identity}" aria-labelledby="{identity}-h">\n'
        f'<h2 id="{identity}-h">{title}</h2>\n{opening}{inner}\n</section>'
    )


def count(number: int, noun: str) -> str:
    """`1 node`, `2 nodes`, `12,345 nodes`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
