"""Anchors: which tensors of an optimised model are values of the original.

A tensor is anchored by its name where that survived; by what computes it (value numbers); by the
names that ONNX Runtime's transformers leave behind; and by copies, which hold the same value in
another layout, element type or memory. Exact names come first: they are never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphlint.graph import ABSENT, Constant
from graphlint.latency.values import Operator, Values, constant_expression, node_expression

if TYPE_CHECKING:
    import onnx

COPIES = frozenset("ReorderInput ReorderOutput MemcpyToHost MemcpyFromHost Cast Transpose".split())
"""Kernels that a runtime inserts to hold a value in another layout, element type or memory."""

_INSERTED = re.compile(r"(?:InsertedPrecisionFreeCast_|InsertedCast_)(?P<name>.+)", re.DOTALL)
_TOKEN = re.compile(r"_token_\d+$")
_ACTIVATIONS = frozenset(
    "Relu Clip Sigmoid Tanh LeakyRelu HardSigmoid HardSwish Elu Selu Softplus Gelu".split()
)
_ADDITIONS = frozenset({"Add", "Sum"})
_MAX_PASSES = 5


@dataclass(frozen=True, slots=True)
class Kernel:
    """A node of the optimised model: `inputs` has what its bodies capture too."""

    position: int
    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    proto: onnx.NodeProto


@dataclass(frozen=True, slots=True)
class Optimised:
    """The optimised model's kernels, and its tensors that no kernel computes."""

    kernels: tuple[Kernel, ...]
    producers: Mapping[str, Kernel]
    readers: Mapping[str, tuple[Kernel, ...]]
    inputs: frozenset[str]
    constants: Mapping[str, Constant]
    outputs: frozenset[str]
    opsets: Mapping[str, int]


def read(model: onnx.ModelProto) -> Optimised:
    """Lay the main graph of an optimised model open."""
    graph = model.graph
    kernels = tuple(
        Kernel(
            position,
            node.name,
            node.op_type,
            "" if node.domain == "ai.onnx" else node.domain,
            tuple(dict.fromkeys((*node.input, *_captured(node)))),
            tuple(node.output),
            node,
        )
        for position, node in enumerate(graph.node)
    )
    readers: dict[str, list[Kernel]] = {}
    for kernel in kernels:
        for name in kernel.inputs:
            readers.setdefault(name, []).append(kernel)
    constants = {t.name: Constant(t.data_type, tuple(t.dims), t) for t in graph.initializer}
    for sparse in graph.sparse_initializer:
        values = sparse.values
        constants[values.name] = Constant(values.data_type, tuple(sparse.dims), sparse)
    return Optimised(
        kernels,
        {name: kernel for kernel in kernels for name in kernel.outputs if name},
        {name: tuple(found) for name, found in readers.items()},
        frozenset(info.name for info in graph.input) - constants.keys(),
        constants,
        frozenset(info.name for info in graph.output),
        {entry.domain: entry.version for entry in model.opset_import},
    )


def _captured(node: onnx.NodeProto) -> Iterator[str]:
    """Names of outer tensors that the bodies of `node` read."""
    for attribute in node.attribute:
        graphs = [attribute.g] if attribute.HasField("g") else []
        for graph in (*graphs, *attribute.graphs):
            inside = {info.name for info in graph.input}
            inside.update(tensor.name for tensor in graph.initializer)
            inside.update(name for inner in graph.node for name in inner.output)
            read = [name for inner in graph.node for name in (*inner.input, *_captured(inner))]
            read += [info.name for info in graph.output]
            yield from (name for name in read if name and name not in inside)


def anchor(values: Values, optimised: Optimised) -> dict[str, str]:
    """The key of the original value, by the name of each anchored tensor of the optimised model."""
    finder = _Finder(values, optimised)
    for _ in range(_MAX_PASSES):
        known = len(finder.found)
        finder.forward()
        finder.backward()
        if len(finder.found) == known:
            break
    return finder.found


def is_copy(kernel: Kernel, found: Mapping[str, str], values: Values) -> bool:
    """Whether the kernel only holds its input in another form, and is no node of the original."""
    if kernel.op not in COPIES or not kernel.inputs or not kernel.outputs:
        return False
    source, target = found.get(kernel.inputs[0]), found.get(kernel.outputs[0])
    if source is None or target is None:
        return False
    if values.numbers.get(source) != values.numbers.get(target):
        return False
    producer = values.producers.get(target)
    exact = kernel.outputs[0] == target
    return not (exact and producer is not None and producer.node.op == kernel.op)


class _Finder:
    """Anchors found so far; every rule adds to them and none takes away."""

    def __init__(self, values: Values, optimised: Optimised) -> None:
        self.values = values
        self.optimised = optimised
        self.by_name = unique_names(values.operators)
        self.found: dict[str, str] = {}
        for name in (*optimised.inputs, *optimised.constants):
            if name in values.numbers:
                self.found[name] = name
        for name, constant in optimised.constants.items():
            if name not in self.found and (known := constant_expression(constant)) is not None:
                key = values.expressions.get(known)
                if key is not None:
                    self.found[name] = key

    def forward(self) -> None:
        """Anchor outputs, in the order in which the kernels run."""
        for kernel in self.optimised.kernels:
            open_outputs = [
                (position, name)
                for position, name in enumerate(kernel.outputs)
                if name and name not in self.found
            ]
            for position, name in open_outputs:
                key = self._key(kernel, position, name)
                if key is not None and key in self.values.numbers:
                    self.found[name] = key

    def backward(self) -> None:
        """Anchor what a copy reads by what it makes."""
        for kernel in reversed(self.optimised.kernels):
            if kernel.op not in COPIES or not kernel.inputs or not kernel.outputs:
                continue
            source, target = kernel.inputs[0], self.found.get(kernel.outputs[0])
            if target is None or source in self.found or source not in self.optimised.producers:
                continue
            producer = self.values.producers.get(target)
            if producer is None or producer.node.op != kernel.op:
                self.found[source] = target

    def _key(self, kernel: Kernel, position: int, name: str) -> str | None:
        if name in self.values.numbers:
            return name
        if (match := _INSERTED.match(name)) and match["name"] in self.values.numbers:
            return match["name"]
        if (key := self._same_expression(kernel, position)) is not None:
            return key
        if position == 0 and (key := self._named(kernel)) is not None:
            return key
        if kernel.op in COPIES and position == 0 and kernel.inputs:
            return self.found.get(kernel.inputs[0])
        return None

    def _same_expression(self, kernel: Kernel, position: int) -> str | None:
        inputs: list[int | None] = []
        for name in kernel.proto.input:
            key = self.found.get(name)
            if name != ABSENT and key is None:
                return None
            inputs.append(self.values.numbers[key] if key is not None else None)
        version = self.optimised.opsets.get(kernel.domain, 0)
        expression = node_expression(
            kernel.op, kernel.domain, version, kernel.proto.attribute, inputs
        )
        if expression is None:
            return None
        return self.values.expressions.get((*expression, position))

    def _named(self, kernel: Kernel) -> str | None:
        """By what the kernel's name says: a tensor (`x_nchwc`) or a node of the original."""
        name = _TOKEN.sub("", kernel.name)
        if name.endswith("_nchwc"):
            name = name.removesuffix("_nchwc")
            inserted = _INSERTED.match(name)
            name = name if name in self.values.numbers or not inserted else inserted["name"]
            return self._past_fused(kernel, name) if name in self.values.numbers else None
        operator = self.by_name.get(name)
        if operator is None or not operator.node.outputs or not operator.node.outputs[0]:
            return None
        key = operator.node.outputs[0]
        if (operator.node.op, operator.node.domain) == (kernel.op, kernel.domain):
            return key
        if kernel.op.startswith(("QLinear", "NhwcMaxPool")):
            return self._past_quantise(key)
        if kernel.op.startswith("Nhwc"):
            return self._past_fused(kernel, key)
        return None

    def _past_fused(self, kernel: Kernel, key: str) -> str:
        """Step over the addition and the activation that were fused after the kernel was named."""
        if len(kernel.proto.input) > 3 and kernel.proto.input[3]:
            key = self._past(key, _ADDITIONS) or key
        if any(attribute.name == "activation" and attribute.s for attribute in _attributes(kernel)):
            producer = self.values.producers.get(key)
            if producer is None or producer.node.op not in _ACTIVATIONS:
                key = self._past(key, _ACTIVATIONS) or key
        return key

    def _past_quantise(self, key: str) -> str | None:
        """The quantised value that the node's output ends as."""
        first = key
        for _ in range(3):
            step = self._past(key, _ACTIVATIONS | {"QuantizeLinear"})
            if step is None:
                return first
            key = step
            if self.values.producers[key].node.op == "QuantizeLinear":
                return key
        return first

    def _past(self, key: str, ops: frozenset[str]) -> str | None:
        readers = self.values.readers.get(key, ())
        if len(readers) == 1 and readers[0].node.op in ops and readers[0].node.outputs:
            return readers[0].node.outputs[0] or None
        return None


def _attributes(kernel: Kernel) -> Sequence[onnx.AttributeProto]:
    return kernel.proto.attribute


def unique_names(operators: Sequence[Operator]) -> dict[str, Operator]:
    """Operators by the names that only one of them has."""
    named: dict[str, Operator | None] = {}
    for operator in operators:
        name = operator.node.name
        if name:
            named[name] = None if name in named else operator
    return {name: operator for name, operator in named.items() if operator is not None}
