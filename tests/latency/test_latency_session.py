"""Providers and levels: what is asked for is what runs, or an error says why not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphlint.latency import session
from graphlint.latency.session import LatencyError, LatencyUsageError, Setup, open_session

pytest.importorskip("onnxruntime", reason="sessions are ONNX Runtime's")

MODEL = Path(__file__).resolve().parents[2] / "fixtures" / "mobilenet_v1_block.onnx"


def test_an_unknown_provider_is_a_usage_error() -> None:
    with pytest.raises(LatencyUsageError, match="no such execution provider"):
        open_session(MODEL, Setup(provider="abacus"))


@pytest.mark.skipif("cuda" in session.available_providers(), reason="the runtime has CUDA")
def test_a_provider_that_is_not_there_is_a_usage_error() -> None:
    with pytest.raises(LatencyUsageError, match="not in the installed runtime") as caught:
        open_session(MODEL, Setup(provider="cuda"))
    assert "cpu" in caught.value.cause


def test_an_unknown_level_is_a_usage_error() -> None:
    with pytest.raises(LatencyUsageError, match="no such level"):
        open_session(MODEL, Setup(optimization="most"))


class FallenBack:
    """A session that took the CPU although another provider was asked for."""

    def __init__(self, *arguments: object, **options: object) -> None:
        pass

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]


def test_a_silent_fall_back_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    loaded = []
    monkeypatch.setattr(
        onnxruntime,
        "get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    monkeypatch.setattr(
        onnxruntime, "preload_dlls", lambda *a, **k: loaded.append(1), raising=False
    )
    monkeypatch.setattr(onnxruntime, "InferenceSession", FallenBack)
    with pytest.raises(LatencyUsageError, match="fell back to CPUExecutionProvider") as caught:
        open_session(MODEL, Setup(provider="cuda"))
    assert loaded == [1]
    assert "cuda" in caught.value.hint


def test_what_the_runtime_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x07garbage")
    with pytest.raises(LatencyError, match="refused"):
        open_session(tmp_path / "broken.onnx", Setup())


def test_telemetry_is_off_before_the_runtime_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys, os; from graphlint.latency import session;"
        "assert 'onnxruntime' not in sys.modules; session.version();"
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'"
    )
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert list(tmp_path.iterdir()) == []
