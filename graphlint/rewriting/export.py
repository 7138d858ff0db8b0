"""The nodes and constants of a scratch graph as protobufs; part of `graphlint.rewriting.scratch`.

Graphsurgeon's own export drops what it does not know and adds what nobody asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from graphlint.errors import RewriteError
from graphlint.external_data import external_tensors
from graphlint.node_order import sorted_positions
from graphlint.rewriting.captures import reads
from graphlint.rewriting.names import Names

if TYPE_CHECKING:
    import numpy as np
    import onnx_graphsurgeon as gs
    from onnx import AttributeProto, NodeProto, TensorProto


def export(graph: gs.Graph) -> tuple[tuple[NodeProto, ...], tuple[TensorProto, ...]]:
    """The nodes that the graph's outputs need, in topological order, and the new constants.

    A constant that came from the model and still has its numbers is read there, under its name.

    Raises: as `graphlint.rewriting.scratch.edit_of`.
    """
    names = _tensor_names(graph)
    nodes = [_node(graph, node, names) for node in graph.nodes]
    nodes = _needed(nodes, [output.name for output in graph.outputs])
    used = {name for node in nodes for name in reads(node)}
    tensors = [
        _tensor(constant, names[id(constant)])
        for constant in _constants(graph)
        if not _is_the_models(constant) and names[id(constant)] in used
    ]
    return tuple(nodes), tuple(tensors)


def plain_value(attribute: AttributeProto) -> Any:
    """The attribute as int, float, text or a list of them; None where it is none of these."""
    kind = attribute.type
    if attribute.ref_attr_name:
        return None
    if kind == attribute.INT:
        return attribute.i
    if kind == attribute.FLOAT:
        return attribute.f
    if kind == attribute.INTS:
        return list(attribute.ints)
    if kind == attribute.FLOATS:
        return list(attribute.floats)
    try:
        if kind == attribute.STRING:
            return attribute.s.decode()
        if kind == attribute.STRINGS:
            return [item.decode() for item in attribute.strings]
    except UnicodeDecodeError:
        pass
    return None


def is_left_out(tensor: TensorProto) -> bool:
    """Whether the tensor's numbers were left out when the model was read (`graphlint.wire`)."""
    if tensor.data_location != tensor.EXTERNAL:
        return False
    return any(entry.key == "location" and entry.value == "" for entry in tensor.external_data)


# Tensors


def _constants(graph: gs.Graph) -> Iterator[gs.Constant]:
    """The constants that nodes read, each object once, in order."""
    from onnx_graphsurgeon import Constant

    read = {id(tensor): tensor for node in graph.nodes for tensor in node.inputs}
    return (tensor for tensor in read.values() if isinstance(tensor, Constant))


def _is_the_models(constant: gs.Constant) -> bool:
    """Whether the constant is one of the model with the numbers that it has there."""
    import numpy as np

    original = getattr(constant, "graphlint_original", None)
    if original is None or constant._values is original:
        return original is not None
    known, now = original.load(), np.asarray(constant._values)
    return bool(known.dtype == now.dtype and known.shape == now.shape and (known == now).all())


def _tensor_names(graph: gs.Graph) -> dict[int, str]:
    """The names of all tensors by their objects' id: graphsurgeon's own, made unique.

    Graphsurgeon takes tensors of the same name for the same. A variable is (the model's input, by
    another object), but constants with different numbers are not.
    """
    from onnx_graphsurgeon import Constant

    found: dict[int, str] = {}
    others = []
    for tensor in (t for node in graph.nodes for t in (*node.outputs, *node.inputs)):
        if not isinstance(tensor, Constant):
            found[id(tensor)] = tensor.name
        elif _is_the_models(tensor):
            found[id(tensor)] = tensor.graphlint_original.key
        else:
            others.append(tensor)
    names = Names(found.values())
    for tensor in others:
        if id(tensor) not in found:
            found[id(tensor)] = names.take(tensor.name or "constant")
    return found


def _tensor(constant: gs.Constant, name: str) -> TensorProto:
    from onnx import helper

    wanted = constant.export_dtype
    if isinstance(wanted, int):
        wanted = helper.tensor_dtype_to_np_dtype(wanted)
    values = constant.values
    return _tensor_of(values if values.dtype == wanted else values.astype(wanted), name)


def _tensor_of(array: np.ndarray[Any, Any], name: str) -> TensorProto:
    from onnx import numpy_helper

    try:
        return numpy_helper.from_array(array, name)
    except (TypeError, ValueError, KeyError, NotImplementedError) as error:
        raise RewriteError(f"{name}: can't be exported", cause=str(error)) from error


# Nodes


def _node(graph: gs.Graph, node: gs.Node, names: dict[int, str]) -> NodeProto:
    from onnx import NodeProto

    proto = NodeProto()
    original: NodeProto | None = getattr(node, "graphlint_original", None)
    if original is not None:
        proto.CopyFrom(original)
    proto.op_type = node.op
    if node.name or proto.name:
        proto.name = node.name
    if node.domain is not None:
        proto.domain = node.domain
    else:
        proto.ClearField("domain")
    del proto.input[:], proto.output[:], proto.attribute[:]
    proto.input.extend(names[id(tensor)] for tensor in node.inputs)
    proto.output.extend(names[id(tensor)] for tensor in node.outputs)
    given = {} if original is None else {item.name: item for item in original.attribute}
    proto.attribute.extend(
        _attribute(graph, node, name, value, given.get(name)) for name, value in node.attrs.items()
    )
    return proto


def _attribute(
    graph: gs.Graph, node: gs.Node, name: str, value: Any, original: AttributeProto | None
) -> AttributeProto:
    """The attribute: the model's own where it is unchanged."""
    import onnx_graphsurgeon as gs
    from onnx import AttributeProto, helper
    from onnx_graphsurgeon.exporters.onnx_exporter import (
        OnnxExporter,
        dtype_to_onnx,
    )

    if original is not None and _is_unchanged(value, original):
        return original
    if isinstance(value, AttributeProto):
        if _holds_left_out(value):
            raise _cant_export(node, name, "its numbers were not read")
        return value
    if isinstance(value, gs.Tensor):
        tensor = _tensor(value, value.name)
        return helper.make_attribute(name, tensor)
    if isinstance(value, gs.Graph):
        value = OnnxExporter.export_graph(value, do_type_check=False)
    try:
        if isinstance(value, type):
            value = dtype_to_onnx(value)
        empty = isinstance(value, Sequence) and not value and not isinstance(value, str)
        kind = _attribute_type(graph, node, name, original) if empty else None
        return helper.make_attribute(name, value, attr_type=kind)
    except (TypeError, ValueError) as error:
        raise _cant_export(node, name, str(error)) from error


def _holds_left_out(attribute: AttributeProto) -> bool:
    from onnx import GraphProto, ModelProto, NodeProto

    probe = ModelProto(graph=GraphProto(node=[NodeProto(attribute=[attribute])]))
    return any(is_left_out(tensor) for tensor in external_tensors(probe))


def _is_unchanged(value: Any, original: AttributeProto) -> bool:
    import onnx_graphsurgeon as gs

    if original.type == original.TENSOR and isinstance(value, gs.Constant):
        return not is_left_out(original.t) and value._values is getattr(
            value, "graphlint_original", None
        )
    plain = plain_value(original)
    return plain is not None and type(plain) is type(value) and bool(plain == value)


def _attribute_type(
    graph: gs.Graph, node: gs.Node, name: str, original: AttributeProto | None
) -> int | None:
    """The type of an attribute whose value does not tell it, by the operator's definition."""
    from onnx import defs

    if original is not None:
        return original.type
    try:
        schema = defs.get_schema(node.op, graph.opset, node.domain or "")
    except defs.SchemaError:
        return None
    attribute = schema.attributes.get(name)
    # Its enumeration has the values of AttributeProto's; onnx's stubs do not know that it is one.
    return None if attribute is None else int(cast(Any, attribute.type).value)


def _cant_export(node: gs.Node, name: str, cause: str) -> RewriteError:
    return RewriteError(
        f"{node.name or node.op}: its attribute {name!r} can't be exported", cause=cause
    )


# Order


def _needed(nodes: Sequence[NodeProto], outputs: Sequence[str]) -> list[NodeProto]:
    """The nodes that the outputs need, in topological order."""
    producers: dict[str, int] = {}
    for position, node in enumerate(nodes):
        for name in filter(None, node.output):
            if name in producers:
                raise RewriteError(
                    f"{name}: made by two nodes of a scratch graph",
                    cause=f"{nodes[producers[name]].op_type} and {node.op_type}",
                    hint="clear the outputs of the old one",
                )
            producers[name] = position
    missing = next((name for name in outputs if name not in producers), None)
    if missing is not None:
        raise RewriteError(
            f"{missing}: made by no node of the scratch graph",
            cause="other nodes read it",
            hint="let the edit's last node make it",
        )
    needed: set[int] = set()
    waiting = [producers[name] for name in outputs]
    while waiting:
        position = waiting.pop()
        if position not in needed:
            needed.add(position)
            waiting += [producers[name] for name in reads(nodes[position]) if name in producers]
    order = sorted_positions("scratch graph", nodes, producers)
    return [nodes[position] for position in order if position in needed]
