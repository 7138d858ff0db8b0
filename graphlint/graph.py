"""GraphView: a model's nodes and values, read-only, with subgraphs and local functions laid open.

A view is flat. Nodes of every scope (the main graph, each body of If, Loop and Scan, each call of
a local function) stand in one topologically sorted tuple; a node knows its scope, a value its key.
In the main graph a value's key is its name; elsewhere the scope's path stands before it
(`loop_3/body::x`), so that a key means one value, whatever names the scopes reuse.

Calls of local functions are expanded in place: what a rule or a cost sees is what runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

ABSENT = ""
"""The key of an optional input or output that is left out."""

Dim = int | str | None
"""A dimension: its size, its symbolic name, or nothing known."""


@dataclass(frozen=True, slots=True)
class TensorType:
    """Element type (a `TensorProto.DataType`, 0 if unknown) and shape (None: rank unknown)."""

    dtype: int
    shape: tuple[Dim, ...] | None

    @property
    def is_static(self) -> bool:
        """Whether every dimension is a known number."""
        return self.sizes is not None

    @property
    def sizes(self) -> tuple[int, ...] | None:
        """The shape where every dimension is a known number, else None."""
        return None if self.shape is None else _sizes(self.shape)


@lru_cache(maxsize=4096)  # a model has few shapes, and each is asked for many times
def _sizes(shape: tuple[Dim, ...]) -> tuple[int, ...] | None:
    sizes = tuple(dim for dim in shape if isinstance(dim, int))
    return sizes if len(sizes) == len(shape) else None


@dataclass(frozen=True, slots=True)
class OtherType:
    """A value that is no dense tensor: a sequence, a map, an optional or a sparse tensor.

    `proto` is the serialised `TypeProto`.
    """

    kind: Literal["sequence", "map", "optional", "sparse_tensor", "opaque"]
    proto: bytes


ValueType = TensorType | OtherType


@dataclass(frozen=True, slots=True)
class Node:
    """One operator of the graph. `inputs` and `outputs` are value keys, `ABSENT` where left out.

    `name` is the node's own name, possibly empty or not unique; `path` is unique within the model
    and names the enclosing scopes (`call/inner`, `loop/body/conv`), `#142(Conv)` where unnamed.
    `version` is the version of the operator set to read it with; `proto` is its `NodeProto`.
    """

    index: int
    path: str
    name: str
    op: str
    domain: str
    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    proto: Any = field(repr=False, compare=False)
    scope: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    def attribute(self, name: str, default: Any = None) -> Any:
        """The attribute's value (int, float, str, bytes, list or proto), or `default`."""
        return self.attributes.get(name, default)

    def input(self, position: int) -> str:
        """The key of the input at `position`, `ABSENT` where there is none."""
        return self.inputs[position] if position < len(self.inputs) else ABSENT


@dataclass(frozen=True, slots=True)
class Scope:
    """A graph of its own inside the model: the main graph (`""`) or the body of a control node.

    `owner` is the index of the node whose attribute holds it; `inputs` and `outputs` are keys.
    """

    path: str
    parent: str | None
    owner: int | None
    attribute: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor that is stored in the model: an initializer or a Constant node's value.

    `dtype` is a `TensorProto.DataType`, `shape` its dimensions. `proto` is the (possibly
    payload-free) `TensorProto`; its payload is read only when somebody asks for the numbers.
    """

    dtype: int
    shape: tuple[int, ...]
    proto: Any

    @property
    def elements(self) -> int:
        """How many elements it has."""
        product = 1
        for dim in self.shape:
            product *= dim
        return product


@dataclass(frozen=True)
class GraphView:
    """A whole model as flat tables; see the module's docstring.

    `nodes` are in topological order, a control node before the nodes of its bodies. `inputs` are
    the keys of the model's inputs without its initializers. `types` has the type of every value
    that is known, `data` the numbers of small tensors known before the model runs, `reasons` why a
    value's shape is not known.
    `executions` says how often a scope runs in one run of the model, or why that is not known.
    """

    nodes: tuple[Node, ...]
    scopes: Mapping[str, Scope]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    opsets: Mapping[str, int]
    constants: Mapping[str, Constant]
    types: Mapping[str, ValueType]
    metadata: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    executions: Mapping[str, int | str] = field(default_factory=dict)

    @cached_property
    def _producers(self) -> Mapping[str, Node]:
        return {key: node for node in self.nodes for key in node.outputs if key != ABSENT}

    @cached_property
    def _readers(self) -> Mapping[str, tuple[Node, ...]]:
        readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for key in dict.fromkeys(node.inputs):
                if key != ABSENT:
                    readers.setdefault(key, []).append(node)
        return {key: tuple(nodes) for key, nodes in readers.items()}

    @cached_property
    def _scope_outputs(self) -> frozenset[str]:
        return frozenset(key for scope in self.scopes.values() for key in scope.outputs)

    @cached_property
    def _by_scope(self) -> Mapping[str, tuple[Node, ...]]:
        groups: dict[str, list[Node]] = {path: [] for path in self.scopes}
        for node in self.nodes:
            groups[node.scope].append(node)
        return {path: tuple(nodes) for path, nodes in groups.items()}

    @cached_property
    def _bodies(self) -> Mapping[int, tuple[Scope, ...]]:
        bodies: dict[int, list[Scope]] = {}
        for scope in self.scopes.values():
            if scope.owner is not None:
                bodies.setdefault(scope.owner, []).append(scope)
        return {owner: tuple(scopes) for owner, scopes in bodies.items()}

    def producer(self, key: str) -> Node | None:
        """The node that computes the value; None for inputs, initializers and absent values."""
        return self._producers.get(key)

    def readers(self, key: str) -> tuple[Node, ...]:
        """The nodes that read the value, in order, each once; those of inner scopes too."""
        return self._readers.get(key, ())

    def is_output(self, key: str) -> bool:
        """Whether the value leaves its scope: an output of the model or of a body."""
        return key in self._scope_outputs

    def scope_nodes(self, path: str = "") -> tuple[Node, ...]:
        """The nodes of one scope, in topological order, without those of the scopes inside it."""
        return self._by_scope[path]

    def bodies(self, node: Node) -> tuple[Scope, ...]:
        """The scopes that the node's graph attributes hold."""
        return self._bodies.get(node.index, ())

    def only_reader(self, key: str) -> Node | None:
        """The one node that reads the value; None for several, or if it leaves its scope."""
        readers = self.readers(key)
        return readers[0] if len(readers) == 1 and not self.is_output(key) else None

    def type(self, key: str) -> ValueType | None:
        """The type of the value, as far as it is known."""
        return self.types.get(key)

    def shape(self, key: str) -> tuple[int, ...] | None:
        """The static shape of a tensor; None where the rank or a dimension is not known."""
        type_ = self.types.get(key)
        return type_.sizes if isinstance(type_, TensorType) else None

    @cached_property
    def static_values(self) -> frozenset[str]:
        """Values that do not depend on what is fed to the model, given its input shapes.

        Constants, shapes and sizes of static tensors, and what is computed from these alone: a
        runtime can fold them.
        """
        static = {ABSENT, *self.constants, *self.data}
        for node in self.nodes:
            if node.op in ("Shape", "Size") and node.domain == "":
                known = self.shape(node.input(0)) is not None
            else:
                known = (
                    static.issuperset(node.inputs)
                    and node.op not in _IMPURE
                    and not self.bodies(node)
                )
            if known:
                static.update(node.outputs)
        static.remove(ABSENT)
        return frozenset(static)


# Their outputs differ from run to run although they may have no inputs.
_IMPURE = frozenset(
    {
        "RandomNormal",
        "RandomUniform",
        "RandomNormalLike",
        "RandomUniformLike",
        "Bernoulli",
        "Multinomial",
    }
)
