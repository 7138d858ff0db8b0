"""What a counting function is told of a node, and what is made of what it returns."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from graphlint.costs import (
    Category,
    Handle,
    NodeCost,
    Operand,
    Operation,
    UnknownCost,
    Work,
    element_bits,
    operators,
)
from graphlint.costs.count import count
from graphlint.graph import Constant, OtherType, TensorType
from tests.costs.helpers import node_of, refused

NODE = node_of(helper.make_node("Op", ["a", "", "c"], ["y", "", "z"], axis=3))


def tensor(key: str, *shape: int) -> Operand:
    return Operand(key, TensorType(TensorProto.FLOAT, shape))


def stored(key: str, *shape: int) -> Operand:
    constant = Constant(TensorProto.FLOAT, shape, None)
    return Operand(key, TensorType(TensorProto.FLOAT, shape), constant, static=True)


OPERATION = Operation(
    NODE, (tensor("a", 2), None, tensor("c", 3, 4)), (tensor("y", 5), None, tensor("z", 6, 7))
)


# Operands by position


def test_inputs_and_outputs_by_position() -> None:
    assert [OPERATION.has_input(place) for place in range(4)] == [True, False, True, False]
    assert (OPERATION.input(0).key, OPERATION.input(2).key) == ("a", "c")
    assert (OPERATION.output().key, OPERATION.output(2).key) == ("y", "z")
    assert OPERATION.output_elements == 5 + 42
    assert (OPERATION.attribute("axis"), OPERATION.attribute("other", 7)) == (3, 7)
    assert OPERATION.attribute("other") is None


@pytest.mark.parametrize("place", [1, 3])
def test_an_operand_that_is_left_out(place: int) -> None:
    with pytest.raises(UnknownCost, match=f"Op lacks its input {place}"):
        OPERATION.input(place)
    with pytest.raises(UnknownCost, match=f"Op lacks its output {place}"):
        OPERATION.output(place)


# Types


def test_a_tensor_whose_shape_is_known() -> None:
    operand = tensor("x", 2, 3, 4)
    assert (operand.shape, operand.rank, operand.elements) == ((2, 3, 4), 3, 24)
    assert operand.dtype == TensorProto.FLOAT


def test_the_rank_may_be_known_where_the_shape_is_not() -> None:
    operand = Operand("x", TensorType(TensorProto.FLOAT, ("N", 3)))
    assert operand.rank == 2
    with pytest.raises(UnknownCost, match="the shape of 'x' is unknown"):
        _ = operand.elements


@pytest.mark.parametrize("type_", [None, TensorType(TensorProto.FLOAT, None)])
def test_nothing_is_known_without_a_shape(type_: TensorType | None) -> None:
    operand = Operand("x", type_, reason="the Loop before it has no end")
    for name in ("shape", "rank", "elements"):
        with pytest.raises(UnknownCost, match="the Loop before it has no end"):
            getattr(operand, name)
    with pytest.raises(UnknownCost, match="the value of 'x' is not known before the model runs"):
        operand.numbers()


def test_what_is_no_tensor_has_neither_shape_nor_element_type() -> None:
    operand = Operand("x", OtherType("sparse_tensor", b""))
    assert operand.dtype == Operand("y", None).dtype == 0
    for name in ("shape", "rank"):
        with pytest.raises(UnknownCost, match="'x' is a sparse tensor, whose size is not known"):
            getattr(operand, name)


def test_a_value_that_is_known() -> None:
    assert Operand("x", None, data=np.array([3, 4])).numbers().tolist() == [3, 4]


@pytest.mark.parametrize(
    ("dtype", "reason"),
    [
        (TensorProto.STRING, "string tensors have no fixed size"),
        (0, "no element type"),
        (99, "element type 99 is not known"),
    ],
)
def test_element_types_without_a_size(dtype: int, reason: str) -> None:
    with pytest.raises(UnknownCost, match=reason):
        element_bits(dtype)


# What a counting function returns


def made(work: Work, *inputs: Operand | None, control: tuple[int, ...] = ()) -> NodeCost:
    """The cost of a node whose counting function returns `work`."""
    (handle,) = operators("Op", lambda _: work, Category.OTHER, control).values()
    return count(Operation(NODE, inputs, (tensor("y", 5),)), handle)


def test_a_handle_without_settings_takes_every_input() -> None:
    assert Handle(lambda _: Work(), Category.OTHER).control == frozenset()
    table = operators("A B", lambda _: Work(), Category.POOLING, (2,))
    assert table.keys() == {"A", "B"}
    assert {(one.category, *one.control) for one in table.values()} == {(Category.POOLING, 2)}


def test_everything_is_moved_once_and_whole_by_default() -> None:
    assert made(Work(), tensor("a", 2), None, stored("c", 3, 4), tensor("a", 2)) == NodeCost(
        Category.OTHER,
        read_elements=2,
        write_elements=5,
        weight_elements=12,
        read_bytes=8,
        write_bytes=20,
        weight_bytes=48,
        parameters=12,
    )


def test_what_a_handle_returns_is_what_counts() -> None:
    work = Work(7, 9, reads={0: 1, 1: 2}, writes={0: 3}, parameters={1: 4})
    found = made(work, tensor("a", 2), stored("c", 3, 4))
    assert (found.multiply_adds, found.element_operations) == (7, 9)
    assert (found.read_elements, found.weight_elements, found.write_elements) == (1, 2, 3)
    assert found.parameters == 4


def test_what_moves_nothing_may_hold_parameters() -> None:
    found = made(Work(moves=False), tensor("a", 2), stored("c", 3, 4))
    assert (found.memory_access_elements, found.parameters) == (0, 12)


def test_a_tensor_at_two_places_is_read_as_far_as_the_place_that_needs_most_of_it() -> None:
    both = stored("c", 3, 4)
    found = made(Work(reads={0: 5, 1: 7}, parameters={0: 2, 1: 3}), both, both)
    assert (found.weight_elements, found.parameters) == (7, 3)
    found = made(Work(reads={0: 5}), both, both)
    assert (found.weight_elements, found.parameters) == (12, 12)


def test_a_setting_that_is_known_does_not_count_but_elsewhere_the_same_tensor_does() -> None:
    both = stored("c", 3)
    assert made(Work(), tensor("a", 2), both, control=(1,)).weight_elements == 0
    assert made(Work(), tensor("a", 2), tensor("b", 3), control=(1,)).read_elements == 5
    found = made(Work(), both, both, control=(1,))
    assert (found.weight_elements, found.parameters) == (3, 3)


@pytest.mark.parametrize(
    ("work", "figure"),
    [
        (Work(multiply_adds=-1), "-1"),
        (Work(element_operations=-2), "-2"),
        (Work(reads={0: -3}), "-3"),
        (Work(reads={1: -4}), "-4"),
        (Work(writes={0: -5}), "-5"),
        (Work(parameters={1: -6}), "-6"),
        (Work(multiply_adds=0.5), "0.5"),  # type: ignore[arg-type]
    ],
)
def test_a_count_is_a_whole_number(work: Work, figure: str) -> None:
    found = made(work, tensor("a", 2), stored("c", 3, 4))
    assert found == NodeCost(
        Category.OTHER, unknown=f"the node does not fit the operator Op (it counts {figure})"
    )


def test_nothing_at_all_is_a_count() -> None:
    assert made(Work(writes={0: 0})) == NodeCost(Category.OTHER)


# Nodes that do not fit their operators


@pytest.mark.parametrize(
    ("op", "inputs", "output", "attributes", "reason"),
    [
        ("MaxPool", [[1, 2, 4, 4]], [1, 2, 2, 2], {}, "MaxPool lacks its kernel_shape"),
        ("GridSample", [[1, 2, 4, 4], [1, 2]], TensorType(1, None), {}, "the shape of 'y0' is"),
        ("GridSample", [[4], [1, 2]], [7], {}, "the node does not fit the operator GridSample"),
        ("Einsum", [[2, 3]], [2], {"equation": "ij,jk->ik"}, "the equation has 2 terms for 1 "),
        ("Einsum", [[2], [3]], [2], {"equation": "i"}, "the equation has 1 terms for 2 operands"),
        ("Einsum", [[2, 3], [3]], [2], {"equation": "i,j"}, "the equation's term 'i' does not fit"),
        ("Einsum", [[2, 3]], [2], {"equation": "...ijk"}, "the equation's term '...ijk' does not "),
        ("DFT", [[6, 4, 1], [1]], [6, 4, 2], {}, "the value of 'b' is not known"),
        ("LRN", [[3, 4]], [3, 4], {"size": -9}, "the node does not fit the operator LRN (it "),
    ],
)
def test_reasons(
    op: str, inputs: list[Any], output: Any, attributes: dict[str, Any], reason: str
) -> None:
    found = refused(op, *inputs, outputs=[output], domain="", **attributes)
    assert found.startswith(reason)
