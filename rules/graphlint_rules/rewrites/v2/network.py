"""What a plan from V1 to V2 changes in a whole network, and the weights that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphlint_rules.rewrites.v1.units import NONE, Activation, Array
from graphlint_rules.rewrites.v2.units import ConvWeights, UnitPlan, UnitWeights

if TYPE_CHECKING:
    from graphlint_rules.rewrites.v1.networks import Network


@dataclass(frozen=True, slots=True)
class Style:
    """How layers are written.

    `folds_batch_norm`: bias in the convolutions instead of BatchNormalization after them.
    """

    folds_batch_norm: bool = False


@dataclass(frozen=True, slots=True)
class V2Network:
    """The details of a plan: the units in order, and what changes around them.

    `network` is the whole V1 network where one is there. `stem_width` is the stem's new width,
    `final_width` that of the 1×1 convolution (the paper's conv5) which comes before the head, and
    `final_activation` what follows it; None where there is none. `recut`: the classifier reads
    another number of channels.
    """

    units: tuple[UnitPlan, ...]
    network: Network | None = None
    stem_width: int | None = None
    final_width: int | None = None
    final_activation: Activation = NONE
    recut: bool = False
    style: Style = Style()


@dataclass(frozen=True, slots=True)
class ClassifierWeights:
    """`weight` (classes, channels), `bias` (classes,)."""

    weight: Array
    bias: Array


@dataclass(frozen=True, slots=True)
class V2Weights:
    """The weights of a `V2Network`; None for what stays as it is in the model."""

    units: tuple[UnitWeights, ...]
    stem: ConvWeights | None = None
    final: ConvWeights | None = None
    classifier: ClassifierWeights | None = None
