"""What is read of an input that is not read whole, and what is only lent or referred to."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, TypeProto

from graphlint.graph import OtherType, TensorType
from tests.costs.helpers import Given, counted, refused

MS = {"domain": "com.microsoft"}
ML = {"domain": "ai.onnx.ml"}


def ids(*shape: int) -> TensorType:
    return TensorType(TensorProto.INT64, shape)


def case(op: str, read: int, *inputs: Given | None, output: list[int], **more: Any) -> Any:
    """A node that reads the inputs, and how many elements of them all together."""
    return pytest.param(op, read, inputs, output, more, id=f"{op}-{read}")


X, Y = [2, 5, 12], [2, 5, 8]
"""Two sequences of 5 tokens."""

CASES = [
    # as many elements as are taken, and the indices, which the run computes
    case("Gather", 6 * 7 + 6, [100, 7], ids(6), output=[6, 7]),
    case("Gather", 2 * 7 + 6, [2, 7], ids(6), output=[6, 7]),
    case("GatherElements", 6 + 6, [100, 7], ids(2, 3), output=[2, 3]),
    case("GatherND", 3 * 7 + 3, [100, 7], ids(3, 1), output=[3, 7]),
    case("GatherND", 3 * 7 + 3, [100, 7], ids(3, 1), output=[3, 7], **MS),
    case("TorchEmbedding", 6 * 7 + 6, [100, 7], ids(6), output=[6, 7], **MS),
    case("ArrayFeatureExtractor", 5 * 2 + 2, [5, 7], ids(2), output=[5, 2], **ML),
    case("ArrayFeatureExtractor", 5 * 2, [5, 7], ids(2), output=[5, 2], known="b", **ML),
    case("Slice", 12 + 4, [9, 7], ids(2), ids(2), output=[3, 4]),
    case("Compress", 2 * 7 + 9, [9, 7], [9], output=[2, 7]),
    # what a crop leaves of one axis, whatever is added on another
    case("CenterCropPad", 4 * 7, [9, 7], ids(2), output=[4, 20], known="b"),
    case("CenterCropPad", 4 * 6, [9, 7], ids(2), output=[4, 6], known="b"),
    # one value for every target; weights of classes as far as they are taken
    case("NegativeLogLikelihoodLoss", 8 + 8, [8, 30], ids(8), output=[]),
    case("NegativeLogLikelihoodLoss", 8 + 8 + 8, [8, 30], ids(8), [30], output=[]),
    case("NegativeLogLikelihoodLoss", 8 + 8 + 3, [8, 3], ids(8), [3], output=[]),
    # lent for its type or its shape
    case("CastLike", 6, [2, 3], [50], output=[2, 3]),
    case("EyeLike", 0, [6, 6], output=[6, 6]),
    case("RandomNormalLike", 0, [6, 6], output=[6, 6]),
    case("Shape", 0, [6, 7], output=[2]),
    # settings that the run computes are read
    case("Expand", 3 + 2, [3, 1], ids(2), output=[3, 4]),
    case("ConstantOfShape", 2, ids(2), output=[3, 4]),
    case("ConstantOfShape", 0, ids(2), output=[3, 4], known="a"),
    # tables of cosines and sines: laid out by token, or rows by position
    case("RotaryEmbedding", 120 + 2 * 30, X, [2, 5, 3], [2, 5, 3], output=X),
    case("RotaryEmbedding", 120 + 2 * 30 + 10, X, [99, 3], [99, 3], ids(2, 5), output=X),
    case("RotaryEmbedding", 120 + 2 * 30 + 10, X, ids(2, 5), [99, 3], [99, 3], output=X, **MS),
    # an offset: the same rows for all sequences, from there on
    case("RotaryEmbedding", 120 + 2 * 15 + 1, X, ids(1), [99, 3], [99, 3], output=X, **MS),
    case("RotaryEmbedding", 120 + 2 * 12 + 1, X, ids(1), [4, 3], [4, 3], output=X, **MS),
    # words, positions once for both sequences, and segments
    case(
        "EmbedLayerNormalization",
        *(80 + 40 + 16 + 10, ids(2, 5), None, [99, 8], [77, 8], None, [8], [8]),
        output=Y,
        **MS,
    ),
    case(
        "EmbedLayerNormalization",
        *(24 + 40 + 16 + 16 + 20, ids(2, 5), ids(2, 5), [3, 8], [77, 8], [2, 8], [8], [8]),
        output=Y,
        **MS,
    ),
    case(
        "EmbedLayerNormalization",
        *(80 + 40 + 16 + 20, ids(2, 5), None, [99, 8], [77, 8], None, [8], [8], ids(2, 5)),
        output=Y,
        **MS,
    ),
    # positions that are given: a row for each token
    case(
        "EmbedLayerNormalization",
        *(3 * 80 + 16 + 10, ids(2, 5), ids(2, 5), [99, 8], [77, 8], [12, 8], [8], [8]),
        *(None, ids(2, 5)),
        output=Y,
        known="bi",
        **MS,
    ),
    case(
        "QEmbedLayerNormalization",
        *(80 + 40 + 80 + 16 + 20 + 1, ids(2, 5), ids(2, 5), [99, 8], [77, 8], [12, 8], [8], [8]),
        *(None, [1]),
        output=Y,
        **MS,
    ),
]


@pytest.mark.parametrize(("op", "read", "inputs", "output", "more"), CASES)
def test_elements_read(op: str, read: int, inputs: Any, output: list[int], more: Any) -> None:
    found = counted(op, *inputs, outputs=[output], **more)
    assert found.read_elements == read
    assert found.weight_elements == 0


def test_a_stored_table_counts_what_is_taken_and_holds_what_it_holds() -> None:
    found = counted("Gather", [100, 7], ids(6), outputs=[[6, 7]], stored="a")
    assert (found.weight_elements, found.parameters, found.read_elements) == (42, 700, 6)


def test_asking_for_the_shape_of_a_stored_tensor_makes_no_parameter_of_it() -> None:
    assert counted("Shape", [6, 7], outputs=[[2]], stored="a").parameters == 0
    assert counted("Reshape", [6, 7], ids(1), outputs=[[42]], stored="ab").parameters == 42


# Sequences refer to their tensors; taking them apart and together moves them


def sequence(kind: int) -> OtherType:
    proto = TypeProto()
    proto.sequence_type.elem_type.tensor_type.elem_type = kind
    return OtherType("sequence", proto.SerializeToString())


def test_splitting_into_a_sequence_writes_what_it_reads() -> None:
    halves, doubles = TensorType(TensorProto.FLOAT16, (6, 4)), sequence(TensorProto.FLOAT16)
    found = counted("SplitToSequence", halves, ids(), outputs=[doubles], known="b")
    assert (found.read_bytes, found.write_bytes) == (48, 48)
    assert (found.read_elements, found.write_elements) == (24, 24)


def test_joining_a_sequence_reads_what_it_writes() -> None:
    tensors, joined = sequence(TensorProto.DOUBLE), TensorType(TensorProto.DOUBLE, (6, 4))
    found = counted("ConcatFromSequence", tensors, outputs=[joined])
    assert (found.read_bytes, found.write_bytes) == (192, 192)


def test_joining_what_is_no_sequence_is_not_counted() -> None:
    lost = OtherType("optional", b"")
    reason = refused("ConcatFromSequence", lost, outputs=[[6, 4]], domain="")
    assert reason == "no element type"


@pytest.mark.parametrize("op", ["SequenceConstruct", "SequenceInsert", "SequenceAt", "If", "Loop"])
def test_referring_to_tensors_moves_nothing(op: str) -> None:
    found = counted(op, [6, 7], np.array(0), outputs=[[6, 7]], known="b")
    assert found.memory_access_bytes == found.element_operations == found.parameters == 0


# Dropout: a view at inference


@pytest.mark.parametrize("op", ["Dropout", "BitmaskDropout"])
def test_only_a_mask_that_is_asked_for_is_written(op: str) -> None:
    domain, version = ("com.microsoft", 1) if op == "BitmaskDropout" else ("", 13)
    settings: dict[str, Any] = {"domain": domain, "version": version}
    for outputs, written in (([X], 0), ([X, None], 0), ([X, [7]], 7)):
        found = counted(op, X, outputs=outputs, **settings)
        assert (found.read_elements, found.write_elements) == (0, written)
    training = np.array(True)
    found = counted(op, X, None, training, outputs=[X, [7]], known="c", **settings)
    assert (found.read_elements, found.write_elements) == (120, 127)


def test_training_writes_the_statistics_that_it_observes() -> None:
    given = (X, [5], [5], [5], [5])
    found = counted("BatchNormalization", *given, outputs=[X, [5], [5]], training_mode=1)
    assert (found.element_operations, found.write_elements) == (7 * 120, 130)


# Optimisers: after the rate and the count come the tensors, their gradients and their states


def test_an_optimiser_reads_and_writes_its_groups() -> None:
    given = ([1], ids(1), [4, 5], [3], [4, 5], [3], [4, 5], [3])
    found = counted(
        "Momentum",
        *given,
        outputs=[[4, 5], [3], [4, 5], [3]],
        known="ab",
        domain="ai.onnx.preview.training",
    )
    assert (found.read_elements, found.write_elements) == (3 * 23, 2 * 23)
    assert found.element_operations == 5 * 23


# A node's own arithmetic


def test_elements_and_bytes_add_up() -> None:
    mixed = (TensorType(TensorProto.FLOAT16, (3, 4)), TensorType(TensorProto.INT8, (4,)))
    made = TensorType(TensorProto.DOUBLE, (3, 4))
    found = counted("Add", *mixed, outputs=[made], stored="b")
    assert (found.read_elements, found.weight_elements, found.write_elements) == (12, 4, 12)
    assert (found.read_bytes, found.weight_bytes, found.write_bytes) == (24, 4, 96)
    assert (found.memory_access_elements, found.memory_access_bytes) == (28, 124)
    assert found.parameters == 4
