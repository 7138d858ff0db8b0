"""Random numbers and window functions: nothing is read, the output is computed and written.

Counting convention: `docs/counting.md`, "Generators".
"""

from __future__ import annotations

from graphlint.costs.contract import Category, operators
from graphlint.costs.recipes import per_output_element, written_only

__all__ = ["HANDLES"]

_ONE = per_output_element(1)

HANDLES = {
    **operators("RandomNormal RandomUniform", _ONE, Category.OTHER),
    **operators("RandomNormalLike RandomUniformLike", written_only, Category.OTHER, control=(0,)),
    **operators("Bernoulli Multinomial", _ONE, Category.OTHER),
    **operators("BlackmanWindow HammingWindow HannWindow", _ONE, Category.OTHER, control=(0,)),
    **operators("MelWeightMatrix", _ONE, Category.OTHER, control=(0, 1, 2, 3, 4)),
}
