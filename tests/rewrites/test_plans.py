"""Plans from V1 to V2: the paper's pairs, budgets, blocks, and what each plan promises."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto

from fixtures.shufflenet import shufflenet_v1, shufflenet_v2
from graphlint.bindings import Bindings
from graphlint.rewrites import Matches, Plan, Refusal, Subject
from graphlint.rewriting.subject import read
from graphlint_rules.rewrites.shufflenet_v1_to_v2 import REWRITE
from graphlint_rules.rewrites.v2.plans import labels
from graphlint_rules.rewrites.v2.stages import match, plan
from graphlint_rules.rewrites.v2.widths import StageWidths, aligned, in_proportion
from tests.rewrites import v1_forms
from tests.rewrites.v1_builder import Builder, Form

DEFAULTS = {option.name: option.default for option in REWRITE.options}


def subject_of(model: ModelProto, folder: Path) -> Subject:
    path = folder / "model.onnx"
    onnx.save(model, path)
    return read(str(path), Bindings()).subject


def planned(
    model: ModelProto, folder: Path, name: str, **options: Any
) -> tuple[Subject, Matches, Plan]:
    subject = subject_of(model, folder)
    matches = match(subject)
    made = plan(subject, matches, name, {**DEFAULTS, "block": 16, **options})
    assert isinstance(made, Plan), made
    return subject, matches, made


@pytest.mark.parametrize(
    ("scale", "widths", "final"),
    [
        (0.5, (48, 96, 192), 1024),
        (1.0, (116, 232, 464), 1024),
        (1.5, (176, 352, 704), 1024),
        (2.0, (244, 488, 976), 2048),
    ],
)
def test_the_papers_v1_becomes_the_papers_v2(
    tmp_path: Path, scale: float, widths: tuple[int, ...], final: int
) -> None:
    _, _, made = planned(shufflenet_v1(3, scale), tmp_path, "match")
    network = made.details
    ends = {unit.width_out: None for unit in network.units}
    assert tuple(ends) == widths
    assert network.final_width == final
    assert all(2 * unit.passed == unit.width_out for unit in network.units)
    stem = network.stem_width or network.network.stem.conv.width_out
    assert stem == 24


@pytest.mark.parametrize("groups", [2, 3, 4, 8])
def test_aligned_widths_keep_to_blocks_and_the_budget(tmp_path: Path, groups: int) -> None:
    subject, _, made = planned(shufflenet_v1(groups, 1.0), tmp_path, "match-aligned")
    network = made.details
    assert all(unit.passed % 16 == 0 and unit.width_mid % 16 == 0 for unit in network.units)
    assert network.final_width % 16 == 0
    total = _multiply_adds(subject, made)
    assert total <= 1.05 * subject.costs.total.multiply_adds


def test_the_1x_network_in_blocks_of_16(tmp_path: Path) -> None:
    _, _, made = planned(shufflenet_v1(3, 1.0), tmp_path, "match-aligned")
    ends = tuple({unit.width_out: None for unit in made.details.units})
    assert ends == (128, 224, 448)


def _multiply_adds(subject: Subject, made: Plan) -> int:
    """Of the whole network under the plan, from its units and what is around them."""
    network = made.details
    view = subject.view
    whole = network.network

    def area(key: str) -> int:
        n, _, h, w = view.shape(key) or (0, 0, 0, 0)
        return n * h * w

    replaced = {node.index for unit in whole.units for node in unit.nodes}
    replaced.update(node.index for node in whole.head.classifier_nodes)
    rest = sum(
        cost.multiply_adds
        for node, cost in zip(view.nodes, subject.costs.nodes, strict=True)
        if node.index not in replaced
    )
    units = sum(
        unit.multiply_adds(area(unit.unit.input), area(unit.unit.output)) for unit in network.units
    )
    last = network.units[-1]
    final = network.final_width or last.width_out
    conv5 = final * last.width_out * area(last.unit.output) if network.final_width else 0
    return rest + units + conv5 + final * whole.head.weight.shape[0]


def test_match_without_the_papers_widths_meets_the_multiply_adds(tmp_path: Path) -> None:
    model = shufflenet_v1(3, 0.4, repeats=(2, 3, 2), classes=10, size=64)
    subject, _, made = planned(model, tmp_path, "match")
    assert made.details.final_width is None
    ratio = _multiply_adds(subject, made) / subject.costs.total.multiply_adds
    assert 0.93 < ratio < 1.07


def test_keep_halves_and_keeps_stride_2_exact(tmp_path: Path) -> None:
    _, matches, made = planned(shufflenet_v1(3, 0.5, repeats=(2, 2, 2)), tmp_path, "keep")
    assert len(made.places) == len(matches.matches) == 6
    for place, unit in zip(made.places, made.details.units, strict=True):
        assert place.exact == (unit.stride == 2)
        assert unit.width_out == unit.unit.width_out
        if unit.stride == 1:
            assert unit.passed == unit.width_mid == unit.width_out // 2


@pytest.mark.parametrize("groups", [2, 3, 4, 8])
def test_keep_flops_keeps_every_stride_1_unit_within_v1s(tmp_path: Path, groups: int) -> None:
    _, _, made = planned(shufflenet_v1(groups, 1.0), tmp_path, "keep-flops")
    for unit in made.details.units:
        if unit.stride == 1:
            v1 = unit.unit
            most = sum(
                layer.weight[0].size * layer.width_out
                for layer in (v1.first, v1.depthwise, v1.last)
            )
            assert unit.multiply_adds(1, 1) <= most
            assert unit.width_mid % 16 == 0


def test_stride_2_can_be_fitted_into_the_budget(tmp_path: Path) -> None:
    model = shufflenet_v1(3, 1.0, repeats=(1, 1, 1))
    _, _, exact = planned(model, tmp_path, "keep-flops")
    _, _, fitted = planned(model, tmp_path, "keep-flops", **{"stride-2": "fit"})
    for wide, narrow in zip(exact.details.units, fitted.details.units, strict=True):
        assert wide.exact
        if narrow is not wide and not narrow.exact:
            assert narrow.width_mid < wide.width_mid
    assert any(not unit.exact for unit in fitted.details.units)


def test_a_unit_between_strangers_does_not_shuffle(tmp_path: Path) -> None:
    subject = subject_of(shufflenet_v1(3, 1.0), tmp_path)
    found = match(subject)
    for places, shuffled in (((1,), [False]), ((1, 2), [True, True]), ((1, 3), [False, False])):
        few = Matches(tuple(found.matches[place] for place in places))
        made = plan(subject, few, "keep", {**DEFAULTS, "block": 16})
        assert isinstance(made, Plan)
        assert [unit.shuffled for unit in made.details.units] == shuffled


def test_units_alone_are_no_network(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "fixtures"
    subject = read(str(folder / "shufflenet_v1_unit_stride1.onnx"), Bindings()).subject
    refused = plan(subject, match(subject), "match", DEFAULTS)
    assert isinstance(refused, Refusal)
    assert "stride 1" in refused.reason


def test_labels_count_stages_as_the_papers_do(tmp_path: Path) -> None:
    subject = subject_of(shufflenet_v1(3, 0.5, repeats=(2, 3, 1)), tmp_path)
    assert labels(match(subject).matches) == (
        "stage2/unit1",
        "stage2/unit2",
        "stage3/unit1",
        "stage3/unit2",
        "stage3/unit3",
        "stage4/unit1",
    )


@pytest.mark.parametrize("chunk", ["split", "slice", "shape"])
def test_v2_networks_are_said_to_be_so(tmp_path: Path, chunk: Any) -> None:
    found = match(subject_of(shufflenet_v2(0.5, chunk=chunk), tmp_path))
    assert not found.matches
    assert not found.refusals
    assert found.note.startswith("16 units of ShuffleNet V2 are there already")


widths = st.lists(st.integers(1, 60).map(lambda n: 8 * n), min_size=1, max_size=4).map(tuple)


def _quadratic(found: StageWidths) -> int:
    return sum(width * width for width in (*found.stages, found.final or 0))


@given(widths, st.sampled_from([4, 8, 16]))
def test_aligned_never_goes_over_the_budget(stages: tuple[int, ...], block: int) -> None:
    target = _quadratic(StageWidths(stages, None))
    found = aligned(StageWidths(stages, None), block, _quadratic, target)
    if found is not None:
        assert _quadratic(found) <= 1.05 * target
        assert all(width % (2 * block) == 0 for width in found.stages)


@given(widths)
def test_proportions_are_the_nearest_of_their_kind(stages: tuple[int, ...]) -> None:
    target = _quadratic(StageWidths(stages, None))
    found = in_proportion(stages, _quadratic, target)
    assert all(width % 2 == 0 for width in found.stages)
    assert abs(_quadratic(found) - target) <= 0.6 * target + 64


def test_aligned_widths_are_tried_for_eight_stages_at_most(tmp_path: Path) -> None:
    """All combinations of three widths a stage: each stage more would take three times as long."""

    def of(stages: int) -> Plan | Refusal:
        subject = subject_of(_stages(stages), tmp_path)
        options = {**DEFAULTS, "block": 8}
        return plan(subject, match(subject), "match-aligned", options)

    assert isinstance(of(8), Plan)
    refused = of(9)
    assert isinstance(refused, Refusal)
    assert refused.reason == "it has 9 stages: aligned widths are tried for 8"


def _stages(count: int) -> ModelProto:
    """A classifier whose body are so many units with stride 2, of 16 channels more each."""
    b = Builder(Form(width=3, size=1))
    x = b.op("Relu", b.conv("x", 3, 16))
    widths = range(16, 16 * (count + 1), 16)
    for width in widths:
        x = v1_forms.unit(b, x, Form(stride=2, width=width, size=1))
    weight = b.constant(np.ones((10, widths[-1] + 16), np.float32))
    pooled = b.op("Flatten", b.op("GlobalAveragePool", x))
    return v1_forms.model(b, b.op("Gemm", pooled, weight, transB=1))
