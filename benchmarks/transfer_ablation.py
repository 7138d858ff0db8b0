"""What each stage of carrying weights over gains: the same fit without it.

    python benchmarks/transfer_ablation.py --task digits --output benchmarks/results/ablation.json

Every variant takes one thing away, in this process, by putting something plainer in its place; the
result answers test images that nothing saw. Steps of distillation are counted, not seconds, so that
the figures don't depend on how busy the machine is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

# One thread: before numpy is loaded.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.latency import machine  # noqa: E402
from benchmarks.transfer import Task, digit_task, texture_task  # noqa: E402
from graphlint.bindings import Bindings  # noqa: E402
from graphlint.rewrites import FitRequest, Fitted, Plan  # noqa: E402
from graphlint.rewriting import generated  # noqa: E402
from graphlint.rewriting.dead_leaves import dead_leaves  # noqa: E402
from graphlint.rewriting.runner import Runner  # noqa: E402
from graphlint.rewriting.subject import Source, read  # noqa: E402
from graphlint.rewriting.transfer import MADE_UP_IMAGES  # noqa: E402
from graphlint.rule import OptionValue  # noqa: E402
from graphlint_rules.rewrites.v1.matcher import match_v1_units  # noqa: E402
from graphlint_rules.rewrites.v2.fitting import (  # noqa: E402
    augmentation,
    carried,
    closed_form,
    coverage,
    fit,
    heads,
    lessons,
    network_fit,
    regression,
)
from graphlint_rules.rewrites.v2.fitting.arrays import to_front  # noqa: E402
from graphlint_rules.rewrites.v2.fitting.parameters import Pointwise  # noqa: E402
from graphlint_rules.rewrites.v2.fitting.student import Chain, Head, Student, Unit  # noqa: E402
from graphlint_rules.rewrites.v2.stages import plan as planned  # noqa: E402
from graphlint_rules.rewrites.v2.stages import start  # noqa: E402

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Variant:
    """What is put in the place of something: (module or class, name, value).

    `only_without_data`: with data it changes nothing.
    """

    patches: tuple[tuple[Any, str, Any], ...] = ()
    only_without_data: bool = False

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The patches hold in the block."""
        with ExitStack() as stack:
            for where, name, value in self.patches:
                stack.enter_context(patch.object(where, name, value))
            yield


def _by_number(channels: Array, changes: Array, spans: Array) -> Array:
    return np.sort(channels)


def _first(outputs: Array, wanted: int, random: np.random.Generator) -> Array:
    return np.arange(wanted)


def _unchanged(*given: Any) -> augmentation.Augmentation:
    return augmentation.Augmentation(())


_LEAVES = (generated, "_KINDS", (dead_leaves,))
_UNDRAWN = (coverage, "drawn", _first)

VARIANTS: Mapping[str, Variant] = {
    "as it is": Variant(),
    "channels placed by number": Variant(((closed_form, "placed", _by_number),)),
    "ridge not through ReLU": Variant(((regression, "_ROUNDS", 0),)),
    "whole bottleneck only": Variant(((carried, "_SHARES", (1.0,)),)),
    "half a bottleneck only": Variant(((carried, "_SHARES", (0.5,)),)),
    "classifier not corrected": Variant(((heads, "_corrected", lambda layer, *_: layer),)),
    "layers not normalised": Variant(((lessons.Answers, "prepare", lambda *_: None),)),
    "images not changed": Variant(
        ((network_fit, "sensible", _unchanged), (network_fit, "every", _unchanged))
    ),
    "images not drawn": Variant((_UNDRAWN,), only_without_data=True),
    "dead leaves only": Variant((_LEAVES,), only_without_data=True),
    "dead leaves only, not drawn": Variant((_LEAVES, _UNDRAWN), only_without_data=True),
}


@dataclass(frozen=True)
class Bench:
    """A task, its original, read once, and the steps of distillation (0: closed form only)."""

    task: Task
    source: Source
    teacher: Runner
    steps: int

    def row(self, name: str, plan_name: str, data: bool, seed: int) -> dict[str, Any]:
        """One fit of a variant, and how its result answers."""
        started = time.process_time()
        with VARIANTS[name].applied():
            plan = self._plan(plan_name)
            found = self._fitted(plan, data, seed)
        agreement = self._agreement(plan, found)
        return {
            "variant": name,
            "plan": plan_name,
            "data": data,
            "seed": seed,
            "agreement": agreement,
            "cpu_seconds": round(time.process_time() - started, 1),
        }

    def _plan(self, name: str) -> Plan:
        options: dict[str, OptionValue] = {
            "block": self.task.block,
            "stride-2": "exact",
            "shuffle": "transpose",
            "fold-bn": False,
        }
        subject = self.source.subject
        plan = planned(subject, match_v1_units(subject), name, options)
        assert isinstance(plan, Plan)
        return plan

    def _fitted(self, plan: Plan, data: bool, seed: int) -> Fitted:
        images = self.task.calibration
        if not data:
            shape = self.task.images.shape[1:]
            images = generated.generated(MADE_UP_IMAGES, shape, seed, mean=(0,), std=(1,))
        request = FitRequest(
            images,
            made_up=not data,
            seconds=1e6,
            seed=seed,
            steps=self.steps,
            closed_form=not self.steps,
        )
        subject = self.source.subject
        return fit(subject, plan, start(subject, plan, seed), self.teacher, request)

    def _agreement(self, plan: Plan, found: Fitted) -> float:
        """The share of test images on which the plan's units and the original answer alike."""
        network = plan.details.network
        same = 0
        for begin in range(0, len(self.task.images), 100):
            feed = {self.teacher.inputs[0]: self.task.images[begin : begin + 100]}
            x, outputs = self.teacher.run(feed, [network.stem_output, network.head.output])
            answers = _student(plan, found, x.shape[2:]).forward(to_front(x)).argmax(axis=0)
            same += int((answers == outputs.reshape(len(outputs), -1).argmax(axis=1)).sum())
        return same / len(self.task.images)


def _student(plan: Plan, found: Fitted, area: tuple[int, int]) -> Student:
    units = []
    for each, weights in zip(plan.details.units, found.weights.units, strict=True):
        units.append(Unit(each, weights, area))
        area = units[-1].out_area
    classifier = found.weights.classifier
    head = Head(Pointwise(classifier.weight, classifier.bias))
    return Student(Chain(units, [True] * len(units)), head)


def main() -> None:
    """Run, print, and write the raw figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--task", choices=["textures", "digits"], default="digits")
    parser.add_argument("--plans", nargs="*", default=["keep"])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS))
    arguments = parser.parse_args()
    task = texture_task() if arguments.task == "textures" else digit_task()
    result: dict[str, Any] = {**machine(), "task": task.name, "steps": arguments.steps, "runs": []}
    source = read(str(task.model), Bindings())
    with tempfile.TemporaryDirectory() as folder:
        teacher = Runner(source.proto, source.subject.view, Path(folder))
        bench = Bench(task, source, teacher, arguments.steps)
        seeds = range(arguments.seeds)
        wanted = product(arguments.variants, arguments.plans, (True, False), seeds)
        for name, plan, data, seed in wanted:
            if data and VARIANTS[name].only_without_data:
                continue
            row = bench.row(name, plan, data, seed)
            result["runs"].append(row)
            print(*row.values(), sep="  ", flush=True)
            if arguments.output is not None:
                arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
