"""Whether shapes and multiply-adds are those of the tensors that are there while a model runs.

Every model runs once in ONNX Runtime, without optimisation and with its profiler, which tells the
shapes of every node's inputs and outputs, those in bodies of If, Loop and Scan too. From these the
multiply-adds are counted by formulas of their own (`formulas.py`) and compared, node by node, with
what graphlint says without running it.

    python benchmarks/recount.py FOLDER --output benchmarks/results/recount.json

`--backend` takes the models and the inputs of the onnx package's own backend tests. Local functions
are inlined first; the totals of the model as written have to be those of the inlined one. Open
dimensions are bound to `--size`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.backend import Case, cases_of  # noqa: E402
from benchmarks.forked import ask_all  # noqa: E402
from benchmarks.formulas import FORMULAS, Call, Shape  # noqa: E402
from benchmarks.process_tree import circumstances  # noqa: E402
from graphlint import registry, shapes  # noqa: E402
from graphlint.bindings import Bindings  # noqa: E402
from graphlint.costs.totals import Costs, node_costs  # noqa: E402
from graphlint.graph import ABSENT, GraphView, Node, TensorType  # noqa: E402
from graphlint.graph_builder import build  # noqa: E402
from graphlint.latency import inputs  # noqa: E402
from graphlint.model import Model, load  # noqa: E402

LIMIT_SECONDS = 90.0
Feed = Mapping[str, Any]


@dataclass
class Recount:
    """What came of one model. `differences` are sentences; `formulas` counts nodes by operator."""

    name: str
    not_run: str = ""
    nodes: int = 0
    ran: int = 0
    tensors: int = 0
    tensors_unknown: int = 0
    counted: int = 0
    counted_unknown: int = 0
    multiply_adds: int = 0
    formulas: dict[str, int] = field(default_factory=dict)
    no_formula: list[str] = field(default_factory=list)
    shape_differences: list[str] = field(default_factory=list)
    count_differences: list[str] = field(default_factory=list)
    inlining_differences: list[str] = field(default_factory=list)


# Runs in a process of its own.


def recount(name: str, path: Path, given: Feed | None, size: int) -> Recount:
    """Run a model and compare."""
    result = Recount(name)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        try:
            proto = onnx.load(str(path))
            prepared = folder / "model.onnx"
            inlined = _prepare(proto)
            onnx.save(inlined, str(prepared))
            bindings = open_bindings(load(str(prepared)), given, size)
            view, costs = _costs(prepared, bindings)
            if proto.functions:
                _compare_totals(result, _costs(path, bindings)[1], costs)
            feed = given if given is not None else inputs.make(view)
            events = _run(prepared, feed, folder)
        except Exception as error:  # whatever keeps a model from being run is its own
            result.not_run = f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"
            return result
    _compare(result, view, costs, events)
    return result


def _prepare(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model without local functions, every node with a name of its own."""
    from onnx.inliner import inline_local_functions

    model = inline_local_functions(proto) if proto.functions else proto
    for number, node in enumerate(_all_nodes(model.graph)):
        node.name = f"n{number}"
    return model


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _all_nodes(body)


def open_bindings(model: Model, given: Feed | None, size: int) -> Bindings:
    """Every input with a shape: that of its data, or with its open dimensions of one size."""
    view = build(model)
    found: dict[str, tuple[int, ...]] = {}
    for key in view.inputs:
        type_ = view.type(key)
        if not isinstance(type_, TensorType):
            continue
        if given is not None and isinstance(given.get(key), np.ndarray):
            found[key] = given[key].shape
        elif type_.shape is not None:
            found[key] = tuple(dim if isinstance(dim, int) else size for dim in type_.shape)
    return Bindings(shapes=found)


def _costs(path: Path, bindings: Bindings) -> tuple[GraphView, Costs]:
    model = load(str(path))
    view, _ = shapes.infer(build(model), bindings, model.payload)
    return view, node_costs(view, registry.handles())


def _compare_totals(result: Recount, written: Costs, inlined: Costs) -> None:
    a, b = written.total.multiply_adds, inlined.total.multiply_adds
    if a != b and written.uncosted == inlined.uncosted == 0:
        result.inlining_differences.append(f"{a} multiply-adds as written, {b} inlined")


def _run(path: Path, feed: Feed, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The profiler's events by node: one for every execution."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    session.run(None, dict(feed))
    events: dict[str, list[dict[str, Any]]] = {}
    for event in json.loads(Path(session.end_profiling()).read_text("utf-8")):
        name, _, what = event["name"].rpartition("_kernel_time")
        if event.get("cat") == "Node" and not what:
            events.setdefault(name, []).append(event["args"])
    return events


def _compare(
    result: Recount, view: GraphView, costs: Costs, events: Mapping[str, Sequence[dict[str, Any]]]
) -> None:
    result.nodes = len(view.nodes)
    for node in view.nodes:
        runs = [run for run in events.get(node.name, ()) if run["op_name"] == node.op]
        result.ran += bool(runs)
        calls = [_call(node, run) for run in runs]
        known = [call for call in calls if call is not None]
        if runs and len(known) == len(runs):
            _compare_shapes(result, view, node, known)
            _compare_counts(result, costs, node, known)


def _call(node: Node, run: dict[str, Any]) -> Call | None:
    """The shapes of one execution; None where the profiler does not tell all of them."""
    into = _placed(node.inputs, run.get("input_type_shape", ()))
    out = _placed(node.outputs, run.get("output_type_shape", ()))
    if into is None or out is None:
        return None
    return Call(
        into, out, {a.name: onnx.helper.get_attribute_value(a) for a in node.proto.attribute}
    )


def _placed(keys: Sequence[str], told: Sequence[dict[str, list[int]]]) -> list[Shape | None] | None:
    if sum(key != ABSENT for key in keys) != len(told):
        return None
    given = iter(told)
    return [tuple(*next(given).values()) if key != ABSENT else None for key in keys]


def _compare_shapes(result: Recount, view: GraphView, node: Node, calls: Sequence[Call]) -> None:
    for position, key in enumerate(node.outputs):
        if key == ABSENT:
            continue
        said = view.shape(key)
        actual = {call.outputs[position] for call in calls}
        if said is None:
            result.tensors_unknown += 1
            continue
        result.tensors += 1
        if actual != {said}:
            shown = ", ".join(map(str, sorted(map(str, actual))))
            result.shape_differences.append(f"{node.op} output {position}: {said}, ran {shown}")


def _compare_counts(result: Recount, costs: Costs, node: Node, calls: Sequence[Call]) -> None:
    said = costs.nodes[node.index]
    formula = FORMULAS.get((node.domain, node.op))
    if formula is None:
        if said.unknown is None and said.multiply_adds:
            result.no_formula.append(f"{node.domain}.{node.op}" if node.domain else node.op)
        return
    if said.unknown is not None:
        result.counted_unknown += 1
        return
    actual = sum(map(formula, calls))
    result.counted += 1
    result.multiply_adds += actual
    result.formulas[node.op] = result.formulas.get(node.op, 0) + 1
    if actual != said.multiply_adds:
        result.count_differences.append(f"{node.op}: {said.multiply_adds}, ran {actual}")


# The parent.


def run(cases: Sequence[Case], size: int, jobs: int) -> list[Recount]:
    """All models, in order."""
    arguments = [(case.name, case.path, case.feed, size) for case in cases]
    endings = ask_all(recount, arguments, jobs, LIMIT_SECONDS)
    return [
        ending.answer or Recount(case.name, not_run=ending.stopped)
        for case, ending in zip(cases, endings, strict=True)
    ]


def summary(found: Sequence[Recount]) -> dict[str, Any]:
    """The counts."""
    ran = [one for one in found if not one.not_run]
    formulas: Counter[str] = Counter()
    for one in ran:
        formulas.update(one.formulas)
    return {
        "models": len(found),
        "models_ran": len(ran),
        "not_run": dict(Counter(one.not_run.split(":")[0] for one in found if one.not_run)),
        "nodes": sum(one.nodes for one in ran),
        "nodes_ran": sum(one.ran for one in ran),
        "tensors_compared": sum(one.tensors for one in ran),
        "tensors_unknown": sum(one.tensors_unknown for one in ran),
        "shape_differences": sum(len(one.shape_differences) for one in ran),
        "nodes_recounted": sum(one.counted for one in ran),
        "nodes_recounted_by_operator": dict(formulas.most_common()),
        "nodes_unknown": sum(one.counted_unknown for one in ran),
        "multiply_adds": sum(one.multiply_adds for one in ran),
        "count_differences": sum(len(one.count_differences) for one in ran),
        "inlining_differences": sum(len(one.inlining_differences) for one in found),
        "without_formula": dict(Counter(op for one in ran for op in one.no_formula).most_common()),
    }


def main() -> None:
    """Run, print the counts, write them with all differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--backend", action="store_true", help="the onnx package's test models")
    parser.add_argument("--size", type=int, default=4, help="of open dimensions")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if (options.folder is None) is not options.backend:
        parser.error("give a folder, or --backend")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as made:
        cases = list(cases_of(options.folder, Path(made)))
        registry.handles()  # what is loaded here need not be loaded in every process
        found = run(cases, options.size, options.jobs)
    counts = summary(found)
    print(json.dumps(counts, indent=1))
    differing = [
        one
        for one in found
        if one.shape_differences or one.count_differences or one.inlining_differences
    ]
    for one in differing:
        print(one.name, *one.shape_differences, *one.count_differences, *one.inlining_differences)
    if options.output is not None:
        document = {
            **circumstances("onnx-graphlint", "onnx", "onnxruntime"),
            "seconds": round(time.perf_counter() - start),
            "counts": counts,
            "differences": [asdict(one) for one in differing],
        }
        options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
