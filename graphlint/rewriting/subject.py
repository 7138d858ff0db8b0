"""From a path to a `Subject`: the whole model, the view of it, its costs and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint import registry, shapes
from graphlint.bindings import Bindings
from graphlint.costs.totals import node_costs
from graphlint.errors import ModelError
from graphlint.graph import GraphView, TensorType, ValueType
from graphlint.graph_builder import build
from graphlint.model import Model, load
from graphlint.rewrites import Subject
from graphlint.rewriting.numbers import Numbers

if TYPE_CHECKING:
    from onnx import ModelProto

OPEN_SIZES = (224, 64)
"""What open heights and widths stand at while places are looked for: the first that fits."""


@dataclass(frozen=True, slots=True)
class Source:
    """A model to rewrite: the protobuf with its weights (external data left in their files).

    `inputs` are the types of its inputs as declared, with what the user bound; `bindings` have
    stand-ins for what is open then.
    """

    path: str
    file: Path
    proto: ModelProto
    subject: Subject
    inputs: Mapping[str, ValueType]
    bindings: Bindings
    notes: tuple[str, ...]


def read(path: str, bindings: Bindings) -> Source:
    """Read a model for rewriting.

    Raises:
        ModelError: it can't be read, or lacks external data.
        ShapeError: `bindings` do not fit it.
    """
    model = load(path)
    if model.problems:
        raise model.problems[0]
    proto = _whole(model)
    laid_open = build(model)
    view, notes = shapes.infer(laid_open, bindings, model.payload)
    inputs = {key: view.types[key] for key in view.inputs if key in view.types}
    open_values: frozenset[str] = frozenset()
    if _open_inputs(view):
        open_values = _depends_on_open_sizes(view)
        view, bindings, note = _with_stand_ins(model, laid_open, view, bindings)
        notes = (*notes, *note)
    costs = node_costs(view, registry.handles())
    numbers = Numbers(proto, model.file, view)
    subject = Subject(view, costs, numbers, open_values)
    return Source(path, model.file, proto, subject, inputs, bindings, notes)


def _whole(model: Model) -> ModelProto:
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    proto = ModelProto()
    try:
        proto.ParseFromString(model.file.read_bytes())
    except DecodeError as error:
        raise ModelError(
            f"{model.path}: can't be rewritten",
            cause="it is too large for protobuf to read at once",
            hint="save it with external data",
        ) from error
    return proto


def _open_inputs(view: GraphView) -> tuple[str, ...]:
    return tuple(key for key in view.inputs if _is_open(view, key))


def _is_open(view: GraphView, key: str) -> bool:
    type_ = view.type(key)
    return isinstance(type_, TensorType) and type_.shape is not None and not type_.is_static


def _depends_on_open_sizes(view: GraphView) -> frozenset[str]:
    return frozenset(
        key
        for node in view.nodes
        for key in node.outputs
        if key and view.shape(key) is None and key not in view.static_values
    ) | frozenset(_open_inputs(view))


def _with_stand_ins(
    model: Model, laid_open: GraphView, view: GraphView, bindings: Bindings
) -> tuple[GraphView, Bindings, tuple[str, ...]]:
    """The view at the first open size at which the most shapes are known."""
    best: tuple[GraphView, Bindings, tuple[str, ...]] = (view, bindings, ())
    known = _known_shapes(view)
    for size in OPEN_SIZES:
        given = {**bindings.shapes, **_stand_ins(view, size)}
        bound = Bindings(given, bindings.dims, bindings.strict)
        tried, _ = shapes.infer(laid_open, bound, model.payload)
        if _known_shapes(tried) > known:
            note = f"open sizes stand at {size} while places are looked for and costs counted"
            best, known = (tried, bound, (note,)), _known_shapes(tried)
    return best


def _stand_ins(view: GraphView, size: int) -> Mapping[str, tuple[int, ...]]:
    """Shapes of the open inputs: 1 for the first axis, `size` for others; a symbol is one size."""
    sizes: dict[str, int] = {}
    shapes_given: dict[str, tuple[int, ...]] = {}
    for key in _open_inputs(view):
        type_ = view.type(key)
        assert isinstance(type_, TensorType)
        assert type_.shape is not None
        dims = []
        for axis, dim in enumerate(type_.shape):
            free = 1 if axis == 0 else size
            if isinstance(dim, str):
                dim = sizes.setdefault(dim, free)
            dims.append(free if dim is None else dim)
        shapes_given[key] = tuple(dims)
    return shapes_given


def _known_shapes(view: GraphView) -> int:
    return sum(view.shape(key) is not None for node in view.nodes for key in node.outputs if key)
