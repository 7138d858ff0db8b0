"""Make `docs/rules/` and `docs/rewrites/`: a page for each, from their own docstrings.

python docs/build_rules.py          # write
python docs/build_rules.py --check  # exit 1 where a page is not what it should be
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graphlint_rules import RULES
from graphlint_rules.rewrites import REWRITES

DOCS = Path(__file__).resolve().parent


def pages() -> dict[Path, str]:
    """Pages by path."""
    made = {
        DOCS / "rules" / f"{rule.code}.md": f"# {rule.name} ({rule.code})\n\n{rule.page.strip()}\n"
        for rule in RULES
    } | {
        DOCS / "rewrites" / f"{each.name}.md": f"# {each.name}\n\n{each.page.strip()}\n"
        for each in REWRITES
    }
    rules = [
        f"| [{rule.code}]({rule.code}.md) | `{rule.name}` | {rule.summary} |" for rule in RULES
    ]
    made[DOCS / "rules" / "README.md"] = "\n".join(
        ["# Rules", "", "| rule | name | finds |", "|---|---|---|", *rules, ""]
    )
    rewrites = [f"| [{each.name}]({each.name}.md) | {each.summary} |" for each in REWRITES]
    made[DOCS / "rewrites" / "README.md"] = "\n".join(
        ["# Rewrites", "", "| rewrite | what happens |", "|---|---|", *rewrites, ""]
    )
    return made


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description="Make pages from docstrings.")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for path, text in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
            if not check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"stale: {', '.join(stale)}; run docs/build_rules.py", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
