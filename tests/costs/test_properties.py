"""Properties that the counts have whatever the sizes are."""

from math import prod

from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from graphlint.costs import NodeCost
from tests.costs.helpers import cost

small = st.integers(1, 6)


def conv(batch: int, c_in: int, c_out: int, size: int, kernel: int, group: int) -> NodeCost:
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=group)
    w = [c_out, c_in // group, kernel, kernel]
    side = size - kernel + 1
    y = [batch, c_out, side, side]
    return cost(node, {"x": [batch, c_in, size, size], "w": w}, {"y": y}, constants=["w"])


@given(small, small, small, small, st.integers(1, 3))
@settings(max_examples=50, deadline=None)
def test_a_batch_multiplies_all_but_the_weights(
    batch: int, c_in: int, c_out: int, more: int, kernel: int
) -> None:
    one = conv(1, c_in, c_out, kernel + more, kernel, 1)
    many = conv(batch, c_in, c_out, kernel + more, kernel, 1)
    assert many.multiply_adds == batch * one.multiply_adds
    assert many.read_bytes == batch * one.read_bytes
    assert many.write_bytes == batch * one.write_bytes
    assert many.weight_bytes == one.weight_bytes
    assert many.parameters == one.parameters


@given(small, small, st.integers(1, 4), small, st.integers(1, 3))
@settings(max_examples=50, deadline=None)
def test_groups_divide_the_work_exactly(
    c_in: int, c_out: int, group: int, more: int, kernel: int
) -> None:
    size = kernel + more
    whole = conv(1, c_in * group, c_out * group, size, kernel, 1)
    parts = conv(1, c_in * group, c_out * group, size, kernel, group)
    assert parts.multiply_adds * group == whole.multiply_adds
    assert parts.weight_bytes * group == whole.weight_bytes
    assert parts.read_bytes == whole.read_bytes


@given(small, small, small)
@settings(max_examples=50, deadline=None)
def test_pointwise_convolution_is_the_paper_s_formula(c_in: int, c_out: int, side: int) -> None:
    """G1: MAC = hw(c1 + c2) + c1·c2, B = hw·c1·c2."""
    found = conv(1, c_in, c_out, side, 1, 1)
    area = side * side
    assert found.multiply_adds == area * c_in * c_out
    assert found.memory_access_elements == area * (c_in + c_out) + c_in * c_out
    assert found.memory_access_bytes == 4 * found.memory_access_elements


@given(small, small, small, small)
@settings(max_examples=50, deadline=None)
def test_matmul_gemm_and_einsum_agree(batch: int, rows: int, depth: int, columns: int) -> None:
    shapes = {"a": [batch * rows, depth], "b": [depth, columns]}
    y = {"y": [batch * rows, columns]}
    matmul = cost(helper.make_node("MatMul", ["a", "b"], ["y"]), shapes, y)
    gemm = cost(helper.make_node("Gemm", ["a", "b"], ["y"]), shapes, y)
    einsum = helper.make_node("Einsum", ["a", "b"], ["y"], equation="ij,jk->ik")
    assert matmul.multiply_adds == gemm.multiply_adds == cost(einsum, shapes, y).multiply_adds
    pointwise = helper.make_node("Conv", ["a", "b"], ["y"])
    spelt = {"a": [batch, depth, rows, 1], "b": [columns, depth, 1, 1]}
    same = cost(pointwise, spelt, {"y": [batch, columns, rows, 1]})
    assert same.multiply_adds == matmul.multiply_adds
    assert same.memory_access_bytes == matmul.memory_access_bytes


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_views_move_nothing_and_copies_move_everything(shape: list[int]) -> None:
    flat = [prod(shape)]
    view = cost(helper.make_node("Flatten", ["x"], ["y"]), {"x": shape}, {"y": flat})
    copy = cost(helper.make_node("Transpose", ["x"], ["y"]), {"x": shape}, {"y": flat})
    assert view.memory_access_elements == 0
    assert copy.memory_access_elements == 2 * prod(shape)
    assert copy.multiply_adds == view.multiply_adds == 0
