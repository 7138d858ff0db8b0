"""Scratch graphs: a few nodes of a model, edited with onnx-graphsurgeon, and the `Edit` of it.

Graphsurgeon never sees the model: taking a whole one in and out loses much that is none of its
business. It is given copies of a few nodes, and what it makes of them is exported here.

onnx-graphsurgeon is imported when the first scratch graph is made: rule packs import this module,
and `check` needs no graphsurgeon.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from graphlint.errors import RewriteError
from graphlint.graph import ABSENT, GraphView, Node, TensorType
from graphlint.rewrites import Edit, Subject

if TYPE_CHECKING:
    import numpy as np
    import onnx_graphsurgeon as gs


@cache
def graphsurgeon() -> Any:
    """The module onnx_graphsurgeon, kept from saying on stdout what is less than an error."""
    import onnx_graphsurgeon
    from onnx_graphsurgeon.logger import G_LOGGER

    G_LOGGER.severity = G_LOGGER.ERROR
    return onnx_graphsurgeon


def is_editable(subject: Subject, node: Node) -> bool:
    """Whether the node stands in the main graph itself, so that it can be replaced.

    A node in the body of a control node can't, and neither can one that the view shows in the place
    of a call of a local function.
    """
    # A function's node has the path of its call before its name, and names hold slashes too. But no
    # name can be its own path and another's inside: what may follow a name here holds no slash.
    if node.proto.name:
        label = node.proto.name
    else:
        number = re.match(r"#\d+", node.path)
        label = f"{number.group() if number else ''}({node.op})"
    rest = node.path.removeprefix(label)
    own = node.path.startswith(label) and re.fullmatch(r"(#\d+)?'*", rest) is not None
    return node.scope == "" and own


def scratch(subject: Subject, nodes: Sequence[Node]) -> gs.Graph:
    """A scratch graph with copies of `nodes`: all that they read from elsewhere is an input.

    Weights are graphsurgeon's constants, whose numbers are read from the model when they are asked
    for; one that is left as it is stays the model's own and is not exported. Outputs are what other
    nodes read and what leaves the model.

    Raises:
        RewriteError: a node is not editable (`is_editable`).
    """
    gs = graphsurgeon()
    tensors = _Tensors(subject, nodes)
    graph = _blank(subject, nodes, tensors, constants=True)
    for node in nodes:
        graph.nodes.append(_imported(subject, node, tensors, gs))
    return graph


def blank(subject: Subject, nodes: Sequence[Node]) -> gs.Graph:
    """A scratch graph with the inputs and outputs of `nodes` and their types, and no nodes.

    Its inputs are what `nodes` read from elsewhere and depends on what is fed to the model; its
    outputs are what other nodes read and what leaves the model.

    Raises:
        RewriteError: a node is not editable (`is_editable`).
    """
    return _blank(subject, nodes, _Tensors(subject, nodes), constants=False)


def constant(name: str, array: np.ndarray[Any, Any], dtype: int) -> gs.Constant:
    """A constant for a scratch graph: the numbers of `array` as a `TensorProto.DataType`.

    Numbers are rounded to the nearest; what is too large becomes infinite.
    """
    import numpy as np
    from onnx import helper

    gs = graphsurgeon()
    return gs.Constant(name, np.asarray(array).astype(helper.tensor_dtype_to_np_dtype(dtype)))


def edit_of(graph: gs.Graph, removed: Sequence[Node], origin: str = "") -> Edit:
    """The edit that puts the nodes of a scratch graph in the place of `removed`.

    Nodes that no output of the scratch graph needs are left out, the others are in topological
    order. Nodes that were copied from the model keep all that graphsurgeon does not know.

    Raises:
        RewriteError: an output of the scratch graph is made by no node, two nodes make a value of
            the same name, or an attribute or tensor can't be exported.
        ModelError: the nodes form a cycle.
    """
    from graphlint.rewriting.export import export

    nodes, initializers = export(graph)
    return Edit(tuple(removed), nodes, initializers, origin)


def outer_inputs(view: GraphView, nodes: Sequence[Node]) -> tuple[str, ...]:
    """The keys that `nodes` and their bodies read and do not make, in order."""
    inside = list(_with_bodies(view, nodes))
    made = {key for node in inside for key in node.outputs}
    made.update(key for node in inside for body in view.bodies(node) for key in body.inputs)
    read = (key for node in inside for key in node.inputs)
    left = (key for node in inside for body in view.bodies(node) for key in body.outputs)
    bodies = tuple(f"{body.path}::" for node in inside for body in view.bodies(node))
    return tuple(
        key
        for key in dict.fromkeys((*read, *left))
        if key != ABSENT and key not in made and not (bodies and key.startswith(bodies))
    )


def outer_outputs(view: GraphView, nodes: Sequence[Node]) -> tuple[str, ...]:
    """The keys that `nodes` make and that other nodes read, or that leave the model, in order."""
    inside = {node.index for node in _with_bodies(view, nodes)}
    return tuple(
        key
        for node in nodes
        for key in node.outputs
        if key != ABSENT
        and (view.is_output(key) or any(reader.index not in inside for reader in view.readers(key)))
    )


def _with_bodies(view: GraphView, nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        for body in view.bodies(node):
            yield from _with_bodies(view, view.scope_nodes(body.path))


def _blank(
    subject: Subject, nodes: Sequence[Node], tensors: _Tensors, *, constants: bool
) -> gs.Graph:
    from onnx import helper

    gs = graphsurgeon()
    view = subject.view
    for node in nodes:
        if not is_editable(subject, node):
            raise RewriteError(
                f"{node.path}: can't be edited",
                cause="it stands in a body or in a local function, not in the main graph",
                hint="a rewrite leaves such nodes as they are",
            )
    imports = [helper.make_opsetid(domain, version) for domain, version in view.opsets.items()]
    read = outer_inputs(view, nodes)
    return gs.Graph(
        nodes=[],
        inputs=[
            tensors[key]
            for key in read
            if not (tensors.is_constant(key) if constants else key in view.static_values)
        ],
        outputs=[tensors[key] for key in outer_outputs(view, nodes)],
        name="scratch",
        opset=view.opsets.get(""),
        import_domains=imports,
        ir_version=helper.find_min_ir_version_for(imports, ignore_unknown=True),
    )


def _imported(subject: Subject, node: Node, tensors: _Tensors, gs: Any) -> gs.Node:
    proto = node.proto
    attributes = {
        attribute.name: _imported_attribute(subject, node, attribute, gs)
        for attribute in proto.attribute
    }
    made = gs.Node(
        proto.op_type,
        proto.name,
        attributes,
        [tensors[key] for key in node.inputs],
        [tensors[key] for key in node.outputs],
        proto.domain if proto.HasField("domain") else None,
    )
    made.graphlint_original = proto
    return made


def _imported_attribute(subject: Subject, node: Node, attribute: Any, gs: Any) -> Any:
    """The attribute as graphsurgeon has it; the `AttributeProto` where that would lose something.

    Those of kinds that graphsurgeon drops or changes are thus carried through.
    """
    from onnx_graphsurgeon.ir.tensor import LazyValues

    from graphlint.rewriting.export import is_left_out, plain_value

    value = plain_value(attribute)
    if value is not None:
        return value
    if attribute.type != attribute.TENSOR or attribute.ref_attr_name:
        return attribute
    if is_left_out(attribute.t):
        if node.op != "Constant" or node.domain != "":
            return attribute
        type_ = attribute.t.data_type, tuple(attribute.t.dims)
        values = _stored_values()(subject, node.outputs[0], *type_)
    else:
        values = LazyValues(_copy(attribute.t))
    return _constant(attribute.t.name, values, gs)


def _constant(name: str, values: Any, gs: Any) -> gs.Constant:
    """A constant that knows which numbers it had, so that it is known when it has others."""
    made = gs.Constant(name, values)
    made.graphlint_original = values
    return made


def _copy(tensor: Any) -> Any:
    copy = type(tensor)()
    copy.CopyFrom(tensor)
    return copy


class _Tensors:
    """Graphsurgeon's tensors of a model's values, each made once for a scratch graph of nodes."""

    def __init__(self, subject: Subject, nodes: Iterable[Node]) -> None:
        self._subject = subject
        self._computed = {key for node in nodes for key in node.outputs}
        self._made: dict[str, Any] = {}

    def is_constant(self, key: str) -> bool:
        """Whether the value is a dense tensor that the model holds outside the nodes."""
        from onnx import TensorProto

        if key in self._computed:
            return False
        stored = self._subject.view.constants.get(key)
        return stored is not None and isinstance(stored.proto, TensorProto)

    def __getitem__(self, key: str) -> Any:
        gs = graphsurgeon()
        if key == ABSENT:
            return gs.Variable.empty()
        if key not in self._made:
            self._made[key] = self._make(key, gs)
        return self._made[key]

    def _make(self, key: str, gs: Any) -> Any:
        view = self._subject.view
        if self.is_constant(key):
            stored = view.constants[key]
            values = _stored_values()(self._subject, key, stored.dtype, stored.shape)
            return _constant(key, values, gs)
        type_ = view.type(key)
        if not isinstance(type_, TensorType):
            return gs.Variable(key)
        shape = None if type_.shape is None else list(type_.shape)
        return gs.Variable(key, _element_type(type_.dtype), shape)


def _element_type(dtype: int) -> Any:
    """The type as graphsurgeon takes it: numpy's, None where it is not known."""
    from onnx import TensorProto, helper

    return None if dtype == TensorProto.UNDEFINED else helper.tensor_dtype_to_np_dtype(dtype)


@cache
def _stored_values() -> type[Any]:
    """The class of numbers that the model holds; made late, as graphsurgeon is imported late."""
    from onnx import TensorProto, helper, numpy_helper
    from onnx_graphsurgeon.ir.tensor import LazyValues

    class StoredValues(LazyValues):  # type: ignore[misc]
        """Numbers that are read from the model when they are asked for."""

        def __init__(self, subject: Subject, key: str, dtype: int, shape: tuple[int, ...]) -> None:
            self.key = key
            self.shape = shape
            self.dtype = helper.tensor_dtype_to_np_dtype(dtype)
            self._subject = subject

        def load(self) -> np.ndarray[Any, Any]:
            numbers = self._subject.numbers(self.key)
            if numbers is None:
                raise RewriteError(
                    f"{self.key}: its numbers can't be had",
                    cause="it is too large, or it is not stored as a plain tensor",
                    hint="a rewrite refuses such places",
                )
            return numbers.astype(self.dtype)  # a copy, so that it may be written to

        @property
        def tensor(self) -> TensorProto:
            """As graphsurgeon's own export wants it."""
            return numpy_helper.from_array(self.load(), self.key)

    return StoredValues
