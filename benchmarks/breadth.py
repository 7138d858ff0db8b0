"""Whether graphlint has an answer for any model: every command and every format on a folder.

Each model is taken by a process of its own, with limits of time and memory, which does what the
commands do in theirs:

- what `check` reports, in every format; documents are parsed again;
- what `profile` shows, in every format and grouping;
- what `rewrite --dry-run` would do.

Every `--every`th model is measured besides, for `--budget` seconds, its times shown in every
format, and goes through the commands themselves, children included. Counted are exit codes,
tracebacks, static work of more than 10 CPU seconds, processes that outlive their command, and nodes
that are uncosted without a reason.

    python benchmarks/breadth.py FOLDER --output benchmarks/results/breadth.json

`--backend` takes the models of the onnx package's own backend tests instead of a folder, and
`--only-check` leaves out all but the check.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import sys
import tempfile
import time
import traceback
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.backend import Case, cases_of  # noqa: E402
from benchmarks.forked import ask_all  # noqa: E402
from benchmarks.process_tree import circumstances  # noqa: E402
from graphlint import __version__, engine  # noqa: E402
from graphlint.cli import app  # noqa: E402
from graphlint.cli_options import CheckFormat  # noqa: E402
from graphlint.cli_output import File, Outputs, deliver  # noqa: E402
from graphlint.config import Settings  # noqa: E402
from graphlint.errors import GraphlintError  # noqa: E402
from graphlint.latency import measuring  # noqa: E402
from graphlint.latency.request import MeasureRequest  # noqa: E402
from graphlint.report import profile  # noqa: E402
from graphlint.report import rewrite as rewrite_report  # noqa: E402
from graphlint.request import Request  # noqa: E402
from graphlint.results import Report  # noqa: E402
from graphlint.rewriting.request import RewriteRequest  # noqa: E402
from graphlint.rewriting.run import rewrite  # noqa: E402
from graphlint.terminal import Colour, style  # noqa: E402
from graphlint.times import ModelTimes, NotMeasured  # noqa: E402
from graphlint.timing import with_times  # noqa: E402

SLOW_SECONDS = 10.0
LIMIT_SECONDS = 180.0
WARM_UP = ROOT / "fixtures" / "mobilenet_v1_block.onnx"
STATIC = ("check", "profile", "rewrite", "check command", "profile command", "rewrite command")

PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "sarif": json.loads,
    "gitlab": json.loads,
    "json-lines": lambda text: [json.loads(line) for line in text.splitlines()],
    "junit": ElementTree.fromstring,
    "csv": lambda text: list(csv.DictReader(io.StringIO(text), strict=True)),
}


@dataclass
class Outcome:
    """What became of one model. CPU seconds and exit codes are by command."""

    path: str
    exit_codes: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    tracebacks: list[str] = field(default_factory=list)
    unparsable: list[str] = field(default_factory=list)
    nodes: int = 0
    uncosted: int = 0
    without_reason: int = 0
    errors: list[str] = field(default_factory=list)
    rewritable: bool = False
    measured: bool = False
    not_measured: str = ""
    stopped: str = ""
    children_left: int = 0

    @property
    def slow(self) -> list[str]:
        """The static commands that took longer than they should."""
        return [name for name in STATIC if self.seconds.get(name, 0.0) > SLOW_SECONDS]


# Runs in a process of its own.


@dataclass(frozen=True)
class Task:
    """What is to be done with a model beside a check: `seconds` are those to measure it for."""

    static: bool
    whole: bool
    seconds: float


def examine(path: str, shown: str, task: Task) -> Outcome:
    """Everything on one model."""
    outcome = Outcome(shown)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        with _timed(outcome, "check"):
            _check(outcome, path, folder)
        if task.static:
            with _timed(outcome, "profile"):
                _profile(outcome, path)
            with _timed(outcome, "rewrite"):
                _rewrite(outcome, path)
        if task.whole:
            with _timed(outcome, "latency"):
                _measure(outcome, path, task.seconds, folder)
            _commands(outcome, path, task.seconds)
    return outcome


@contextmanager
def _timed(outcome: Outcome, name: str) -> Iterator[None]:
    start = _cpu_seconds()
    try:
        yield
    except Exception:
        outcome.tracebacks.append(f"{name}: {traceback.format_exc(limit=-4)}")
    outcome.seconds[name] = round(_cpu_seconds() - start, 2)


def _cpu_seconds() -> float:
    """Of this process and its children: the clock would tell what else the machine does."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _command(outcome: Outcome, name: str, arguments: Sequence[str]) -> None:
    """Call the command line in this process, its output unseen."""
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in "oe")
    with _timed(outcome, name), redirect_stdout(stdout), redirect_stderr(stderr):
        outcome.exit_codes[name] = app(list(arguments), standalone_mode=False) or 0
    for stream in (stdout, stderr):
        said = stream.buffer.getvalue().decode()
        if "Traceback (most recent call last)" in said:
            outcome.tracebacks.append(f"{name}: {said[-600:]}")


def _commands(outcome: Outcome, path: str, seconds: float) -> None:
    still = ["--no-latency", "--isolated"]
    _command(outcome, "check command", ["check", path, *still])
    _command(outcome, "profile command", ["profile", path, *still])
    _command(outcome, "rewrite command", ["rewrite", path, "--dry-run", *still])
    timed = ["--latency", "--isolated", "--time-budget", str(seconds)]
    _command(outcome, "latency command", ["profile", path, *timed])


def _check(outcome: Outcome, path: str, folder: Path) -> None:
    report = Report(__version__, (engine.check(Request(path, Settings(), want_nodes=True)),))
    _deliver(outcome, report, list(CheckFormat), folder)
    for model in report.models:
        prefix = f"{path}: "
        outcome.errors += [error.message.removeprefix(prefix) for error in model.errors]
        outcome.nodes += len(model.nodes)
        reasons = [node.cost.unknown for node in model.nodes if node.cost.unknown is not None]
        outcome.uncosted += len(reasons)
        outcome.without_reason += sum(not reason.strip() for reason in reasons)


def _deliver(outcome: Outcome, report: Report, forms: Sequence[CheckFormat], folder: Path) -> None:
    """Write the report in these formats, and read it again."""
    for form in forms:
        file = folder / f"{form}.report"
        deliver(report, Outputs(None, (File(file, form),)), "warning", Colour.NEVER, nodes=True)
        _parse(outcome, form, file.read_text("utf-8"))


def _parse(outcome: Outcome, form: str, text: str) -> None:
    try:
        PARSERS.get(form, len)(text)
    except Exception as error:
        outcome.unparsable.append(f"{form}: {error}")


def _profile(outcome: Outcome, path: str) -> None:
    request = Request(path, Settings(), want_findings=False, want_nodes=True, want_regions=True)
    _show(outcome, Report(__version__, (engine.check(request),)))


def _show(outcome: Outcome, report: Report) -> None:
    """Every format and grouping of `profile`."""
    for form, render in profile.FORMATS.items():
        for by in ("node", "op", "category", "region"):
            _parse(outcome, form, render(report, by, 0, style(Colour.NEVER)))


def _rewrite(outcome: Outcome, path: str) -> None:
    try:
        planned = rewrite(RewriteRequest(path, Settings(), plan_only=True))
    except GraphlintError:
        return  # what can't be read can't be rewritten
    outcome.rewritable = bool(planned.plan)
    rewrite_report.render(planned, style(Colour.NEVER))
    _parse(outcome, "json", rewrite_report.render_json(planned))


def _measure(outcome: Outcome, path: str, budget: float, folder: Path) -> None:
    report = engine.check(Request(path, Settings(), want_nodes=True, want_regions=True))
    if report.totals is None:
        return
    times = measuring.run(
        MeasureRequest(path, time_budget=budget, folder=folder), lambda stage: None
    )
    if isinstance(times, NotMeasured):
        outcome.not_measured = times.reason
        report = replace(report, not_measured=times)
    elif isinstance(times, ModelTimes):
        outcome.measured = True
        report = with_times(report, times)
    whole = Report(__version__, (report,))
    _deliver(outcome, whole, list(CheckFormat), folder)
    _show(outcome, whole)


# The parent.


def run(cases: Sequence[Case], tasks: Sequence[Task], jobs: int) -> list[Outcome]:
    """All models, in order."""
    arguments = [(str(case.path), case.name, task) for case, task in zip(cases, tasks, strict=True)]
    outcomes = []
    for case, ending in zip(cases, ask_all(examine, arguments, jobs, LIMIT_SECONDS), strict=True):
        outcome: Outcome = ending.answer or Outcome(case.name, stopped=ending.stopped)
        outcome.children_left = ending.left
        outcomes.append(outcome)
    return outcomes


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The counts."""
    commands = sorted({name for outcome in outcomes for name in outcome.seconds})
    errors = Counter(_kind(error) for outcome in outcomes for error in outcome.errors)
    reasons = Counter(_kind(outcome.not_measured) for outcome in outcomes if outcome.not_measured)
    return {
        "models": len(outcomes),
        "nodes": sum(outcome.nodes for outcome in outcomes),
        "tracebacks": sum(len(outcome.tracebacks) for outcome in outcomes),
        "unparsable": sum(len(outcome.unparsable) for outcome in outcomes),
        "stopped": sum(bool(outcome.stopped) for outcome in outcomes),
        "static_over_10_cpu_seconds": sum(len(outcome.slow) for outcome in outcomes),
        "children_left": sum(outcome.children_left for outcome in outcomes),
        "uncosted_nodes": sum(outcome.uncosted for outcome in outcomes),
        "uncosted_without_reason": sum(outcome.without_reason for outcome in outcomes),
        "exit_codes": {
            name: dict(
                sorted(
                    Counter(
                        str(o.exit_codes[name]) for o in outcomes if name in o.exit_codes
                    ).items()
                )
            )
            for name in commands
            if name.endswith("command")
        },
        "errors": dict(errors.most_common()),
        "most_cpu_seconds": {
            name: max(outcome.seconds.get(name, 0.0) for outcome in outcomes) for name in commands
        },
        "rewritable": sum(outcome.rewritable for outcome in outcomes),
        "measured": sum(outcome.measured for outcome in outcomes),
        "not_measured": dict(reasons.most_common()),
    }


def _tally(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _kind(reason: str) -> str:
    """A reason without the names in it."""
    return reason.split(":")[0].split("'")[0].strip()[:60]


def main() -> None:
    """Run, print the counts, write all outcomes that are not plain."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--backend", action="store_true", help="the onnx package's test models")
    parser.add_argument("--only-check", action="store_true", help="no other command")
    parser.add_argument("--budget", type=float, default=0.3, help="seconds to measure a model")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="which are measured")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if (options.folder is None) is not options.backend:
        parser.error("give a folder, or --backend")
    examine(str(WARM_UP), "", Task(True, False, 0.0))  # what is loaded here need not be in a child
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as made:
        cases = list(cases_of(options.folder, Path(made)))
        static, every = not options.only_check, options.every
        tasks = [
            Task(static, static and number % every == 0, options.budget)
            for number in range(len(cases))
        ]
        outcomes = run(cases, tasks, options.jobs)
    counts = summary(outcomes)
    print(json.dumps(counts, indent=1))
    if options.output is not None:
        document = {
            **circumstances("onnx-graphlint", "onnx", "onnxruntime"),
            "seconds": round(time.perf_counter() - start),
            "counts": counts,
            "troubles": [asdict(o) for o in outcomes if _is_trouble(o)],
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(document, indent=1) + "\n")


def _is_trouble(outcome: Outcome) -> bool:
    return bool(
        outcome.tracebacks
        or outcome.unparsable
        or outcome.stopped
        or outcome.slow
        or outcome.children_left
        or outcome.without_reason
    )


if __name__ == "__main__":
    main()
