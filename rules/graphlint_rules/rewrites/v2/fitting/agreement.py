"""How often two classifiers give the same answer, and how sure that is."""

from __future__ import annotations

from math import sqrt

from graphlint.rewrites import Agreement

_DEVIATIONS = 1.959964
"""Of a normal distribution, which hold 95 % of it."""


def agreement(same: int, samples: int) -> Agreement:
    """The share of equal answers with Wilson's 95 % interval (JASA 22, 1927).

    It holds the truth about as often as it says for samples that were not used to choose by.
    """
    if not samples:
        return Agreement(0.0, 0.0, 1.0, 0)
    share, z2 = same / samples, _DEVIATIONS**2
    centre = (share + z2 / (2 * samples)) / (1 + z2 / samples)
    spread = sqrt(share * (1 - share) / samples + z2 / (4 * samples**2))
    reach = _DEVIATIONS * spread / (1 + z2 / samples)
    return Agreement(share, max(0.0, centre - reach), min(1.0, centre + reach), samples)
