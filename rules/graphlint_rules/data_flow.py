"""Which values are activations, and who reads them."""

from __future__ import annotations

from math import prod

from graphlint.graph import ABSENT, Node, TensorType
from graphlint.rule import Context
from graphlint_rules.operators import ACTIVATIONS, AFFINE, BATCH_NORMALISATION, BOUNDS

# Numbers that count, index or decide: BOOL, STRING and integers of 32 and 64 bits.
_NO_ACTIVATIONS = frozenset({6, 7, 8, 9, 12, 13})

# Operators that hand on what they get, in another place, shape or number format. Between a
# convolution and its activation they keep nothing from being absorbed.
TRANSPARENT = frozenset(
    {
        "Cast",
        "CastLike",
        "DequantizeLinear",
        "Dropout",
        "Flatten",
        "Identity",
        "QuantizeLinear",
        "ReorderInput",
        "ReorderOutput",
        "Reshape",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)
_OF_THE_FIRST_INPUT = ACTIVATIONS | BATCH_NORMALISATION
_OF_ANY_INPUT = AFFINE | BOUNDS


def is_activation(context: Context, key: str) -> bool:
    """Whether the value is a tensor that depends on the data: no constant, no single number."""
    type_ = context.view.type(key)
    if key == ABSENT or key in context.view.static_values or not isinstance(type_, TensorType):
        return False
    if type_.dtype in _NO_ACTIVATIONS:
        return False
    shape = context.view.shape(key)
    return shape is None or prod(shape) > 1


def activations(context: Context, node: Node) -> tuple[str, ...]:
    """The activations among the node's inputs, each once."""
    return tuple(key for key in dict.fromkeys(node.inputs) if is_activation(context, key))


def constants(context: Context, node: Node) -> tuple[str, ...]:
    """The other inputs that are given."""
    return tuple(key for key in node.inputs if key != ABSENT and not is_activation(context, key))


def carrier(context: Context, node: Node) -> str | None:
    """The activation that the node changes by itself or by constants; None where it joins several.

    Weights may be inputs of the graph: which input carries the data is known by the operator.
    """
    if node.op in TRANSPARENT:  # a Cast may come from the integers that ConvInteger makes
        return None if node.input(0) in context.view.static_values else node.input(0)
    if node.op in _OF_THE_FIRST_INPUT:
        return node.input(0) if is_activation(context, node.input(0)) else None
    read = activations(context, node)
    return read[0] if node.op in _OF_ANY_INPUT and len(read) == 1 else None


def data_readers(context: Context, key: str) -> tuple[Node, ...]:
    """The nodes that read the value's numbers; asking for its shape is no reading."""
    return tuple(node for node in context.view.readers(key) if node.op not in ("Shape", "Size"))


def only_data_reader(context: Context, key: str) -> Node | None:
    """The node that alone reads the value's numbers, where they go nowhere else."""
    readers = data_readers(context, key)
    return readers[0] if len(readers) == 1 and not context.view.is_output(key) else None


def runs(context: Context, node: Node) -> bool:
    """Whether a rule can speak of the node: it runs, on data, and what it costs is known."""
    return (
        context.executions(node) > 0
        and context.cost(node).unknown is None
        and not context.is_shape_arithmetic(node)
        and any(key != ABSENT and key not in context.view.static_values for key in node.outputs)
    )
