"""Units with one thing that is wrong: nothing fails, and what is not a unit is not recognised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, ModelProto, NodeProto, helper, numpy_helper

from graphlint.errors import GraphlintError
from graphlint.graph import TensorType
from graphlint.rewrites import Matches, Subject
from graphlint_rules.rewrites.shuffles.stages import match as match_shuffles
from graphlint_rules.rewrites.v2.stages import match as match_units
from tests.rewrites.subjects import subject_of

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
V1 = ("shufflenet_v1_unit_stride1_bn", "shufflenet_v1_unit_stride2_bn")
V2 = ("shufflenet_v2_unit_stride1", "shufflenet_v2_unit_stride2")

TENSOR = numpy_helper.from_array(np.array([1, 2]))
OF_ALL_TYPES = (1, 1.0, "1", [1, 1, 1, 1], [1.0, 1.0], ["1"], TENSOR)
INTS = (0, -1, 5, 2**31, 2**63 - 1, -(2**63))
LISTS = ([0], [1, 1, 1], [0, 0, 0, 0], [-1, -1, -1, -1], [0, 0, 1, 2, 3], [2**62] * 4)
TEXTS = ("", "SAME_LOWER", "odd")
DECLARED: tuple[tuple[int | None, ...], ...] = (
    *((), (16,), (0, 4), (1, 0, 6, 6), (1, 2**40, 6, 6), (1, 3, 5), (7, 5, 3, 2, 1)),
    (None, None, None, None),
)


@cache
def unit(name: str) -> ModelProto:
    """A fixture; not to be changed."""
    return onnx.load(str(FIXTURES / f"{name}.onnx"))


def copy_of(name: str) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(unit(name))
    return copy


def recognised(proto: ModelProto) -> tuple[Matches, Matches] | None:
    """What the rewrites find; None where the model can't be read."""
    try:
        return found_in(subject_of(proto))
    except GraphlintError:
        return None


def found_in(subject: Subject) -> tuple[Matches, Matches]:
    """What the rewrites find: of units, and of shuffles."""
    found = match_units(subject), match_shuffles(subject)
    for matches in found:
        assert all(refusal.reason and refusal.nodes for refusal in matches.refusals)
    return found


def attributes(proto: ModelProto) -> Iterator[tuple[NodeProto, AttributeProto]]:
    """All attributes of the main graph, but the tensors of Constants."""
    for node in proto.graph.node:
        for attribute in node.attribute:
            if attribute.type != AttributeProto.TENSOR:
                yield node, attribute


def set_value(attribute: AttributeProto, value: Any) -> AttributeProto:
    """Give the attribute another value; returns what it was."""
    old = AttributeProto()
    old.CopyFrom(attribute)
    attribute.CopyFrom(helper.make_attribute(attribute.name, value))
    return old


@pytest.mark.parametrize("name", V1)
def test_a_unit_with_an_attribute_of_another_type_is_none(name: str) -> None:
    proto = copy_of(name)
    found = recognised(proto)
    assert found is not None
    assert len(found[0].matches) == 1
    for node, attribute in attributes(proto):
        for value in OF_ALL_TYPES:
            old = set_value(attribute, value)
            if attribute.type != old.type:
                found = recognised(proto)
                said = f"{node.op_type} {attribute.name} = {value}"
                assert found is None or not found[0].matches, said
            attribute.CopyFrom(old)


@pytest.mark.parametrize("name", V1 + V2)
def test_odd_attributes_fail_nothing(name: str) -> None:
    proto = copy_of(name)
    for _, attribute in attributes(proto):
        others: dict[int, tuple[Any, ...]] = {
            AttributeProto.INT: INTS,
            AttributeProto.INTS: LISTS,
            AttributeProto.STRING: TEXTS,
            AttributeProto.FLOAT: (float("nan"), -1.0),
        }
        for value in others[attribute.type]:
            old = set_value(attribute, value)
            recognised(proto)
            attribute.CopyFrom(old)


@pytest.mark.parametrize("name", V1 + V2)
def test_missing_edges_fail_nothing(name: str) -> None:
    proto = copy_of(name)
    for node in proto.graph.node:
        for names in (node.input, node.output):
            before = list(names)
            for place, _ in enumerate(before):
                names[place] = ""
                recognised(proto)
                names[:] = before[:place] + before[place + 1 :]
                recognised(proto)
                names[:] = before
            names.append("more" if names is node.output else "")
            recognised(proto)
            names[:] = before


@pytest.mark.parametrize("name", V1 + V2)
def test_odd_shapes_fail_nothing(name: str) -> None:
    """A model may declare them, where nobody can infer them."""
    subject = subject_of(unit(name))
    view = subject.view
    for key in view.types:
        for shape in DECLARED:
            types = {**view.types, key: TensorType(1, shape)}
            found_in(replace(subject, view=replace(view, types=types)))


@pytest.mark.parametrize("name", V1 + V2)
def test_odd_weights_fail_nothing(name: str) -> None:
    proto = copy_of(name)
    for tensor in proto.graph.initializer:
        array = numpy_helper.to_array(tensor)
        for other in (array[..., None], array.ravel()[:1], array[:0], array.astype(str)):
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(other), tensor.name))
            recognised(proto)
        tensor.data_type = 99
        recognised(proto)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
