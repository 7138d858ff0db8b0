"""Carrying a V1 network's weights over to the V2 network: `Rewrite.fit`.

Of generated images, those are taken that bring forth all of the teacher's answers. Images are
divided into those to fit on, those to choose the best by, and those to state agreement on, which
nothing else sees. Weights come in closed form, unit after unit; then all units and the head learn
the teacher's answers on changed images, as long as there is time. What did best on the images to
choose by is kept. Units whose network is unknown learn the values of the teacher's.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from graphlint.rewrites import CannotFit, FitRequest, Fitted, Plan, Subject, Teacher
from graphlint_rules.rewrites.v2.fitting.budget import deadline, parts, sizes
from graphlint_rules.rewrites.v2.fitting.coverage import covering
from graphlint_rules.rewrites.v2.fitting.network_fit import fit_network
from graphlint_rules.rewrites.v2.fitting.teaching import Source
from graphlint_rules.rewrites.v2.fitting.units_fit import fit_units_alone
from graphlint_rules.rewrites.v2.fitting.work import Work
from graphlint_rules.rewrites.v2.network import V2Network, V2Weights

_FEWEST = 30
"""Fewer images than this can't be divided."""

_MOST_UNCHOSEN = 2048
"""Generated images that are used where none can be chosen by the teacher's answers."""


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
    source = Source(subject, teacher, np.asarray(request.images, np.float32))
    notes = _chosen(source, details, request.seed) if request.made_up else ()
    split = parts(len(source.images), request.seed)
    seconds = request.seconds if request.steps is None else None
    work = Work(
        subject,
        details,
        start,
        source,
        request,
        split,
        sizes(subject, details.units, len(split.fit), seconds),
        ends,
    )
    if details.network is not None:
        fitted = fit_network(work, details.network)
    else:
        fitted = fit_units_alone(work)
    return replace(fitted, notes=(*notes, *fitted.notes))


def _chosen(source: Source, details: V2Network, seed: int) -> tuple[str, ...]:
    """Leave the source some of its generated images; where no answers are known, any of them."""
    if details.network is None:
        source.keep(np.arange(min(len(source.images), _MOST_UNCHOSEN)))
        return ()
    found = covering(source, details.network.head.output, seed)
    source.keep(found.members)
    return (found.said,)
