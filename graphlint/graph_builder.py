"""From a `Model` to a `GraphView`: scopes laid open, local functions expanded, nodes sorted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from graphlint.attributes import as_called, attribute_value, constant_value
from graphlint.errors import ModelError
from graphlint.graph import (
    ABSENT,
    Constant,
    Dim,
    GraphView,
    Node,
    OtherType,
    Scope,
    TensorType,
    ValueType,
)
from graphlint.node_order import label, sorted_positions, subgraphs

if TYPE_CHECKING:
    import onnx

    from graphlint.model import Model

MAX_NODES = 1_000_000
"""How many nodes a model may have once its functions are expanded."""

MAX_DEPTH = 64
"""How deep calls of functions and bodies of control nodes may nest in one another."""

FunctionId = tuple[str, str, str]


def build(model: Model) -> GraphView:
    """Lay a model open as a `GraphView` with the types that it declares.

    Raises:
        ModelError: a value is produced twice or never, the graph has a cycle, a function calls
            itself, or the functions expand to more than `MAX_NODES` nodes.
    """
    proto = model.proto
    opsets = {_domain(entry.domain): entry.version for entry in proto.opset_import}
    if not opsets and 0 < proto.ir_version < 3:
        opsets = {"": 1}  # before IR 3 there was but one
    functions = {_function_id(function): function for function in proto.functions}
    _check_expansion(model.path, proto.graph, functions)
    builder = _Builder(model.path, functions)
    inputs, outputs = builder.add_graph(proto.graph, _Names(""), opsets, parent=None)
    return GraphView(
        nodes=tuple(builder.nodes),
        scopes=builder.scopes,
        inputs=inputs,
        outputs=outputs,
        opsets=opsets,
        constants=builder.constants,
        types=builder.types,
        metadata={entry.key: entry.value for entry in proto.metadata_props},
    )


def declared_type(proto: onnx.TypeProto) -> ValueType | None:
    """A `TypeProto` as a `ValueType`; None where it says nothing."""
    kind = proto.WhichOneof("value")
    if kind is None:
        return None
    if kind != "tensor_type":
        return OtherType(kind.removesuffix("_type"), proto.SerializeToString(deterministic=True))
    tensor = proto.tensor_type
    if not tensor.HasField("shape"):
        return TensorType(tensor.elem_type, None)
    return TensorType(tensor.elem_type, tuple([_dim(dim) for dim in tensor.shape.dim]))


def _dim(proto: onnx.TensorShapeProto.Dimension) -> Dim:
    if proto.HasField("dim_value"):
        # A negative size is how some exporters spell "any".
        return proto.dim_value if proto.dim_value >= 0 else None
    name = proto.dim_param
    return name if name and isinstance(name, str) else None  # bytes where it is no UTF-8


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _function_id(proto: onnx.FunctionProto) -> FunctionId:
    return _domain(proto.domain), proto.name, proto.overload


def _call_id(node: onnx.NodeProto) -> FunctionId:
    return _domain(node.domain), node.op_type, node.overload


class _Extent(NamedTuple):
    """How far nodes expand: how many they become, and how deep calls and bodies nest in them."""

    nodes: int
    depth: int


def _check_expansion(
    path: str, graph: onnx.GraphProto, functions: Mapping[FunctionId, onnx.FunctionProto]
) -> None:
    """Refuse recursion, and functions that expand too far, before anything is built."""
    known: dict[FunctionId, _Extent] = {}
    calling: list[FunctionId] = []

    def extent(nodes: Iterable[onnx.NodeProto], level: int) -> _Extent:
        count = depth = 0
        for node in nodes:
            call = _call_id(node)
            parts = [extent(body.node, level + 1) for _, body in subgraphs(node.attribute)]
            if call in functions:
                parts.append(function_extent(call, level + 1))
            else:
                count += 1
            for part in parts:
                count += part.nodes
                depth = max(depth, part.depth + 1)
        return _Extent(count, depth)

    def function_extent(call: FunctionId, level: int) -> _Extent:
        if call in calling:
            cycle = " → ".join(name for _, name, _ in [*calling[calling.index(call) :], call])
            raise ModelError(
                f"{path}: a local function calls itself",
                cause=cycle,
                hint="ONNX does not allow recursion: export the model again",
            )
        if level + (known[call].depth if call in known else 0) > MAX_DEPTH:
            raise ModelError(
                f"{path}: local functions nest deeper than {MAX_DEPTH}",
                cause=f"at {call[1]!r}",
                hint="inline the functions at export",
            )
        if call not in known:
            calling.append(call)
            known[call] = extent(functions[call].node, level)
            calling.pop()
        return known[call]

    if not functions:
        return
    total = extent(graph.node, 0).nodes
    if total > MAX_NODES:
        raise ModelError(
            f"{path}: too many nodes",
            cause=f"its local functions expand to {total} nodes; the limit is {MAX_NODES}",
            hint="check the parts of the model on their own",
        )


@dataclass(slots=True)
class _Names:
    """Names of one scope → keys; names that it does not define are looked up in its parent."""

    path: str
    parent: _Names | None = None
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        return f"{self.path}::" if self.path else ""

    def define(self, name: str) -> str:
        key = self.keys[name] = self.prefix + name
        return key

    def find(self, name: str) -> str | None:
        scope: _Names | None = self
        while scope is not None:
            if name in scope.keys:
                return scope.keys[name]
            scope = scope.parent
        return None


class _Builder:
    """Collects the flat tables while scopes are walked, outermost first."""

    def __init__(self, path: str, functions: Mapping[FunctionId, onnx.FunctionProto]) -> None:
        self.path = path
        self.functions = functions
        self.nodes: list[Node] = []
        self.scopes: dict[str, Scope] = {}
        self.constants: dict[str, Constant] = {}
        self.types: dict[str, ValueType] = {}
        self.paths: set[str] = set()

    def add_graph(
        self,
        graph: onnx.GraphProto,
        names: _Names,
        opsets: Mapping[str, int],
        parent: str | None,
        owner: int | None = None,
        attribute: str = "",
        values: Mapping[str, onnx.AttributeProto] | None = None,
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Add a scope; return the keys of its inputs (without initializers) and outputs."""
        for tensor in graph.initializer:
            self._add_constant(names.define(tensor.name), tensor)
        for sparse in graph.sparse_initializer:
            self._add_sparse(names.define(sparse.values.name), sparse)
        inputs = []
        for info in graph.input:
            if info.name not in names.keys:  # before IR 4, initializers are listed as inputs too
                inputs.append(names.define(info.name))
                self._declare(inputs[-1], info.type)
        order = self._define_outputs(graph.node, names)
        outputs = []
        for info in graph.output:
            key = names.find(info.name)
            if key is None:
                raise ModelError(
                    f"{self.path}: an output that nothing produces",
                    cause=f"no node, input or initializer gives {info.name!r}",
                    hint="export the model again, or check it with onnx.checker",
                )
            outputs.append(key)
            self._declare(key, info.type)
        for info in graph.value_info:
            if info.name in names.keys:
                self._declare(names.keys[info.name], info.type)
        self.scopes[names.path] = Scope(
            names.path, parent, owner, attribute, tuple(inputs), tuple(outputs)
        )
        self._add_nodes(graph.node, order, names, opsets, names.path, values)
        return tuple(inputs), tuple(outputs)

    def _define_outputs(self, nodes: Sequence[onnx.NodeProto], names: _Names) -> Sequence[int]:
        """Define every output's key; return the nodes' positions in topological order."""
        producers: dict[str, int] = {}
        keys, prefix = names.keys, names.prefix
        for position, node in enumerate(nodes):
            for name in node.output[:]:  # a list: faster to walk than protobuf's own sequence
                if name == ABSENT:
                    continue
                if name in keys:
                    other = producers.get(name)
                    raise ModelError(
                        f"{self.path}: a value is produced twice",
                        cause=f"{name!r} comes out of {label(node, position)} and "
                        + (
                            "is an input or initializer"
                            if other is None
                            else f"of {label(nodes[other], other)}"
                        ),
                        hint="export the model again, or check it with onnx.checker",
                    )
                producers[name] = position
                keys[name] = prefix + name
        return sorted_positions(self.path, nodes, producers)

    def _add_nodes(
        self,
        protos: Sequence[onnx.NodeProto],
        order: Sequence[int],
        names: _Names,
        opsets: Mapping[str, int],
        scope: str,
        values: Mapping[str, onnx.AttributeProto] | None,
    ) -> None:
        from onnx import AttributeProto

        keys = names.keys
        for position in order:
            proto = protos[position]
            label = proto.name or f"#{position}({proto.op_type})"
            path = self._unique_path(names.path, label, position)
            inputs = tuple(
                [
                    keys[name] if name in keys else self._find(name, names, proto, position)
                    for name in proto.input[:]
                ]
            )
            outputs = tuple([keys[name] if name else ABSENT for name in proto.output[:]])
            if values is not None:
                proto = as_called(proto, inputs, values)
            if self.functions and (function := self.functions.get(_call_id(proto))) is not None:
                self._expand(proto, function, inputs, outputs, path, scope)
                continue
            domain = _domain(proto.domain)
            index = len(self.nodes)
            given, metadata = proto.attribute, proto.metadata_props
            attributes = {a.name: attribute_value(a) for a in given} if given else {}
            node = Node(
                index=index,
                path=path,
                name=proto.name,
                op=proto.op_type,
                domain=domain,
                version=opsets.get(domain, 0),
                inputs=inputs,
                outputs=outputs,
                attributes=attributes,
                proto=proto,
                scope=scope,
                metadata={entry.key: entry.value for entry in metadata} if metadata else {},
            )
            self.nodes.append(node)
            if node.op == "Constant" and domain == "":
                self._add_constant_node(node)
            if not attributes:
                continue
            others = [value for value in attributes.values() if isinstance(value, AttributeProto)]
            for attribute, body in subgraphs(others):
                inner = _Names(self._unique_path(path, attribute, position), names)
                self.add_graph(body, inner, opsets, scope, index, attribute, values)

    def _expand(
        self,
        call: onnx.NodeProto,
        function: onnx.FunctionProto,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        path: str,
        scope: str,
    ) -> None:
        """Put the function's nodes in the place of its call."""
        names = _Names(path)
        for position, name in enumerate(function.input):
            names.keys[name] = inputs[position] if position < len(inputs) else ABSENT
        formal_inputs = dict(names.keys)
        given = dict(zip(function.output, outputs, strict=False))
        order = self._define_outputs(function.node, names)
        for name, key in given.items():
            if key == ABSENT:
                continue
            if name in formal_inputs:  # an output that is an input: only a name for it
                self._add_identity(formal_inputs[name], key, f"{path}/{name}", scope)
            elif name in names.keys:
                names.keys[name] = key
            else:
                raise ModelError(
                    f"{self.path}: a function output that nothing produces",
                    cause=f"{name!r} of {function.name!r}",
                    hint="check the model with onnx.checker",
                )
        for info in function.value_info:
            if info.name in names.keys:
                self._declare(names.keys[info.name], info.type)
        opsets = {_domain(entry.domain): entry.version for entry in function.opset_import}
        values = {a.name: a for a in function.attribute_proto} | {a.name: a for a in call.attribute}
        self._add_nodes(function.node, order, names, opsets, scope, values)

    def _add_identity(self, source: str, target: str, path: str, scope: str) -> None:
        from onnx import NodeProto

        proto = NodeProto(op_type="Identity", input=[source], output=[target])
        self.nodes.append(
            Node(
                len(self.nodes), path, "", "Identity", "", 1, (source,), (target,), {}, proto, scope
            )
        )

    def _find(self, name: str, names: _Names, proto: onnx.NodeProto, position: int) -> str:
        if name == ABSENT:
            return ABSENT
        key = names.find(name)
        if key is None:
            raise ModelError(
                f"{self.path}: an input that nothing produces",
                cause=f"{label(proto, position)} reads {name!r}",
                hint="export the model again, or check it with onnx.checker",
            )
        return key

    def _unique_path(self, scope: str, name: str, position: int) -> str:
        """The path of a node or body; where it is taken, with the node's position behind it."""
        path = f"{scope}/{name}" if scope else name
        if path in self.paths:
            path = f"{path}#{position}"
        while path in self.paths:
            path += "'"
        self.paths.add(path)
        return path

    def _declare(self, key: str, proto: onnx.TypeProto) -> None:
        """Note the type of a value, unless the model has given one already.

        An output may be an input, a constant, or a value of an outer scope.
        """
        if key not in self.types and (declared := declared_type(proto)) is not None:
            self.types[key] = declared

    def _add_constant(self, key: str, tensor: onnx.TensorProto) -> None:
        self._store(key, tensor.name, Constant(tensor.data_type, tuple(tensor.dims), tensor))

    def _add_sparse(self, key: str, sparse: onnx.SparseTensorProto) -> None:
        # Stored as its values and their indices; to its readers it is the dense tensor.
        values = sparse.values
        self._store(key, values.name, Constant(values.data_type, tuple(sparse.dims), sparse))

    def _store(self, key: str, name: str, constant: Constant) -> None:
        if any(dim < 0 for dim in constant.shape):
            raise ModelError(
                f"{self.path}: a tensor with a negative dimension",
                cause=f"{name!r} has the shape {list(constant.shape)}",
                hint="export the model again",
            )
        if constant.elements >= 2**63:
            raise ModelError(
                f"{self.path}: a tensor of more than 2^63 elements",
                cause=f"{name!r} has {len(constant.shape)} dimensions whose product is that large",
                hint="export the model again",
            )
        self.constants[key] = constant
        self.types[key] = TensorType(constant.dtype, constant.shape)

    def _add_constant_node(self, node: Node) -> None:
        if not node.outputs or node.outputs[0] == ABSENT:
            return
        from onnx import AttributeProto

        sparse = node.attribute("sparse_value")
        if isinstance(sparse, AttributeProto) and sparse.HasField("sparse_tensor"):
            self._add_sparse(node.outputs[0], sparse.sparse_tensor)
        elif (tensor := constant_value(node)) is not None:
            self._add_constant(node.outputs[0], tensor)
