"""Numbers known before the model runs: stored tensors, and what is computed from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from graphlint.graph import Constant, Node

if TYPE_CHECKING:
    import numpy as np
    import onnx

    Numbers = np.ndarray[Any, Any]

Payload = Callable[["onnx.TensorProto"], "onnx.TensorProto | None"]

MAX_FOLDED_ELEMENTS = 65_536
"""Tensors up to this many elements are evaluated; shapes have a handful."""

# Evaluated where every input is known. All are deterministic; none has a body.
FOLDABLE = frozenset(
    """
    Abs Add And ArgMax ArgMin BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil
    Clip Compress Concat ConstantOfShape CumSum Div Equal Exp Expand EyeLike Flatten Floor Gather
    GatherElements GatherND Greater GreaterOrEqual Identity Less LessOrEqual Log Max Min Mod Mul Neg
    NonZero Not OneHot Or Pad Pow Range Reciprocal ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum Relu Reshape Round ScatterElements ScatterND Sign Slice Split Sqrt Squeeze Sub Sum
    Tile TopK Transpose Trilu Unsqueeze Where Xor
    """.split()
)


def read_constant(constant: Constant, payload: Payload | None) -> Numbers | None:
    """The numbers of a stored tensor, by way of `payload` where they are left in the file."""
    from onnx import TensorProto, numpy_helper

    tensor = constant.proto
    if not isinstance(tensor, TensorProto) or tensor.data_type == TensorProto.STRING:
        return None
    if tensor.data_location == TensorProto.EXTERNAL:
        tensor = payload(tensor) if payload is not None else None
    if tensor is None:
        return None
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, RuntimeError, KeyError, MemoryError):
        return None  # its payload does not fit its dimensions; the reader's checks say so


def evaluate(node: Node, values: Sequence[Numbers | None]) -> list[Numbers]:
    """The node's outputs by the reference implementation; nothing where it has none or fails."""
    import numpy as np
    from onnx import FunctionProto
    from onnx.reference import ReferenceEvaluator

    names = [name for name in dict.fromkeys(node.proto.input) if name]
    outputs = [name for name in node.proto.output if name]
    function = FunctionProto(name="fold", domain="graphlint", input=names, output=outputs)
    function.opset_import.add(domain=node.domain, version=node.version)
    function.node.add().CopyFrom(node.proto)
    feeds = {name: value for name, value in zip(node.proto.input, values, strict=False) if name}
    try:
        with np.errstate(all="ignore"):
            results = iter(ReferenceEvaluator(function).run(None, feeds, attributes={}))
    except Exception:  # the reference raises whatever numpy raises; unknown is then the truth
        return []
    return [np.asarray(next(results)) if name else np.empty(0) for name in node.proto.output]
