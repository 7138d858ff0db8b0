"""Many models in one call: what is held of each, and until when."""

from pathlib import Path
from typing import Any

import pytest

from graphlint import timing
from graphlint.checking import Options, check_paths
from graphlint.results import ModelReport
from graphlint.timing import LatencyOptions

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
MODELS = [str(FIXTURES / f"shufflenet_v{number}_unit_stride1.onnx") for number in (1, 2)]


@pytest.mark.parametrize("keep", [True, False])
def test_nodes_are_told_and_kept_only_if_wanted(keep: bool) -> None:
    told: list[int] = []
    options = Options(isolated=True, want_nodes=True, keep_nodes=keep)
    report = check_paths(MODELS, options, each=lambda model: told.append(len(model.nodes)))
    kept = [len(model.nodes) for model in report.models]
    assert min(told) > 0
    assert kept == (told if keep else [0, 0])
    assert all(model.findings or model.totals for model in report.models)


def test_a_model_is_measured_before_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no more than one model's nodes are held, and nothing runs beside a measurement."""
    events: list[str] = []

    def measure(subject: timing.Subject, options: LatencyOptions) -> ModelReport:
        assert subject.report.nodes
        events.append("measured")
        return subject.report

    monkeypatch.setattr(timing, "measure", measure)
    options = Options(isolated=True, jobs=2, latency=LatencyOptions())

    def read(done: int, total: int) -> None:
        events.append(f"read {done} of {total}")

    report = check_paths(MODELS, options, read, _refuse_nodes)
    assert events == ["read 1 of 2", "measured", "read 2 of 2", "measured"]
    assert [model.nodes for model in report.models] == [(), ()]


def _refuse_nodes(model: Any) -> None:
    assert model.nodes == ()
