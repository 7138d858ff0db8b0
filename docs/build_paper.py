"""Make the tables, figures and pictures of docs/paper.md from `benchmarks/results/paper.json`.

python docs/build_paper.py          # write
python docs/build_paper.py --check  # exit 1 where something is not what it should be

The page is written by hand but for what stands between `<!-- made: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT), str(DOCS)]

from paper_pictures import rate_picture, speed_picture, time_picture  # noqa: E402

from benchmarks.paper_tables import (  # noqa: E402
    against,
    categories,
    classes,
    correlations,
    repeats,
    table_8,
)

LEVELS = ("all", "basic")
_OF_ONE = {"table 8": table_8, "figure 2": categories, "order": correlations, "repeats": repeats}
_OF_BOTH = {"classes": classes, "against": against}
_BLOCK = re.compile(r"(<!-- made: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def made(result: dict[str, Any]) -> dict[Path, str]:
    """The page and its pictures, by path."""
    page = DOCS / "paper.md"
    pictures = DOCS / "pictures"
    text = page.read_text(encoding="utf-8")
    files = {page: _BLOCK.sub(lambda found: _filled(found, result), text)}
    for level in LEVELS:
        files[pictures / f"paper_speed_{level}.svg"] = speed_picture(result, level)
        files[pictures / f"paper_rate_{level}.svg"] = rate_picture(result, level)
    files[pictures / "paper_time.svg"] = time_picture(result, LEVELS)
    return files


def _filled(found: re.Match[str], result: dict[str, Any]) -> str:
    return f"{found[1]}{_block(found[2], result)}\n{found[3]}"


def _block(name: str, result: dict[str, Any]) -> str:
    """What stands in the block of a name: `order, basic` is a table at a level."""
    if name == "machine":
        return _machine(result)
    if name in _OF_BOTH:
        return "\n".join(_OF_BOTH[name](result, LEVELS))
    table, level = name.split(", ")
    return "\n".join(_OF_ONE[table](result, level))


def _machine(result: dict[str, Any]) -> str:
    about = [result["levels"][level] for level in LEVELS]
    dates = " and ".join(dict.fromkeys(each["date"] for each in about))
    machines = " and ".join(dict.fromkeys(each["machine"] for each in about))
    runtime = about[0]["packages"]["onnxruntime"]
    return f"Measured on {dates} on {machines}, with onnxruntime {runtime}."


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description="Make the figures of docs/paper.md.")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    results = ROOT / "benchmarks" / "results" / "paper.json"
    stale = []
    for path, text in made(json.loads(results.read_text(encoding="utf-8"))).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"stale: {', '.join(stale)}; run docs/build_paper.py", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
