"""Fuzzing the reader: bytes → `Model` → `GraphView`, and the payloads that are read on demand."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from onnx import ModelProto, TensorProto

from benchmarks.fuzz_checks import model_file
from fixtures import hostile_graphs, hostile_operators
from graphlint import graph_builder
from graphlint.bindings import Bindings
from graphlint.costs.totals import node_costs
from graphlint.errors import ModelError
from graphlint.graph_builder import build
from graphlint.model import load
from graphlint.registry import handles
from graphlint.shapes import declared_only
from graphlint.wire import length_delimited

ROOT = Path(__file__).resolve().parent.parent
_MAX_SEED_BYTES = 8192
_MAX_NODES = 20_000  # laid open: a command has a child and its time for a million, a fuzzer has not


def reader(data: bytes) -> None:
    """A file of these bytes is refused with a `ModelError`, or is read to its costs."""
    path = model_file()
    path.write_bytes(data)
    graph_builder.MAX_NODES = _MAX_NODES
    refused = None
    try:
        model = load(str(path))
        view = build(model)
    except ModelError as error:
        refused = error
    if refused is not None:
        assert refused.message
        assert refused.cause
        return
    for constant in view.constants.values():
        assert constant.elements >= 0
    for tensor in model.proto.graph.initializer:
        model.payload(tensor)
    view, _ = declared_only(view, Bindings.parse((), ()), "not asked for")
    costs = node_costs(view, handles())
    assert all(cost.unknown != "" for cost in costs.nodes)


def seeds() -> Iterator[bytes]:
    """Small models: the fixtures without most of their weights, and the hostile collection's."""
    for path in sorted(ROOT.glob("fixtures/*.onnx")):
        proto = ModelProto.FromString(path.read_bytes())
        for tensor in proto.graph.initializer:
            if len(tensor.raw_data) > 64:
                tensor.raw_data = tensor.raw_data[:64]
        data = proto.SerializeToString()
        if len(data) <= 4 * _MAX_SEED_BYTES:
            yield data
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        for module in (hostile_graphs, hostile_operators):
            for case in module.cases():
                if case.slow:
                    continue
                case.write(path)
                if path.stat().st_size <= _MAX_SEED_BYTES:
                    yield path.read_bytes()
    large = TensorProto(name="w", data_type=1, dims=[512], raw_data=bytes(2048))
    model = ModelProto(ir_version=8)
    model.graph.initializer.append(large)
    yield model.SerializeToString()


# Mutations that keep the bytes a protobuf message


def mutated(data: bytes, max_size: int, seed: int) -> bytes:
    """The message with one of its fields, at any depth, dropped, doubled, altered or moved."""
    rng = random.Random(seed)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        data = _once(data, rng)
    return data[:max_size]


def _once(data: bytes, rng: random.Random, depth: int = 0) -> bytes:
    fields = _fields(data)
    if not fields:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))
    place = rng.randrange(len(fields))
    number, wire_type, body, whole = fields[place]
    parts = [field[3] for field in fields]
    if wire_type == 2 and depth < 12 and rng.random() < 0.8:
        # Half of what is no message is text or numbers: its bytes are altered as such.
        inner = _once(body, rng, depth + 1) if _fields(body) else _altered(body, rng)
        parts[place] = length_delimited(number, inner)
        return b"".join(parts)
    match rng.randrange(6):
        case 0:
            del parts[place]
        case 1:
            parts.insert(place, whole)
        case 2:
            other = rng.randrange(len(parts))
            parts[place], parts[other] = parts[other], parts[place]
        case 3:
            parts[place] = _altered(whole, rng)
        case 4 if wire_type == 0:
            tag = whole[: len(whole) - len(body)]
            parts[place] = tag + rng.choice(_VARINTS)
        case _:
            parts.insert(place, rng.choice(parts))
    return b"".join(parts)


_VARINTS = (b"\x00", b"\x01", b"\x7f", b"\xff\xff\xff\xff\x0f", b"\xff" * 9 + b"\x01", b"\x80" * 9)


def _altered(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return bytes([rng.randrange(256)])
    place = rng.randrange(len(data))
    replacement = bytes(rng.randrange(256) for _ in range(rng.randrange(3)))
    return data[:place] + replacement + data[place + rng.randrange(3) :]


def _fields(data: bytes) -> list[tuple[int, int, bytes, bytes]]:
    """Number, wire type, body and all bytes of every field; none where it is no message."""
    found = []
    position = 0
    while position < len(data):
        start = position
        tag, position = _varint(data, position)
        wire_type = tag & 7
        if wire_type == 0:
            body = position
            _, position = _varint(data, position)
        elif wire_type == 2:
            length, body = _varint(data, position)
            position = body + length
        elif wire_type in (1, 5):
            body = position
            position += 8 if wire_type == 1 else 4
        else:
            return []
        if position > len(data) or not tag >> 3:
            return []
        found.append((tag >> 3, wire_type, data[body:position], data[start:position]))
    return found


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    return value, len(data) + 1
