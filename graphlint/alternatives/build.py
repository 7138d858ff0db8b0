"""Models of alternatives: a site alone and what would stand there, or the whole model changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint import __version__, registry, shapes
from graphlint.costs.totals import node_costs
from graphlint.graph import Node, TensorType
from graphlint.graph_builder import build
from graphlint.model import Model
from graphlint.rewrites import Edit, Subject
from graphlint.rewriting.save import save
from graphlint.rewriting.scratch import outer_inputs, outer_outputs
from graphlint.rewriting.splice import splice
from graphlint.rewriting.subject import Source
from graphlint.rule import Alternative

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto


def changed(source: Source, alternatives: Sequence[Alternative], path: Path) -> None:
    """Write the model with the alternatives in their places; `source` is left as it was.

    Raises:
        RewriteError: one of them does not fit, whatever it says.
    """
    edits = [_edit(source.subject, each, place) for place, each in enumerate(alternatives)]
    spliced = splice(source.proto, edits, f"onnx-graphlint {__version__} what-if")
    try:
        save(source.proto, source.file, path, force=True, new=spliced.initializers)
    finally:
        spliced.undo()


def _edit(subject: Subject, alternative: Alternative, place: int) -> Edit:
    """The alternative's nodes under the names of the values that they take the place of."""
    view, graph = subject.view, alternative.model.graph
    read = [key for key in outer_inputs(view, alternative.nodes) if key not in view.static_values]
    names = dict(zip((value.name for value in graph.input), read, strict=True))
    made = outer_outputs(view, alternative.nodes)
    names.update(zip((value.name for value in graph.output), made, strict=True))
    nodes, weights = [], []
    for node in graph.node:
        copy = type(node)()
        copy.CopyFrom(node)
        copy.name = f"what_if_{place}_{node.op_type}"
        for keys in (copy.input, copy.output):
            keys[:] = [names.get(key, f"what_if_{place}_{key}") for key in keys]
        nodes.append(copy)
    for tensor in graph.initializer:
        weight = type(tensor)()
        weight.CopyFrom(tensor)
        weight.name = f"what_if_{place}_{tensor.name}"
        weights.append(weight)
    return Edit(alternative.nodes, tuple(nodes), tuple(weights))


def alone(subject: Subject, nodes: Sequence[Node]) -> ModelProto | None:
    """The nodes as a model with their own weights; None where a type or a number is not known."""
    from onnx import helper

    view = subject.view
    read = outer_inputs(view, nodes)
    weights = [_stored(subject, key) for key in read if key in view.static_values]
    inputs = [key for key in read if key not in view.static_values]
    values = {key: view.type(key) for key in (*inputs, *outer_outputs(view, nodes))}
    known = {
        key: helper.make_tensor_value_info(key, type_.dtype, type_.sizes)
        for key, type_ in values.items()
        if isinstance(type_, TensorType) and type_.sizes is not None
    }
    if len(known) < len(values) or None in weights:
        return None
    graph = helper.make_graph(
        [node.proto for node in nodes],
        "alone",
        [known[key] for key in inputs],
        [known[key] for key in outer_outputs(view, nodes)],
        [weight for weight in weights if weight is not None],
    )
    imports = [helper.make_opsetid(domain, version) for domain, version in view.opsets.items()]
    ir_version = helper.find_min_ir_version_for(imports, ignore_unknown=True)
    return helper.make_model(graph, opset_imports=imports, ir_version=ir_version)


def multiply_adds(model: ModelProto) -> int | None:
    """Those of a model that is all in memory; None where a node's can't be told."""
    size = model.ByteSize()
    view, _ = shapes.infer(
        build(Model("alternative", Path(), model, size, size)), payload=lambda tensor: tensor
    )
    costs = node_costs(view, registry.handles())
    return None if costs.uncosted else costs.total.multiply_adds


def _stored(subject: Subject, key: str) -> TensorProto | None:
    from onnx import numpy_helper

    numbers = subject.numbers(key)
    return None if numbers is None else numpy_helper.from_array(numbers, key)
