"""Costs of operators: multiply-adds, memory access and element operations of one node.

The counting convention is written once, in `docs/counting.md`. `contract` says what a handle is,
`table` holds the handles, `count` applies the convention.
"""

from graphlint.costs.contract import (
    Category,
    Handle,
    NodeCost,
    Operand,
    Operation,
    UnknownCost,
    Work,
    operators,
)
from graphlint.costs.count import count, element_bits
from graphlint.costs.table import HANDLES

__all__ = [
    "HANDLES",
    "Category",
    "Handle",
    "NodeCost",
    "Operand",
    "Operation",
    "UnknownCost",
    "Work",
    "count",
    "element_bits",
    "operators",
]
