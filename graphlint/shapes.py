"""Shapes of every value, and the numbers of those that only shapes are made of.

One pass over the nodes in topological order: a node's output types come from the operator's own
inference (`onnx.shape_inference.infer_node_outputs`), given the types of its inputs and the numbers
of those that are known; where all its inputs are known numbers, the node is evaluated
(`onnx.reference`), so that chains like Shape → Gather → Div → Slice resolve as they are met. The
cost is linear in the nodes, no weight is read, and what fails at one node is told at that node.

Bodies of If, Loop and Scan are inferred with the types that their node gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

from graphlint.bindings import Bindings, bind
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
from graphlint.graph_builder import declared_type

if TYPE_CHECKING:
    import numpy as np
    import onnx

    Numbers = np.ndarray[Any, Any]

MAX_FOLDED_ELEMENTS = 65_536
"""Tensors up to this many elements are evaluated; shapes have a handful."""

_MAX_GIVEN_ELEMENTS = 4_096  # numbers handed to an operator's inference: sizes, axes, pads

# Evaluated where every input is known. All are deterministic; none has a body.
_FOLDABLE = frozenset(
    """
    Abs Add And ArgMax ArgMin BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil
    Clip Compress Concat ConstantOfShape CumSum Div Equal Exp Expand EyeLike Flatten Floor Gather
    GatherElements GatherND Greater GreaterOrEqual Identity Less LessOrEqual Log Max Min Mod Mul Neg
    NonZero Not OneHot Or Pad Pow Range Reciprocal ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum Relu Reshape Round ScatterElements ScatterND Sign Slice Split Sqrt Squeeze Sub Sum
    Tile TopK Transpose Trilu Unsqueeze Where Xor
    """.split()
)
# The onnx package has no inference for these; their first output is shaped like their first input.
_SHAPED_LIKE_INPUT = frozenset(
    {("", "MeanVarianceNormalization"), ("", "GroupNormalization")}
    | {("ai.onnx.ml", op) for op in ("Scaler", "Imputer", "Normalizer")}
)
# ONNX Runtime knows these in ONNX's own domain, in opsets that do not have them.
_RUNTIME_OPERATORS = frozenset({("", "LayerNormalization"), ("", "SimplifiedLayerNormalization")})
_DATA_DEPENDENT = frozenset({"NonZero", "Unique", "Compress", "NonMaxSuppression", "StringSplit"})

_NO_BINDINGS = Bindings()

Payload = Callable[["onnx.TensorProto"], "onnx.TensorProto | None"]


def infer(
    view: GraphView,
    bindings: Bindings = _NO_BINDINGS,
    payload: Payload | None = None,
) -> tuple[GraphView, tuple[str, ...]]:
    """The view with the type of every value that can be told, and notes on what was assumed.

    `payload` reads a constant's numbers where the model left them in the file.

    Raises:
        ShapeError: `bindings` do not fit the model.
    """
    bound = bind(view, bindings)
    inference = _Inference(view, bound.types, payload)
    inference.run_scope("")
    return replace(
        view,
        types=inference.types,
        data=inference.data,
        reasons=inference.reasons,
        constants={**view.constants, **inference.generated},
        executions=inference.executions,
    ), bound.notes


class _Inference:
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
        self.imports = _opset_imports(tuple(view.opsets.items()))
        self.memo: dict[object, tuple[ValueType | None, ...]] = {}
        self.depth = 0
        for key, constant in view.constants.items():
            self.types[key] = TensorType(constant.dtype, constant.shape)
        for key in view.inputs:
            self._set_input(key, declared.get(key))

    def run_scope(self, path: str) -> None:
        """Infer the nodes of one scope, and of the scopes inside it."""
        for node in self.view.scope_nodes(path):
            self._run_node(node)

    def _set_input(self, key: str, type_: ValueType | None) -> None:
        if type_ is None:
            self.reasons[key] = f"the type of the input {key!r} is not declared"
            return
        self.types[key] = type_
        if isinstance(type_, TensorType) and not type_.is_static:
            self.reasons[key] = _input_reason(key, type_)

    def _run_node(self, node: Node) -> None:
        if node.op == "Constant" and node.domain == "":
            return
        bodies = self.view.bodies(node)
        if bodies:
            self._run_control(node, bodies)
            return
        if node.op in ("Shape", "Size") and node.domain == "":
            if self._fold_shape(node):
                return
            self._note_unknown_numbers(node, self.reasons.get(node.input(0)))
        outcome = self._infer_types(node)
        if isinstance(outcome, str):
            self._set_outputs(node, (None,) * len(node.outputs), outcome)
            return
        self._set_outputs(node, outcome, "")
        self._fold(node)

    def _set_outputs(self, node: Node, types: Sequence[ValueType | None], failure: str) -> None:
        for position, key in enumerate(node.outputs):
            if key == ABSENT:
                continue
            inferred = types[position] if position < len(types) else None
            type_ = _merged(inferred, self.declared.get(key))
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
        if node.op in _DATA_DEPENDENT:
            return f"the size of {key!r} depends on the data ({node.op})"
        first = _SHAPED_BY_DATA.get(node.op, len(node.inputs))
        for name in node.inputs[first:]:
            if name != ABSENT and name not in self.view.static_values:
                source = f"{node.op} reads it from {name!r}"
                return f"the size of {key!r} depends on the data ({source})"
        return f"the shape of {key!r} can't be inferred from {_title(node)}"

    # Types

    def _infer_types(self, node: Node) -> tuple[ValueType | None, ...] | str:
        """The types of the outputs, or why they can't be told."""
        inputs = tuple(self.types.get(key) if key != ABSENT else None for key in node.inputs)
        given = {
            position: numbers
            for position, key in enumerate(node.inputs)
            if (numbers := self._numbers(key, _MAX_GIVEN_ELEMENTS)) is not None
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
        outcome = self._infer_types_anew(node, inputs, given)
        if not isinstance(outcome, str):  # a reason names this node and its values
            self.memo[memo_key] = outcome
        return outcome

    def _infer_types_anew(
        self,
        node: Node,
        inputs: tuple[ValueType | None, ...],
        given: Mapping[int, Numbers],
    ) -> tuple[ValueType | None, ...] | str:
        schema = _schema(node.op, node.version, node.domain)
        if schema is None or node.domain not in ("", "ai.onnx.ml"):
            from graphlint import contrib_shapes  # few models need them

            tensors = [type_ if isinstance(type_, TensorType) else None for type_ in inputs]
            shapes = contrib_shapes.infer(node, tensors, [given.get(i) for i in range(len(inputs))])
            if shapes is not None:
                return tuple(shapes)
        if (node.domain, node.op) in (_RUNTIME_OPERATORS if schema is None else _SHAPED_LIKE_INPUT):
            return (inputs[0] if inputs else None,)
        if schema is None:
            return _no_schema(node)
        for key, type_ in zip(node.inputs, inputs, strict=True):
            if key != ABSENT and type_ is None:
                return self.reasons.get(key, f"the type of {key!r} is unknown")
        return self._ask_schema(node, schema, inputs, given)

    def _ask_schema(
        self,
        node: Node,
        schema: onnx.defs.OpSchema,
        inputs: tuple[ValueType | None, ...],
        given: Mapping[int, Numbers],
    ) -> tuple[ValueType | None, ...] | str:
        from onnx import numpy_helper
        from onnx.checker import ValidationError
        from onnx.shape_inference import InferenceError, infer_node_outputs

        names = list(node.proto.input)
        types = {
            name: _type_proto(type_)
            for name, type_ in zip(names, inputs, strict=False)
            if type_ is not None
        }
        data = {names[position]: numpy_helper.from_array(n) for position, n in given.items()}
        proto = node.proto
        if node.op == "STFT" and node.attribute("onesided") is None:
            # Its default is 1, but onnx's inference takes it for 0.
            proto = type(proto)()
            proto.CopyFrom(node.proto)
            proto.attribute.add(name="onesided", type=2, i=1)
        try:
            found = infer_node_outputs(
                schema, proto, types, data, opset_imports=self._imports_for(node)
            )
        except (InferenceError, ValidationError, RuntimeError, ValueError, TypeError) as error:
            detail = str(error).splitlines()[0] if str(error) else type(error).__name__
            return f"shape inference fails at {_title(node)}: {detail}"
        outputs = [
            declared_type(found[name]) if name in found else None for name in node.proto.output
        ]
        if node.op == "Dropout" and len(outputs) == 2 and isinstance(outputs[0], TensorType):
            outputs[1] = TensorType(9, outputs[0].shape)  # the mask, which older opsets leave open
        return tuple(outputs)

    def _imports_for(self, node: Node) -> list[onnx.OperatorSetIdProto]:
        if self.view.opsets.get(node.domain) == node.version:
            return self.imports
        return _opset_imports(((node.domain, node.version),))

    # Numbers

    def _numbers(self, key: str, limit: int = MAX_FOLDED_ELEMENTS) -> Numbers | None:
        """The value's numbers, where they are known and at most `limit`."""
        known = self.data.get(key)
        if known is not None:
            return known if known.size <= limit else None
        constant = self.view.constants.get(key)
        if constant is None or constant.elements > limit:
            return None
        numbers = _read_constant(constant, self.payload)
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
            dims = type_.shape[_integer(node, "start", 0) : _integer(node, "end", rank)]
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
        if node.domain != "" or node.op not in _FOLDABLE:
            return
        if node.op == "ConstantOfShape" and node.input(0) in self.view.constants:
            self._generate(node)
        values = [None if key == ABSENT else self._numbers(key) for key in node.inputs]
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
        for key, result in zip(node.outputs, _evaluate(node, values), strict=False):
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

    # Control flow

    def _run_control(self, node: Node, bodies: tuple[Scope, ...]) -> None:
        run = {"If": self._run_if, "Loop": self._run_loop, "Scan": self._run_scan}.get(
            node.op if node.domain == "" else ""
        )
        if run is not None:
            run(node, bodies)
            return
        for body in bodies:
            self.executions[body.path] = f"how often {_title(node)} runs its body is not known"
            for key in body.inputs:
                self._set_input(key, self.declared.get(key))
            self.run_scope(body.path)
        self._set_outputs(node, (None,) * len(node.outputs), "")

    def _times(self, scope: str, factor: int) -> int | str:
        outer = self.executions[scope]
        return outer * factor if isinstance(outer, int) else outer

    def _run_if(self, node: Node, bodies: tuple[Scope, ...]) -> None:
        condition = self._numbers(node.input(0))
        for body in bodies:
            taken = True
            if condition is not None and condition.size == 1:
                taken = bool(condition.reshape(())) == (body.attribute == "then_branch")
            self.executions[body.path] = self._times(node.scope, 1) if taken else 0
            self.run_scope(body.path)
        taken_bodies = [body for body in bodies if self.executions[body.path] != 0] or list(bodies)
        types = []
        for position in range(len(node.outputs)):
            found = [
                self.types.get(body.outputs[position]) if position < len(body.outputs) else None
                for body in taken_bodies
            ]
            joined = found[0]
            for other in found[1:]:
                joined = _joined(joined, other)
            types.append(joined)
        self._set_outputs(node, types, "")

    def _run_loop(self, node: Node, bodies: tuple[Scope, ...]) -> None:
        body = bodies[0]
        trips = self._trip_count(node, body)
        self.executions[body.path] = (
            self._times(node.scope, trips) if isinstance(trips, int) else trips
        )
        carried = [self.types.get(key) for key in node.inputs[2:]]
        carried = self._run_carried(body, [TensorType(7, ()), TensorType(9, ())], carried, 1)
        scanned = [
            _stacked(self.types.get(key), trips if isinstance(trips, int) else None, 0)
            for key in body.outputs[1 + len(carried) :]
        ]
        self._set_outputs(node, [*carried, *scanned], trips if isinstance(trips, str) else "")

    def _run_carried(
        self,
        body: Scope,
        leading: Sequence[ValueType | None],
        carried: list[ValueType | None],
        skip: int,
        trailing: Sequence[ValueType | None] = (),
    ) -> list[ValueType | None]:
        """Infer a body until the types that it carries around no longer change.

        The body's inputs are `leading`, `carried`, `trailing`; its first `skip` outputs are not
        carried. A type that changes from one round to the next becomes what the rounds share.
        """
        rounds = 3 if self.depth < 3 else 1  # nested loops would multiply the rounds
        self.depth += 1
        for _ in range(rounds):
            self._forget(body)
            types = [*leading, *carried, *trailing]
            for key, type_ in zip(body.inputs, types, strict=False):
                self._set_input(key, _merged(type_, self.declared.get(key)))
            self.run_scope(body.path)
            after = [self.types.get(key) for key in body.outputs[skip : skip + len(carried)]]
            joined = [_joined(a, b) for a, b in zip(carried, after, strict=False)]
            stable, carried = joined == carried, joined
            if stable:
                break
        self.depth -= 1
        return carried

    def _forget(self, body: Scope) -> None:
        for node in self.view.scope_nodes(body.path):
            for key in node.outputs:
                if key not in self.view.constants:
                    self.types.pop(key, None)
                    self.data.pop(key, None)
                self.reasons.pop(key, None)
            for inner in self.view.bodies(node):
                self._forget(inner)
        for key in body.inputs:
            self.reasons.pop(key, None)

    def _trip_count(self, node: Node, body: Scope) -> int | str:
        unknown = f"the trip count of {_title(node)} is not known before the model runs"
        limit = self._numbers(node.input(0)) if node.input(0) != ABSENT else None
        start = self._numbers(node.input(1)) if node.input(1) != ABSENT else None
        if node.input(1) != ABSENT and start is None:
            return unknown
        if start is not None and start.size == 1 and not bool(start.reshape(())):
            return 0
        if limit is None or limit.size != 1 or not body.outputs:
            return unknown
        return max(0, int(limit.reshape(()))) if self._always_goes_on(body) else unknown

    def _always_goes_on(self, body: Scope) -> bool:
        """Whether the body's condition is constant true or the condition that it was given."""
        key = body.outputs[0]
        while (producer := self.view.producer(key)) is not None and producer.op == "Identity":
            key = producer.input(0)
        if len(body.inputs) > 1 and key == body.inputs[1]:
            return True
        numbers = self._numbers(key)
        return numbers is not None and numbers.size == 1 and bool(numbers.reshape(()))

    def _run_scan(self, node: Node, bodies: tuple[Scope, ...]) -> None:
        body = bodies[0]
        first = 1 if node.version < 9 else 0  # Scan-8 has sequence lengths first, and a batch axis
        scans = _integer(node, "num_scan_inputs", 0)
        given = [self.types.get(key) for key in node.inputs[first:]]
        states, sequences = given[: len(given) - scans], given[len(given) - scans :]
        axes = _integers(node, "scan_input_axes")
        steps: Dim = None
        elements: list[ValueType | None] = []
        batch: Dim = 1
        for position, type_ in enumerate(sequences):
            axis = axes[position] if position < len(axes) else 0
            if first and isinstance(type_, TensorType) and type_.shape:
                batch, type_ = type_.shape[0], _without_axis(type_, 0)
            if (
                isinstance(type_, TensorType)
                and type_.shape
                and -len(type_.shape) <= axis < len(type_.shape)
            ):
                steps = type_.shape[axis]
            elements.append(_without_axis(type_, axis))
        if first:
            states = [_without_axis(type_, 0) for type_ in states]
        self.executions[body.path] = (
            self._times(node.scope, steps * batch)
            if isinstance(steps, int) and isinstance(batch, int)
            else f"the sequence length of {_title(node)} is not known"
        )
        states = self._run_carried(body, [], states, 0, elements)
        axes = _integers(node, "scan_output_axes")
        outputs = [
            _stacked(self.types.get(key), steps, axes[position] if position < len(axes) else 0)
            for position, key in enumerate(body.outputs[len(states) :])
        ]
        types = [*states, *outputs]
        self._set_outputs(node, [_stacked(t, batch, 0) for t in types] if first else types, "")


# Operators whose inputs say how large their outputs are, and the first of these inputs.
_SHAPED_BY_DATA = {
    **dict.fromkeys("Range ConstantOfShape".split(), 0),
    **dict.fromkeys(
        "Reshape Expand Tile Slice Resize Upsample Pad TopK OneHot Split Squeeze Unsqueeze "
        "CenterCropPad Col2Im AffineGrid".split(),
        1,
    ),
    "MaxUnpool": 2,
}


def _integer(node: Node, name: str, default: int) -> int:
    value = node.attribute(name)
    return value if isinstance(value, int) else default


def _integers(node: Node, name: str) -> tuple[int, ...]:
    value = node.attribute(name)
    return value if isinstance(value, tuple) and all(isinstance(i, int) for i in value) else ()


def _title(node: Node) -> str:
    return f"{node.path} ({node.op})" if node.name else node.path


def _input_reason(key: str, type_: TensorType) -> str:
    if type_.shape is None:
        return f"the input {key!r} has no declared rank: give --input-shape {key}:…"
    names = [dim for dim in type_.shape if isinstance(dim, str)]
    spelled = "x".join("?" if dim is None else str(dim) for dim in type_.shape)
    if names and None not in type_.shape:
        flags = " ".join(f"--dim {name}=…" for name in dict.fromkeys(names))
        return f"the input {key!r} is {spelled}: give {flags}"
    return f"the input {key!r} is {spelled}: give --input-shape {key}:{spelled}"


def _no_schema(node: Node) -> str:
    if node.domain in ("", "ai.onnx.ml"):
        known = f"opset {node.version} has no operator {node.op}"
        return known if node.version else f"the model does not say which opset {node.op} is from"
    return (
        f"{node.domain}.{node.op} is an operator that graphlint does not know: "
        "declare its output shapes in value_info"
    )


def _aliases(inputs: tuple[str, ...]) -> tuple[int, ...]:
    """Where each input stands first if some are the same value; nothing if none are."""
    if len(set(inputs)) == len(inputs):
        return ()
    first: dict[str, int] = {}
    return tuple([first.setdefault(key, position) for position, key in enumerate(inputs)])


def _merged(inferred: ValueType | None, declared: ValueType | None) -> ValueType | None:
    """What is inferred, with what it leaves open filled in from what the model declares."""
    if inferred is None or declared is None:
        return inferred if declared is None else declared
    if not (isinstance(inferred, TensorType) and isinstance(declared, TensorType)):
        return inferred
    dtype = inferred.dtype or declared.dtype
    if inferred.shape is None or declared.shape is None:
        return TensorType(dtype, declared.shape if inferred.shape is None else inferred.shape)
    if len(inferred.shape) != len(declared.shape):
        return TensorType(dtype, inferred.shape)
    pairs = zip(inferred.shape, declared.shape, strict=True)
    return TensorType(
        dtype, tuple(b if isinstance(b, int) and not isinstance(a, int) else a for a, b in pairs)
    )


def _joined(a: ValueType | None, b: ValueType | None) -> ValueType | None:
    """What two types have in common: the type of a value that may be either."""
    if a == b or not (isinstance(a, TensorType) and isinstance(b, TensorType)):
        return a if a == b else None
    dtype = a.dtype if a.dtype == b.dtype else 0
    if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return TensorType(dtype, None)
    dims = tuple(x if x == y else None for x, y in zip(a.shape, b.shape, strict=True))
    return TensorType(dtype, dims)


def _stacked(type_: ValueType | None, size: Dim, axis: int) -> ValueType | None:
    if not isinstance(type_, TensorType) or type_.shape is None:
        return type_
    axis += len(type_.shape) + 1 if axis < 0 else 0
    return TensorType(type_.dtype, (*type_.shape[:axis], size, *type_.shape[axis:]))


def _without_axis(type_: ValueType | None, axis: int) -> ValueType | None:
    if not isinstance(type_, TensorType) or not type_.shape:
        return type_
    axis %= len(type_.shape)
    return TensorType(type_.dtype, type_.shape[:axis] + type_.shape[axis + 1 :])


def _read_constant(constant: Constant, payload: Payload | None) -> Numbers | None:
    from onnx import TensorProto, numpy_helper

    tensor = constant.proto
    if not isinstance(tensor, TensorProto) or tensor.data_type == TensorProto.STRING:
        return None
    if tensor.data_location == TensorProto.EXTERNAL:
        tensor = payload(tensor) if payload is not None else None
    if tensor is None:
        return None
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, RuntimeError, KeyError):
        return None  # its payload does not fit its dimensions; the reader's checks say so


def _evaluate(node: Node, values: Sequence[Numbers | None]) -> list[Numbers]:
    """The node's outputs by the reference implementation; nothing where it has none or fails."""
    import numpy as np
    from onnx import FunctionProto
    from onnx.reference import ReferenceEvaluator

    names = [name for name in dict.fromkeys(node.proto.input) if name]
    outputs = [name for name in node.proto.output if name]
    function = FunctionProto(name="fold", domain="graphlint", input=names, output=outputs)
    function.opset_import.add(domain=node.domain, version=node.version)
    function.node.add().CopyFrom(node.proto)
    feeds = {name: value for name, value in zip(node.proto.input, values, strict=False) if name}
    try:
        with np.errstate(all="ignore"):
            results = iter(ReferenceEvaluator(function).run(None, feeds, attributes={}))
    except Exception:  # the reference raises whatever numpy raises; unknown is then the truth
        return []
    return [np.asarray(next(results)) if name else np.empty(0) for name in node.proto.output]


@cache
def _schema(op: str, version: int, domain: str) -> onnx.defs.OpSchema | None:
    from onnx import defs

    try:
        return defs.get_schema(op, version, domain)
    except defs.SchemaError:
        return None


@cache
def _type_proto(type_: ValueType) -> onnx.TypeProto:
    from onnx import TypeProto

    proto = TypeProto()
    if isinstance(type_, OtherType):
        proto.ParseFromString(type_.proto)
        return proto
    proto.tensor_type.elem_type = type_.dtype
    if type_.shape is not None:
        proto.tensor_type.shape.SetInParent()
        for dim in type_.shape:
            entry = proto.tensor_type.shape.dim.add()
            if isinstance(dim, int):
                entry.dim_value = dim
            elif dim is not None:
                entry.dim_param = dim
    return proto


@cache
def _opset_imports(opsets: tuple[tuple[str, int], ...]) -> list[onnx.OperatorSetIdProto]:
    from onnx import OperatorSetIdProto

    return [OperatorSetIdProto(domain=domain, version=version) for domain, version in opsets]


def declared_only(
    view: GraphView, bindings: Bindings, reason: str
) -> tuple[GraphView, tuple[str, ...]]:
    """The view with nothing but declared types, where inference can't be run: `reason` says why."""
    bound = bind(view, bindings)
    unknown = {
        key: reason
        for node in view.nodes
        for key in node.outputs
        if not (isinstance(t := bound.types.get(key), TensorType) and t.is_static)
    }
    executions: dict[str, int | str] = dict.fromkeys(view.scopes, reason)
    return replace(
        view, types=bound.types, reasons=unknown, executions={**executions, "": 1}
    ), bound.notes
