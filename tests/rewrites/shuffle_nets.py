"""Nets with shuffles, and their rewriting by shuffle elimination."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from fixtures.layers import GraphBuilder
from fixtures.writer import Value
from graphlint.bindings import Bindings
from graphlint.rewrites import Matches, Plan
from graphlint.rewriting.splice import splice
from graphlint.rewriting.subject import read
from graphlint_rules.rewrites.shuffles.stages import STAGES

ort = pytest.importorskip("onnxruntime")


def rewritten(
    proto: onnx.ModelProto, folder: Path, plan_name: str = "exact", multiple: int = 4
) -> tuple[Matches, onnx.ModelProto]:
    """The matches in a model, and the model with all of them rewritten, if the plan can be made."""
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    source = read(str(path), Bindings())
    matches = STAGES.match(source.subject)
    plan = STAGES.plan(source.subject, matches, plan_name, {"multiple": multiple})
    if isinstance(plan, Plan):
        assert plan.exact
        weights = STAGES.start(source.subject, plan, 0)
        splice(source.proto, STAGES.edit(source.subject, plan, weights), "test")
    onnx.checker.check_model(source.proto, full_check=True)
    return matches, source.proto


def outputs(proto: onnx.ModelProto, seed: int = 0, **sizes: int) -> list[np.ndarray[Any, Any]]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = ort.InferenceSession(proto.SerializeToString(), options)
    generator = np.random.default_rng(seed)
    feeds = {}
    for value in session.get_inputs():
        shape = [sizes.get(dim, dim) for dim in value.shape]
        kind = np.float16 if "16" in value.type else np.float32
        feeds[value.name] = generator.standard_normal(shape).astype(kind)
    found: list[np.ndarray[Any, Any]] = session.run(None, feeds)
    return found


def assert_same(one: onnx.ModelProto, other: onnx.ModelProto, tolerance: float = 2e-6) -> None:
    for before, after in zip(outputs(one), outputs(other), strict=True):
        assert before.shape == after.shape
        scale = max(float(np.abs(before).max()), 1e-30)
        assert float(np.abs(before - after).max()) <= tolerance * scale


def operators(proto: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in proto.graph.node)


class Net(GraphBuilder):
    """A net of layers and moves; `value` is what the next one reads."""

    def __init__(self, channels: int = 8, **options: Any) -> None:
        super().__init__("net", **options)
        self.value = self.input((2, channels, 5, 5))
        self._layers = Counter[str]()

    def conv(self, x: Value, channels: int, *, name: str = "conv", **options: Any) -> Value:
        """A convolution, numbered where there is one of its name."""
        self._layers[name] += 1
        number = self._layers[name]
        return super().conv(x, channels, name=f"{name}{number if number > 1 else ''}", **options)

    def add_conv(self, channels: int, **options: Any) -> Net:
        self.value = self.conv(self.value, channels, act="relu", **options)
        return self

    def add_depthwise(self) -> Net:
        self.value = self.depthwise(self.value, act="relu")
        return self

    def add_shuffle(self, groups: int = 2) -> Net:
        self.value = self.channel_shuffle(self.value, groups)
        return self

    def add(self, op: str, *operands: Any, **attributes: Any) -> Net:
        """A node of one output, of the shape of what it reads."""
        names = [x.name if isinstance(x, Value) else self._constant(x) for x in operands]
        self.value = self._node(op, [self.value.name, *names], self.value.shape, **attributes)
        return self

    def pick(self, indices: list[int]) -> Net:
        name = self._constant(np.array(indices, np.int64))
        shape = (2, len(indices), *self.value.shape[2:])
        self.value = self._node("Gather", [self.value.name, name], shape, axis=1)
        return self

    def done(self) -> onnx.ModelProto:
        return self.model(self.value)
