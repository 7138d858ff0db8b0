"""Input shapes and symbolic dimensions: how they are spelt, filled in, and refused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from onnx import ModelProto, TensorProto, helper

from graphlint.bindings import Bindings, BoundInputs, bind, parse_batches
from graphlint.errors import ShapeError, UsageError
from graphlint.graph import TensorType
from tests.models import Shape, model, view_of


def identity(shapes: dict[str, Shape]) -> ModelProto:
    """A model that does nothing to its inputs."""
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in shapes]
    return model(nodes, shapes, {f"{name}_out": None for name in shapes})


def bound(
    declared: dict[str, Shape],
    shapes: Sequence[str] = (),
    dims: Sequence[str] = (),
    *,
    strict: bool = True,
    batch: int | None = None,
) -> BoundInputs:
    bindings = Bindings.parse(shapes, dims, strict=strict, batch=batch)
    return bind(view_of(identity(declared)), bindings)


def shape_of(found: BoundInputs, key: str) -> object:
    type_ = found.types[key]
    assert isinstance(type_, TensorType)
    return type_.shape


@pytest.mark.parametrize(
    ("text", "name", "shape"),
    [
        ("x:1x3x224x224", "x", (1, 3, 224, 224)),
        ("x:[1,3,224,224]", "x", (1, 3, 224, 224)),
        ("x:[1, 3, 224, 224]", "x", (1, 3, 224, 224)),
        ("x:1,3,224,224", "x", (1, 3, 224, 224)),
        ("x:7", "x", (7,)),
        ("x:0x4", "x", (0, 4)),
        ("x:", "x", ()),
        ("x:[]", "x", ()),
        (" x:1x2 ", "x", (1, 2)),
        ("serving_default_input:0:1x2", "serving_default_input:0", (1, 2)),
        ("a b/c.d:1", "a b/c.d", (1,)),
    ],
)
def test_spellings_of_a_shape(text: str, name: str, shape: tuple[int, ...]) -> None:
    assert Bindings.parse([text]).shapes == {name: shape}


@pytest.mark.parametrize(
    "text", ["x", "1x3", ":1x3", "x:1x", "x:x3", "x:ax3", "x:-1x3", "x:1.5", "x:1x3]x", "x=1x3", ""]
)
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a shape"):
        Bindings.parse([text])


@pytest.mark.parametrize("text", ["x:[1,3", "x:1x3]"])
def test_brackets_come_in_pairs(text: str) -> None:
    with pytest.raises(UsageError, match="not a shape"):
        Bindings.parse([text])


@pytest.mark.parametrize(
    ("text", "name", "size"),
    [("N=8", "N", 8), ("batch size=0", "batch size", 0), ("a=b=3", "a=b", 3)],
)
def test_spellings_of_a_dimension(text: str, name: str, size: int) -> None:
    assert Bindings.parse(dims=[text]).dims == {name: size}


@pytest.mark.parametrize("text", ["N", "N=", "=8", "N=-1", "N=x", "N=1x2", ""])
def test_what_is_no_dimension_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a dimension"):
        Bindings.parse(dims=[text])


def test_sizes_are_limited() -> None:
    assert Bindings.parse(["x:2147483647"]).shapes == {"x": (2**31 - 1,)}
    with pytest.raises(UsageError, match="too large"):
        Bindings.parse(["x:1x2147483648"])
    with pytest.raises(UsageError, match="too large"):
        Bindings.parse(dims=["N=99999999999999999999999"])


def test_a_symbolic_batch_is_taken_as_one_and_said_so() -> None:
    found = bound({"x": ["N", 3, 8, 8]})
    assert shape_of(found, "x") == (1, 3, 8, 8)
    assert found.notes == ("batch size ('N') taken as 1",)


def test_a_nameless_batch_is_taken_as_one_and_said_so() -> None:
    found = bound({"x": [None, 3, 8, 8]})
    assert shape_of(found, "x") == (1, 3, 8, 8)
    assert found.notes == ("batch size taken as 1",)


def test_a_given_batch_is_used_wherever_its_symbol_stands() -> None:
    for found in (
        bound({"x": ["N", 3], "m": ["N", 5], "len": ["N"]}, dims=["N=4"]),
        bound({"x": ["N", 3], "m": ["N", 5], "len": ["N"]}, ["x:4x3"]),
    ):
        assert [shape_of(found, key) for key in ("x", "m", "len")] == [(4, 3), (4, 5), (4,)]
        assert found.notes == ()


def test_a_default_batch_is_used_wherever_its_symbol_stands() -> None:
    found = bound({"x": ["N", 3], "len": ["N"]})
    assert [shape_of(found, key) for key in ("x", "len")] == [(1, 3), (1,)]


def test_dimensions_other_than_the_batch_have_no_default() -> None:
    found = bound({"x": ["N", 3, "H", "W"]})
    assert shape_of(found, "x") == (1, 3, "H", "W")
    found = bound({"x": ["N", 3, "H", "W"]}, dims=["H=8"])
    assert shape_of(found, "x") == (1, 3, 8, "W")


def test_a_symbol_that_also_stands_elsewhere_is_no_batch() -> None:
    found = bound({"x": ["S", 3], "mask": [1, "S"]})
    assert shape_of(found, "x") == ("S", 3)
    assert found.notes == ()


def test_a_vector_has_no_batch() -> None:
    assert shape_of(bound({"x": ["N"]}), "x") == ("N",)


def test_nameless_dimensions_are_filled_by_a_shape() -> None:
    found = bound({"x": [None, 3, None, None]}, ["x:2x3x8x9"])
    assert shape_of(found, "x") == (2, 3, 8, 9)
    assert found.notes == ()


def test_an_input_without_rank_is_filled_by_a_shape() -> None:
    assert shape_of(bound({"x": None}, ["x:2x3"]), "x") == (2, 3)


def test_declared_sizes_of_other_values_follow() -> None:
    proto = identity({"x": ["N", "C"]})
    proto.graph.value_info.append(helper.make_tensor_value_info("x_out", 1, ["N", "C"]))
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    found = bind(view_of(proto), Bindings.parse(dims=["N=2", "C=5"]))
    assert shape_of(found, "x") == (2, 5)


@pytest.mark.parametrize("shape", ["x:1x4x8x8", "x:1x3x8", "x:3x8x8", "x:1x3x8x8x1", "x:"])
def test_a_shape_that_contradicts_the_model_is_refused(shape: str) -> None:
    with pytest.raises(ShapeError, match="can't have the shape") as caught:
        bound({"x": ["N", 3, 8, 8]}, [shape])
    assert "Nx3x8x8" in caught.value.cause
    assert caught.value.hint


def test_a_symbol_has_one_size() -> None:
    for shapes, dims in (
        (["x:4x3", "m:5x3"], []),
        (["x:4x3"], ["N=5"]),
    ):
        with pytest.raises(ShapeError, match="'N' is given twice") as caught:
            bound({"x": ["N", 3], "m": ["N", 3]}, shapes, dims)
        assert "5" in caught.value.cause
        assert "4" in caught.value.cause
    with pytest.raises(ShapeError, match="given twice"):
        bound({"x": ["N", "N"]}, ["x:4x5"])


def test_an_unknown_input_is_refused_with_what_was_meant() -> None:
    with pytest.raises(ShapeError, match="no input 'imput'") as caught:
        bound({"input": [1, 3], "mask": [1]}, ["imput:1x3"])
    assert caught.value.hint == "did you mean 'input'?"
    assert "'mask'" in caught.value.cause


def test_an_unknown_dimension_is_refused_with_what_was_meant() -> None:
    with pytest.raises(ShapeError, match="no symbolic dimension 'hight'") as caught:
        bound({"x": ["N", "height"]}, dims=["hight=3"])
    assert caught.value.hint == "did you mean 'height'?"
    with pytest.raises(ShapeError) as caught:
        bound({"x": [1, 2]}, dims=["N=3"])
    assert "no symbolic dimension at all" in caught.value.cause


def test_unknown_names_are_passed_over_where_options_serve_many_models() -> None:
    found = bound({"x": ["N", 3]}, ["other:1x2"], ["M=3"], strict=False)
    assert shape_of(found, "x") == (1, 3)


def test_only_tensors_have_a_shape() -> None:
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, [2])
    proto = model([], {}, {})
    proto.graph.input.append(sequence)
    with pytest.raises(ShapeError, match="is no tensor"):
        bind(view_of(proto), Bindings.parse(["s:1x2"]))


def test_batches_keep_their_order() -> None:
    assert parse_batches("16, 1,4") == (16, 1, 4)


@pytest.mark.parametrize(
    "text", ["0", "1,0", "-1", "two", "1,,2", "", ",", "1.5", "1e3", "1,1", "٣", "9" * 12]
)
def test_what_is_no_batch_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_batches(text)
    assert caught.value.message.startswith(f"--batch {text}: ")
    assert caught.value.cause
    assert caught.value.hint


def test_a_batch_is_set_wherever_it_is_symbolic_and_nothing_is_assumed() -> None:
    found = bound({"x": ["N", 3, 8], "y": [None, 4], "z": ["N"]}, batch=7)
    assert [shape_of(found, key) for key in "xyz"] == [(7, 3, 8), (7, 4), (7,)]
    assert found.notes == ()


@pytest.mark.parametrize(
    ("declared", "options", "message"),
    [
        ({"x": [1, 3, 8]}, {}, "the batch is fixed to 1"),
        ({"x": ["N", 3]}, {"dims": ["N=2"]}, "no batch left to set"),
        ({"x": ["N", 3]}, {"shapes": ["x:2x3"]}, "no batch left to set"),
        ({"x": ["N"]}, {}, "no batch to set"),
        ({"x": ["N", "N"]}, {}, "no batch to set"),
    ],
)
def test_where_there_is_no_batch_to_set_it_is_said_why(
    declared: dict[str, Shape], options: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(ShapeError, match=message) as caught:
        bound(declared, options.get("shapes", ()), options.get("dims", ()), batch=4)
    assert caught.value.cause
    assert caught.value.hint
