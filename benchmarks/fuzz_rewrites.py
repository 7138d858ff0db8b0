"""Fuzzing rewrites: units of ShuffleNet in many spellings, disfigured, matched and rewritten.

A model that a rewrite can do something with is rewritten without fitting and without a runtime: the
result is valid, with the inputs and outputs that it had. Of any other there is an error or a
reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from benchmarks.fuzz_checks import model_file
from benchmarks.fuzz_choices import Choices
from graphlint import registry
from graphlint.bindings import Bindings
from graphlint.config import Settings
from graphlint.errors import GraphlintError
from graphlint.rewrites import Matches, Refusal, Rewrite
from graphlint.rewriting.job import Job
from graphlint.rewriting.request import RewriteRequest
from graphlint.rewriting.subject import Source, read
from graphlint.rewriting.verify import check_interface, check_valid

SIZE = 6
OPTIONS = {"block": 2}
"""Small, as the widths are."""
REWRITES = registry.rewrites()
STAGES = {name: each.stages() for name, each in REWRITES.items()}  # imported where fuzz.py counts
_OPSETS = (17, 13, 11, 9, 21)
_BATCHES: tuple[int | str, ...] = (1, 2, "n")


def rewrites(data: bytes) -> None:
    """A disfigured model can't be read, is left as it is with a reason, or becomes a valid one."""
    choices = Choices(data)
    model = units(choices)
    for _ in range(choices.number(0, 4)):
        choices.one(_DISFIGUREMENTS)(choices, model)
    rewrite = choices.one(tuple(REWRITES.values()))
    rewritten(model, rewrite, choices.one(rewrite.plans))


def rewritten(model: ModelProto, rewrite: Rewrite, plan_name: str) -> bool:
    """Whether the model was rewritten; what came of it is held against what is promised."""
    source = _read(model)
    if source is None:
        return False
    stages = STAGES[rewrite.name]
    matches = stages.match(source.subject)
    _are_sound(source, matches)
    if not matches.matches:
        return False
    folder = source.file.parent
    known = {option.name for option in rewrite.options}
    options = {name: value for name, value in OPTIONS.items() if name in known}
    request = RewriteRequest(
        source.path, Settings(), options=options, weights="structure", folder=folder
    )
    job = Job(request, lambda progress: None, rewrite, source, matches)
    plan = job.plan(plan_name)
    if isinstance(plan, Refusal):
        assert plan.reason
        return False
    result = folder / "rewritten.onnx"
    edits = stages.edit(source.subject, plan, stages.start(source.subject, plan, 0))
    job.write(plan, edits, result)
    check_valid(source.file, result)
    after = read(str(result), source.bindings)
    check_interface(source.proto, after.proto)
    for key in source.subject.view.outputs:
        sizes = [each.subject.view.shape(key) for each in (source, after)]
        assert None in sizes or sizes[0] == sizes[1], f"{key} was {sizes[0]}, is {sizes[1]}"
    return True


def _read(model: ModelProto) -> Source | None:
    """The model as rewrites see it; None where it can't be read."""
    path = model_file()
    path.write_bytes(model.SerializeToString())
    try:
        return read(str(path), Bindings())
    except GraphlintError:
        return None


def units(choices: Choices) -> ModelProto:
    """A valid model with units."""
    return _Units(choices).model()


def _are_sound(source: Source, matches: Matches) -> None:
    nodes = source.subject.view.nodes
    taken = [node.index for match in matches.matches for node in match.nodes]
    assert len(set(taken)) == len(taken), "two matches share a node"
    for refusal in matches.refusals:
        assert refusal.reason
        assert refusal.nodes
        assert all(nodes[node.index] is node for node in refusal.nodes)


class _Units:
    """Writes a chain of units, V1 or V2, in one of their spellings; all numbers are small."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.opset = choices.one(_OPSETS)
        self.has_norm = choices.chance(3)
        self.act = choices.one(("Relu", "PRelu", "Clip", "LeakyRelu", "HardSwish"))
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def model(self) -> ModelProto:
        choices = self.choices
        width, side = choices.one((8, 12)), SIZE
        shape: list[int | str] = [choices.one(_BATCHES), width, SIZE, SIZE]
        value = "x"
        kind = choices.one((self.v1, self.v1, self.v2))
        for place in range(choices.number(1, 3)):
            stride = 2 if place == 0 and not choices.chance(3) else 1
            value = kind(value, width, side, stride)
            width, side = (2 * width, side // 2) if stride == 2 else (width, side)
        if not choices.chance(3):
            value = self.head(value, width)
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        y = helper.make_tensor_value_info(value, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "units", [x], [y], self.weights)
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid("custom", 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8)

    # Units

    def v1(self, x: str, width: int, side: int, stride: int) -> str:
        """A unit with stride 1 or 2; the latter doubles the width."""
        groups, mid = self.choices.one((2, 4)), 8
        y = self.active(self.conv(x, width, mid, self.choices.one((1, groups))), mid)
        late = self.choices.chance(3)
        y = y if late else self.shuffled(y, mid, side, groups)
        y = self.depthwise(y, mid, stride)
        y = self.shuffled(y, mid, side // stride, groups) if late else y
        y = self.conv(y, mid, width, groups)
        if stride == 1:
            return self.active(self.op("Add", [x, y]), width)
        return self.active(self.op("Concat", [self.average(x), y], axis=1), 2 * width)

    def v2(self, x: str, width: int, side: int, stride: int) -> str:
        """The same for the second version."""
        half = width // 2
        if stride == 2:
            passed = self.conv(self.depthwise(x, width, 2), width, width)
            y = self.active(self.conv(x, width, half), half)
            y = self.conv(self.depthwise(y, half, 2), half, width)
            return self.shuffled(self.op("Concat", [passed, y], axis=1), 2 * width, side // 2, 2)
        passed, y = self.split(x, [half, half])
        y = self.active(self.conv(y, half, half), half)
        y = self.active(self.conv(self.depthwise(y, half, 1), half, half), half)
        return self.shuffled(self.op("Concat", [passed, y], axis=1), width, side, 2)

    def head(self, x: str, width: int) -> str:
        """Pooling and a classifier."""
        pooled = self.op("GlobalAveragePool", [x])
        if self.choices.chance(2):
            return self.op("Conv", [pooled, self.weight(5, width, 1, 1)])
        flat = self.op("Reshape", [pooled, self.integers(-1, width)])
        if self.choices.chance(2):
            return self.op("MatMul", [flat, self.weight(width, 5)])
        return self.op("Gemm", [flat, self.weight(5, width), self.weight(5)], transB=1)

    # Layers

    def conv(self, x: str, inputs: int, outputs: int, groups: int = 1) -> str:
        """A 1×1 convolution, its groups now and then one by one."""
        if groups > 1 and self.choices.chance(6):
            step = inputs // groups
            parts = self.split(x, [step] * groups)
            made = [self.conv(part, step, outputs // groups) for part in parts]
            return self.op("Concat", made, axis=1)
        weights = [self.weight(outputs, inputs // groups, 1, 1)]
        weights += [self.weight(outputs)] if self.choices.chance(2) else []
        return self.normed(self.op("Conv", [x, *weights], group=groups), outputs)

    def depthwise(self, x: str, width: int, stride: int) -> str:
        """A 3×3 convolution of each channel; its zeros now and then by a Pad."""
        pads = [1] * 4
        if self.choices.chance(6):
            x, pads = self.pad(x), [0] * 4
        weights = [x, self.weight(width, 1, 3, 3)]
        y = self.op("Conv", weights, group=width, pads=pads, strides=[stride] * 2)
        return self.normed(y, width)

    def normed(self, x: str, width: int) -> str:
        if self.has_norm:
            return self.op("BatchNormalization", [x, *(self.weight(width) for _ in range(4))])
        return x

    def active(self, x: str, width: int) -> str:
        match self.act:
            case "PRelu":
                return self.op("PRelu", [x, self.weight(width, 1, 1)])
            case "Clip" if self.opset < 11:
                return self.op("Clip", [x], min=0.0, max=6.0)
            case "Clip":
                return self.op("Clip", [x, self.stored(np.float32(0)), self.stored(np.float32(6))])
            case "LeakyRelu":
                return self.op("LeakyRelu", [x], alpha=0.1)
            case "HardSwish":
                return self.op("Mul", [x, self.op("HardSigmoid", [x], alpha=1 / 6, beta=0.5)])
            case _:
                return self.op("Relu", [x])

    def average(self, x: str) -> str:
        settings: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2]}
        match self.choices.number(0, 3):
            case 0:
                return self.op("AveragePool", [x], pads=[1] * 4, count_include_pad=1, **settings)
            case 1:
                return self.op("AveragePool", [self.pad(x)], **settings)
            case 2:
                return self.op("AveragePool", [x], auto_pad="SAME_UPPER", **settings)
            case _:
                return self.op("AveragePool", [x], pads=[1] * 4, **settings)

    def shuffled(self, x: str, width: int, side: int, groups: int) -> str:
        """A group shuffle in one of its spellings."""
        step = width // groups
        match self.choices.number(0, 4):
            case 0:
                apart = self.op("Reshape", [x, self.integers(0, groups, step, side, side)])
                turned = self.op("Transpose", [apart], perm=[0, 2, 1, 3, 4])
                return self.op("Reshape", [turned, self.integers(0, width, side, side)])
            case 1:
                order = np.arange(width).reshape(groups, step).T.ravel()
                return self.op("Gather", [x, self.stored(order)], axis=1)
            case 2:
                singles = self.split(x, [1] * width)
                order = np.arange(width).reshape(groups, step).T.ravel()
                return self.op("Concat", [singles[place] for place in order], axis=1)
            case 3:
                one = self.integers(1)
                parts = [
                    self.slice(x, start, start + 1, one)
                    for start in np.arange(width).reshape(groups, step).T.ravel().tolist()
                ]
                return self.op("Concat", parts, axis=1)
            case _:
                sizes = self.op("Shape", [x])
                apart = self.op("Reshape", [x, self.integers(-1, groups, step, side * side)])
                return self.op("Reshape", [self.op("Transpose", [apart], perm=[0, 2, 1, 3]), sizes])

    # Operators whose settings became inputs

    def split(self, x: str, sizes: Sequence[int]) -> list[str]:
        if self.opset < 13:
            return self.ops("Split", [x], len(sizes), axis=1, split=list(sizes))
        return self.ops("Split", [x, self.integers(*sizes)], len(sizes), axis=1)

    def slice(self, x: str, start: int, end: int, axes: str) -> str:
        if self.opset < 10:
            return self.op("Slice", [x], axes=[1], starts=[start], ends=[end])
        return self.op("Slice", [x, self.integers(start), self.integers(end), axes])

    def pad(self, x: str) -> str:
        pads = [0, 0, 1, 1, 0, 0, 1, 1]
        if self.opset < 11:
            return self.op("Pad", [x], pads=pads)
        return self.op("Pad", [x, self.integers(*pads)])

    # Nodes and weights

    def op(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        return self.ops(op, inputs, 1, **attributes)[0]

    def ops(self, op: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        outputs = [f"v{len(self.nodes)}.{place}" for place in range(count)]
        self.nodes.append(helper.make_node(op, inputs, outputs, **attributes))
        return outputs

    def weight(self, *shape: int) -> str:
        return self.stored(np.linspace(0.1, 0.9, prod(shape), dtype=np.float32).reshape(shape))

    def integers(self, *numbers: int) -> str:
        return self.stored(np.array(numbers, np.int64))

    def stored(self, numbers: object) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(numbers), name))
        return name


# Disfigurements: each alters the model in one place.

_NUMBERS = (1, 0, -1, 2, 3, 4, 5, 7, 8, -2, 16, 255, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
_FLOATS = (0.0, 1.0, -1.0, 0.5, 1e30, float("inf"), float("nan"))
_TEXTS = ("", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", "constant", "reflect", "nonsense")
_DIMS = (1, 2, 4, 8, 16, 6, 3, 0, -1, 1000, 2**31, 2**62, "n", None)
_DTYPES = (1, 7, 10, 11, 6, 9, 8, 16, 14, 2, 0, 99)
_OPS = (
    *("Relu", "Conv", "Add", "Concat", "Mul", "Sigmoid", "Identity", "Transpose", "Reshape"),
    *("Split", "Slice", "Gather", "Sum", "AveragePool", "MaxPool", "Pad", "Cast", "Clip", "Div"),
    *("BatchNormalization", "PRelu", "ConvTranspose", "Flatten", "Squeeze", "ChannelShuffle"),
    *("ReduceMean", "Gemm", "MatMul", "DequantizeLinear", "QuantizeLinear", "Shape", "HardSigmoid"),
)
_NAMES = (
    *("axis", "group", "pads", "strides", "dilations", "kernel_shape", "auto_pad", "perm", "to"),
    *("alpha", "beta", "epsilon", "training_mode", "spatial", "count_include_pad", "ceil_mode"),
    *("axes", "starts", "ends", "split", "mode", "value", "min", "max", "transA", "transB"),
    *("allowzero", "keepdims", "num_outputs", "groups"),
)


def _attribute(choices: Choices, model: ModelProto) -> None:
    """An attribute more, or another value, or none."""
    node = choices.one(model.graph.node)
    own = [attribute.name for attribute in node.attribute]
    name = choices.one(_NAMES if not own or choices.chance(4) else own)
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    made = [] if choices.chance(6) else [_value(choices, name)]
    del node.attribute[:]
    node.attribute.extend([*kept, *made])


def _value(choices: Choices, name: str) -> AttributeProto:
    attribute = AttributeProto(name=name)
    match choices.number(0, 6):
        case 0:
            attribute.type = AttributeProto.INT
            attribute.i = choices.one(_NUMBERS)
        case 1:
            attribute.type = AttributeProto.FLOAT
            attribute.f = choices.one(_FLOATS)
        case 2:
            attribute.type = AttributeProto.STRING
            attribute.s = choices.one(_TEXTS).encode()
        case 3:
            attribute.type = AttributeProto.FLOATS
            attribute.floats.extend(choices.some(_FLOATS, 5))
        case 4:
            attribute.type = AttributeProto.TENSOR
            attribute.t.CopyFrom(numpy_helper.from_array(np.array([1, 2]), "t"))
        case _:
            attribute.type = AttributeProto.INTS
            attribute.ints.extend(choices.some(_NUMBERS[: choices.one((4, len(_NUMBERS)))], 8))
    return attribute


def _edge(choices: Choices, model: ModelProto) -> None:
    """An input that is another, one more, or one less."""
    node = choices.one(model.graph.node)
    known = [name for each in model.graph.node for name in (*each.input, *each.output)]
    name = choices.one((choices.one(known), "x", "", "nowhere"))
    match choices.number(0, 2):
        case 0 if node.input:
            node.input[choices.number(0, len(node.input) - 1)] = name
        case 1 if node.input:
            del node.input[choices.number(0, len(node.input) - 1)]
        case _:
            node.input.append(name)


def _outputs(choices: Choices, model: ModelProto) -> None:
    """One more or one less."""
    node = choices.one(model.graph.node)
    if choices.chance(2) and node.output:
        del node.output[-1]
    else:
        node.output.append(f"{choices.number(0, 255)}.more")


def _declared(choices: Choices, model: ModelProto) -> None:
    """What is said of a value's type."""
    graph = model.graph
    names = [name for node in graph.node for name in node.output] or ["x"]
    shape = [choices.one(_DIMS) for _ in range(choices.one((4, 4, 4, 2, 5, 0)))]
    made = helper.make_tensor_value_info(choices.one(names), choices.one(_DTYPES[:5]), shape)
    if choices.chance(4):
        made.name = "x"
        graph.input[0].CopyFrom(made)
    else:
        graph.value_info.append(made)


def _stored(choices: Choices, model: ModelProto) -> None:
    """A stored tensor of another type, shape or content."""
    if not model.graph.initializer:
        return
    tensor = choices.one(model.graph.initializer)
    try:
        array = numpy_helper.to_array(tensor)
    except (KeyError, TypeError, ValueError):  # it was disfigured before
        array = np.zeros(2)
    match choices.number(0, 5):
        case 0:
            tensor.data_type = choices.one(_DTYPES)
        case 1:
            del tensor.dims[:]
            tensor.dims.extend(choices.some([n for n in _DIMS if isinstance(n, int)], 5))
        case 2:
            _put(tensor, array.reshape(-1)[: choices.number(0, 3)])
        case 3:
            _put(tensor, array.T)
        case 4 if array.dtype.kind == "i":
            numbers = [choices.one(_NUMBERS) for _ in range(array.size)]
            _put(tensor, np.array(numbers, np.int64).reshape(array.shape))
        case _:
            _put(tensor, np.full(array.shape, choices.one(_FLOATS), np.float32))


def _put(tensor: TensorProto, array: np.ndarray[Any, Any]) -> None:
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))


def _node(choices: Choices, model: ModelProto) -> None:
    """A node that is there twice, not any more, or of another operator."""
    nodes = model.graph.node
    place = choices.number(0, len(nodes) - 1)
    node = nodes[place]
    match choices.number(0, 3):
        case 0:
            copy = NodeProto()
            copy.CopyFrom(node)
            mark = f"{choices.number(0, 255)}.copy"
            copy.output[:] = [f"{name}.{mark}" for name in node.output]
            nodes.insert(place + 1, copy)
            _reads_instead(choices, model, node.output, copy.output)
        case 1:
            gone = list(node.output)
            instead = list(node.input[:1]) * len(gone)
            del nodes[place]
            _reads_instead(choices, model, gone, instead, always=True)
        case 2:
            node.op_type = choices.one(_OPS)
        case _:
            node.domain = choices.one(("custom", "ai.onnx", "com.microsoft"))


def _reads_instead(
    choices: Choices,
    model: ModelProto,
    old: Sequence[str],
    new: Sequence[str],
    *,
    always: bool = False,
) -> None:
    """Some readers read one value instead of another."""
    renamed = dict(zip(old, new, strict=False))
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name in renamed and (always or choices.chance(2)):
                node.input[place] = renamed[name]


def _seen(choices: Choices, model: ModelProto) -> None:
    """One more reads a value, or it leaves the model."""
    graph = model.graph
    names = [name for node in graph.node for name in node.output] or ["x"]
    name = choices.one(names)
    if choices.chance(2):
        made = f"{choices.number(0, 255)}.seen"
        graph.node.append(helper.make_node(choices.one(_OPS), [name], [made]))
        name = made
    if not choices.chance(3):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))


def _opset(choices: Choices, model: ModelProto) -> None:
    """Operators of another version."""
    model.opset_import[0].version = choices.number(0, 24)


_DISFIGUREMENTS: tuple[Callable[[Choices, ModelProto], None], ...] = (
    *(_attribute, _attribute, _attribute, _edge, _edge, _stored, _stored, _declared),
    *(_node, _node, _seen, _outputs, _opset),
)
