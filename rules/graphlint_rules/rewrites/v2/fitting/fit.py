"""Carrying a V1 network's weights over to the V2 network: `Rewrite.fit`.

Images are divided into those to fit on, those to choose the best by, and those to state agreement
on, which nothing else sees. Weights come in closed form, unit after unit; then all units and the
head learn the teacher's answers on changed images, as long as there is time. What did best on the
images to choose by is kept. Units whose network is unknown learn the values of the teacher's.
"""

from __future__ import annotations

import numpy as np

from graphlint.rewrites import CannotFit, FitRequest, Fitted, Plan, Subject, Teacher
from graphlint_rules.rewrites.v2.fitting.budget import deadline, parts, sizes
from graphlint_rules.rewrites.v2.fitting.network_fit import fit_network
from graphlint_rules.rewrites.v2.fitting.teaching import Source
from graphlint_rules.rewrites.v2.fitting.units_fit import fit_units_alone
from graphlint_rules.rewrites.v2.fitting.work import Work
from graphlint_rules.rewrites.v2.network import V2Network, V2Weights

_FEWEST = 30
"""Fewer images than this can't be divided."""


def fit(
    subject: Subject,
    plan: Plan,
    start: V2Weights,
    teacher: Teacher,
    request: FitRequest,
) -> Fitted:
    """Weights for the plan's network that make it answer as the teacher does.

    Raises:
        CannotFit: the model has several inputs, or there are too few images.
    """
    ends = deadline(request.seconds, request.clock)
    if len(request.images) < _FEWEST:
        raise CannotFit(f"{len(request.images)} images are too few to fit on: give {_FEWEST}")
    details: V2Network = plan.details
    split = parts(len(request.images), request.seed)
    work = Work(
        subject,
        details,
        start,
        Source(subject, teacher, np.asarray(request.images, np.float32)),
        request,
        split,
        sizes(
            subject,
            details.units,
            len(split.fit),
            request.seconds if request.steps is None else None,
        ),
        ends,
    )
    if details.network is not None:
        return fit_network(work, details.network)
    return fit_units_alone(work)
