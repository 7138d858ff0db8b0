"""Units of ShuffleNet V1 are found in every form, with their numbers; near misses say why."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto

from fixtures.classics import densenet121, resnet50, resnext50_32x4d, squeezenet1_1
from fixtures.inception import inception_v3, xception
from fixtures.mobilenet import efficientnet_b0, mobilenet_v1, mobilenet_v2, mobilenet_v3
from fixtures.shufflenet import shufflenet_v1, shufflenet_v2
from graphlint.bindings import Bindings
from graphlint.rewrites import Matches, Subject
from graphlint.rewriting.subject import read
from graphlint_rules.rewrites.v1.matcher import match_v1_units
from graphlint_rules.rewrites.v1.networks import Network, find_network, paper_scale
from graphlint_rules.rewrites.v1.units import Activation, V1Unit
from tests.rewrites.v1_builder import SIZE, Builder, Form
from tests.rewrites.v1_forms import model, sweep, unit, unit_model
from tests.rewrites.v1_numbers import evaluated

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SWEEP = sweep()
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture
def subject_of(tmp_path: Path) -> Callable[[ModelProto], Subject]:
    """A model as rewrites see it."""

    def read_back(proto: ModelProto) -> Subject:
        path = tmp_path / "model.onnx"
        path.write_bytes(proto.SerializeToString())
        return read(str(path), Bindings()).subject

    return read_back


SubjectOf = Callable[[ModelProto], Subject]


def the_unit(matches: Matches) -> V1Unit:
    """The only unit that was found."""
    assert [refusal.reason for refusal in matches.refusals] == []
    (match,) = matches.matches
    assert isinstance(match.found, V1Unit)
    assert match.nodes == match.found.nodes
    return match.found


# All forms.


@pytest.mark.parametrize("name", SWEEP)
def test_finds_every_form(subject_of: SubjectOf, name: str) -> None:
    form = SWEEP[name]
    subject = subject_of(unit_model(form))
    found = the_unit(match_v1_units(subject))
    assert (found.stride, found.input, found.output) == (form.stride, "x", "y")
    assert (found.width_in, found.width_mid, found.width_branch, found.width_out) == (
        form.width,
        form.mid,
        form.branch,
        form.width_out,
    )
    assert (found.first.groups, found.last.groups) == (form.first_groups, form.groups)
    assert found.shuffle_after_depthwise is (form.place == "after")
    assert found.shuffle == shuffle(form)
    assert found.activation.op == form.activation.removeprefix("spelt ")
    assert found.output_activation.op == (
        form.activation.removeprefix("spelt ") if form.activated != "none" else ""
    )
    assert found.window.kernel == (form.kernel, form.kernel)
    assert [node.index for node in found.nodes] == list(range(len(subject.view.nodes)))


def shuffle(form: Form) -> tuple[int, ...]:
    """The order that the form's shuffle makes."""
    groups = form.mid // form.groups if form.shuffle == "inverse" else form.groups
    return tuple(np.arange(form.mid).reshape(groups, -1).T.ravel().tolist())


def test_the_sweep_is_wide() -> None:
    assert len(SWEEP) >= 200


NUMERIC = [name for name in sorted(SWEEP)[::3] if "custom" not in name]


@pytest.mark.parametrize("name", NUMERIC)
def test_numbers_are_those_of_the_graph(subject_of: SubjectOf, name: str) -> None:
    form = SWEEP[name]
    proto = unit_model(form, seed=3)
    found = the_unit(match_v1_units(subject_of(proto)))
    batch = form.batch if isinstance(form.batch, int) else 2
    x = np.random.default_rng(1).standard_normal((batch, form.width, SIZE, SIZE))
    x = x.astype(np.float16 if form.half else np.float32)
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (wanted,) = session.run(None, {"x": x})
    tolerance = 0.05 if form.half else 1e-4
    np.testing.assert_allclose(
        evaluated(found, x.astype(np.float32)), wanted, rtol=tolerance, atol=tolerance
    )


# False alarms.

OTHERS: dict[str, Callable[[], ModelProto]] = {
    "resnet50": resnet50,
    "resnext50": resnext50_32x4d,
    "densenet121": densenet121,
    "squeezenet": squeezenet1_1,
    "inception_v3": inception_v3,
    "xception": xception,
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3": mobilenet_v3,
    "efficientnet_b0": efficientnet_b0,
    "shufflenet_v2": lambda: shufflenet_v2(chunk="shape"),
    "no shuffle at all": lambda: unit_model(Form(place="none")),
    "no shuffle, stride 2": lambda: unit_model(Form(place="none", stride=2)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_networks_raise_no_alarm(subject_of: SubjectOf, name: str) -> None:
    matches = match_v1_units(subject_of(OTHERS[name]()))
    assert (matches.matches, matches.refusals) == ((), ())


@pytest.mark.parametrize(
    "path", [path for path in sorted(FIXTURES.glob("*.onnx")) if "shufflenet_v1" not in path.name]
)
def test_fixtures_raise_no_alarm(path: Path) -> None:
    matches = match_v1_units(read(str(path), Bindings()).subject)
    assert (matches.matches, matches.refusals) == ((), ())


# Chains and networks.


def test_a_stage_may_begin_without_a_shuffle(subject_of: SubjectOf) -> None:
    first = Form(stride=2, place="none", branch=16)
    b = Builder(first)
    y = unit(b, "x", first)
    second = Form(width=32, branch=32, size=SIZE // 2)
    matches = match_v1_units(subject_of(model(b, unit(b, y, second))))
    assert [match.found.stride for match in matches.matches] == [2, 1]
    assert matches.matches[0].found.shuffle == tuple(range(8))
    assert matches.matches[0].found.output == matches.matches[1].found.input


@pytest.mark.parametrize("norm", ["kept", "folded"])
@pytest.mark.parametrize("groups", [2, 3, 8])
def test_finds_the_paper_s_network(subject_of: SubjectOf, norm: Any, groups: int) -> None:
    subject = subject_of(shufflenet_v1(groups, scale=0.5, batch_norm=norm))
    found = find_network(subject, [match.found for match in match_v1_units(subject).matches])
    assert isinstance(found, Network)
    assert [len(stage.units) for stage in found.stages] == [4, 8, 4]
    assert paper_scale(found) == (groups, 0.5)
    assert found.head.weight.shape == (1000, found.stages[-1].width)
    assert found.stem is not None
    assert found.stem.conv.batch_norm is (norm == "kept")
    assert [node.op for node in found.stem.pooling] == ["MaxPool"]


def test_matches_share_no_node_and_are_sorted(subject_of: SubjectOf) -> None:
    subject = subject_of(shufflenet_v1(3, scale=0.5, batch="n"))
    nodes = [node.index for match in match_v1_units(subject).matches for node in match.nodes]
    assert len(set(nodes)) == len(nodes)
    for match in match_v1_units(subject).matches:
        assert [node.index for node in match.nodes] == sorted(node.index for node in match.nodes)


# Properties.


def reordered(proto: ModelProto, seed: int) -> ModelProto:
    """The same model with its nodes in another valid order."""
    made = {value.name for value in (*proto.graph.input, *proto.graph.initializer)}
    waiting, ordered = list(proto.graph.node), []
    chooser = random.Random(seed)
    while waiting:
        ready = [node for node in waiting if made.issuperset(node.input)]
        node = chooser.choice(ready)
        waiting.remove(node)
        ordered.append(node)
        made.update(node.output)
    copy = ModelProto()
    copy.CopyFrom(proto)
    del copy.graph.node[:]
    copy.graph.node.extend(ordered)
    return copy


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(sorted(SWEEP)), seed=st.integers(0, 1000))
def test_node_order_is_irrelevant(
    tmp_path_factory: pytest.TempPathFactory, name: str, seed: int
) -> None:
    proto = unit_model(SWEEP[name])
    path = tmp_path_factory.mktemp("order") / "model.onnx"
    units = []
    for version in (proto, reordered(proto, seed)):
        path.write_bytes(version.SerializeToString())
        units.append(the_unit(match_v1_units(read(str(path), Bindings()).subject)))
    one, other = units
    assert sorted(one.shuffle) == list(range(one.width_mid))
    assert {out for node in one.nodes for out in node.outputs} == {
        out for node in other.nodes for out in node.outputs
    }
    assert (one.shuffle, one.stride, one.window, one.pool_first) == (
        other.shuffle,
        other.stride,
        other.window,
        other.pool_first,
    )
    np.testing.assert_array_equal(one.last.weight, other.last.weight)


def test_attributes_left_out_are_said(subject_of: SubjectOf) -> None:
    proto = unit_model(Form(activation="LeakyRelu"))
    for node in proto.graph.node:
        if node.op_type == "LeakyRelu":
            del node.attribute[:]
    found = the_unit(match_v1_units(subject_of(proto)))
    assert found.activation == Activation("LeakyRelu", (("alpha", 0.01),))
