"""Fuzzing shapes and costs: any operators, with odd attributes, types and shapes."""

from __future__ import annotations

from functools import cache
from typing import Any

from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    defs,
    helper,
)

from benchmarks.fuzz_checks import checked
from benchmarks.fuzz_choices import Choices
from graphlint.costs.table import HANDLES

_DIMS = (1, 2, 3, 4, 8, 16, 0, -1, 1000, 2**31, 2**62, 2**63 - 1, "n", "batch", None)
_DTYPES = (1, 1, 1, 7, 6, 9, 10, 11, 2, 3, 8, 14, 16, 17, 21, 22, 23, 27, 0, 99)
_NUMBERS = (0, 1, 2, 3, -1, -2, 4, 7, 16, 255, 2**31 - 1, 2**31, -(2**31), 2**63 - 1, -(2**63))
_FLOATS = (0.0, 1.0, -1.0, 0.5, 2.0, 1e30, -1e30, float("inf"), float("nan"))
_STRINGS = (
    "",
    "NOTSET",
    "SAME_UPPER",
    "VALID",
    "constant",
    "ij,jk->ik",
    "...i,i",
    "NHWC",
    "linear",
)
_OPSETS = (17, 13, 11, 7, 1, 18, 21, 23, 24, 0, 99)
_COMMON = (
    "Conv MatMul Gemm Add Relu Concat Split Reshape Transpose Slice Shape Gather Resize".split()
)


def operators(data: bytes) -> None:
    """A model of any operators, checked."""
    checked(_model(Choices(data)))


def _model(choices: Choices) -> ModelProto:
    opset = choices.one(_OPSETS)
    inputs = [_value(choices, f"in{place}") for place in range(choices.number(1, 3))]
    weights = [_tensor(choices, f"w{place}") for place in range(choices.number(0, 3))]
    names = [*(info.name for info in inputs), *(tensor.name for tensor in weights)]
    nodes = [_node(choices, names, f"n{place}", 0) for place in range(choices.number(1, 6))]
    outputs = [
        _value(choices, name) if choices.chance(3) else ValueInfoProto(name=name)
        for name in names[-2:]
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    if choices.chance(3):
        graph.value_info.extend(_value(choices, name) for name in choices.some(names, 2))
    domains = {node.domain for node in nodes} | {""}
    imports = [helper.make_opsetid(domain, opset if not domain else 1) for domain in domains]
    return helper.make_model(graph, opset_imports=imports, ir_version=choices.one((8, 3, 10)))


def _value(choices: Choices, name: str) -> ValueInfoProto:
    if choices.chance(12):
        return helper.make_tensor_sequence_value_info(name, 1, _shape(choices))
    shape = None if choices.chance(8) else _shape(choices)
    return helper.make_tensor_value_info(name, choices.one(_DTYPES), shape)


def _shape(choices: Choices) -> list[Any]:
    rank = choices.one((4, 2, 3, 1, 0, 5, 9))
    odd = choices.chance(3)
    return [choices.one(_DIMS if odd else _DIMS[:6]) for _ in range(rank)]


def _tensor(choices: Choices, name: str) -> TensorProto:
    """A stored tensor; its payload rarely has the size that its shape says."""
    if choices.chance(3):
        numbers = [choices.one(_NUMBERS) for _ in range(choices.number(0, 4))]
        return helper.make_tensor(name, TensorProto.INT64, [len(numbers)], numbers)
    dims = [dim if isinstance(dim, int) else 2 for dim in _shape(choices)]
    tensor = TensorProto(name=name, data_type=choices.one(_DTYPES), dims=dims)
    if choices.chance(4):
        tensor.raw_data = bytes(choices.number(0, 32))
    return tensor


def _node(choices: Choices, names: list[str], label: str, depth: int) -> NodeProto:
    """A node that reads some of the names; its outputs are added to them."""
    domain, op = choices.one(_known()) if not choices.chance(2) else ("", choices.one(_COMMON))
    if choices.chance(40):
        domain, op = choices.one(("", "other", "com.microsoft")), "Nothing"
    schema = defs.get_schema(op, domain=domain) if defs.has(op, domain=domain) else None
    most = min(schema.max_input, 6) if schema is not None else 4
    least = schema.min_input if schema is not None else 1
    count = choices.number(least, max(most, least)) if not choices.chance(8) else most + 1
    inputs = [("" if choices.chance(12) else choices.one(names)) for _ in range(count)]
    made = min(schema.max_output, 4) if schema is not None else 1
    outputs = [f"{label}.{place}" for place in range(choices.number(1, max(made, 1)))]
    node = NodeProto(op_type=op, domain=domain, input=inputs, output=outputs)
    if choices.chance(2):
        node.name = choices.text().encode("utf-8", "replace").decode()
    known = sorted(schema.attributes) if schema is not None else list(_FOREIGN)
    for name in dict.fromkeys(choices.some(known, 4) if known else ()):
        odd = choices.chance(6) or schema is None
        kind = choices.number(0, 13) if odd else schema.attributes[name].type.value  # type: ignore[union-attr]
        node.attribute.append(_attribute(choices, name, kind, names, f"{label}.{name}", depth))
    names += outputs
    return node


_FOREIGN = (
    *("num_heads", "kv_num_heads", "scale", "bits", "block_size", "K", "N", "activation", "group"),
    *(
        "transA",
        "transB",
        "axis",
        "k",
        "unidirectional",
        "qkv_hidden_sizes",
        "kernel_shape",
        "pads",
    ),
    *("strides", "dilations", "local_window_size", "input_layout", "channels_last", "hidden_size"),
)


@cache
def _known() -> list[tuple[str, str]]:
    return sorted(HANDLES)


def _attribute(
    choices: Choices, name: str, kind: int, names: list[str], label: str, depth: int
) -> AttributeProto:
    attribute = AttributeProto(name=name)
    attribute.type = kind  # type: ignore[assignment]
    match kind:
        case AttributeProto.FLOAT:
            attribute.f = choices.one(_FLOATS)
        case AttributeProto.INT:
            attribute.i = choices.one(_NUMBERS)
        case AttributeProto.STRING:
            attribute.s = choices.one(_STRINGS).encode()
        case AttributeProto.TENSOR:
            attribute.t.CopyFrom(_tensor(choices, "t"))
        case AttributeProto.GRAPH:
            attribute.g.CopyFrom(_body(choices, names, label, depth))
        case AttributeProto.FLOATS:
            attribute.floats.extend(choices.some(_FLOATS, 4))
        case AttributeProto.INTS:
            attribute.ints.extend(choices.some(_NUMBERS, 6))
        case AttributeProto.STRINGS:
            attribute.strings.extend(text.encode() for text in choices.some(_STRINGS, 3))
        case AttributeProto.TENSORS:
            attribute.tensors.append(_tensor(choices, "t"))
    return attribute


def _body(choices: Choices, names: list[str], label: str, depth: int) -> GraphProto:
    inputs = [_value(choices, f"{label}.in{place}") for place in range(choices.number(0, 3))]
    seen = [*names, *(info.name for info in inputs)]
    nodes = [
        _node(choices, seen, f"{label}.n{place}", depth + 1)
        for place in range(choices.number(0, 2 if depth < 3 else 0))
    ]
    outputs = [ValueInfoProto(name=name) for name in choices.some(seen, 3)]
    return helper.make_graph(nodes, "body", inputs, outputs)
