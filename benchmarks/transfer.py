"""How much of a V1 network's function a rewrite carries over, by plan, data and stage.

    python benchmarks/transfer.py --output benchmarks/results/transfer.json

For both trained fixtures, every plan and every seed, `graphlint rewrite` runs as a user would run
it, and its result and the original answer test images that it never saw: agreement is how often
they give the same answer, accuracy how often the right one. Stages: `structure` (random weights),
`closed-form`, and `fit` (distillation after it). CPU seconds and peak memory are of the whole
process tree.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.latency import machine  # noqa: E402
from fixtures import textures  # noqa: E402
from fixtures.shufflenet import shufflenet_v1  # noqa: E402

TRAINED = ROOT / "fixtures" / "trained"
PLANS = ("keep", "keep-flops", "match", "match-aligned")
STAGES = ("structure", "closed-form", "fit")
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Task:
    """A fixture: its model, unlabelled images, and images to test on with their labels."""

    name: str
    model: Path
    calibration: Array
    images: Array
    labels: Array
    block: int
    """The channel block of `match-aligned`: the digits network is too narrow for 16."""


def texture_task() -> Task:
    """4,096 unlabelled images, 2,000 to test on."""
    calibration, _ = textures.images(4096, textures.CALIBRATION_SEED)
    images, labels = textures.images(2000, textures.TEST_SEED)
    return Task("textures", TRAINED / "textures_v1.onnx", calibration, images, labels, 16)


def digit_task() -> Task:
    """1,000 unlabelled images, 400 to test on."""
    calibration = np.load(TRAINED / "digits_calibration.npz")["images"]
    test = np.load(TRAINED / "digits_test.npz")
    return Task(
        "digits",
        TRAINED / "digits_v1.onnx",
        (calibration / 16).astype(np.float32),
        (test["images"] / 16).astype(np.float32),
        test["labels"],
        8,
    )


def answers(model: Path, images: Array) -> Array:
    """The classes that a model says."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    batches = (images[start : start + 100] for start in range(0, len(images), 100))
    return np.concatenate([session.run(None, {name: batch})[0].argmax(axis=1) for batch in batches])


def rewritten(model: Path, out: Path, arguments: Sequence[str]) -> dict[str, Any]:
    """Run the command; its report, CPU seconds and peak memory."""
    command = [sys.executable, "-m", "graphlint", "rewrite", str(model), "-o", str(out)]
    process = subprocess.Popen(
        [*command, "--no-latency", "--output-format", "json", *arguments],
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, (arguments, status)
    return {
        "report": json.loads(text),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mib": usage.ru_maxrss // 1024,
    }


@dataclass(frozen=True)
class Run:
    """One rewrite. `seconds` is what a fit may take, `steps` those of its distillation.

    With steps, seconds should be plenty: the result then does not depend on how busy the machine
    is.
    """

    plan: str
    data: bool
    stage: str
    seed: int
    seconds: float
    steps: int | None = None


def one(task: Task, folder: Path, run: Run) -> dict[str, Any]:
    """How the result of one rewrite answers."""
    out = folder / f"{task.name}-{run.plan}-{run.data}-{run.stage}-{run.seed}.onnx"
    arguments = ["--plan", run.plan, "--weights", run.stage, "--seed", str(run.seed)]
    arguments += ["--block", str(task.block), "--time-budget", str(run.seconds)]
    arguments += [] if run.steps is None else ["--steps", str(run.steps)]
    if run.data:
        arguments += ["--calib", str(folder / f"{task.name}.npy")]
    else:
        arguments += ["--mean", "0", "--std", "1"]
    done = rewritten(task.model, out, arguments)
    teacher, student = answers(task.model, task.images), answers(out, task.images)
    report = done.pop("report")
    return {
        "task": task.name,
        "plan": run.plan,
        "data": run.data,
        "stage": run.stage,
        "seed": run.seed,
        "agreement": float((student == teacher).mean()),
        "accuracy": float((student == task.labels).mean()),
        "stated": report["agreement"],
        "notes": report["notes"],
        **done,
    }


def runs(arguments: argparse.Namespace) -> Iterator[Run]:
    """Every plan, with data and without, at every stage; a structure does not depend on data."""
    wanted = {True: arguments.seeds, False: arguments.seeds_without}
    most = range(max(wanted.values()))
    for stage, plan, data, seed in product(arguments.stages, arguments.plans, wanted, most):
        if seed < wanted[data] and (stage != "structure" or (data and seed == 0)):
            yield Run(plan, data, stage, seed, arguments.seconds, arguments.steps)


def large(folder: Path, seconds: float) -> dict[str, Any]:
    """V1 g3 1× at 224² with random weights: time and memory."""
    model = folder / "large.onnx"
    onnx.save(shufflenet_v1(3, 1.0, weights="random", batch="batch"), model)
    done = rewritten(
        model, folder / "large-out.onnx", ["--plan", "match-aligned", "--time-budget", str(seconds)]
    )
    return {**done, "report": {key: done["report"][key] for key in ("agreement", "notes")}}


def main() -> None:
    """Run, print, and write the raw figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--seeds", type=int, default=3, help="where there is data")
    parser.add_argument("--seeds-without", type=int, default=3, help="where there is no data")
    parser.add_argument("--seconds", type=float, default=170.0, help="for a fit")
    parser.add_argument("--steps", type=int, help="of distillation; with plenty of seconds")
    parser.add_argument("--plans", nargs="*", default=PLANS)
    parser.add_argument("--stages", nargs="*", default=STAGES)
    parser.add_argument("--jobs", type=int, default=1, help="rewrites side by side")
    parser.add_argument("--tasks", nargs="*", default=["textures", "digits", "large"])
    arguments = parser.parse_args()
    makers: Mapping[str, Callable[[], Task]] = {"textures": texture_task, "digits": digit_task}
    result: dict[str, Any] = {
        **machine(),
        "seconds": arguments.seconds,
        "steps": arguments.steps,
        "runs": [],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for key in arguments.tasks:
            if key == "large":
                result["large"] = large(folder, arguments.seconds)
                continue
            task = makers[key]()
            np.save(folder / f"{key}.npy", task.calibration)
            teacher = answers(task.model, task.images)
            result[f"{key}_teacher_accuracy"] = float((teacher == task.labels).mean())
            with ThreadPoolExecutor(arguments.jobs) as pool:
                for row in pool.map(partial(one, task, folder), runs(arguments)):
                    result["runs"].append(row)
                    print(
                        f"{row['task']:9}{row['plan']:14}{'data' if row['data'] else 'none':5}"
                        f"{row['stage']:12}{row['seed']}  agreement {row['agreement']:.3f}  "
                        f"accuracy {row['accuracy']:.3f}  {row['cpu_seconds']:.0f} CPU s  "
                        f"{row['peak_mib']} MiB",
                        flush=True,
                    )
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
