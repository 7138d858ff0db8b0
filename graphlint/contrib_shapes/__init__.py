"""Output shapes of ONNX Runtime's own operators, which onnx has no shape inference for.

They follow from input shapes and attributes alone; the rules are those of ONNX Runtime's
`ContribOperators.md`. Symbolic and unknown sizes are carried along; where a rank cannot be told,
there is no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphlint.contrib_shapes import attention, layers, products, tensors
from graphlint.contrib_shapes.call import Call, Outputs, UnshapedError
from graphlint.graph import Node, TensorType

if TYPE_CHECKING:
    import numpy as np

__all__ = ["infer"]

_RULES: Mapping[str, Mapping[str, Callable[[Call], Outputs]]] = {
    "": tensors.ONNX,
    "com.microsoft": {
        **attention.MICROSOFT,
        **layers.MICROSOFT,
        **products.MICROSOFT,
        **tensors.MICROSOFT,
    },
    "com.microsoft.nchwc": layers.NCHWC,
    "com.ms.internal.nhwc": layers.INTERNAL_NHWC,
}


def infer(
    node: Node,
    inputs: Sequence[TensorType | None],
    data: Sequence[np.ndarray[Any, Any] | None],
) -> Outputs | None:
    """The types of the node's outputs, or nothing where they can't be told.

    `data` holds the numbers of small inputs that are known. Of an operator with several outputs,
    those that can't be told are `None`.
    """
    rule = _RULES.get(node.domain, {}).get(node.op)
    if rule is None:
        return None
    try:
        outputs = rule(Call(node, inputs, data))
    except (UnshapedError, ArithmeticError, LookupError, TypeError, ValueError):
        # A malformed node has no shapes either; what is wrong with it is not for here to say.
        return None
    if not all(_is_size(dim) for type_ in outputs if type_ for dim in type_.shape or ()):
        return None  # attributes that make no sense together
    wanted = len(node.outputs)
    return [*outputs, *[None] * wanted][:wanted]


def _is_size(dim: Any) -> bool:
    return not isinstance(dim, int | float) or (isinstance(dim, int) and 0 <= dim < 2**63)
