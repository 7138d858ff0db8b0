"""The numbers of values that do not depend on what is fed to the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlint.graph import ABSENT, GraphView, Node

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto, TensorProto

    Array = np.ndarray[Any, Any]

_OVERRIDABLE = 4
# From this IR version on, an initializer that is an input too is a default that may be overridden.

MAX_ELEMENTS = 1 << 26
"""The largest tensor that is read or computed: more is no weight of a convolution."""

# What a weight may be computed by: exporters make them so; all are cheap and add no numbers.
_FOLDED = frozenset(
    {
        *("Add", "Cast", "Concat", "ConstantOfShape", "Div", "Expand", "Identity", "Mul"),
        *("Reshape", "Slice", "Split", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze"),
        *("DequantizeLinear", "Gather", "Shape"),
    }
)


class Numbers:
    """Reads and computes constants of a model, each once.

    `proto` is the whole model, its external data left in their files beside `file`.
    """

    def __init__(self, proto: ModelProto, file: Path, view: GraphView) -> None:
        self._view = view
        self._folder = file.resolve().parent
        self._stored = dict(_stored(proto))
        self._known: dict[str, Array | None] = {}

    def __call__(self, key: str) -> Array | None:
        """The numbers of a value of the main graph, None where they can't be had."""
        if key not in self._known:
            found = self._find(key)
            self._known[key] = None if found is None else _plain(found)
        return self._known[key]

    def _find(self, key: str) -> Array | None:
        if key == ABSENT:
            return None
        if key in self._view.data:
            return self._view.data[key]
        if key in self._stored:
            return self._read(self._stored[key])
        producer = self._view.producer(key)
        if producer is None or producer.domain != "" or key not in self._view.static_values:
            return None
        return self._computed(producer, producer.outputs.index(key))

    def _read(self, tensor: TensorProto) -> Array | None:
        from onnx import numpy_helper

        if _elements(tensor.dims) > MAX_ELEMENTS:
            return None
        try:
            return numpy_helper.to_array(tensor, str(self._folder))
        except Exception:  # whatever is wrong with type, shape or payload, there are no numbers
            return None

    def _computed(self, node: Node, position: int) -> Array | None:
        shape = self._view.shape(node.outputs[position])
        if node.op not in _FOLDED or shape is None or _elements(shape) > MAX_ELEMENTS:
            return None
        inputs = [None if key == ABSENT else self(key) for key in node.inputs]
        if any(array is None for array, key in zip(inputs, node.inputs, strict=True) if key):
            return None
        return _run(node, inputs, position)


def _stored(proto: ModelProto) -> Iterator[tuple[str, TensorProto]]:
    """Initializers and Constants of the main graph, but those that a caller may override."""
    graph = proto.graph
    fed = {value.name for value in graph.input} if proto.ir_version >= _OVERRIDABLE else set()
    yield from ((tensor.name, tensor) for tensor in graph.initializer if tensor.name not in fed)
    for node in graph.node:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            for attribute in node.attribute:
                if attribute.name == "value":
                    yield node.output[0], attribute.t


def _run(node: Node, inputs: list[Array | None], position: int) -> Array | None:
    """One node, by the operators' own reference implementation."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    names = [f"i{number}" if array is not None else "" for number, array in enumerate(inputs)]
    proto = type(node.proto)()
    proto.CopyFrom(node.proto)
    del proto.input[:], proto.output[:]
    proto.input.extend(names)
    proto.output.extend(f"o{number}" for number in range(len(node.outputs)))
    value = helper.make_empty_tensor_value_info
    graph = helper.make_graph(
        [proto], "one", [value(name) for name in names if name], [value(f"o{position}")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", node.version)])
    feeds = {name: array for name, array in zip(names, inputs, strict=True) if name}
    try:
        (result,) = ReferenceEvaluator(model).run(None, feeds)
    except Exception:  # whatever the evaluator raises, the numbers can't be had
        return None
    return np.asarray(result)


def _plain(array: Array) -> Array | None:
    """bfloat16 and smaller floats as float32: numpy knows them only by an extension.

    None where the elements are no real numbers.
    """
    if array.dtype.kind == "V":
        return array.astype(np.float32)
    return array if array.dtype.kind in "biuf" else None


def _elements(dims: Any) -> int:
    product = 1
    for dim in dims:
        product *= dim
    return product
