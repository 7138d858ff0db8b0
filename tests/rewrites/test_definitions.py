"""A node is what its operator's definition says, or it is not recognised."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from graphlint_rules.rewrites.definitions import (
    axes_of,
    axis_of,
    integers,
    is_standard,
    slices,
    standard_at,
)
from tests.models import model
from tests.rewrites.subjects import made_by, subject_of, written

X = "m (float[1,4,6,6] x, float[4,1,3,3] w) => (y)"

STANDARD = {
    "nothing said": "y = Relu (x)",
    "all said": "y = Conv <group = 4, pads = [1, 1, 1, 1], auto_pad = 'NOTSET'> (x, w)",
    "a list of nothing": "y = Conv <pads: ints = []> (x, w)",
    "a tensor": "y = ConstantOfShape <value = float[1] {1}> (x)",
}
ODD = {
    "an attribute that it has not": "y = Relu <alpha = 1.0> (x)",
    "a number for a list": "y = Conv <pads: int = 1> (x, w)",
    "a list for a number": "y = Conv <group: ints = [4]> (x, w)",
    "a float for an int": "y = Conv <group: float = 4.0> (x, w)",
    "a text for an int": "y = Conv <group: string = '4'> (x, w)",
    "an int for a text": "y = Conv <auto_pad: int = 0> (x, w)",
    "an int for a float": "y = LeakyRelu <alpha: int = 1> (x)",
    "floats for ints": "y = Conv <pads: floats = [1.0, 1.0, 1.0, 1.0]> (x, w)",
    "nothing where it must say": "y = Concat (x, x)",
    "one input more": "y = Relu (x, x)",
    "one input less": "y = Conv (x)",
    "one output more": "y, z = Relu (x)",
    "of another domain": "y = own.Relu (x)",
    "of no operator": "y = Nothing (x)",
}


@pytest.mark.parametrize("name", STANDARD)
def test_operators_are_recognised(name: str) -> None:
    subject = written(f"{X} {{ {STANDARD[name]} }}".replace("'", '"'))
    assert is_standard(made_by(subject))
    assert standard_at(subject.view, "y") is made_by(subject)


@pytest.mark.parametrize("name", ODD)
def test_what_the_definition_does_not_know_is_not_recognised(name: str) -> None:
    subject = written(f"{X} {{ {ODD[name]} }}".replace("'", '"'))
    assert not is_standard(made_by(subject))
    assert standard_at(subject.view, "y") is None


def test_a_definition_is_that_of_the_version() -> None:
    """Clip's bounds were attributes up to version 10, Concat's axis had a default in the first."""
    clip, concat = f"{X} {{ y = Clip <min = 0.0> (x) }}", f"{X} {{ y = Concat (x, x) }}"
    assert [is_standard(made_by(written(clip, opset))) for opset in (10, 11)] == [True, False]
    assert [is_standard(made_by(written(concat, opset))) for opset in (3, 4)] == [True, False]


def test_without_an_imported_version_nothing_is_defined() -> None:
    proto = model([helper.make_node("Relu", ["x"], ["y"])], {"x": [1]}, {"y": None})
    del proto.opset_import[0]
    assert not is_standard(made_by(subject_of(proto)))


def test_only_the_first_output_is_the_result() -> None:
    subject = written(f"{X} {{ y, mask = Dropout (x) }}")
    assert standard_at(subject.view, "mask") is None
    assert standard_at(subject.view, "x") is None


@pytest.mark.parametrize(
    ("said", "rank", "axis"),
    [("0", 4, 0), ("3", 4, 3), ("-1", 4, 3), ("-4", 4, 0), ("4", 4, None), ("-5", 4, None)],
)
def test_an_axis_counts_from_either_end(said: str, rank: int, axis: int | None) -> None:
    assert axis_of(made_by(written(f"{X} {{ y = Concat <axis = {said}> (x, x) }}")), rank) == axis


@pytest.mark.parametrize(
    ("op", "opset", "axis"), [("Concat", 3, 1), ("Flatten", 17, 1), ("Softmax", 17, 0)]
)
def test_an_axis_that_is_left_out(op: str, opset: int, axis: int) -> None:
    """Softmax stands for those whose default is not read here."""
    assert axis_of(made_by(written(f"{X} {{ y = {op} (x) }}", opset)), 4) == axis


@pytest.mark.parametrize(
    ("text", "opset", "axes"),
    [
        ("y = ReduceMean <axes = [2, -1]> (x)", 17, {2, 3}),
        ("y = ReduceMean <axes = [2, 4]> (x)", 17, None),
        ("y = ReduceMean <axes = [-5]> (x)", 17, None),
        ("y = ReduceMean (x)", 17, None),
        ("y = ReduceMean (x, a)", 18, {2, 3}),
        ("a = Shape (w) y = ReduceMean (x, a)", 18, None),
        ("y = ReduceMean (x, f)", 18, None),
        ("y = ReduceMean (x)", 18, None),
    ],
)
def test_axes_are_an_attribute_or_an_input(text: str, opset: int, axes: set[int] | None) -> None:
    stored = "" if "Shape" in text else "int64[2] a = {-2, 3}, "
    subject = written(f"{X} <{stored}float[2] f = {{2, 3}}> {{ {text} }}", opset)
    assert axes_of(subject, made_by(subject), 4) == axes


SLICES = {
    "one axis": ({"s": [1], "e": [3], "a": [1]}, {1: slice(1, 3, 1)}),
    "counted from the end": ({"s": [1], "e": [3], "a": [-1]}, {3: slice(1, 3, 1)}),
    "backwards": ({"s": [-1], "e": [-9], "a": [1], "t": [-1]}, {1: slice(-1, -9, -1)}),
    "the first axes": ({"s": [0, 1], "e": [1, 2]}, {0: slice(0, 1, 1), 1: slice(1, 2, 1)}),
    "no such axis": ({"s": [1], "e": [3], "a": [4]}, None),
    "fewer ends": ({"s": [1, 1], "e": [3]}, None),
    "fewer axes": ({"s": [1, 1], "e": [3, 3], "a": [1]}, None),
    "fewer steps": ({"s": [1, 1], "e": [3, 3], "a": [0, 1], "t": [1]}, None),
    "an axis twice": ({"s": [1, 1], "e": [3, 3], "a": [1, -3]}, None),
    "a step of nothing": ({"s": [1], "e": [3], "a": [1], "t": [0]}, None),
    "fractions": ({"s": [1.0], "e": [3], "a": [1]}, None),
    "fractions for axes": ({"s": [1], "e": [3], "a": [1.0]}, None),
}


@pytest.mark.parametrize("name", SLICES)
def test_what_a_slice_takes(name: str) -> None:
    given, wanted = SLICES[name]
    stored = [numpy_helper.from_array(np.array(array), key) for key, array in given.items()]
    inputs = ["x", "s", "e", *(["a"] if "a" in given or "t" in given else [])]
    inputs += ["t"] if "t" in given else []
    node = helper.make_node("Slice", inputs, ["y"])
    subject = subject_of(model([node], {"x": [1, 4, 6, 6]}, {"y": None}, stored))
    assert slices(subject, made_by(subject), 4) == wanted


def test_a_slice_said_by_attributes() -> None:
    text = f"{X} {{ y = Slice <axes = [1], starts = [1], ends = [3]> (x) }}"
    subject = written(text, opset=9)
    assert slices(subject, made_by(subject), 4) == {1: slice(1, 3, 1)}


def test_only_known_whole_numbers_are_integers() -> None:
    stored = "<int64[2,1] i = {1, -2}, float[1] f = {1}, uint8[1] u = {3}>"
    subject = written(f"m (int64[1] x) => (y) {stored} {{ y = Add (x, x) }}")
    assert integers(subject, "i") == (1, -2)
    assert integers(subject, "u") == (3,)
    assert [integers(subject, key) for key in ("f", "x", "", "none")] == [None] * 4
