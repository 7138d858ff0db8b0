"""Whole networks: the designs that the paper blames are found, and those it praises are clean."""

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto

from fixtures.build import FOLDER
from fixtures.classics import densenet121, resnet50, resnext50_32x4d
from fixtures.inception import inception_v3, xception
from fixtures.mobilenet import mobilenet_v1, mobilenet_v2
from fixtures.shufflenet import shufflenet_v1, shufflenet_v2
from graphlint_rules import G1, G2, G3, G4, RULES
from tests.rules.linting import context_of, sites

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

# Sites of G1 to G4 without information, where the design decides the number.
LIGHT_NETS = {
    "bvlc_alexnet": {"G1": 0, "G2": 3, "G3": 0, "G4": 0},
    "densenet121": {"G2": 0, "G3": 0, "G4": 62},
    "inception_v1": {"G2": 0, "G3": 9, "G4": 0},
    "inception_v2": {"G2": 0, "G3": 10, "G4": 0},
    "resnet50": {"G1": 35, "G2": 0, "G3": 0, "G4": 16},
    "shufflenet": {"G2": 32, "G3": 0, "G4": 13},
    "squeezenet": {"G2": 0, "G3": 0, "G4": 0},
    "vgg19": {"G1": 0, "G2": 0, "G3": 0, "G4": 0},
    "zfnet512": {"G1": 0, "G2": 0, "G3": 0, "G4": 0},
}


@pytest.mark.parametrize("name", LIGHT_NETS)
def test_light_networks(name: str) -> None:
    model = onnx.load(LIGHT / f"light_{name}.onnx")
    found = {rule.code: sum(site.severity is None for site in sites(rule, model)) for rule in RULES}
    assert found.items() >= LIGHT_NETS[name].items()


# Percent of the memory access: G1, G2, G4, depthwise (information); and the sites of G3.
SHARES: dict[str, tuple[Callable[[], ModelProto], tuple[float, float, float, float], int]] = {
    "ShuffleNet V1": (lambda: shufflenet_v1(3), (3.9, 8.7, 20.3, 5.5), 0),
    "ShuffleNet V2": (shufflenet_v2, (0.2, 0, 0, 9.4), 0),
    "MobileNet V1": (mobilenet_v1, (0.5, 0, 0, 20.5), 0),
    "MobileNet V2": (mobilenet_v2, (6.1, 0, 2.2, 20.5), 0),
    "ResNet-50": (resnet50, (3.3, 0, 20.2, 0), 0),
    "ResNeXt-50": (resnext50_32x4d, (1.2, 5.6, 17.1, 0), 0),
    "DenseNet-121": (densenet121, (1.6, 0, 20.3, 0), 0),
    "Xception": (xception, (0.5, 0, 12.4, 21.1), 0),
    "Inception v3": (inception_v3, (3.1, 0, 0, 0), 10),
}


@pytest.mark.parametrize("name", SHARES)
def test_shares_of_full_size_networks(name: str) -> None:
    make, expected, blocks = SHARES[name]
    model = make()
    total = context_of(model, G1).costs.total.memory_access_bytes

    def share(rule_sites: list[int | None]) -> float:
        return 100 * sum(excess or 0 for excess in rule_sites) / total

    wide, grouped, traffic = (sites(rule, model) for rule in (G1, G2, G4))
    found = (
        share([site.excess_bytes for site in wide]),
        share([site.excess_bytes for site in grouped]),
        share([site.excess_bytes for site in traffic if site.severity is None]),
        share([site.excess_bytes for site in traffic if site.severity is not None]),
    )
    assert found == pytest.approx(expected, abs=0.051)
    assert len(sites(G3, model)) == blocks


SMALL = sorted(path.name for path in FOLDER.glob("*.onnx"))


def messages(model: ModelProto) -> list[tuple[str, str, int | None]]:
    return sorted(
        (rule.code, site.message, site.excess_bytes)
        for rule in RULES
        for site in sites(rule, model)
    )


def places(model: ModelProto) -> list[tuple[str, str, int | None]]:
    """What is found, without the figures that a bias enters."""
    return sorted(
        (code, text.split(":")[0], 0 if text.startswith("Depthwise") else excess)
        for code, text, excess in messages(model)
    )


@pytest.mark.parametrize("kept", ["_bn", "_dynamic_batch"])
def test_another_export_of_one_network_has_the_same_findings(kept: str) -> None:
    plain = onnx.load(FOLDER / "shufflenet_v1.onnx")
    other = onnx.load(FOLDER / f"shufflenet_v1{kept}.onnx")
    # A convolution whose BatchNormalization is not folded has no bias: it moves a little less.
    assert places(plain) == places(other)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_order_and_names_of_nodes_change_nothing(data: st.DataObject) -> None:
    model = onnx.load(FOLDER / data.draw(st.sampled_from(SMALL)))
    before = messages(model)
    nodes = list(model.graph.node)
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    kept |= {tensor.name for tensor in model.graph.initializer}
    names = {name: f"v{i}" for i, name in enumerate(n for node in nodes for n in node.output)}
    for number, node in enumerate(data.draw(st.permutations(nodes))):
        node.name = f"n{number}"
        for field in (node.input, node.output):
            renamed = [name if name in kept else names.get(name, name) for name in field]
            del field[:]
            field.extend(renamed)
    del model.graph.value_info[:]
    order = data.draw(st.permutations(nodes))
    shuffled = [type(node).FromString(node.SerializeToString()) for node in order]
    del model.graph.node[:]
    model.graph.node.extend(shuffled)
    assert messages(model) == before
