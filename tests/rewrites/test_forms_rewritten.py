"""Every form of unit is rewritten: valid, running, and undoing gives the same bytes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, shape_inference

from graphlint.bindings import Bindings
from graphlint.rewrites import Plan
from graphlint.rewriting import verify
from graphlint.rewriting.splice import splice
from graphlint.rewriting.subject import Source, read
from graphlint_rules.rewrites.shufflenet_v1_to_v2 import REWRITE
from graphlint_rules.rewrites.v2.stages import STAGES
from tests.rewrites.v1_builder import SIZE
from tests.rewrites.v1_forms import sweep, unit_model

SWEEP = sweep()
DEFAULTS = {option.name: option.default for option in REWRITE.options}
ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def source_of(model: ModelProto, folder: Path) -> Source:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return read(str(path), Bindings())


def run(model: ModelProto, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (name,) = [value.name for value in session.get_inputs()]
    result: np.ndarray[Any, Any] = session.run(None, {name: x})[0]
    return result


@pytest.mark.parametrize("name", SWEEP)
@pytest.mark.parametrize("folds", [False, True], ids=["bn", "folded"])
def test_every_form_is_rewritten_and_comes_back(tmp_path: Path, name: str, folds: bool) -> None:
    form = SWEEP[name]
    source = source_of(unit_model(form), tmp_path)
    subject, proto = source.subject, source.proto
    before = proto.SerializeToString()
    matches = STAGES.match(subject)
    options = {**DEFAULTS, "block": 4, "fold-bn": folds}
    plan = STAGES.plan(subject, matches, "keep", options)
    if form.width_out % 2 and form.stride == 1:
        assert not isinstance(plan, Plan)
        return
    assert isinstance(plan, Plan), plan
    assert plan.exact == (form.stride == 2)
    edits = STAGES.edit(subject, plan, STAGES.start(subject, plan, 0))
    spliced = splice(proto, edits, "test")
    _check_types(ModelProto.FromString(before), proto)
    _compare(ModelProto.FromString(before), proto, exact=plan.exact)
    spliced.undo()
    assert proto.SerializeToString() == before


def _check_types(before: ModelProto, after: ModelProto) -> None:
    """Strict inference, where the original passes it: a custom operator's type is not known."""
    try:
        shape_inference.infer_shapes(before, check_type=True, strict_mode=True)
    except shape_inference.InferenceError:
        return
    shape_inference.infer_shapes(after, check_type=True, strict_mode=True)


def _compare(before: ModelProto, after: ModelProto, *, exact: bool) -> None:
    """Run both: the same shapes and finite numbers, and the same numbers where it is exact."""
    (tensor,) = [value.type.tensor_type for value in before.graph.input if value.name == "x"]
    dims = [
        dim.dim_value or (2 if axis == 0 else SIZE) for axis, dim in enumerate(tensor.shape.dim)
    ]
    kind = {TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16}.get(tensor.elem_type)
    if kind is None or any(node.domain not in ("", "ai.onnx") for node in before.graph.node):
        return  # the runtime has no kernels for it on a processor
    x = np.random.default_rng(7).standard_normal(dims).astype(kind)
    old, new = run(before, x), run(after, x)
    assert new.shape == old.shape
    assert np.isfinite(new).all()
    if exact:
        tolerance = 1e-5 if kind is np.float32 else 2e-2
        assert verify.largest_difference([old], [new]) <= tolerance
