"""Calibrations on tiny networks: times, losses, budgets, and what an interrupt leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest
from onnx import helper

from graphlint.calibration import calibrate as calibration
from graphlint.calibration.experiment import Experiment, Measured, Network
from graphlint.calibration.network import Chain
from graphlint.calibration.partial import Partial
from graphlint.calibration.run import Outcome, measure, outcomes
from graphlint.calibration.tables import TABLES, experiments
from graphlint.errors import UsageError
from graphlint.times import Ceilings
from graphlint.timing import LatencyOptions
from tests.calibration.profiles import LAYER, fitted_to_nothing

needs_runtime = pytest.mark.skipif(
    find_spec("onnxruntime") is None, reason="onnxruntime is not installed: nothing to measure with"
)


def tiny(channels: int) -> Network:
    def build() -> onnx.ModelProto:
        chain = Chain()
        return chain.model(chain.relu(chain.conv(chain.input(channels, 4), channels)))

    return Network(f"c{channels}", build)


def refused() -> onnx.ModelProto:
    node = helper.make_node("NoSuchOperator", ["x"], ["y"], domain="nowhere")
    info = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in "xy"]
    graph = helper.make_graph([node], "refused", info[:1], info[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@needs_runtime
def test_networks_are_measured_by_their_keys() -> None:
    heard: list[Outcome] = []
    some = (Experiment("a", (tiny(2), tiny(4))), Experiment("b", (tiny(2),)))
    found = measure(some, LatencyOptions(), 0.5, heard=heard.append)
    assert set(found) == {("a", "c2"), ("a", "c4"), ("b", "c2")}
    assert all(each.seconds > 0 and each.spread >= 0 for each in found.values())
    assert [outcome.experiment for outcome in heard] == ["a", "b"]
    assert all(outcome.rounds >= 15 for outcome in heard)


@needs_runtime
def test_a_network_that_is_refused_takes_no_other_down() -> None:
    (outcome,) = outcomes(
        [Experiment("a", (tiny(2), Network("refused", refused)))], LatencyOptions(), 0.2
    )
    assert set(outcome.measured) == {"c2"}
    assert set(outcome.lost) == {"refused"}
    assert outcome.lost["refused"]


@needs_runtime
@pytest.mark.parametrize("provider", ["cuda", "no_such"])
def test_a_provider_that_is_not_there_is_an_error(provider: str) -> None:
    if provider == "cuda" and find_spec("nvidia") is not None:
        pytest.skip("CUDA's libraries are installed")
    with pytest.raises(UsageError) as error:
        measure([Experiment("a", (tiny(2),))], LatencyOptions(provider=provider), 0.2)
    assert provider in str(error.value)


def test_the_time_is_shared_by_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[float] = []

    def instantly(experiment: Experiment, options: LatencyOptions, limits: object) -> Outcome:
        shares.append(options.time_budget)
        return Outcome(experiment.key, {}, {}, 1.0, 0)

    monkeypatch.setattr("graphlint.calibration.run._outcome", instantly)
    some = [Experiment("a", (tiny(2),) * 3), Experiment("b", (tiny(2),))]
    list(outcomes(some, LatencyOptions(), 100.0))
    assert shares == pytest.approx([75.0, 100.0], abs=1.0)  # what is left over goes on


# A calibration, on a device that is made up


class FakeDevice:
    """Stands in the place of the runtime: every experiment at once, with a spread by its count."""

    def __init__(self, spreads: Sequence[float] = (0.01,), stop_after: int | None = None) -> None:
        self.spreads = spreads
        self.stop_after = stop_after
        self.asked: list[str] = []
        self.budgets: list[float] = []

    def outcomes(
        self, some: Sequence[Experiment], options: LatencyOptions, budget: float
    ) -> Iterator[Outcome]:
        self.budgets.append(budget)
        for each in some:
            if len(self.asked) == self.stop_after:
                raise KeyboardInterrupt
            spread = self.spreads[min(self.asked.count(each.key), len(self.spreads) - 1)]
            self.asked.append(each.key)
            yield Outcome(
                each.key, {n.key: Measured(0.001, spread) for n in each.networks}, {}, 1.0, 15
            )


On = Callable[[FakeDevice], FakeDevice]

TABLE = replace(TABLES[3], columns=TABLES[3].columns[:3])
PLAN = calibration.Plan("quick", (TABLE,), experiments((TABLE,), side=4), fitted_to_nothing)
OPTIONS = LatencyOptions(time_budget=100.0)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> On:
    """Puts a made-up device in the runtime's place."""

    def put(device: FakeDevice) -> FakeDevice:
        monkeypatch.setattr(calibration, "outcomes", device.outcomes)
        monkeypatch.setattr(calibration, "is_installed", lambda: True)
        monkeypatch.setattr(calibration, "is_loaded", lambda threads: False)
        monkeypatch.setattr(
            calibration, "measure_ceilings", lambda *asked: Ceilings(1e10, 5e10, "made up")
        )
        return device

    return put


def test_a_profile_has_all_cells(on: On) -> None:
    on(FakeDevice())
    profile = calibration.calibrate(PLAN, OPTIONS, "0.1")
    assert len(profile.cells) == 12
    assert profile.channel_block == 16
    assert [each.layer for each in profile.layers] == [LAYER]
    assert profile.device.optimization == "all"
    assert profile.notes == ()


def test_an_interrupted_calibration_goes_on(on: On, tmp_path: Path) -> None:
    target = tmp_path / "device.json"
    first = on(FakeDevice(stop_after=2))
    with pytest.raises(KeyboardInterrupt):
        calibration.calibrate(PLAN, OPTIONS, "0.1", target=target)
    second = on(FakeDevice())
    profile = calibration.calibrate(PLAN, OPTIONS, "0.1", target=target)
    assert first.asked + second.asked == [each.key for each in PLAN.experiments]
    assert second.budgets[0] == pytest.approx(100 / 3, abs=3)  # a third is left to do
    assert len(profile.cells) == 12
    assert "2 experiments are from an earlier calibration" in profile.notes[0]


def test_what_was_measured_in_another_way_is_not_taken(on: On, tmp_path: Path) -> None:
    target = tmp_path / "device.json"
    on(FakeDevice(stop_after=2))
    with pytest.raises(KeyboardInterrupt):
        calibration.calibrate(PLAN, OPTIONS, "0.1", target=target)
    device = on(FakeDevice())
    calibration.calibrate(PLAN, replace(OPTIONS, optimization="basic"), "0.1", target=target)
    assert len(device.asked) == 3


def test_what_is_unsteady_is_measured_again_and_the_steadier_counts(on: On) -> None:
    device = on(FakeDevice(spreads=(0.5, 0.3, 0.02, 0.01)))
    profile = calibration.calibrate(PLAN, OPTIONS, "0.1", retries=5)
    assert len(device.asked) == 9  # until the spread is below the limit
    assert {cell.spread for cell in profile.cells} == {0.02}
    device = on(FakeDevice(spreads=(0.3, 0.5)))
    profile = calibration.calibrate(PLAN, OPTIONS, "0.1", retries=1)
    assert {cell.spread for cell in profile.cells} == {0.3}
    assert "12 of 12 networks differ by 10% or more between sessions" in profile.notes


def test_without_a_runtime_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "is_installed", lambda: False)
    with pytest.raises(UsageError, match="no runtime is installed"):
        calibration.calibrate(PLAN, OPTIONS, "0.1")


# What an interrupt leaves


def test_a_line_that_is_cut_short_ends_what_is_taken(tmp_path: Path) -> None:
    partial = Partial(tmp_path / "p.json", {"size": "quick"})
    kept = Outcome("a", {"n": Measured(0.5, 0.1)}, {"m": "crashed"}, 1.2, 15)
    partial.begin({})
    partial.add(kept)
    partial.add(replace(kept, experiment="b"))
    assert partial.found() == {"a": kept, "b": replace(kept, experiment="b")}
    text = partial.path.read_text(encoding="utf-8")
    partial.path.write_text(text[:-20], encoding="utf-8")
    assert partial.found() == {"a": kept}
    assert Partial(tmp_path / "p.json", {"size": "full"}).found() == {}


@pytest.mark.parametrize("line", ["3", "{}", "[" * 100_000, json.dumps({"experiment": "a"})])
def test_a_hostile_line_is_passed_over(tmp_path: Path, line: str) -> None:
    partial = Partial(tmp_path / "p.json", {})
    partial.begin({})
    with partial.path.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    assert partial.found() == {}
