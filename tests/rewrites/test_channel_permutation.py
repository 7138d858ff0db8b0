"""A channel shuffle is what it does, not how it's spelt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphlint.bindings import Bindings
from graphlint.rewrites import Subject
from graphlint.rewriting.subject import read
from graphlint_rules.rewrites.shuffles.permutation import (
    Movement,
    channel_permutation,
    channel_selection,
    is_identity,
    movement_before,
    shuffle_groups,
)
from tests.rewrites.v1_builder import SIZE, Builder, Form
from tests.rewrites.v1_forms import model
from tests.rewrites.v1_shuffles import SHUFFLES

WIDTH = 12


def moved(path: Path, b: Builder, y: str) -> tuple[Subject, Movement]:
    """A model of movements from `x` to `y`, and the movement that was found."""
    file = path / "model.onnx"
    file.write_bytes(model(b, y).SerializeToString())
    subject = read(str(file), Bindings()).subject
    return subject, movement_before(subject.view, "y")


def builder(batch: int = 1, opset: int = 17) -> Builder:
    """A builder whose `x` has `WIDTH` channels."""
    return Builder(Form(width=WIDTH, mid=WIDTH, batch=batch, opset=opset))


@pytest.mark.parametrize("groups", [2, 3, 4, 6])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", sorted(SHUFFLES))
def test_evaluates_every_spelling(tmp_path: Path, name: str, batch: int, groups: int) -> None:
    if name == "three" and batch > 1:
        pytest.skip("the 3-D form is for one image")
    b = builder(batch)
    subject, movement = moved(tmp_path, b, SHUFFLES[name](b, "x", WIDTH, groups, batch, SIZE))
    order = channel_permutation(subject, movement)
    assert movement.source == "x"
    assert order is not None
    assert sorted(order) == list(range(WIDTH))
    if name == "reversed":
        assert shuffle_groups(order) is None
    else:
        assert shuffle_groups(order) == (WIDTH // groups if name == "inverse" else groups)


def test_shuffled_there_and_back_is_the_identity(tmp_path: Path) -> None:
    b = builder()
    once = SHUFFLES["flat"](b, "x", WIDTH, 3, 1, SIZE)
    subject, movement = moved(tmp_path, b, SHUFFLES["inverse"](b, once, WIDTH, 3, 1, SIZE))
    order = channel_permutation(subject, movement)
    assert order is not None
    assert is_identity(order)
    assert shuffle_groups(order) is None


def test_rows_are_no_channels(tmp_path: Path) -> None:
    b = builder()
    y = b.op("Transpose", "x", perm=[0, 1, 3, 2])
    assert channel_permutation(*moved(tmp_path, b, y)) is None


def test_images_must_not_mix(tmp_path: Path) -> None:
    b = builder(batch=2)
    y = b.op("Gather", "x", b.ints(1, 0), axis=0)
    assert channel_permutation(*moved(tmp_path, b, y)) is None


def test_channels_must_move_alike_in_all_images(tmp_path: Path) -> None:
    b = builder(batch=2)
    y = b.op("Reshape", "x", b.ints(4, WIDTH // 2, SIZE, SIZE))
    y = b.op("Gather", y, b.ints(1, 0, 2, 3), axis=0)
    y = b.op("Reshape", y, b.ints(2, WIDTH, SIZE, SIZE))
    assert channel_permutation(*moved(tmp_path, b, y)) is None


def test_a_layout_is_no_permutation(tmp_path: Path) -> None:
    b = builder()
    subject, movement = moved(tmp_path, b, b.op("Transpose", "x", perm=[0, 2, 3, 1]))
    assert channel_permutation(subject, movement) is None
    order = channel_permutation(subject, movement, (1, -1))
    assert order is not None
    assert is_identity(order)


def test_a_part_is_a_selection(tmp_path: Path) -> None:
    b = builder()
    y = b.slice(SHUFFLES["five"](b, "x", WIDTH, 2, 1, SIZE), 6, 12)
    subject, movement = moved(tmp_path, b, y)
    assert channel_permutation(subject, movement) is None
    assert channel_selection(subject, movement) == (3, 9, 4, 10, 5, 11)


def test_a_movement_ends_at_what_computes(tmp_path: Path) -> None:
    b = builder()
    y = SHUFFLES["split"](b, b.op("Relu", "x"), WIDTH, 3, 1, SIZE)
    _, movement = moved(tmp_path, b, y)
    assert [node.op for node in movement.nodes if node.op not in ("Unsqueeze",)] == [
        "Split",
        "Concat",
        "Reshape",
    ]


def test_parts_of_two_values_are_no_movement(tmp_path: Path) -> None:
    b = builder()
    y = b.op("Concat", b.op("Relu", "x"), b.op("Abs", "x"), axis=1)
    _, movement = moved(tmp_path, b, b.op("Identity", y))
    assert [node.op for node in movement.nodes] == ["Identity"]


@given(st.permutations(range(WIDTH)))
@settings(max_examples=25, deadline=None)
def test_gathers_are_permutations(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    b = builder()
    y = b.op("Gather", "x", b.ints(*order), axis=1)
    found = channel_permutation(*moved(tmp_path_factory.mktemp("gather"), b, y))
    assert found == tuple(order)


@given(st.integers(2, 12), st.integers(2, 12))
def test_knows_group_shuffles(groups: int, each: int) -> None:
    order = tuple(np.arange(groups * each).reshape(groups, each).T.ravel().tolist())
    assert shuffle_groups(order) == groups


@given(st.permutations(range(8)))
def test_only_group_shuffles_have_groups(order: list[int]) -> None:
    groups = shuffle_groups(tuple(order))
    shuffles = {number: np.arange(8).reshape(number, -1).T.ravel().tolist() for number in (2, 4)}
    assert groups == next((number for number, each in shuffles.items() if each == order), None)
