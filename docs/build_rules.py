"""Make `docs/rules/`: one page a rule, from the rules' own docstrings.

python docs/build_rules.py          # write
python docs/build_rules.py --check  # exit 1 where a page is not what it should be
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graphlint_rules import RULES

FOLDER = Path(__file__).resolve().parent / "rules"


def pages() -> dict[str, str]:
    """Pages by file name."""
    made = {
        f"{rule.code}.md": f"# {rule.name} ({rule.code})\n\n{rule.page.strip()}\n" for rule in RULES
    }
    rows = [f"| [{rule.code}]({rule.code}.md) | `{rule.name}` | {rule.summary} |" for rule in RULES]
    made["README.md"] = "\n".join(
        ["# Rules", "", "| rule | name | finds |", "|---|---|---|", *rows, ""]
    )
    return made


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description="Make docs/rules from the rules' docstrings.")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    FOLDER.mkdir(exist_ok=True)
    stale = []
    for name, text in pages().items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"stale: {', '.join(stale)}; run docs/build_rules.py", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
