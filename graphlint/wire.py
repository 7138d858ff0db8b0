"""The protobuf wire format of an ONNX model, walked without loading the weights.

`strip` copies a serialised `ModelProto` and leaves the payloads of large tensors out. What remains
is a valid `ModelProto` of the model's structure. A tensor whose payload was left out carries where
it lies: `external_data` with an empty `location` (which no real external file has), `offset` and
`length` in the file, and `field`, the number of the field that holds it.

Messages are entered only where a tensor can hide in them and they are larger than `KEEP_BYTES`;
everything else is copied in runs, so that the cost follows the structure, not the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

KEEP_BYTES = 1024
"""Messages up to this size are copied whole: small tensors stay readable."""

MAX_DEPTH = 100
"""How deep messages may nest: protobuf's own limit for a parser."""

_MAX_VARINT_BYTES = 10
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# Which fields of a message lead to tensors, by message and field number (onnx.proto).
_CHILDREN: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "TrainingInfo", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {
        5: "Tensor",
        6: "Graph",
        10: "Tensor",
        11: "Graph",
        22: "SparseTensor",
        23: "SparseTensor",
    },
    "Function": {7: "Node", 11: "Attribute"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "TrainingInfo": {1: "Graph", 2: "Graph"},
}
# float_data, int32_data, string_data, int64_data, raw_data, double_data, uint64_data
_PAYLOADS = frozenset({4, 5, 6, 7, 9, 10, 11})


class WireError(ValueError):
    """Bytes that are no protobuf message. `offset` is where; `truncated` if they end too early."""

    def __init__(self, reason: str, offset: int, *, truncated: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset
        self.truncated = truncated


class _Field(NamedTuple):
    number: int
    wire_type: int
    start: int  # of the value: for bytes, behind the length
    end: int


Skipped = Callable[[int], None]


def _nothing(payload_bytes: int) -> None:
    """What is done with a payload that is passed over, unless the caller wants more."""


@dataclass(frozen=True, slots=True)
class Stripped:
    """`data` is the serialised structure; `payload_bytes` is how much was left out."""

    data: bytes
    payload_bytes: int


def strip(buffer: memoryview, skipped: Skipped = _nothing) -> Stripped:
    """Copy a serialised `ModelProto`, leaving out the payloads of tensors over `KEEP_BYTES`.

    `skipped` is told the bytes of each payload that was passed over; no view of what lies before it
    is held then.

    Raises:
        WireError: the bytes are no protobuf message, or end in the middle of one.
    """
    data = _strip_message(buffer, 0, len(buffer), "Model", 0, skipped)
    return Stripped(data, len(buffer) - len(data))


def _strip_message(
    buffer: memoryview, start: int, end: int, kind: str, depth: int, skipped: Skipped
) -> bytes:
    if depth > MAX_DEPTH:
        raise WireError(f"messages nest deeper than {MAX_DEPTH}", start)
    children = _CHILDREN[kind]
    parts: list[bytes] = []
    copied = position = start  # everything before `copied` is in `parts`
    while position < end:
        tag = position
        first = buffer[tag]
        if first > 7 and first & 0x87 == _BYTES and tag + 2 < end:
            # Nearly every field: bytes behind a tag of one byte, with a length of one or two.
            length, head = buffer[tag + 1], 2
            if length > 0x7F:
                length, head = (length & 0x7F) + (buffer[tag + 2] << 7), 3
            if length <= KEEP_BYTES and tag + head + length <= end:
                position = tag + head + length
                continue
        field = _read_field(buffer, position, end)
        position = field.end
        child = children.get(field.number)
        if child is None or field.wire_type != _BYTES or field.end - field.start <= KEEP_BYTES:
            continue
        if child == "Tensor":
            body = _strip_tensor(buffer, field.start, field.end, skipped)
        else:
            body = _strip_message(buffer, field.start, field.end, child, depth + 1, skipped)
        if len(body) == field.end - field.start:
            continue
        parts += (bytes(buffer[copied:tag]), length_delimited(field.number, body))
        copied = position
    if not parts:
        return bytes(buffer[start:end])
    parts.append(bytes(buffer[copied:end]))
    return b"".join(parts)


def _strip_tensor(buffer: memoryview, start: int, end: int, skipped: Skipped) -> bytes:
    parts: list[bytes] = []
    pieces = payload_bytes = number = payload_start = payload_end = 0
    copied = position = start  # everything before `copied` is in `parts` or a payload
    while position < end:
        tag = position
        field = _read_field(buffer, position, end)
        position = field.end
        if field.number not in _PAYLOADS:
            continue
        if copied < tag:
            parts.append(bytes(buffer[copied:tag]))
        copied = position
        pieces += 1
        payload_bytes += field.end - field.start
        if pieces == 1:
            number, payload_start = field.number, field.start
        payload_end = field.end
    if payload_bytes <= KEEP_BYTES:
        return bytes(buffer[start:end])
    parts.append(bytes(buffer[copied:end]))
    skipped(payload_bytes)
    entries = {
        "location": "",
        "offset": payload_start,
        "length": payload_end - payload_start,
        # One packed piece can be read back from its place; many pieces can not.
        "field": number if pieces == 1 else 0,
    }
    for key, value in entries.items():
        pair = length_delimited(1, key.encode()) + length_delimited(2, str(value).encode())
        parts.append(length_delimited(13, pair))
    parts.append(b"\x70\x01")  # data_location = EXTERNAL
    return b"".join(parts)


def length_delimited(number: int, body: bytes) -> bytes:
    """A field that holds `body`, as it stands on the wire."""
    return _varint(number << 3 | _BYTES) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_field(buffer: memoryview, position: int, end: int) -> _Field:
    offset = position
    tag = buffer[position]
    position += 1
    if tag > 0x7F:
        tag, position = _read_varint(buffer, offset, end)
    number, wire_type = tag >> 3, tag & 7
    if number == 0:
        raise WireError("a field has the number 0", offset)
    if wire_type == _BYTES:
        length, position = _read_varint(buffer, position, end)
        if length > end - position:
            raise WireError(
                f"a field of {length} bytes begins where {end - position} are left",
                offset,
                truncated=True,
            )
        return _Field(number, wire_type, position, position + length)
    if wire_type == _VARINT:
        return _Field(number, wire_type, position, _read_varint(buffer, position, end)[1])
    if wire_type in (_FIXED32, _FIXED64):
        size = 4 if wire_type == _FIXED32 else 8
        if size > end - position:
            raise WireError("a number is cut short", offset, truncated=True)
        return _Field(number, wire_type, position, position + size)
    raise WireError(f"a field has the unknown wire type {wire_type}", offset)


def _read_varint(buffer: memoryview, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    stop = min(position + _MAX_VARINT_BYTES, end)
    for place in range(position, stop):
        byte = buffer[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place + 1
        shift += 7
    if stop - position == _MAX_VARINT_BYTES:
        raise WireError(f"a number of more than {_MAX_VARINT_BYTES} bytes", position)
    raise WireError("a number is cut short", position, truncated=True)
