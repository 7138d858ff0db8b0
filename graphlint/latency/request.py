"""What is asked of the child process that measures, and what it says on its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from graphlint.bindings import Bindings
from graphlint.times import NotMeasured


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
class CompareRequest:
    """Models to measure in turn, `models` and answer in the same order.

    `lost` holds those that are to be left out, by their place, with what became of them before.
    `time_budget` is in seconds, for all of them; all other options are the models' own, of which
    provider, threads and optimisation are the same.
    """

    models: tuple[MeasureRequest, ...]
    time_budget: float
    folder: Path
    lost: Mapping[int, NotMeasured] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """The device's ceilings, each in so many seconds, sessions included."""

    provider: str
    threads: int
    seconds: float
    folder: Path


ChildRequest = MeasureRequest | CompareRequest | ProbeRequest


@dataclass(frozen=True, slots=True)
class StageBegins:
    """A child's message: what begins; the time that it may take starts anew.

    `subject` is the place of the model that it is about, where several are measured.
    """

    name: str
    subject: int | None = None


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
    "probe": "a probe of the device",
}
"""What each stage is, as the subject of a sentence."""
