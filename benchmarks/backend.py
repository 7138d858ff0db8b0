"""Models to try: those of a folder, or the onnx package's own backend tests with their inputs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper


@dataclass(frozen=True)
class Case:
    """A model, and what it is to be fed where that is known."""

    name: str
    path: Path
    feed: Mapping[str, Any] | None = None


def cases_of(folder: Path | None, scratch: Path) -> Iterator[Case]:
    """The models below `folder` in sorted order; without one, the backend tests of onnx.

    Models that are made are written to `scratch`.
    """
    if folder is None:
        yield from _made(scratch)
        yield from _stored()
        return
    for path in sorted(folder.rglob("*.onnx")):
        yield Case(path.stem, path)


def _made(scratch: Path) -> Iterator[Case]:
    """The tests of single operators, which the package makes."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numbers that overflow on purpose
        cases = collect_testcases(None)
    for case in cases:
        if case.model is None:
            continue
        path = scratch / f"{case.name}.onnx"
        onnx.save(case.model, str(path))
        feed = None
        if case.data_sets:
            names = [info.name for info in case.model.graph.input]
            feed = dict(zip(names, map(_as_fed, case.data_sets[0][0]), strict=False))
        yield Case(case.name, path, feed)


def _as_fed(value: Any) -> Any:
    """A test's input as a runtime takes it: no bare numbers, no protobuf."""
    if isinstance(value, np.generic):
        return np.asarray(value)
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _stored() -> Iterator[Case]:
    """The tests of small networks, which the package brings as files."""
    from onnx.backend.test.loader import load_model_tests

    for kind in ("simple", "pytorch-converted", "pytorch-operator"):
        for case in load_model_tests(kind=kind):
            folder = Path(case.model_dir)
            path = folder / "model.onnx"
            yield Case(f"{kind}.{case.name}", path, _stored_feed(path, folder / "test_data_set_0"))
    import onnx.backend.test

    light = Path(onnx.backend.test.__file__).parent / "data" / "light"
    for path in sorted(light.glob("*.onnx")):
        yield Case(path.stem, path)


def _stored_feed(path: Path, folder: Path) -> Mapping[str, Any] | None:
    """The inputs beside a model; None where one is no tensor."""
    inputs = onnx.load(str(path), load_external_data=False).graph.input
    feed = {}
    for position, info in enumerate(inputs):
        file = folder / f"input_{position}.pb"
        if not file.exists():
            continue  # an initializer that is listed as an input
        if not info.type.HasField("tensor_type"):
            return None
        feed[info.name] = numpy_helper.to_array(onnx.load_tensor(str(file)))
    return feed
