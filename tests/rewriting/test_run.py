"""The whole way of a rewrite: what comes out computes, is valid, and is all or nothing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, checker, helper, numpy_helper

from fixtures.shufflenet import shufflenet_v1
from graphlint.config import Settings
from graphlint.errors import RewriteError, UsageError
from graphlint.rewrites import Plan
from graphlint.rewriting import verify
from graphlint.rewriting.request import RewriteRequest
from graphlint.rewriting.results import RewriteReport
from graphlint.rewriting.run import rewrite

FIXTURES = Path(__file__).parents[2] / "fixtures"
ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def rewritten(model: Path, folder: Path, plan: str = "keep", **more: Any) -> RewriteReport:
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    request = RewriteRequest(
        str(model),
        Settings(),
        out=folder / "out.onnx",
        plan=plan,
        weights="structure",
        folder=scratch,
    )
    return rewrite(replace(request, **more))


def saved(model: ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def outputs(path: Path, seed: int = 1) -> list[np.ndarray]:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(seed)
    feed = {}
    for value in session.get_inputs():
        shape = [
            dim if isinstance(dim, int) else (2 if axis == 0 else 64)
            for axis, dim in enumerate(value.shape)
        ]
        dtype = {"tensor(float16)": np.float16}.get(value.type, np.float32)
        feed[value.name] = generator.standard_normal(shape).astype(dtype)
    found: list[np.ndarray] = session.run(None, feed)
    return found


@pytest.mark.parametrize(
    "name",
    [
        "shufflenet_v1",
        "shufflenet_v1_bn",
        "shufflenet_v1_dynamic_batch",
        "shufflenet_v1_dynamic_size",
    ],
)
@pytest.mark.parametrize("plan", ["keep", "keep-flops", "match"])
def test_every_form_is_rewritten_valid_and_runs(tmp_path: Path, name: str, plan: str) -> None:
    source = FIXTURES / f"{name}.onnx"
    report = rewritten(source, tmp_path, plan)
    assert len(report.places) == 6
    new = onnx.load(tmp_path / "out.onnx")
    checker.check_model(new, full_check=True)
    old = onnx.load(source)
    assert list(new.graph.input) == list(old.graph.input)
    assert list(new.graph.output) == list(old.graph.output)
    assert list(new.opset_import) == list(old.opset_import)
    assert new.ir_version == old.ir_version
    assert [array.shape for array in outputs(tmp_path / "out.onnx")] == [
        array.shape for array in outputs(source)
    ]
    assert report.after is not None
    assert report.after.findings["G2"] == 0
    assert not any(node.op_type == "Add" for node in new.graph.node)
    assert all(
        helper.get_node_attr_value(node, "group") == 1
        for node in new.graph.node
        if node.op_type == "Conv"
        and list(helper.get_node_attr_value(node, "kernel_shape")) == [1, 1]
    )


@pytest.mark.parametrize("kept", ["folded", "kept"])
def test_a_unit_with_stride_2_computes_what_it_did(tmp_path: Path, kept: str) -> None:
    name = "shufflenet_v1_unit_stride2" + ("_bn" if kept == "kept" else "")
    source = FIXTURES / f"{name}.onnx"
    report = rewritten(source, tmp_path)
    assert report.exact
    assert report.largest_difference is not None
    assert report.largest_difference <= 1e-5
    for before, after in zip(outputs(source), outputs(tmp_path / "out.onnx"), strict=True):
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * np.abs(before).max())


def test_pooling_that_leaves_its_padding_out_stays_and_is_exact(tmp_path: Path) -> None:
    model = onnx.load(FIXTURES / "shufflenet_v1_unit_stride2.onnx")
    (pool,) = [node for node in model.graph.node if node.op_type == "AveragePool"]
    kept = [each for each in pool.attribute if each.name != "count_include_pad"]
    del pool.attribute[:]
    pool.attribute.extend(kept)
    source = saved(model, tmp_path)
    report = rewritten(source, tmp_path)
    assert report.largest_difference is not None
    assert report.largest_difference <= 1e-5
    new = onnx.load(tmp_path / "out.onnx")
    assert [node.op_type for node in new.graph.node].count("AveragePool") == 1
    (before,), (after,) = outputs(source), outputs(tmp_path / "out.onnx")
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * np.abs(before).max())


def test_keep_leaves_exact_units_exact_within_the_network(tmp_path: Path) -> None:
    report = rewritten(FIXTURES / "shufflenet_v1.onnx", tmp_path)
    exact = [place for place in report.places if place.exact]
    assert len(exact) == 3
    assert all(place.difference is not None and place.difference < 1e-5 for place in exact)
    assert all(place.difference is None for place in report.places if not place.exact)


def test_only_the_named_unit_is_rewritten_and_the_rest_stays_to_the_byte(tmp_path: Path) -> None:
    source = FIXTURES / "shufflenet_v1.onnx"
    old = onnx.load(source)
    (add, *_) = [node.name for node in old.graph.node if node.op_type == "Add"]
    report = rewritten(source, tmp_path, units=(add,))
    (place,) = report.places
    assert add in place.nodes
    new = {node.name: node for node in onnx.load(tmp_path / "out.onnx").graph.node}
    for node in old.graph.node:
        if node.name in place.nodes:
            assert node.name not in new
        else:
            assert new[node.name].SerializeToString() == node.SerializeToString()


def test_a_unit_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no place that can be rewritten"):
        rewritten(FIXTURES / "shufflenet_v1.onnx", tmp_path, units=("nobody",))


def test_provenance_and_names_say_where_nodes_come_from(tmp_path: Path) -> None:
    rewritten(FIXTURES / "shufflenet_v1.onnx", tmp_path)
    new = onnx.load(tmp_path / "out.onnx")
    (said,) = [entry.value for entry in new.metadata_props if entry.key == "graphlint.rewrite"]
    assert "shufflenet-v1-to-v2" in said
    assert "plan=keep" in said
    (conv,) = [node for node in new.graph.node if node.name == "stage3/unit2/branch/pw1/Conv"]
    (own,) = [entry.value for entry in conv.metadata_props if entry.key == "graphlint.rewrite"]
    assert own.endswith("unit=stage3/unit2")


def test_the_papers_v1_has_table_5s_multiply_adds_afterwards(tmp_path: Path) -> None:
    source = saved(shufflenet_v1(3, 1.0), tmp_path)
    report = rewritten(source, tmp_path, "match")
    assert report.after is not None
    assert report.after.multiply_adds == 144_907_992


def test_keep_costs_what_the_paper_says_it_would(tmp_path: Path) -> None:
    source = saved(shufflenet_v1(3, 1.0), tmp_path)
    report = rewritten(source, tmp_path, "keep")
    assert report.before is not None
    assert report.after is not None
    assert report.before.multiply_adds == 137_460_672
    assert report.after.multiply_adds == pytest.approx(404.5e6, rel=1e-3)


def test_aligned_networks_have_no_transpose_left(tmp_path: Path) -> None:
    source = saved(shufflenet_v1(3, 1.0, repeats=(2, 2, 2), size=64, classes=10), tmp_path)
    report = rewritten(source, tmp_path, "match-aligned", options={"block": 16})
    assert report.plan == "match-aligned"
    kinds = {node.op_type for node in onnx.load(tmp_path / "out.onnx").graph.node}
    assert "Transpose" not in kinds
    assert {"Split", "Concat"} <= kinds


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    made = []
    for seed in (1, 1, 2):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        rewritten(FIXTURES / "shufflenet_v1.onnx", folder, seed=seed)
        made.append((folder / "out.onnx").read_bytes())
    assert made[0] == made[1] != made[2]


def test_batch_normalisation_is_kept_or_folded(tmp_path: Path) -> None:
    rewritten(FIXTURES / "shufflenet_v1.onnx", tmp_path)
    kept = onnx.load(tmp_path / "out.onnx")
    assert any(node.op_type == "BatchNormalization" for node in kept.graph.node)
    rewritten(FIXTURES / "shufflenet_v1.onnx", tmp_path, force=True, options={"fold-bn": True})
    folded = onnx.load(tmp_path / "out.onnx")
    assert not any(node.op_type == "BatchNormalization" for node in folded.graph.node)
    for before, after in zip(
        outputs(FIXTURES / "shufflenet_v1.onnx"), outputs(tmp_path / "out.onnx"), strict=True
    ):
        assert before.shape == after.shape


def test_nothing_is_written_where_nothing_matches(tmp_path: Path) -> None:
    report = rewritten(FIXTURES / "resnet_bottleneck.onnx", tmp_path)
    assert not report.plan
    assert not report.refusals
    assert not (tmp_path / "out.onnx").exists()


def test_a_v2_network_is_left_alone_with_a_hint(tmp_path: Path) -> None:
    report = rewritten(FIXTURES / "shufflenet_v2.onnx", tmp_path)
    assert not report.plan
    assert any("shuffle-elimination" in note for note in report.notes)


def test_shuffle_elimination_is_exact_and_only_by_name(tmp_path: Path) -> None:
    report = rewritten(
        FIXTURES / "shufflenet_v2.onnx", tmp_path, "auto", rewrite="shuffle-elimination"
    )
    assert report.exact
    assert report.largest_difference is not None
    assert report.largest_difference <= 1e-6


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_what_the_rewrite_makes_is_a_v2_network_to_us(tmp_path: Path, scale: float) -> None:
    source = saved(shufflenet_v1(3, scale, size=64, classes=10), tmp_path)
    rewritten(source, tmp_path, "match")
    again = tmp_path / "again"
    again.mkdir()
    report = rewritten(tmp_path / "out.onnx", again)
    assert any(note.startswith("16 units of ShuffleNet V2") for note in report.notes)


def test_a_failed_check_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are wrong by a little are caught by running both graphs."""
    from graphlint import registry

    name = "shufflenet-v1-to-v2"
    honest = registry.rewrites()[name]

    def spoilt(subject: Any, plan: Plan, weights: Any) -> Any:
        first = weights.units[0]
        last = replace(first.last, bias=first.last.bias + np.float32(0.01))
        units = (replace(first, last=last), *weights.units[1:])
        return honest.stages().edit(subject, plan, replace(weights, units=units))

    stages = replace(honest.stages(), edit=spoilt)
    broken = {name: replace(honest, stages=lambda: stages)}
    monkeypatch.setattr(registry, "rewrites", lambda: broken)
    with pytest.raises(RewriteError, match="computes something else"):
        rewritten(FIXTURES / "shufflenet_v1.onnx", tmp_path)
    assert not (tmp_path / "out.onnx").exists()


def test_differences_know_infinities() -> None:
    one = np.array([1.0, np.inf, np.nan])
    assert verify.largest_difference([one], [one]) == 0.0
    assert verify.largest_difference([one], [np.array([1.0, np.inf, 0.0])]) == np.inf
    assert verify.largest_difference([np.ones(2)], [np.array([1.0, np.nan])]) == np.inf
    assert verify.largest_difference([np.array([2.0])], [np.array([1.0])]) == 0.5


def halved(model: ModelProto, factor: float = 1.0) -> ModelProto:
    """The model in float16, the weights of its first convolution times `factor`."""
    first = next(node.input[1] for node in model.graph.node if node.op_type == "Conv")
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT:
            numbers = numpy_helper.to_array(tensor) * (factor if tensor.name == first else 1)
            tensor.CopyFrom(numpy_helper.from_array(numbers.astype(np.float16), tensor.name))
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    return model


def test_exact_units_are_compared_where_float16_does_not_overflow(tmp_path: Path) -> None:
    model = halved(onnx.load(FIXTURES / "shufflenet_v1.onnx"), 4000.0)
    source = saved(model, tmp_path)
    report = rewritten(source, tmp_path)
    exact = [place.difference for place in report.places if place.exact]
    assert len(exact) == 3
    assert all(difference is not None and difference < 2e-2 for difference in exact)


def test_float16_stays_float16(tmp_path: Path) -> None:
    model = halved(onnx.load(FIXTURES / "shufflenet_v1_unit_stride2.onnx"))
    report = rewritten(saved(model, tmp_path), tmp_path)
    assert report.exact
    new = onnx.load(tmp_path / "out.onnx")
    floats = {tensor.data_type for tensor in new.graph.initializer} - {onnx.TensorProto.INT64}
    assert floats == {onnx.TensorProto.FLOAT16}
