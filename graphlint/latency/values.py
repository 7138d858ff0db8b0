"""Value numbers: which tensors of a graph are the same, whatever their names.

Two values have one number when they are computed by the same operator with the same attributes from
inputs with the same numbers, or when one is only another name for the other (Identity, a Dropout
that does not train, a Reshape to the shape that its input has). A runtime that removes common
subexpressions or names a value anew can then still be followed.

The main graph alone is numbered. A control node stands for its bodies too: they run inside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from graphlint.graph import ABSENT, Constant, GraphView, Node, TensorType

if TYPE_CHECKING:
    import onnx

Expression = tuple[object, ...]

_IMPURE = frozenset(
    "RandomNormal RandomUniform RandomNormalLike RandomUniformLike Bernoulli Multinomial".split()
)
_SAME_IF_SHAPE_STAYS = frozenset({"Reshape", "Expand", "Flatten", "Tile"})
_SAME_OF_ONE_INPUT = frozenset({"Concat", "Sum", "Max", "Min", "Mean"})


@dataclass(frozen=True, slots=True)
class Operator:
    """A node of the main graph with what runs inside it.

    `members` are the indices of the node and of all nodes of its bodies; `inputs` are the keys of
    the main graph that any of them reads.
    """

    node: Node
    members: tuple[int, ...]
    inputs: tuple[str, ...]

    @property
    def is_control(self) -> bool:
        """Whether it holds bodies."""
        return len(self.members) > 1


@dataclass(frozen=True, slots=True)
class Values:
    """The main graph's operators and values.

    `numbers` maps keys to value numbers, `expressions` what computes a value to a key of it.
    `static` are the keys that no data of the model's inputs reaches except through a shape.
    """

    operators: tuple[Operator, ...]
    producers: Mapping[str, Operator]
    readers: Mapping[str, tuple[Operator, ...]]
    numbers: Mapping[str, int]
    expressions: Mapping[Expression, str]
    static: frozenset[str]


def number(view: GraphView) -> Values:
    """Number the values of the view's main graph."""
    operators = _operators(view)
    producers = {key: operator for operator in operators for key in operator.node.outputs if key}
    readers: dict[str, list[Operator]] = {}
    for operator in operators:
        for key in operator.inputs:
            readers.setdefault(key, []).append(operator)
    numbers: dict[str, int] = {}
    expressions: dict[Expression, str] = {}
    for key in view.inputs:
        numbers[key] = len(numbers)
    for key, constant in view.constants.items():
        if key in producers and producers[key].node.op != "Constant":
            continue  # computed before the model runs: numbered by what computes it
        known = constant_expression(constant)
        if known is not None and (same := expressions.setdefault(known, key)) != key:
            numbers[key] = numbers[same]
        else:
            numbers[key] = len(numbers)
    for operator in operators:
        _number_outputs(view, operator, numbers, expressions)
    return Values(
        operators,
        producers,
        {key: tuple(found) for key, found in readers.items()},
        numbers,
        expressions,
        _static(view, operators),
    )


def node_expression(
    op: str,
    domain: str,
    version: int,
    attributes: Iterable[onnx.AttributeProto],
    inputs: Sequence[int | None],
) -> Expression | None:
    """What a node computes, as a value; None where its attributes hold graphs or it draws numbers.

    `inputs` are value numbers, None where an optional input is left out.
    """
    if op in _IMPURE:
        return None
    given = dict(_defaults(op, version, domain))
    for attribute in attributes:
        if attribute.HasField("g") or attribute.graphs:
            return None
        given[attribute.name] = _attribute_bytes(attribute)
    trimmed = list(inputs)
    while trimmed and trimmed[-1] is None:
        trimmed.pop()
    return (op, domain, tuple(sorted(given.items())), tuple(trimmed))


def constant_expression(constant: Constant) -> Expression | None:
    """A small stored tensor as a value; None where its numbers are not at hand."""
    tensor = constant.proto
    if not hasattr(tensor, "raw_data") or tensor.data_location == tensor.EXTERNAL:
        return None
    if constant.elements > 256:
        return None
    from onnx import numpy_helper

    try:
        array = numpy_helper.to_array(tensor)
    except (TypeError, ValueError):
        return None
    if array.dtype == object:
        return ("constant", constant.dtype, constant.shape, tuple(array.ravel().tolist()))
    return ("constant", constant.dtype, constant.shape, array.tobytes())


def _operators(view: GraphView) -> tuple[Operator, ...]:
    members: dict[int, list[int]] = {}
    for node in view.nodes:
        members.setdefault(_outermost(view, node).index, []).append(node.index)
    main = set(view.inputs) | {key for key in view.constants if not _is_inner(view, key)}
    for index in members:
        main.update(view.nodes[index].outputs)
    main.discard(ABSENT)
    bodies = _body_outputs(view)
    found = []
    for index, inside in members.items():
        keys = [key for member in inside for key in _data_inputs(view.nodes[member])]
        keys += bodies.get(index, [])
        own = set(view.nodes[index].outputs)
        inputs = tuple(dict.fromkeys(key for key in keys if key in main and key not in own))
        found.append(Operator(view.nodes[index], tuple(inside), inputs))
    return tuple(sorted(found, key=lambda operator: operator.node.index))


def _data_inputs(node: Node) -> tuple[str, ...]:
    """The inputs whose numbers are read: CastLike wants of its second one the type alone."""
    return node.inputs[:1] if node.op == "CastLike" and node.domain == "" else node.inputs


def _outermost(view: GraphView, node: Node) -> Node:
    while node.scope != "":
        owner = view.scopes[node.scope].owner
        assert owner is not None
        node = view.nodes[owner]
    return node


def _is_inner(view: GraphView, key: str) -> bool:
    """Whether a stored tensor belongs to a body; those of local functions are the main graph's."""
    scope, separator, _ = key.rpartition("::")
    return bool(separator) and scope in view.scopes and scope != ""


def _body_outputs(view: GraphView) -> dict[int, list[str]]:
    """What the bodies hand out, by the outermost control node: it may be an outer value."""
    found: dict[int, list[str]] = {}
    for scope in view.scopes.values():
        if scope.owner is not None:
            outermost = _outermost(view, view.nodes[scope.owner])
            found.setdefault(outermost.index, []).extend(scope.outputs)
    return found


def _number_outputs(
    view: GraphView,
    operator: Operator,
    numbers: dict[str, int],
    expressions: dict[Expression, str],
) -> None:
    node = operator.node
    source = _renamed(view, node)
    inputs = [numbers.get(key) if key != ABSENT else None for key in node.inputs]
    expression = (
        None
        if operator.is_control
        else node_expression(node.op, node.domain, node.version, node.proto.attribute, inputs)
    )
    for position, key in enumerate(node.outputs):
        if key == ABSENT or key in numbers:
            continue
        same = source if position == 0 else None
        if same is None and expression is not None:
            same = expressions.setdefault((*expression, position), key)
        number = numbers.get(same) if same is not None and same != key else None
        # Numbers are never reused, so the size of the table is a fresh one.
        numbers[key] = len(numbers) if number is None else number


def _renamed(view: GraphView, node: Node) -> str | None:
    """The key that the node's first output is another name for, if it is."""
    first = node.input(0)
    if node.domain != "" or first == ABSENT:
        return None
    if node.op == "Identity":
        return first
    if node.op == "Dropout":
        return None if node.input(2) != ABSENT else first
    if node.op in _SAME_OF_ONE_INPUT:
        return first if len(node.inputs) == 1 else None
    given, made = view.type(first), view.type(node.outputs[0])
    if not isinstance(given, TensorType) or given != made or not given.is_static:
        return None
    return first if node.op == "Cast" or node.op in _SAME_IF_SHAPE_STAYS else None


def _static(view: GraphView, operators: Iterable[Operator]) -> frozenset[str]:
    static = set(view.constants)
    for operator in operators:
        node = operator.node
        is_size = node.op in ("Shape", "Size") and node.domain == ""
        is_pure = node.op not in _IMPURE
        if is_size or (is_pure and all(key in static for key in operator.inputs)):
            static.update(node.outputs)
    static.discard(ABSENT)
    return frozenset(static)


@cache
def _defaults(op: str, version: int, domain: str) -> tuple[tuple[str, bytes], ...]:
    """Attributes that the operator's schema fills in: a runtime writes them out when it saves."""
    from onnx import defs

    try:
        schema = defs.get_schema(op, version, domain) if version else defs.get_schema(op, domain)
    except defs.SchemaError:
        return ()
    return tuple(
        (name, _attribute_bytes(attribute.default_value))
        for name, attribute in schema.attributes.items()
        if attribute.default_value.type
    )


def _attribute_bytes(attribute: onnx.AttributeProto) -> bytes:
    bare: Any = type(attribute)()
    bare.CopyFrom(attribute)
    bare.ClearField("doc_string")
    data: bytes = bare.SerializeToString(deterministic=True)
    return data
