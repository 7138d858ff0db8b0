"""Where channels come from, compared with what ONNX's reference implementation moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from graphlint.bindings import Bindings
from graphlint.rewriting.subject import read
from graphlint_rules.rewrites.shuffles.routing import Routing, route
from tests.conftest import Save

BATCH, SIDE = 2, 3


class Mover:
    """Writes nodes that only move the channels of an input."""

    def __init__(self, channels: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.widths = {"x": channels}

    def node(self, op: str, inputs: list[str], outputs: int = 1, **attributes: Any) -> list[str]:
        made = [f"v{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, made, **attributes))
        return made

    def integers(self, *numbers: int) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(numbers, np.int64), name))
        return name

    def shuffle(self, x: str, groups: int) -> str:
        width = self.widths[x]
        target = self.integers(BATCH, groups, width // groups, SIDE, SIDE)
        (y,) = self.node("Reshape", [x, target])
        (y,) = self.node("Transpose", [y], perm=[0, 2, 1, 3, 4])
        (y,) = self.node("Reshape", [y, self.integers(BATCH, width, SIDE, SIDE)])
        self.widths[y] = width
        return y

    def stack(self, x: str, groups: int) -> str:
        """A shuffle spelt as Split, Unsqueeze, Concat and Reshape."""
        width = self.widths[x]
        sizes = self.integers(*[width // groups] * groups)
        parts = self.node("Split", [x, sizes], groups, axis=1)
        parts = [self.node("Unsqueeze", [part, self.integers(2)])[0] for part in parts]
        (y,) = self.node("Concat", parts, axis=2)
        (y,) = self.node("Reshape", [y, self.integers(BATCH, width, SIDE, SIDE)])
        self.widths[y] = width
        return y

    def fold_batch(self, x: str) -> list[str]:
        """A shuffle and a split, as Megvii's ShuffleNet V2 spells them."""
        width = self.widths[x]
        (y,) = self.node("Reshape", [x, self.integers(BATCH * width // 2, 2, SIDE * SIDE)])
        (y,) = self.node("Transpose", [y], perm=[1, 0, 2])
        (y,) = self.node("Reshape", [y, self.integers(2, -1, width // 2, SIDE, SIDE)])
        halves = [self.node("Gather", [y, self._scalar(at)], axis=0)[0] for at in (0, 1)]
        self.widths.update(dict.fromkeys(halves, width // 2))
        return halves

    def last_axis(self, x: str) -> str:
        """A reversal of channels while they stand last."""
        (y,) = self.node("Transpose", [x], perm=[0, 2, 3, 1])
        indices = self.integers(*reversed(range(self.widths[x])))
        (y,) = self.node("Gather", [y, indices], axis=3)
        (y,) = self.node("Transpose", [y], perm=[0, 3, 1, 2])
        self.widths[y] = self.widths[x]
        return y

    def model(self) -> onnx.ModelProto:
        outputs = [key for key in self.widths if key != "x"]
        infos = [helper.make_tensor_value_info(key, TensorProto.FLOAT, None) for key in outputs]
        shape = [BATCH, self.widths["x"], SIDE, SIDE]
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "moves", [given], infos, self.constants)
        return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])

    def _scalar(self, number: int) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(number, np.int64), name))
        return name


@st.composite
def movers(draw: st.DrawFn) -> Mover:
    mover = Mover(draw(st.sampled_from([4, 6, 12])))
    for _ in range(draw(st.integers(1, 5))):
        x = draw(st.sampled_from(list(mover.widths)))
        width = mover.widths[x]
        match draw(st.sampled_from(["shuffle", "stack", "fold", "last", "slice", "pick", "join"])):
            case "shuffle" if width % 2 == 0:
                mover.shuffle(x, 2)
            case "stack" if width % 3 == 0:
                mover.stack(x, 3)
            case "fold" if width % 2 == 0:
                mover.fold_batch(x)
            case "last":
                mover.last_axis(x)
            case "slice" if width > 2:
                step = draw(st.sampled_from([1, 2, -1]))
                bounds = (1, width) if step > 0 else (-1, -width)
                start, end, axis, by = map(mover.integers, (*bounds, -3, step))
                (y,) = mover.node("Slice", [x, start, end, axis, by])
                mover.widths[y] = len(range(1, width, abs(step)))
            case "pick":
                picked = draw(st.lists(st.integers(-width, width - 1), min_size=1, max_size=8))
                (y,) = mover.node("Gather", [x, mover.integers(*picked)], axis=1)
                mover.widths[y] = len(picked)
            case _:
                other = draw(st.sampled_from(list(mover.widths)))
                (y,) = mover.node("Concat", [x, other], axis=1)
                mover.widths[y] = width + mover.widths[other]
    return mover


def routing_of(proto: onnx.ModelProto, save: Save) -> Routing:
    subject = read(str(save(proto)), Bindings()).subject
    return route(subject, subject.view.nodes)


@settings(max_examples=40, deadline=None)
@given(mover=movers())
def test_channels_are_those_that_the_reference_moves(
    mover: Mover, tmp_path_factory: pytest.TempPathFactory
) -> None:
    proto = mover.model()
    path = tmp_path_factory.mktemp("routing") / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    subject = read(str(path), Bindings()).subject
    routing = route(subject, subject.view.nodes)
    fed = np.random.default_rng(0).random((BATCH, mover.widths["x"], SIDE, SIDE), np.float32)
    moved = ReferenceEvaluator(proto).run(None, {"x": fed})
    for info, array in zip(proto.graph.output, moved, strict=True):
        channels = routing.channels[info.name]
        assert {channel.source for channel in channels} == {"x"}
        numbers = [channel.number for channel in channels]
        np.testing.assert_array_equal(array, fed[:, numbers])


@pytest.mark.parametrize("spelling", ["shuffle", "stack"])
def test_a_shuffle_is_one_however_it_is_spelt(spelling: str, save: Save) -> None:
    mover = Mover(12)
    getattr(mover, spelling)("x", 3)
    routing = routing_of(mover.model(), save)
    assert [node.op for node in routing.shuffles] == ["Reshape"]


def test_a_split_and_a_join_are_no_shuffle(save: Save) -> None:
    mover = Mover(8)
    first, second = mover.node("Split", ["x", mover.integers(4, 4)], 2, axis=1)
    (joined,) = mover.node("Concat", [second, first], axis=1)
    mover.widths[joined] = 8
    routing = routing_of(mover.model(), save)
    assert routing.shuffles == ()
    assert [channel.number for channel in routing.channels[joined]] == [4, 5, 6, 7, 0, 1, 2, 3]


def test_rows_that_are_moved_are_no_channels(save: Save) -> None:
    mover = Mover(4)
    (y,) = mover.node("Gather", ["x", mover.integers(2, 1, 0)], axis=2)
    mover.widths[y] = 4
    routing = routing_of(mover.model(), save)
    assert y not in routing.channels
