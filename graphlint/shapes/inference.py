"""One pass over the nodes: the type of every value, and the numbers of those that make shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from graphlint.graph import ABSENT, Constant, Dim, GraphView, Node, TensorType, ValueType
from graphlint.shapes.algebra import merged
from graphlint.shapes.control_flow import integer, run_control
from graphlint.shapes.numbers import (
    FOLDABLE,
    MAX_FOLDED_ELEMENTS,
    Payload,
    evaluate,
    read_constant,
)
from graphlint.shapes.operators import opset_imports, output_types
from graphlint.shapes.reasons import DATA_DEPENDENT, SHAPED_BY_DATA, input_reason, title

if TYPE_CHECKING:
    import numpy as np
    import onnx

    Numbers = np.ndarray[Any, Any]

_MAX_GIVEN_ELEMENTS = 4_096  # numbers handed to an operator's inference: sizes, axes, pads


class Inference:
    """The state of one pass: what is known so far of every value."""

    def __init__(
        self, view: GraphView, declared: Mapping[str, ValueType], payload: Payload | None
    ) -> None:
        self.view = view
        self.payload = payload
        self.declared = declared
        self.types: dict[str, ValueType] = {}
        self.data: dict[str, Numbers] = {}
        self.reasons: dict[str, str] = {}
        self.number_reasons: dict[str, str] = {}  # why the numbers of a shape are not known
        self.generated: dict[str, Constant] = {}
        self.executions: dict[str, int | str] = {"": 1}
        self.imports = opset_imports(tuple(view.opsets.items()))
        self.memo: dict[object, tuple[ValueType | None, ...]] = {}
        self.depth = 0
        for key, constant in view.constants.items():
            self.types[key] = TensorType(constant.dtype, constant.shape)
        for key in view.inputs:
            self.set_input(key, declared.get(key))

    def run_scope(self, path: str) -> None:
        """Infer the nodes of one scope, and of the scopes inside it."""
        for node in self.view.scope_nodes(path):
            self._run_node(node)

    def set_input(self, key: str, type_: ValueType | None) -> None:
        """Take the type of a scope's input for known, or note why it is not."""
        if type_ is None:
            self.reasons[key] = f"the type of the input {key!r} is not declared"
            return
        self.types[key] = type_
        if isinstance(type_, TensorType) and not type_.is_static:
            self.reasons[key] = input_reason(key, type_)

    def _run_node(self, node: Node) -> None:
        if node.op == "Constant" and node.domain == "":
            return
        bodies = self.view.bodies(node)
        if bodies:
            run_control(self, node, bodies)
            return
        if node.op in ("Shape", "Size") and node.domain == "":
            if self._fold_shape(node):
                return
            self._note_unknown_numbers(node, self.reasons.get(node.input(0)))
        outcome = self._infer_types(node)
        if isinstance(outcome, str):
            self.set_outputs(node, (None,) * len(node.outputs), outcome)
            return
        self.set_outputs(node, outcome, "")
        self._fold(node)

    def set_outputs(self, node: Node, types: Sequence[ValueType | None], failure: str) -> None:
        """Take the types of the node's outputs for known, or note why they are not."""
        for position, key in enumerate(node.outputs):
            if key == ABSENT:
                continue
            inferred = types[position] if position < len(types) else None
            type_ = merged(inferred, self.declared.get(key))
            if type_ is not None:
                self.types[key] = type_
            if type_ is None or (isinstance(type_, TensorType) and not type_.is_static):
                self.reasons[key] = failure or self._why_unknown(node, key)

    def _why_unknown(self, node: Node, key: str) -> str:
        """The root cause: that of the first input whose own shape is unknown."""
        for name in node.inputs:
            reason = self.reasons.get(name) or self.number_reasons.get(name)
            if reason is not None:
                return reason
        if node.op in DATA_DEPENDENT:
            return f"the size of {key!r} depends on the data ({node.op})"
        first = SHAPED_BY_DATA.get(node.op, len(node.inputs))
        for name in node.inputs[first:]:
            if name != ABSENT and name not in self.view.static_values:
                source = f"{node.op} reads it from {name!r}"
                return f"the size of {key!r} depends on the data ({source})"
        return f"the shape of {key!r} can't be inferred from {title(node)}"

    # Types

    def _infer_types(self, node: Node) -> tuple[ValueType | None, ...] | str:
        """The types of the outputs, or why they can't be told."""
        inputs = tuple(self.types.get(key) if key != ABSENT else None for key in node.inputs)
        given = {
            position: numbers
            for position, key in enumerate(node.inputs)
            if (numbers := self.numbers(key, _MAX_GIVEN_ELEMENTS)) is not None
        }
        memo_key = (
            node.op,
            node.domain,
            node.version,
            tuple(
                attribute.SerializeToString(deterministic=True)
                for attribute in node.proto.attribute
            ),
            inputs,
            tuple((position, n.dtype.str, n.shape, n.tobytes()) for position, n in given.items()),
            tuple(key != ABSENT for key in node.outputs),
            _aliases(node.inputs),
        )
        known = self.memo.get(memo_key)
        if known is not None:
            return known
        outcome = output_types(node, inputs, given, self.reasons, self._imports_for(node))
        if not isinstance(outcome, str):  # a reason names this node and its values
            self.memo[memo_key] = outcome
        return outcome

    def _imports_for(self, node: Node) -> list[onnx.OperatorSetIdProto]:
        if self.view.opsets.get(node.domain) == node.version:
            return self.imports
        return opset_imports(((node.domain, node.version),))

    # Numbers

    def numbers(self, key: str, limit: int = MAX_FOLDED_ELEMENTS) -> Numbers | None:
        """The value's numbers, where they are known and at most `limit`."""
        known = self.data.get(key)
        if known is not None:
            return known if known.size <= limit else None
        constant = self.view.constants.get(key)
        if constant is None or constant.elements > limit:
            return None
        numbers = read_constant(constant, self.payload)
        if numbers is not None:
            self.data[key] = numbers
        return numbers

    def _fold_shape(self, node: Node) -> bool:
        """Shape and Size of a tensor whose asked-for dimensions are known."""
        import numpy as np

        type_ = self.types.get(node.input(0))
        if not isinstance(type_, TensorType) or type_.shape is None:
            return False
        rank = len(type_.shape)
        dims: Sequence[Dim] = type_.shape
        if node.op == "Shape":
            dims = type_.shape[integer(node, "start", 0) : integer(node, "end", rank)]
        known = [dim for dim in dims if isinstance(dim, int)]
        result: Any = known if node.op == "Shape" else prod(known)
        if len(known) < len(dims) or (node.op == "Size" and result >= 2**63):
            return False
        for key in node.outputs[:1]:
            self.data[key] = np.array(result, dtype=np.int64)
            self.types[key] = TensorType(7, (len(known),) if node.op == "Shape" else ())
        return True

    def _fold(self, node: Node) -> None:
        """Evaluate the node if all its inputs are known numbers and its outputs are small."""
        if node.domain != "" or node.op not in FOLDABLE:
            return
        if node.op == "ConstantOfShape" and node.input(0) in self.view.constants:
            self._generate(node)
        values = [None if key == ABSENT else self.numbers(key) for key in node.inputs]
        if any(n is None and key != ABSENT for n, key in zip(values, node.inputs, strict=True)):
            reasons = (self.number_reasons.get(key) for key in node.inputs)
            self._note_unknown_numbers(node, next(filter(None, reasons), None))
            return
        if node.op == "NonZero":
            small = values[0] is not None and values[0].size * values[0].ndim <= MAX_FOLDED_ELEMENTS
        else:
            small = all(self._is_small(key) for key in node.outputs if key != ABSENT)
        if not small:
            return
        for key, result in zip(node.outputs, evaluate(node, values), strict=False):
            if key == ABSENT:
                continue
            declared = self.types.get(key)
            dtype = declared.dtype if isinstance(declared, TensorType) else 0
            self.data[key] = result
            self.types[key] = TensorType(dtype, tuple(result.shape))
            self.reasons.pop(key, None)

    def _note_unknown_numbers(self, node: Node, reason: str | None) -> None:
        """Remember the root cause along a chain of shape arithmetic."""
        if reason is not None:
            self.number_reasons.update((key, reason) for key in node.outputs if key != ABSENT)

    def _is_small(self, key: str) -> bool:
        type_ = self.types.get(key)
        if not isinstance(type_, TensorType) or type_.shape is None:
            return False
        dims = [dim for dim in type_.shape if isinstance(dim, int)]
        return len(dims) == len(type_.shape) and prod(dims) <= MAX_FOLDED_ELEMENTS

    def _generate(self, node: Node) -> None:
        """A constant spelt as ConstantOfShape of a constant shape is a constant of the model."""
        for key in node.outputs[:1]:
            type_ = self.types.get(key)
            if isinstance(type_, TensorType) and type_.shape is not None and type_.is_static:
                shape = tuple(dim for dim in type_.shape if isinstance(dim, int))
                self.generated[key] = Constant(type_.dtype, shape, None)


def _aliases(inputs: tuple[str, ...]) -> tuple[int, ...]:
    """Where each input stands first if some are the same value; nothing if none are."""
    if len(set(inputs)) == len(inputs):
        return ()
    first: dict[str, int] = {}
    return tuple([first.setdefault(key, position) for position, key in enumerate(inputs)])
