"""What is said of a device profile in words, whatever the format."""

from __future__ import annotations

from collections.abc import Iterator

from graphlint.calibration.verdicts import Result, Verdict
from graphlint.devices.profile import DeviceProfile
from graphlint.units import format_seconds


def title(profile: DeviceProfile) -> str:
    """The device in one line."""
    device = profile.device
    threads = "1 thread" if device.threads == 1 else f"{device.threads} threads"
    return f"{device.name} · {device.provider}, {threads}, optimisation {device.optimization}"


def facts(profile: DeviceProfile) -> Iterator[str]:
    """What was measured besides the tables."""
    best = profile.ceilings
    yield (
        f"{best.bandwidth_bytes_per_second / 1e9:.3g} GB/s memory · "
        f"{best.multiply_adds_per_second / 1e9:.3g} G multiply-adds/s · "
        f"{_block(profile.channel_block)} · {format_seconds(profile.launch_seconds)} a kernel at "
        f"least · {format_seconds(profile.run_seconds)} a run besides"
    )
    yield (
        f"{profile.device.runtime} · graphlint {profile.graphlint} · {profile.made_on} · "
        f"{len(profile.cells)} cells, {len(profile.layers)} layers"
    )


def _block(channels: int) -> str:
    return "no channel blocks" if channels == 1 else f"channels in blocks of {channels}"


def sentences(result: Result, block: int) -> Iterator[str]:
    """Whether a guideline holds on the device, and how strongly."""
    found = result.verdict
    if found is None:
        return
    first = result.table.rows[0].name
    yield f"{result.table.guideline} {_answer(found)}: {_strength(found, first)}"
    yield f"{_counts(found, first, result.table.claim)}."
    aligned = result.aligned_verdict
    if block > 1 and aligned is not None:
        yield (
            f"Of whole blocks of {block} channels alone, it {_answer(aligned)}: "
            f"{_counts(aligned, first, result.table.claim)}."
        )


def _answer(verdict: Verdict) -> str:
    return {
        "holds": "holds here",
        "holds in part": "holds in part here",
        "does not hold": "does not hold here",
        "cannot be told": "cannot be told here",
    }[verdict.answer]


def _strength(verdict: Verdict, first: str) -> str:
    span = "" if verdict.low == verdict.high else f" ({verdict.low:.2f} to {verdict.high:.2f})"
    return (
        f"{verdict.row} has {verdict.strength:.2f} times the speed of {first}{span}; in the paper "
        f"{verdict.paper:.2f}."
    )


def _counts(verdict: Verdict, first: str, claim: str) -> str:
    other = "faster" if claim == "slower" else "slower"
    same = verdict.readings - verdict.as_expected - verdict.against - verdict.untold
    parts = [f"{verdict.as_expected} of {verdict.readings} rows {claim} than {first}"]
    if same:
        parts.append(f"{same} the same within 3 %")
    if verdict.against:
        parts.append(f"{verdict.against} {other}")
    if verdict.untold:
        parts.append(f"{verdict.untold} not to be told from it")
    return ", ".join(parts)
