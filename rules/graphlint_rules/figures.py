"""Figures of one site, as messages spell them."""

from __future__ import annotations

from graphlint_rules.convolution_sites import Convolution


def spell_layer(convolution: Convolution) -> str:
    """`120→480, groups 3, 28×28`; the kernel where it is not 1×1, the batch where it is not 1."""
    parts = [f"{convolution.channels_in}→{convolution.channels_out}"]
    if not convolution.is_pointwise:
        parts.append(f"{by(convolution.kernel)} kernel")
    if convolution.groups > 1:
        parts.append(f"groups {convolution.groups}")
    parts.append(by(convolution.spatial))
    if convolution.batch > 1:
        parts.append(f"batch {convolution.batch}")
    return ", ".join(parts)


def by(sizes: tuple[int, ...]) -> str:
    """`28×28`; a scalar is `1`."""
    return "×".join(map(str, sizes)) or "1"


def times(part: int, whole: int) -> str:
    """`×1.85`: how many times `part` is in `whole`, rounded down."""
    if not part:
        return "×∞"
    hundredths = 100 * whole // part
    return f"×{hundredths // 100}.{hundredths % 100:02}"
