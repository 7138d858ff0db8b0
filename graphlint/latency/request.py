"""What is asked of the child process that measures, and what it says on its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from graphlint.bindings import Bindings


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """A model to measure. `file` is where its bytes lie, if not at `path`.

    `bindings` are the input shapes that the user gave; `input_data` a `.npz` file, an array an
    input. `time_budget` is in seconds, sessions included. `infer_shapes=False` leaves out what can
    hang or crash. `folder` is where temporary files go: the parent makes and removes it.
    `plain_only` measures from end to end, without the profiler.
    """

    path: str
    file: Path | None = None
    bindings: Bindings = field(default_factory=Bindings)
    provider: str = "cpu"
    threads: int = 1
    optimization: str = "all"
    time_budget: float = 3.0
    input_data: Path | None = None
    infer_shapes: bool = True
    folder: Path | None = None
    plain_only: bool = False


@dataclass(frozen=True, slots=True)
class StageBegins:
    """A child's message: what begins; the time that it may take starts anew."""

    name: str


@dataclass(frozen=True, slots=True)
class PlainTimes:
    """The answer to a request that is `plain_only`: wall seconds of a run, a figure a session."""

    wall_by_session: tuple[float, ...]


STAGES: Mapping[str, str] = {
    "start": "starting",
    "read": "reading the model",
    "optimise": "optimising the model",
    "attribute": "attributing its kernels",
    "open": "making a session",
    "run": "a run of the model",
    "profile": "reading the profile",
}
"""What each stage is, as the subject of a sentence."""
