"""What the child process that rewrites is asked, and what it says on its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from graphlint.config import Settings
from graphlint.rewrites import AUTO
from graphlint.rewriting.preprocessing import Preprocessing
from graphlint.rule import OptionValue
from graphlint.timing import LatencyOptions

Weights = Literal["fit", "closed-form", "structure"]


@dataclass(frozen=True, slots=True)
class RewriteRequest:
    """A model to rewrite to `out`; without `out` it is only said what would be done.

    `rewrite` is the name of one, empty for those that need not be asked for. `plan_only` leaves out
    building and measuring the candidates.

    `budget` is the share of the original's multiply-adds that the automatic plan may take. `units`
    are locations of nodes: only the matches that hold one of them are rewritten. `options` are
    those of the rewrite that were given. `weights` says how far to go to carry weights over, from
    `calib` (a file or folder of unlabelled inputs; None: made up), within `fit_seconds`, with
    `steps` of distillation at most. `latency` says how to measure, None not to. `folder` is
    for temporary files: the parent makes and removes it.
    """

    path: str
    settings: Settings
    rewrite: str = ""
    out: Path | None = None
    plan: str = AUTO
    budget: float = 1.1
    units: tuple[str, ...] = ()
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    weights: Weights = "fit"
    calib: Path | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    fit_seconds: float = 180.0
    steps: int | None = None
    seed: int = 0
    force: bool = False
    plan_only: bool = False
    latency: LatencyOptions | None = None
    folder: Path = Path()


@dataclass(frozen=True, slots=True)
class Stop:
    """The parent's message: end the fit now, and save the best so far."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A child's message: what it does now, how much of it is done, and how long it may take.

    `agreement` is the share of equal answers so far, while weights are fitted.
    """

    stage: str
    done: float = 0.0
    seconds: float = 120.0
    agreement: float | None = None
