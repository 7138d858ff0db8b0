"""A trained network: its digits are read by the V2 network as by the V1 network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fixtures.build import FOLDER
from graphlint.bindings import Bindings
from graphlint.rewrites import Plan
from graphlint.rewriting.runner import Runner
from graphlint.rewriting.subject import read
from graphlint_rules.rewrites.v1.matcher import match_v1_units
from graphlint_rules.rewrites.v2.fitting import fit
from graphlint_rules.rewrites.v2.fitting.arrays import to_front
from graphlint_rules.rewrites.v2.fitting.parameters import Pointwise
from graphlint_rules.rewrites.v2.fitting.student import Chain, Head, Student, Unit
from graphlint_rules.rewrites.v2.plans import make_plan
from tests.rewrites.fitting.made_networks import request, start_for

TRAINED = FOLDER / "trained"
OPTIONS = {"block": 8, "stride-2": "exact", "shuffle": "transpose", "fold-bn": False}


def digits(part: str) -> np.ndarray:  # type: ignore[type-arg]
    with np.load(TRAINED / f"digits_{part}.npz") as data:
        return (data["images"] / 16).astype(np.float32)


@pytest.mark.parametrize(("name", "bar"), [("keep", 0.96), ("keep-flops", 0.94), ("match", 0.95)])
def test_digits(name: str, bar: float, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the teacher is run")
    source = read(str(TRAINED / "digits_v1.onnx"), Bindings())
    teacher = Runner(source.proto, source.subject.view, tmp_path)
    plan = make_plan(source.subject, match_v1_units(source.subject), name, OPTIONS)
    assert isinstance(plan, Plan)
    given = request(digits("calibration")[:600], steps=100)
    found = fit(source.subject, plan, start_for(plan), teacher, given)
    network = plan.details.network
    x, wanted = teacher.run({"images": digits("test")}, [network.stem_output, "logits"])
    area, units = (x.shape[2], x.shape[3]), []
    for each, weights in zip(plan.details.units, found.weights.units, strict=True):
        units.append(Unit(each, weights, area))
        area = units[-1].out_area
    classifier = found.weights.classifier
    student = Student(
        Chain(units, [True] * len(units)), Head(Pointwise(classifier.weight, classifier.bias))
    )
    same = student.forward(to_front(x)).argmax(axis=0) == wanted.argmax(axis=1)
    assert same.mean() >= bar
