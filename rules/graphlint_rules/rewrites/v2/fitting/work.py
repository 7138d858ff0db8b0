"""Everything that a fit is about, and what fitting a network and fitting units share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphlint.rewrites import FitRequest, Subject
from graphlint_rules.rewrites.v2.fitting.arrays import Array, Indices
from graphlint_rules.rewrites.v2.fitting.augmentation import Augmentation
from graphlint_rules.rewrites.v2.fitting.budget import Deadline, Parts, Sizes
from graphlint_rules.rewrites.v2.fitting.closed_form import Chain, ChainInClosedForm, fit_chain
from graphlint_rules.rewrites.v2.fitting.student import Unit
from graphlint_rules.rewrites.v2.fitting.teaching import Samples, Source, sampled
from graphlint_rules.rewrites.v2.fitting.training import Run, Trained
from graphlint_rules.rewrites.v2.network import V2Network, V2Weights
from graphlint_rules.rewrites.v2.units import UnitPlan, UnitWeights

_DESCRIBED_ON = 256
"""Images that statistics are taken and units are compared on."""


@dataclass(frozen=True)
class Work:
    """A fit's arguments, and how its images are divided."""

    subject: Subject
    details: V2Network
    start: V2Weights
    source: Source
    request: FitRequest
    parts: Parts
    sizes: Sizes
    deadline: Deadline

    @property
    def described_on(self) -> Indices:
        """Images that statistics are taken on."""
        return self.parts.fit[:_DESCRIBED_ON]

    @property
    def compared_on(self) -> Indices:
        """Images that units are compared on; none that they were fitted on."""
        return self.parts.choose[:_DESCRIBED_ON]

    @property
    def closed_on(self) -> Indices:
        """Images that the closed form looks at."""
        return self.parts.fit[: self.sizes.images]

    def samples(self, plans: Sequence[UnitPlan]) -> Samples:
        """The teacher's values around these units, sampled."""
        keys = [plans[0].unit.input, *(plan.unit.output for plan in plans)]
        return sampled(
            self.source,
            self.closed_on,
            keys,
            self.sizes.columns,
            self.request.seed,
            self.sizes.batch,
        )

    def closed_form(self, chain: Chain, samples: Samples, x: Array) -> ChainInClosedForm:
        """A chain's weights in closed form, as long as there is time."""

        def told(done: float) -> None:
            self.request.progress("closed form", done, None)

        return fit_chain(chain, samples, x, told, lambda: self.deadline.passed)

    def built(self, plans: Sequence[UnitPlan], weights: Sequence[UnitWeights]) -> list[Unit]:
        """Units that compute, for the sizes of the teacher's values."""
        area = self.source.area(plans[0].unit.input)
        units = []
        for plan, own in zip(plans, weights, strict=True):
            units.append(Unit(plan, own, area))
            area = units[-1].out_area
        return units

    def run(self, augmentation: Augmentation, deadline: Deadline) -> Run:
        """How to train."""
        return Run(
            self.parts.fit,
            self.parts.choose,
            augmentation,
            deadline,
            self.request.seed,
            self.request.steps,
        )

    def said(self, trained: Trained, what: str, augmentation: Augmentation) -> str:
        """What training was, in a line."""
        said = f"{trained.steps:,} steps of {what}"
        if trained.cut:
            said += f" of {self.request.steps:,}: the {self.request.seconds:g} s were over"
        elif self.request.steps is None:
            said += f", as many as {self.request.seconds:g} s allowed"
        return f"{said}; images {augmentation}"

    def closed_said(self, left_out: int) -> str:
        """What the closed form was, in a line."""
        said = f"closed form from {len(self.closed_on):,} images"
        if left_out:
            said += f"; no time for {left_out} units, which have weights from the seed"
        return said
