"""Costs of operators: multiply-adds, memory access and element operations of one node.

The counting convention is written once, in `docs/counting.md`. `contract` says what a handle is,
`table` holds the handles, `count` applies the convention to a node, `totals` to a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from graphlint.costs.count import element_bits
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
    "element_bits",
    "operators",
]


def __getattr__(name: str) -> Any:
    # Imported when first asked for: whoever only holds costs does not need the table of handles.
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module 'graphlint.costs' has no attribute {name!r}")
    home = {"element_bits": "count", "HANDLES": "table"}.get(name, "contract")
    return getattr(import_module(f"graphlint.costs.{home}"), name)
