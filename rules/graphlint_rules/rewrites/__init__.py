"""graphlint's own rewrites."""

from graphlint.rewrites import Rewrite
from graphlint_rules.rewrites.shuffle_elimination import REWRITE as SHUFFLE_ELIMINATION
from graphlint_rules.rewrites.shufflenet_v1_to_v2 import REWRITE as V1_TO_V2

__all__ = ["REWRITES"]

REWRITES: tuple[Rewrite, ...] = (V1_TO_V2, SHUFFLE_ELIMINATION)
