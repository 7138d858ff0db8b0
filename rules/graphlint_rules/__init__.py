"""graphlint's own rule pack: the four guidelines of ShuffleNet V2 (Ma et al., ECCV 2018)."""

from typing import Any

from graphlint.rule import Rule
from graphlint_rules.g1_unequal_channel_width import RULE as G1
from graphlint_rules.g2_excessive_group_convolution import RULE as G2
from graphlint_rules.g3_fragmented_branches import RULE as G3
from graphlint_rules.g4_elementwise_traffic import RULE as G4

__all__ = ["G1", "G2", "G3", "G4", "RULES"]

RULES: tuple[Rule, ...] = (G1, G2, G3, G4)


def __getattr__(name: str) -> Any:
    """`REWRITES`, imported when they are asked for: a check needs none of them."""
    if name == "REWRITES":
        from graphlint_rules.rewrites import REWRITES

        return REWRITES
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
