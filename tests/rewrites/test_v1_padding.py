"""A Pad in front of the depthwise convolution is part of it."""

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from graphlint.bindings import Bindings
from graphlint.rewriting.subject import read
from graphlint_rules.rewrites.v1.matcher import match_v1_units
from tests.rewrites.v1_builder import Builder, Form
from tests.rewrites.v1_forms import model, unit


@pytest.mark.parametrize("zeros", [True, False])
def test_zeros_put_around_before_a_convolution_are_its_pads(zeros: bool, tmp_path: Path) -> None:
    b = Builder(Form())
    y = unit(b, "x")
    depthwise = next(
        node
        for node in b.nodes
        if node.op_type == "Conv" and any(a.name == "pads" and any(a.ints) for a in node.attribute)
    )
    (pads,) = (a for a in depthwise.attribute if a.name == "pads")
    inputs = [depthwise.input[0], b.ints(0, 0, *pads.ints[:2], 0, 0, *pads.ints[2:])]
    if not zeros:
        inputs.append(b.initializer(np.array(1, np.float32)))
    pad = helper.make_node("Pad", inputs, ["padded"])
    pads.ints[:] = [0, 0, 0, 0]
    depthwise.input[0] = "padded"
    b.nodes.insert(list(b.nodes).index(depthwise), pad)
    path = tmp_path / "model.onnx"
    path.write_bytes(model(b, y).SerializeToString())
    found = match_v1_units(read(str(path), Bindings()).subject)
    assert len(found.matches) == (1 if zeros else 0)
