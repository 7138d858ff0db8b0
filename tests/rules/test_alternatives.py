"""Alternatives do a site's multiply-adds, run, and fit where they say so."""

import pytest
from onnx import ModelProto, checker, shape_inference

from fixtures.build import serialized
from fixtures.shufflenet import shufflenet_v1, shufflenet_v2
from graphlint.rule import Alternative, Context, Rule, Site
from graphlint_rules import A1, G1, G2, G3, G4
from tests.rules.linting import context_of


def made(rule: Rule, model: ModelProto | str, **options: int) -> list[tuple[Context, Alternative]]:
    """The alternatives of all sites that have one; each is a valid model."""
    context = context_of(model, rule, **options)
    assert rule.alternative is not None
    found = [rule.alternative(context, site) for site in rule.check(context)]
    known = [(context, each) for each in found if each is not None]
    for _, alternative in known:
        checker.check_model(shape_inference.infer_shapes(alternative.model), full_check=True)
    return known


def multiply_adds(model: ModelProto) -> int:
    return context_of(model, G1).costs.total.multiply_adds


def of_nodes(context: Context, alternative: Alternative) -> int:
    return sum(context.cost(node).multiply_adds for node in alternative.nodes)


def fixture(name: str) -> ModelProto:
    return ModelProto.FromString(serialized(name))


@pytest.mark.parametrize(
    ("rule", "model", "label"),
    [
        (G1, G1.bad[0].model, "128→128"),
        (G1, G1.bad[1].model, "120→120, groups 3"),
        (G2, G2.bad[0].model, "69→277"),
        (G2, G2.bad[1].model, "23→23"),
    ],
)
def test_other_widths_do_the_same_multiply_adds(rule: Rule, model: str, label: str) -> None:
    ((context, alternative),) = made(rule, model)
    assert alternative.label == label
    assert not alternative.fits
    before = of_nodes(context, alternative)
    assert multiply_adds(alternative.model) == pytest.approx(before, rel=0.05)


def test_quantised_layers_and_unrolled_groups_have_none() -> None:
    assert made(G1, G1.bad[2].model) == []
    assert [each.label for _, each in made(G2, G2.bad[2].model)] == ["69→35"]


def test_a_block_in_series_does_its_multiply_adds_and_fits() -> None:
    ((context, alternative),) = made(G3, fixture("inception_v1_module"))
    assert alternative.fits
    before = of_nodes(context, alternative)
    assert multiply_adds(alternative.model) == pytest.approx(before, rel=0.05)
    assert interface(alternative.model) == (["x"], ["y"])
    region = alternative.nodes[-1].outputs[0]
    shape = context.view.shape(region)
    (made_shape,) = (value.type.tensor_type.shape for value in alternative.model.graph.output)
    assert [dim.dim_value for dim in made_shape.dim] == list(shape or ())


def interface(model: ModelProto) -> tuple[list[str], list[str]]:
    return [value.name for value in model.graph.input], [value.name for value in model.graph.output]


def test_a_residual_sum_keeps_the_branch_and_leaves_out_what_is_read_elsewhere() -> None:
    found = made(G4, fixture("shufflenet_v1_unit_stride1"), depthwise=False)
    ((context, alternative),) = found
    assert [node.op for node in alternative.nodes] == ["Add"]
    (kept,) = alternative.model.graph.node
    names = [value.name for value in alternative.model.graph.input]
    read = list(alternative.nodes[0].inputs)
    producer = context.view.producer(read[names.index(kept.input[0])])
    assert producer is not None
    assert producer.op == "Conv"


def test_a_sum_of_two_branches_that_nobody_else_reads_has_none() -> None:
    model = """
    net (float[1,8,4,4] x, float[8,8,1,1] v, float[8,8,1,1] w) => (float[1,8,4,4] y) {
        a = Conv(x, v)
        b = Conv(x, w)
        y = Add(a, b)
    }
    """
    assert list(G4.check(context_of(model, G4)))
    assert made(G4, model) == []


@pytest.mark.parametrize(
    ("example", "label"), [(0, "64→64"), (1, "240→48, groups 3"), (2, "32→32, groups 32")]
)
def test_misaligned_widths_have_the_nearest_blocks(example: int, label: str) -> None:
    ((_, alternative),) = made(A1, A1.bad[example].model, block=16)
    assert alternative.label == label


def test_shufflenet_v1_is_misaligned_and_its_messages_name_the_change_in_work() -> None:
    sites: list[Site] = list(A1.check(context_of(shufflenet_v1(groups=3), A1, block=16)))
    assert sites
    assert all("% multiply-adds)" in site.message for site in sites)


def test_a_network_of_whole_blocks_is_not() -> None:
    wide = shufflenet_v2(scale=1.0)
    assert list(A1.check(context_of(wide, A1, block=2))) == []
    assert list(A1.check(context_of(wide, A1, block=16)))
