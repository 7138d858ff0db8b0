"""Make the parts of `docs/calibrate.md` that speak of the profiles in `docs/devices/`.

python docs/build_calibrate.py          # write
python docs/build_calibrate.py --check  # exit 1 where the page is not what it should be
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from graphlint.calibration.verdicts import Result, results
from graphlint.devices.file import read
from graphlint.devices.profile import DeviceProfile
from graphlint.report.calibration_words import sentences

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "calibrate.md"
BEGIN, END = "<!-- made by docs/build_calibrate.py -->\n", "<!-- end -->\n"


def page(old: str) -> str:
    """The page with its made part anew."""
    before, _, rest = old.partition(BEGIN)
    after = rest.partition(END)[2]
    return before + BEGIN + "\n".join(_made()) + "\n" + END + after


def profiles() -> dict[Path, DeviceProfile]:
    """The committed profiles, by their files."""
    return {path: read(path) for path in sorted((DOCS / "devices").glob("*.json"))}


def _made() -> Iterator[str]:
    found = profiles()
    yield from _gallery(found)
    for path, profile in found.items():
        yield from _said(path, profile)


def _gallery(found: dict[Path, DeviceProfile]) -> Iterator[str]:
    yield ""
    yield (
        "| profile | threads | level | GB/s | G multiply-adds/s | block | a kernel, at least "
        "| G1 | G2 | G3 | G4 |"
    )
    yield "|---|---:|---|---:|---:|---:|---:|---|---|---|---|"
    for path, profile in found.items():
        device, best = profile.device, profile.ceilings
        answers = [_short(result) for result in results(profile)]
        cells = (
            f"[{path.stem}](devices/{path.name})",
            str(device.threads),
            f"`{device.optimization}`",
            f"{best.bandwidth_bytes_per_second / 1e9:.3g}",
            f"{best.multiply_adds_per_second / 1e9:.3g}",
            str(profile.channel_block),
            f"{profile.launch_seconds * 1e6:.2f} µs",
            *answers,
        )
        yield f"| {' | '.join(cells)} |"


def _short(result: Result) -> str:
    found = result.verdict
    return "–" if found is None else f"{found.answer}, {found.strength:.2f}"


def _said(path: Path, profile: DeviceProfile) -> Iterator[str]:
    device = profile.device
    threads = "1 thread" if device.threads == 1 else f"{device.threads} threads"
    yield ""
    yield f"### {threads}, `{device.optimization}`"
    yield ""
    yield f"{device.name}, {device.runtime}, {profile.made_on}, {len(profile.layers)} layers."
    yield ""
    for result in results(profile):
        yield f"- {' '.join(sentences(result, profile.channel_block))}"
    yield from (f"- Note: {note}." for note in profile.notes)


def main() -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description="Make the made part of docs/calibrate.md.")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    old = PAGE.read_text(encoding="utf-8")
    new = page(old)
    if new == old:
        return 0
    if check:
        print("stale: calibrate.md; run docs/build_calibrate.py", file=sys.stderr)
        return 1
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
