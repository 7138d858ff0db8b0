"""Several models against each other: measured in turn, in one process of their own.

A machine that is slow for a while is then slow for all of them, and what is said of one against
another holds where two measurements, one after the other, would differ.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from graphlint.latency.children import (
    DEFAULT_LIMITS,
    HINT,
    NO_RUNTIME,
    Child,
    Limits,
    scratch_folder,
)
from graphlint.latency.request import CompareRequest, MeasureRequest
from graphlint.latency.session import is_installed
from graphlint.times import Comparison, NotMeasured


def compare(requests: Sequence[MeasureRequest], limits: Limits = DEFAULT_LIMITS) -> Comparison:
    """How fast each model is, and by how much faster than the first; see `comparing`.

    The time budget is the first request's, in seconds, for all models together. A model that can't
    be measured is `NotMeasured` in its place and takes no other down: where it crashes or hangs the
    process, the others are measured again without it, in the time that is left.

    Raises:
        ValueError: there is no request, or their provider, threads or optimisation differ.
    """
    first = _first(requests)
    lost: dict[int, NotMeasured] = {}
    if not is_installed():
        return _nothing(requests, dict.fromkeys(range(len(requests)), NO_RUNTIME))
    ends = time.monotonic() + first.time_budget
    with scratch_folder() as folder:
        while len(lost) < len(requests):
            left = max(0.0, ends - time.monotonic())
            asked = CompareRequest(tuple(requests), left, folder, lost)
            with Child(limits, {}) as child:
                answer = child.ask(asked)
            if isinstance(answer, Comparison):
                return answer
            lost = {**_lost(answer, child.subject, requests), **lost}
    return _nothing(requests, lost)


def _first(requests: Sequence[MeasureRequest]) -> MeasureRequest:
    if not requests:
        raise ValueError("there is no model to compare")
    if len({(asked.provider, asked.threads, asked.optimization) for asked in requests}) > 1:
        raise ValueError("models are compared with one provider, number of threads and level")
    return requests[0]


def _lost(
    answer: object, subject: int | None, requests: Sequence[MeasureRequest]
) -> dict[int, NotMeasured]:
    """What became of the model that the child was at; of all, where that can't be told."""
    reason = answer if isinstance(answer, NotMeasured) else _NO_TIMES
    return dict.fromkeys(range(len(requests)) if subject is None else (subject,), reason)


_NO_TIMES = NotMeasured("the measuring process gave no times", HINT)


def _nothing(requests: Sequence[MeasureRequest], lost: dict[int, NotMeasured]) -> Comparison:
    first = requests[0]
    return Comparison(
        models=tuple(lost[place] for place in range(len(requests))),
        rounds=0,
        clock="wall",
        busy_factor=1.0,
        provider=first.provider,
        threads=first.threads,
        optimization=first.optimization,
    )
