"""graphlint's own rule pack: ShuffleNet V2's guidelines, alignment, and budgets."""

from typing import Any

from graphlint.rule import Rule
from graphlint_rules.a1_misaligned_channel_width import RULE as A1
from graphlint_rules.b1_memory_access_over_budget import RULE as B1
from graphlint_rules.b2_multiply_adds_over_budget import RULE as B2
from graphlint_rules.b3_parameters_over_budget import RULE as B3
from graphlint_rules.b4_uncosted_nodes_over_budget import RULE as B4
from graphlint_rules.g1_unequal_channel_width import RULE as G1
from graphlint_rules.g2_excessive_group_convolution import RULE as G2
from graphlint_rules.g3_fragmented_branches import RULE as G3
from graphlint_rules.g4_elementwise_traffic import RULE as G4

__all__ = ["A1", "B1", "B2", "B3", "B4", "G1", "G2", "G3", "G4", "RULES"]

RULES: tuple[Rule, ...] = (A1, B1, B2, B3, B4, G1, G2, G3, G4)


def __getattr__(name: str) -> Any:
    """`REWRITES`, imported when they are asked for: a check needs none of them."""
    if name == "REWRITES":
        from graphlint_rules.rewrites import REWRITES

        return REWRITES
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
