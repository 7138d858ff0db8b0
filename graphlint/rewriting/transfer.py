"""Weights for the new model: exact, carried over from the old one, or none but the structure's."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from graphlint.errors import UsageError
from graphlint.rewrites import Agreement, CannotFit, FitRequest
from graphlint.rewriting import calibration
from graphlint.rewriting.calibration import Calibration
from graphlint.rewriting.candidates import Built
from graphlint.rewriting.job import Job
from graphlint.rewriting.request import Progress
from graphlint.rewriting.verify import runner

MOST_IMAGES = 8192
"""Calibration samples that are used; of more, evenly spaced ones are read."""

MADE_UP_IMAGES, FEWEST_MADE_UP, MADE_UP_BYTES = 16384, 256, 1 << 29
"""How many images are made up, and what they may take in memory; a fit chooses among them."""

_SLACK_SECONDS = 600.0
"""What a fit may take beyond its time: reading images, one step, the statistics at the end."""

_STRUCTURE_HINT = "give --weights structure to write the new architecture with random weights"

stop = threading.Event()
"""Set when the user wants what there is by now; the fit's clock then says that time is over."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The weights of the new model, where they come from, and how good they are.

    `nmse` has the error of each place of the plan, None where it is exact or nothing was fitted;
    `orders` is that of `graphlint.rewrites.Fitted`.
    """

    weights: Any
    said: str
    nmse: tuple[float | None, ...]
    agreement: Agreement | None = None
    notes: tuple[str, ...] = ()
    orders: Mapping[str, Sequence[int]] = field(default_factory=dict)


def carried_over(job: Job, built: Built) -> Carried:
    """The weights of a plan that was built.

    Raises:
        UsageError: they can't be carried over, or the calibration data can't be used.
        LatencyError: the runtime can't run the original.
    """
    nothing = (None,) * len(built.plan.places)
    if built.plan.exact:
        return Carried(built.weights, "exact: the model computes what it did", nothing)
    fit = job.rewrite.stages().fit
    if job.request.weights == "structure" or fit is None:
        said = f"structure only (seed {job.request.seed}): predictions are at chance, train it"
        return Carried(built.weights, said, nothing)
    data = _calibration(job)
    teacher = runner(job.source, job.request.folder)
    request = _fit_request(job, data)
    try:
        fitted = fit(job.source.subject, built.plan, built.weights, teacher, request)
    except CannotFit as error:
        raise UsageError(
            f"{job.request.path}: weights can't be carried over",
            cause=str(error),
            hint=_STRUCTURE_HINT,
        ) from error
    how = "in closed form" if request.closed_form else "and distilled"
    said = f"fitted {how} on {data.source}"
    if stop.is_set():
        said += ", stopped early"
    notes, agreement = fitted.notes, fitted.agreement
    if agreement is not None:
        agreement = replace(agreement, made_up=data.made_up)
    if data.made_up:
        notes = (
            "NO DATA: weights were fitted on generated images in a range that is a guess; on yours "
            "they may agree far less. Give --calib DATA, unlabelled",
            *notes,
        )
    return Carried(fitted.weights, said, fitted.differences, agreement, notes, fitted.orders)


def _calibration(job: Job) -> Calibration:
    request, view = job.request, job.source.subject.view
    view = replace(view, types={**view.types, **job.source.inputs})  # open sizes are the data's
    job.tell(Progress("reading calibration data", seconds=_SLACK_SECONDS))
    if request.calib is not None:
        return calibration.load(request.calib, view, request.preprocessing, MOST_IMAGES)
    shape = view.shape(view.inputs[0]) if view.inputs else None
    image_bytes = 4 * prod(shape[1:]) if shape else 1
    count = min(MADE_UP_IMAGES, max(FEWEST_MADE_UP, MADE_UP_BYTES // max(1, image_bytes)))
    made = calibration.made_up(view, request.preprocessing, count, request.seed)
    if made is None:
        raise UsageError(
            f"{request.path}: weights can't be carried over without data",
            cause="its input does not look like an image of a known size, so none can be made up",
            hint=f"give --calib DATA, or --input-shape; or {_STRUCTURE_HINT}",
        )
    return made


def _fit_request(job: Job, data: Calibration) -> FitRequest:
    request = job.request

    def progress(stage: str, done: float, agreement: float | None) -> None:
        seconds = request.fit_seconds + _SLACK_SECONDS
        job.tell(Progress(stage, done, seconds, agreement))

    return FitRequest(
        images=data.images,
        made_up=data.made_up,
        seconds=request.fit_seconds,
        seed=request.seed,
        steps=request.steps,
        closed_form=request.weights == "closed-form",
        progress=progress,
        clock=_clock,
    )


def _clock() -> float:
    return float("inf") if stop.is_set() else time.monotonic()
