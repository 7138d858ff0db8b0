"""Small models and views that many tests need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes a model to a file of its own and returns the file's path."""

    def write(proto: onnx.ModelProto, name: str = "model.onnx") -> Path:
        path = tmp_path / name
        path.write_bytes(proto.SerializeToString())
        return path

    return write
