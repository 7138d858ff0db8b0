"""The reader that leaves payloads out: what it keeps, what it drops, and what it refuses."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    helper,
    numpy_helper,
)

from graphlint.wire import KEEP_BYTES, WireError, strip
from tests.models import graph, model

PAYLOADS = (
    "float_data",
    "int32_data",
    "string_data",
    "int64_data",
    "raw_data",
    "double_data",
    "uint64_data",
)


def stripped(proto: ModelProto) -> ModelProto:
    """The structure that is left of a model."""
    return ModelProto.FromString(strip(memoryview(proto.SerializeToString())).data)


def tensors_of(proto: ModelProto) -> Iterator[TensorProto]:
    """Every tensor in the model, wherever it hides, in the order of the file."""
    for training in proto.training_info:
        yield from tensors_of_graph(training.initialization)
        yield from tensors_of_graph(training.algorithm)
    yield from tensors_of_graph(proto.graph)
    for function in proto.functions:
        for node in function.node:
            yield from tensors_of_node(node)
        for attribute in function.attribute_proto:
            yield from tensors_of_attribute(attribute)


def tensors_of_graph(proto: GraphProto) -> Iterator[TensorProto]:
    yield from proto.initializer
    for sparse in proto.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in proto.node:
        yield from tensors_of_node(node)


def tensors_of_node(node: NodeProto) -> Iterator[TensorProto]:
    for attribute in node.attribute:
        yield from tensors_of_attribute(attribute)


def tensors_of_attribute(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
        if sparse.HasField("values"):
            yield from (sparse.values, sparse.indices)
    if attribute.HasField("g"):
        yield from tensors_of_graph(attribute.g)
    for body in attribute.graphs:
        yield from tensors_of_graph(body)


def payload_bytes(tensor: TensorProto) -> int:
    """How much a tensor's numbers take in the file, without tags and lengths."""
    body = TensorProto()
    for name in PAYLOADS:
        if name == "raw_data":
            body.raw_data = tensor.raw_data
        else:
            getattr(body, name).extend(getattr(tensor, name))
    return body.ByteSize()


def without_payloads(proto: ModelProto) -> ModelProto:
    """The model as `strip` should leave it, by protobuf's own means."""
    copy = ModelProto()
    copy.CopyFrom(proto)
    for tensor in tensors_of(copy):
        if payload_bytes(tensor) > KEEP_BYTES + 8:  # the tag and the length
            for name in PAYLOADS:
                tensor.ClearField(name)
    return copy


def without_places(proto: ModelProto) -> ModelProto:
    """The stripped model without the marks that say where the payloads lie."""
    copy = ModelProto()
    copy.CopyFrom(proto)
    for tensor in tensors_of(copy):
        if [entry.key for entry in tensor.external_data][-1:] == ["field"]:
            del tensor.external_data[:]
            tensor.ClearField("data_location")
    return copy


def big(name: str = "w", elements: int = 1000) -> TensorProto:
    return numpy_helper.from_array(np.arange(elements, dtype=np.float32), name)


def in_initializer(tensor: TensorProto) -> ModelProto:
    return model([], {}, {}, [tensor])


def in_constant(tensor: TensorProto) -> ModelProto:
    return model([helper.make_node("Constant", [], ["c"], value=tensor)], {}, {})


def in_tensors_attribute(tensor: TensorProto) -> ModelProto:
    return model([helper.make_node("Custom", [], ["c"], domain="local", many=[tensor])], {}, {})


def in_body(tensor: TensorProto) -> ModelProto:
    inner = graph([helper.make_node("Constant", [], ["c"], value=tensor)], {}, {"c": [1000]})
    outer = graph(
        [helper.make_node("If", ["b"], ["d"], then_branch=inner, else_branch=inner)], {}, {}
    )
    return model(
        [helper.make_node("If", ["a"], ["y"], then_branch=outer, else_branch=outer)], {}, {}
    )


def in_function(tensor: TensorProto) -> ModelProto:
    nodes = [helper.make_node("Constant", [], ["c"], value=tensor)]
    function = helper.make_function("local", "F", [], ["c"], nodes, [helper.make_opsetid("", 17)])
    return model([], {}, {}, functions=[function])


def in_function_default(tensor: TensorProto) -> ModelProto:
    function = helper.make_function(
        "local",
        "F",
        [],
        [],
        [],
        [helper.make_opsetid("", 17)],
        attribute_protos=[helper.make_attribute("w", tensor)],
    )
    return model([], {}, {}, functions=[function])


def in_sparse_initializer(tensor: TensorProto) -> ModelProto:
    return model([], {}, {}, sparse_initializer=[sparse_of(tensor)])


def in_sparse_constant(tensor: TensorProto) -> ModelProto:
    node = helper.make_node("Constant", [], ["c"], sparse_value=sparse_of(tensor))
    return model([node], {}, {})


def in_training_info(tensor: TensorProto) -> ModelProto:
    proto = model([], {}, {})
    proto.training_info.add().algorithm.CopyFrom(graph([], {}, {}, [tensor]))
    return proto


def sparse_of(tensor: TensorProto) -> SparseTensorProto:
    indices = numpy_helper.from_array(np.arange(1000, dtype=np.int64), "i")
    return helper.make_sparse_tensor(tensor, indices, [5000])


PLACES = [
    in_initializer,
    in_constant,
    in_tensors_attribute,
    in_body,
    in_function,
    in_function_default,
    in_sparse_initializer,
    in_sparse_constant,
    in_training_info,
]


@pytest.mark.parametrize("place", PLACES)
def test_payloads_are_left_out_wherever_they_hide(
    place: Callable[[TensorProto], ModelProto],
) -> None:
    proto = place(big())
    found = stripped(proto)
    assert any(tensor.raw_data for tensor in tensors_of(proto))
    assert not any(tensor.raw_data for tensor in tensors_of(found))
    assert found.ByteSize() < proto.ByteSize() - 3900
    assert without_places(found) == without_payloads(proto)


def spelled(field: str, *, count: int = 3000) -> TensorProto:
    """A tensor of `count` numbers (or strings) held in one of the payload fields."""
    tensor = TensorProto(name="w", dims=[count])
    if field == "raw_data":
        tensor.data_type = TensorProto.FLOAT
        tensor.raw_data = np.arange(count, dtype=np.float32).tobytes()
    elif field == "string_data":
        tensor.data_type = TensorProto.STRING
        tensor.string_data.extend([b"text"] * count)
    else:
        dtypes = {
            "float_data": TensorProto.FLOAT,
            "int32_data": TensorProto.INT32,
            "int64_data": TensorProto.INT64,
            "double_data": TensorProto.DOUBLE,
            "uint64_data": TensorProto.UINT64,
        }
        tensor.data_type = dtypes[field]
        getattr(tensor, field).extend(range(count))
    return tensor


@pytest.mark.parametrize("field", PAYLOADS)
def test_every_payload_field_is_left_out_and_its_place_is_marked(field: str) -> None:
    data = in_initializer(spelled(field)).SerializeToString()
    left = ModelProto.FromString(strip(memoryview(data)).data).graph.initializer[0]
    place = {entry.key: entry.value for entry in left.external_data}
    assert not getattr(left, field)
    assert (left.name, list(left.dims), left.data_location) == ("w", [3000], TensorProto.EXTERNAL)
    assert place["location"] == ""
    number = TensorProto.DESCRIPTOR.fields_by_name[field].number
    assert place["field"] == str(0 if field == "string_data" else number)
    piece = data[int(place["offset"]) : int(place["offset"]) + int(place["length"])]
    if field == "raw_data":
        assert piece == np.arange(3000, dtype=np.float32).tobytes()
    if field == "double_data":
        assert piece == np.arange(3000, dtype=np.float64).tobytes()


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def test_unpacked_numbers_are_left_out() -> None:
    floats = b"".join(varint(4 << 3 | 5) + np.float32(i).tobytes() for i in range(1000))
    tensor = TensorProto(name="w", dims=[1000], data_type=1).SerializeToString() + floats
    assert len(TensorProto.FromString(tensor).float_data) == 1000
    data = field(7, field(5, tensor))
    left = ModelProto.FromString(strip(memoryview(data)).data).graph.initializer[0]
    assert not left.float_data
    assert {e.key: e.value for e in left.external_data}["field"] == "0"
    assert (left.name, list(left.dims)) == ("w", [1000])


def test_small_tensors_keep_their_numbers() -> None:
    proto = in_initializer(big(elements=KEEP_BYTES // 4))
    assert stripped(proto) == proto


def test_what_is_left_does_not_grow_with_the_weights() -> None:
    small, large = (in_body(big(elements=n)).SerializeToString() for n in (10_000, 90_000))
    digits = 4 * 2 * 2  # of places and lengths, in four tensors
    assert len(strip(memoryview(large)).data) <= len(strip(memoryview(small)).data) + digits


def test_fields_of_other_versions_of_onnx_are_kept() -> None:
    data = in_initializer(big()).SerializeToString() + field(999, b"x" * 5000)
    assert strip(memoryview(data)).data.endswith(b"x" * 5000)


NAMES = st.text("abc/:é", max_size=12)


@st.composite
def tensors(draw: st.DrawFn) -> TensorProto:
    count = draw(st.sampled_from([0, 1, 3, 127, 128, 129, 300, 2000]))
    tensor = spelled(draw(st.sampled_from(PAYLOADS)), count=count)
    tensor.name = draw(NAMES)
    tensor.doc_string = "d" * draw(st.sampled_from([0, 1, 200, 3000]))
    return tensor


@st.composite
def graphs(draw: st.DrawFn, depth: int = 2) -> GraphProto:
    nodes = []
    for _ in range(draw(st.integers(0, 3))):
        node = helper.make_node("Op", draw(st.lists(NAMES, max_size=3)), [draw(NAMES)])
        if draw(st.booleans()):
            node.attribute.append(helper.make_attribute("t", draw(tensors())))
        if draw(st.booleans()):
            node.attribute.append(helper.make_attribute("ints", [1, 2, 3]))
        if depth and draw(st.booleans()):
            node.attribute.append(helper.make_attribute("g", draw(graphs(depth - 1))))
        nodes.append(node)
    proto = graph(nodes, {"x": [1, "N"]}, {}, draw(st.lists(tensors(), max_size=3)))
    proto.doc_string = "d" * draw(st.sampled_from([0, 200, 20_000]))
    return proto


@st.composite
def models(draw: st.DrawFn) -> ModelProto:
    proto = helper.make_model(draw(graphs()))
    if draw(st.booleans()):
        proto.training_info.add().initialization.CopyFrom(draw(graphs(depth=0)))
    if draw(st.booleans()):
        body = draw(graphs(depth=1))
        imports = [helper.make_opsetid("", 17)]
        proto.functions.append(helper.make_function("local", "F", [], [], body.node, imports))
    return proto


@settings(max_examples=150, deadline=None)
@given(models())
def test_structure_is_kept_whatever_the_model(proto: ModelProto) -> None:
    data = proto.SerializeToString()
    result = strip(memoryview(data))
    found = ModelProto.FromString(result.data)
    assert without_places(found) == without_payloads(proto)
    assert result.payload_bytes == len(data) - len(result.data)


def sample() -> bytes:
    """A small model with most of what a model can hold."""
    proto = in_body(big(elements=300))
    proto.graph.initializer.append(spelled("int64_data", count=700))
    proto.functions.extend(in_function(big(elements=300)).functions)
    return proto.SerializeToString()


def test_a_model_cut_at_any_byte_is_refused_or_parses() -> None:
    data = sample()
    refused = 0
    for end in range(len(data)):
        if (error := failure(data[:end])) is not None:
            assert error.truncated
            assert 0 <= error.offset <= end
            refused += 1
    assert refused > 0.95 * len(data)


def failure(data: bytes) -> WireError | None:
    """What is wrong with the bytes, if anything."""
    try:
        strip(memoryview(data))
    except WireError as error:
        return error
    return None


def test_flipped_bytes_raise_nothing_but_wire_errors() -> None:
    data = sample()
    chance = random.Random(0)
    for _ in range(3000):
        broken = bytearray(data)
        for _ in range(chance.choice([1, 1, 1, 2, 8])):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            result = strip(memoryview(broken))
        except WireError:
            continue
        assert result.payload_bytes == len(broken) - len(result.data)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_wire_errors(data: bytes) -> None:
    with suppress(WireError):
        assert strip(memoryview(data)).data == data


def test_deep_nesting_is_refused() -> None:
    body = b"x" * 2000
    for _ in range(100):
        body = field(1, field(5, field(6, body)))  # graph → node → attribute → graph
    with pytest.raises(WireError, match="nest deeper than 100"):
        strip(memoryview(field(7, body)))


@pytest.mark.parametrize("length", [5, 2**31, 2**63 - 1, 2**64 - 1, 2**69])
def test_a_length_beyond_the_end_is_refused(length: int) -> None:
    with pytest.raises(WireError, match=f"{length} bytes") as caught:
        strip(memoryview(b"\x08\x07" + varint(7 << 3 | 2) + varint(length) + b"four"))
    assert caught.value.truncated
    assert caught.value.offset == 2


def test_a_length_may_not_lead_out_of_the_message_around_it() -> None:
    inner = varint(5 << 3 | 2) + varint(3000) + b"x" * 2000
    with pytest.raises(WireError):
        strip(memoryview(field(7, inner) + b"y" * 5000))


def test_a_number_has_at_most_ten_bytes() -> None:
    minus_one = b"\xff" * 9 + b"\x01"
    data = b"\x08" + minus_one
    assert ModelProto.FromString(data).ir_version == -1
    assert strip(memoryview(data)).data == data
    with pytest.raises(WireError, match="more than 10 bytes") as caught:
        strip(memoryview(b"\x08" + b"\xff" * 10 + b"\x01"))
    assert not caught.value.truncated


@pytest.mark.parametrize("data", [b"\x02\x00", b"\x00\x00", b"\x3e\x00", b"\x0b\x0c", b"\x0f"])
def test_impossible_tags_are_refused(data: bytes) -> None:
    with pytest.raises(WireError) as caught:
        strip(memoryview(data + bytes(8)))
    assert not caught.value.truncated


def test_lengths_spelt_longer_than_needed_are_understood() -> None:
    tensor = big().SerializeToString()
    graph_body = varint(5 << 3 | 2) + spelt_long(len(tensor)) + tensor
    data = varint(7 << 3 | 2) + spelt_long(len(graph_body)) + graph_body
    left = ModelProto.FromString(strip(memoryview(data)).data)
    assert left.graph.initializer[0].name == "w"
    assert not left.graph.initializer[0].raw_data


def spelt_long(value: int) -> bytes:
    return bytes([value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14 | 0x80, 0x00])
