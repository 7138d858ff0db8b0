"""The chains of single layers: what they hold, and what is made of their times."""

import pytest
from law import costed

from graphlint.calibration import layers, probes
from graphlint.calibration.experiment import Measured
from graphlint.devices.kinds import BLOCKED, layer_of

RUN, LAUNCH = 5e-6, 1e-6
_SMALL = 300_000  # weights: larger ones take long to make up


def test_a_smaller_size_is_part_of_a_larger_one() -> None:
    keys = [
        {(e.key, network.key) for e in layers.experiments(size) for network in e.networks}
        for size in ("quick", "standard", "full")
    ]
    assert keys[0] < keys[1] < keys[2]
    for size in ("quick", "full"):
        found = layers.experiments(size)
        networks = [(e.key, network.key) for e in found for network in e.networks]
        assert len(networks) == len(set(networks))
        assert len(found) == len({e.key for e in found})


def _small() -> list[probes.Probe]:
    return [
        probe
        for probe in probes.grid()
        if probe.group not in ("launch", "reorder")
        and sum(each.channels_in * each.channels_out for each in probe.layers) < _SMALL
        and probe.layers[0].positions < 4000
    ]


@pytest.mark.parametrize("probe", _small(), ids=lambda probe: probe.name)
def test_the_layer_is_the_one_in_the_graph(probe: probes.Probe) -> None:
    model = probe.build(2)
    view, costs = costed(model)
    told = [layer_of(node, view, costs.nodes[node.index], False) for node in view.nodes]
    works = ("multiply_adds", "kind", "kernel", "groups", "stride", "positions", "bytes")
    spelt = [
        tuple(getattr(each, name) for name in works) for each in told if not isinstance(each, str)
    ]
    for layer in probe.layers:
        wanted = tuple(getattr(layer, name) for name in works)
        if layer.kind in ("transposition", "movement", "dense"):  # spelt otherwise: by bytes
            assert layer.bytes in [figures[-1] for figures in spelt]
        elif layer.kind == "normalisation":  # their own parameters come on top
            assert abs(max(figures[-1] for figures in spelt) / layer.bytes - 1) < 0.05
        else:
            assert wanted in spelt


def _times(block: int) -> dict[tuple[str, str], Measured]:
    """Times of all chains of a made-up device: channels are filled up to its blocks."""
    times = {}
    for probe in probes.grid():
        if probe.group == "launch":
            copy = LAUNCH
        else:
            copy = 1e-11 * sum(each.bytes for each in probe.layers) + LAUNCH * len(probe.layers)
            for each in probe.layers:
                filled = -(-each.channels_out // block) * block / each.channels_out
                copy += 2e-11 * each.multiply_adds * filled**2
        if probe.after is not None:
            copy += LAUNCH + 1e-11 * probe.after.bytes
        for count in (1, probe.copies):
            key = (f"layers/{probe.group}", f"{probe.name} x{count}")
            times[key] = Measured(RUN + count * copy, 0.01)
    return times


@pytest.mark.parametrize("block", [1, 8, 16])
def test_the_block_and_the_least_are_found(block: int) -> None:
    found = layers.fitted(_times(block))
    assert found.channel_block == block
    assert found.launch_seconds == pytest.approx(LAUNCH)
    assert found.run_seconds == pytest.approx(RUN)
    assert any(each.layer.kind.endswith(BLOCKED) for each in found.layers) == (block > 1)


def test_a_slope_is_a_layers_time() -> None:
    found = {each.layer: each.seconds for each in layers.fitted(_times(1)).layers}
    pair = [each for each in found if {each.channels_in, each.channels_out} == {32, 192}]
    assert len(pair) == 2
    for layer in pair:
        wanted = LAUNCH + 2e-11 * layer.multiply_adds + 1e-11 * layer.bytes
        assert found[layer] == pytest.approx(wanted, rel=1e-3)  # their biases differ
    stem = next(each for each in found if each.kind == "stem")
    wanted = LAUNCH + 2e-11 * stem.multiply_adds + 1e-11 * stem.bytes
    assert found[stem] == pytest.approx(wanted, rel=1e-3)


def test_what_was_lost_gives_no_layer() -> None:
    times = _times(1)
    whole = layers.fitted(times)
    gone = next(key for key in times if key[0] == "layers/dense")
    fewer = layers.fitted({key: value for key, value in times.items() if key != gone})
    assert len(fewer.layers) < len(whole.layers)
    with pytest.raises(ValueError, match="least operators"):
        layers.fitted({})
