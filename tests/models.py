"""Models for tests, built in a line, and what graphlint makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

from graphlint.bindings import Bindings
from graphlint.costs import HANDLES
from graphlint.costs.totals import Costs, node_costs
from graphlint.graph import GraphView
from graphlint.graph_builder import build
from graphlint.model import Model
from graphlint.shapes import infer

FIXTURES = sorted((Path(__file__).parent.parent / "fixtures").glob("*.onnx"))
Shape = Sequence[int | str | None] | None
Typed = Mapping[str, Any]
"""Shapes by name, float32 unless an element type stands before one."""


def values(shapes: Typed) -> list[onnx.ValueInfoProto]:
    """Declarations of values."""
    made = []
    for name, shape in shapes.items():
        dtype, dims = shape if isinstance(shape, tuple) else (TensorProto.FLOAT, shape)
        made.append(helper.make_tensor_value_info(name, dtype, dims))
    return made


def graph(
    nodes: Sequence[NodeProto],
    inputs: Typed,
    outputs: Typed,
    initializers: Sequence[TensorProto] = (),
    **more: Any,
) -> GraphProto:
    """A graph; `more` are `sparse_initializer` and `value_info`."""
    return helper.make_graph(
        nodes, "graph", values(inputs), values(outputs), list(initializers), **more
    )


def model(
    nodes: Sequence[NodeProto],
    inputs: Typed,
    outputs: Typed,
    initializers: Sequence[TensorProto] = (),
    *,
    opset: int = 17,
    functions: Sequence[FunctionProto] = (),
    domains: Sequence[str] = ("local",),
    **more: Any,
) -> ModelProto:
    """A model of one graph."""
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(
        graph(nodes, inputs, outputs, initializers, **more),
        opset_imports=imports,
        functions=list(functions),
        ir_version=10,
    )


def parsed(text: str) -> ModelProto:
    """A model in ONNX's text form."""
    return onnx.parser.parse_model(text)


def view_of(proto: ModelProto) -> GraphView:
    """The model laid open, with the types that it declares."""
    return build(Model("model.onnx", Path("model.onnx"), proto, proto.ByteSize(), 0))


def shaped(proto: ModelProto, bindings: Bindings | None = None) -> GraphView:
    """The model laid open, with the types of all its values."""
    return infer(view_of(proto), bindings or Bindings())[0]


def costs_of(proto: ModelProto, bindings: Bindings | None = None) -> Costs:
    """The costs of the model's nodes."""
    return node_costs(shaped(proto, bindings), HANDLES)
