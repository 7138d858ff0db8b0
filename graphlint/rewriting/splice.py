"""Edits, taken into the model that they were made for, and taken back again.

What no edit names stays as it is, to the byte: the other nodes and their order, doc_strings,
metadata, functions, training information, and fields that nobody knows. With the removed nodes go
the initializers that only they read, the constant nodes that only they needed (nodes that depend on
nothing but constants), and what the model says of the values that vanish.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphlint.graph import TensorType
from graphlint.rewrites import Edit
from graphlint.rewriting.incoming import PROVENANCE, Incoming, copied, set_metadata
from graphlint.rewriting.main_graph import MainGraph
from graphlint.rewriting.placing import place
from graphlint.rewriting.removal import Removal
from graphlint.rewriting.repeated import Undo, change

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto


@dataclass(frozen=True, slots=True)
class Splice:
    """Edits that stand in a model.

    `nodes` are the model's own new nodes, those of each edit in the order in which they stand;
    `initializers` the names of the new initializers, `gone` of those that went.
    """

    nodes: tuple[tuple[NodeProto, ...], ...]
    initializers: tuple[str, ...]
    gone: tuple[str, ...]
    _undo: list[Undo] = field(default_factory=list, repr=False)

    def undo(self) -> None:
        """Make the model what it was: it is serialised to the same bytes. A second call is nothing.

        The model must not have been changed since, and splices are undone in reverse order.
        """
        _take_back(self._undo)


def splice(
    proto: ModelProto,
    edits: Sequence[Edit],
    provenance: str,
    types: Mapping[str, TensorType | None] | None = None,
) -> Splice:
    """Take edits into `proto`, in place.

    Each new node says in its metadata where it comes from (`provenance unit=origin`), and so does
    the model, behind what earlier rewrites said. New names that are taken get a number. `types` has
    the values that keep their name but not their type, and None where the new type is not known;
    what is declared for inputs and outputs of the model stays.

    On an error, `proto` is as it was.

    Raises:
        RewriteError: the edits do not fit the model or one another: a removed node is not in the
            main graph, a value that others read is not made, or made twice, a new node reads what
            nobody makes, needs an operator set that the model does not import, or can't be placed.
        ModelError: the new nodes close a cycle.
    """
    removal = Removal(MainGraph(proto), edits)
    new = Incoming(removal, provenance)
    order, slots = place(removal.main, removal.gone, new.nodes, new.wanted)
    undo: list[Undo] = []
    try:
        _apply(proto, removal, new, [new.nodes[index] for index in order], slots, undo)
        _retype(proto, types or {}, undo)
        undo.append(set_metadata(proto, _behind(proto, provenance)))
    except BaseException:
        _take_back(undo)
        raise
    placed = _placed(proto, removal.gone, slots)
    by_edit: list[list[NodeProto]] = [[] for _ in edits]
    for index, node in zip(order, placed, strict=True):
        by_edit[new.owners[index]].append(node)
    return Splice(
        tuple(map(tuple, by_edit)),
        tuple(tensor.name for tensor in new.initializers),
        tuple(sorted(removal.gone_initializers)),
        undo,
    )


def _take_back(undo: list[Undo]) -> None:
    while undo:
        undo.pop()()


def _placed(proto: ModelProto, gone: Collection[int], slots: Sequence[int]) -> list[NodeProto]:
    """The new nodes as they stand in the model."""
    going = sorted(gone)
    return [
        proto.graph.node[slot - bisect_left(going, slot) + count]
        for count, slot in enumerate(slots)
    ]


def _apply(
    proto: ModelProto,
    removal: Removal,
    new: Incoming,
    nodes: Sequence[NodeProto],
    slots: Sequence[int],
    undo: list[Undo],
) -> None:
    graph, main = proto.graph, removal.main
    undo.append(change(graph.node, removal.gone, nodes, slots))
    stored = [main.initializers[name] for name in removal.gone_initializers]
    undo.append(_append(graph.initializer, new.initializers, stored))
    inputs = [main.inputs[name] for name in removal.gone_initializers if name in main.inputs]
    # Before IR 4, every initializer is an input as well.
    listed = [_declared(tensor) for tensor in new.initializers] if proto.ir_version < 4 else []
    undo.append(_append(graph.input, listed, inputs))
    stale = [i for i, info in enumerate(graph.value_info) if info.name in removal.vanished]
    undo.append(change(graph.value_info, stale, (), ()))
    annotations = enumerate(graph.quantization_annotation)
    stale = [i for i, annotation in annotations if annotation.tensor_name in removal.vanished]
    undo.append(change(graph.quantization_annotation, stale, (), ()))


def _append(repeated: Any, new: Sequence[Any], drop: Collection[int]) -> Undo:
    return change(repeated, drop, new, [len(repeated)] * len(new))


def _declared(tensor: TensorProto) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)


def _retype(proto: ModelProto, types: Mapping[str, TensorType | None], undo: list[Undo]) -> None:
    """Correct what is declared for values, or drop it where the new type is not known."""
    declared = proto.graph.value_info
    drop = []
    for position, info in enumerate(declared):
        if info.name not in types:
            continue
        type_ = types[info.name]
        if type_ is None:
            drop.append(position)
        else:
            undo.append(_set_type(declared, position, type_))
    undo.append(change(declared, drop, (), ()))


def _set_type(declared: Any, position: int, type_: TensorType) -> Undo:
    old = copied(declared[position].type)
    tensor = declared[position].type.tensor_type
    if type_.dtype:
        tensor.elem_type = type_.dtype
    tensor.ClearField("shape")
    if type_.shape is not None:
        tensor.shape.SetInParent()
        for dim in type_.shape:
            made = tensor.shape.dim.add()
            if isinstance(dim, int):
                made.dim_value = dim
            elif dim is not None:
                made.dim_param = dim
    return lambda: declared[position].type.CopyFrom(old)


def _behind(proto: ModelProto, provenance: str) -> str:
    """What the model says of its rewrites, with this one behind the earlier ones."""
    earlier = [entry.value for entry in proto.metadata_props if entry.key == PROVENANCE]
    return "; ".join([*earlier, provenance])
