"""Views and constants: the same bytes under another shape, or nothing that depends on the input.

Counting convention: `docs/counting.md`, "Views and constants".
"""

from __future__ import annotations

from graphlint.costs.contract import Category, Operation, Work, operators
from graphlint.costs.recipes import nothing, per_output_element

__all__ = ["HANDLES", "MICROSOFT"]

_DROPOUT_FUNCTIONS = 3
"""A random number, a comparison and a scale."""


def shape_of(operation: Operation) -> Work:
    """Shape and Size: neither reads the tensor, nor is it a parameter for being asked."""
    return Work(moves=False, parameters={0: 0})


def filled(operation: Operation) -> Work:
    """ConstantOfShape: a constant where its shape is known beforehand, else it is written."""
    return Work(moves=not operation.input(0).static)


def dropout(operation: Operation) -> Work:
    """Dropout: a view at inference, though a mask that is asked for is written.

    Before opset 7 `is_test` says which, from opset 12 the input `training_mode`; between them
    the operator is for inference only.
    """
    if _is_training(operation):
        return Work(element_operations=_DROPOUT_FUNCTIONS * operation.output(0).elements)
    masked = len(operation.outputs) > 1 and operation.outputs[1] is not None
    return Work(moves=masked, reads={0: 0}, writes={0: 0})


def _is_training(operation: Operation) -> bool:
    if operation.node.domain == "" and operation.node.version < 7:
        return not operation.attribute("is_test", 0)
    if operation.has_input(2):
        return bool(operation.input(2).numbers().any())
    return False


HANDLES = {
    **operators(
        "Reshape Squeeze Unsqueeze Flatten Identity BitCast", nothing, Category.VIEW, control=(1,)
    ),
    **operators("Shape Size", shape_of, Category.VIEW),
    **operators("Constant", nothing, Category.VIEW),
    **operators("ConstantOfShape", filled, Category.VIEW, control=(0,)),
    **operators("Dropout", dropout, Category.VIEW, control=(1, 2)),
    **operators("Optional OptionalGetElement OptionalHasElement", nothing, Category.VIEW),
}

MICROSOFT = {
    **operators("ExpandDims", nothing, Category.VIEW, control=(1,)),
    **operators("BitmaskDropout", dropout, Category.VIEW, control=(1, 2)),
    **operators("SampleOp", per_output_element(1), Category.ELEMENTWISE),
}
