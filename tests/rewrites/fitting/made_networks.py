"""A V1 network in numpy, as the teacher that a fit is given, and plans for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from graphlint.rewrites import FitRequest, Match, Place, Plan, Subject
from graphlint_rules.rewrites.v1.heads import Head
from graphlint_rules.rewrites.v1.networks import Network, Stage
from graphlint_rules.rewrites.v1.units import V1Unit
from graphlint_rules.rewrites.v2.fitting.arrays import flat, to_front
from graphlint_rules.rewrites.v2.fitting.nonlinear import nonlinear
from graphlint_rules.rewrites.v2.fitting.windows import Bands
from graphlint_rules.rewrites.v2.network import V2Network, V2Weights
from graphlint_rules.rewrites.v2.units import UnitPlan
from graphlint_rules.rewrites.v2.weights import dense, exact_weights, seeded_weights
from tests.rewrites.fitting.made_units import v1_unit

Array = np.ndarray[Any, Any]

SIZE = 8


def v1_output(unit: V1Unit, x: Array) -> Array:
    """What a V1 unit computes, (channels, height, width, batch)."""
    activate, finish = nonlinear(unit.activation), nonlinear(unit.output_activation)
    z = dense(unit.first)[:, :, 0, 0] @ flat(x) + unit.first.bias[:, None]
    mid = activate(z)[0][list(unit.shuffle)].reshape(-1, *x.shape[1:])
    spatial, _ = Bands(unit.window, *x.shape[1:3]).forward(mid, unit.depthwise.weight[:, 0])
    spatial += unit.depthwise.bias[:, None, None, None]
    z = dense(unit.last)[:, :, 0, 0] @ flat(spatial) + unit.last.bias[:, None]
    branch = z.reshape(-1, *spatial.shape[1:])
    if unit.pool is None:
        joined = x + branch
    else:
        bands = Bands(unit.pool.window, *x.shape[1:3])
        pooled, _ = bands.forward(x, bands.mean_weight)
        joined = np.concatenate([pooled, branch])
    return finish(flat(joined).copy())[0].reshape(joined.shape)


@dataclass
class MadeTeacher:
    """Units one behind the other, and a linear classifier of their output's averages."""

    units: Sequence[V1Unit]
    classifier: tuple[Array, Array]
    batch: int | None = None
    """The only number of images that it takes, if any."""
    inputs: tuple[str, ...] = ("x0",)
    outputs: tuple[str, ...] = ("logits",)

    def run(self, feeds: Mapping[str, Array], keys: Sequence[str]) -> list[Array]:
        """All values, of which `keys` are handed out."""
        images = feeds["x0"]
        if self.batch is not None and len(images) != self.batch:
            raise RuntimeError(f"{len(images)} images where {self.batch} are taken")
        x = to_front(images)
        values: dict[str, Array] = {"x0": x}
        for unit in self.units:
            x = v1_output(unit, x)
            values[unit.output] = x
        weight, bias = self.classifier
        values["logits"] = weight @ x.mean(axis=(1, 2)) + bias[:, None]
        return [np.ascontiguousarray(np.moveaxis(values[key], -1, 0)) for key in keys]

    @property
    def network(self) -> Network:
        """What a matcher would say of it."""
        weight, bias = self.classifier
        head = Head(self.units[-1].output, "features", "logits", (), (), weight, bias, ())
        return Network("x0", None, (Stage(tuple(self.units)),), head)

    @property
    def subject(self) -> Subject:
        """As much of a subject as a fit asks for."""
        shapes, size = {"x0": (1, self.units[0].width_in, SIZE, SIZE)}, SIZE
        for unit in self.units:
            size //= unit.stride
            shapes[unit.output] = (1, unit.width_out, size, size)
        view = SimpleNamespace(
            shape=shapes.get,
            type=lambda key: None,
            inputs=("x0",),
            readers=lambda key: (),
            is_output=lambda key: False,
        )
        costs = SimpleNamespace(total=SimpleNamespace(multiply_adds=100_000))
        return cast(Subject, SimpleNamespace(view=view, costs=costs))


def teacher(seed: int = 0, classes: int = 5, batch: int | None = None) -> MadeTeacher:
    """A stride-2 unit and two with stride 1, with random weights."""
    random = np.random.default_rng(seed)
    units = [
        v1_unit(random, 4, 16, stride=2, key=0),
        v1_unit(random, 16, 16, key=1),
        v1_unit(random, 16, 16, key=2),
    ]
    weight = random.standard_normal((classes, 16)).astype(np.float32)
    made = MadeTeacher(units, (weight, np.zeros(classes, np.float32)), batch)
    # Answers that are spread over the classes, as trained networks' are.
    images = smooth_images(200, seed=99)
    (outputs,) = MadeTeacher(units, made.classifier).run({"x0": images}, ["logits"])
    scale = outputs.std(axis=0)
    made.classifier = (weight / scale[:, None], (-outputs.mean(axis=0) / scale).astype(np.float32))
    return made


def smooth_images(count: int, seed: int, channels: int = 4) -> Array:
    """Images that are not noise: each a few soft blobs."""
    random = np.random.default_rng(seed)
    coarse = random.standard_normal((count, channels, 3, 3))
    fine = np.repeat(np.repeat(coarse, 3, axis=2), 3, axis=3)[:, :, :SIZE, :SIZE]
    return np.maximum(fine + 0.1 * random.standard_normal(fine.shape), 0).astype(np.float32)


def plan_for(made: MadeTeacher, *, exact: bool = True, alone: bool = False) -> Plan:
    """The plan `keep`: half passes with stride 1, and stride-2 units stay exact."""
    plans = tuple(_v2(unit, exact) for unit in made.units)
    places = tuple(
        Place(Match(unit.nodes, "unit", unit), each.exact, "", unit.output)
        for unit, each in zip(made.units, plans, strict=True)
    )
    return Plan("keep", places, V2Network(plans, None if alone else made.network))


def _v2(unit: V1Unit, exact: bool) -> UnitPlan:
    is_exact = exact and unit.stride == 2
    half = unit.width_out // 2
    return UnitPlan(
        unit,
        unit.width_in,
        unit.width_out,
        passed=unit.width_in if is_exact else half,
        width_mid=unit.width_mid if is_exact else half,
        exact=is_exact,
        shuffled=not is_exact,
    )


def start_for(plan: Plan, seed: int = 0) -> V2Weights:
    """The weights that need no data."""
    random = np.random.default_rng(seed)
    return V2Weights(
        tuple(
            exact_weights(unit) if unit.exact else seeded_weights(unit, random)
            for unit in plan.details.units
        )
    )


def request(images: Array, **given: Any) -> FitRequest:
    """A request with a seed of 0 and time enough."""
    return FitRequest(images=images, made_up=False, **{"seconds": 1e6, "seed": 0, **given})
