"""What a rewritten model has to pass before it is saved: it is checked as a file, and run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlint import registry
from graphlint.errors import RewriteError
from graphlint.external_data import external_tensors
from graphlint.findings import Severity
from graphlint.graph import GraphView
from graphlint.latency import inputs
from graphlint.latency.session import LatencyError, is_installed
from graphlint.rewrites import Edit, Plan, Subject
from graphlint.rewriting.job import Job
from graphlint.rewriting.runner import Runner
from graphlint.rewriting.save import save
from graphlint.rewriting.subject import Source, read
from graphlint.rule import Context

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto

    Array = np.ndarray[Any, Any]

Orders = Mapping[str, Sequence[int]]
_AS_IT_WAS: Orders = {}

RELATIVE_TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
"""The largest difference of an exact place, as a share of the largest value, by element type."""

_INPUT_SCALES = (1.0, 1 / 16, 1 / 256)

_COARSE_TOLERANCE = 2e-2  # float16 and bfloat16


@dataclass(frozen=True, slots=True)
class Verified:
    """A model that passed. `differences` has one for each place that is exact and was run.

    `largest` is the largest difference of the outputs, where the whole plan is exact.
    """

    model: ModelProto
    differences: tuple[float | None, ...]
    largest: float | None
    notes: tuple[str, ...]


def verified(
    job: Job, plan: Plan, edits: Sequence[Edit], path: Path, orders: Orders = _AS_IT_WAS
) -> Verified:
    """Check the rewritten model that was saved to `path`.

    `orders` has the values whose channels stand in another order (`graphlint.rewrites.Fitted`).

    Raises:
        RewriteError: it does not pass.
        LatencyError: the runtime can't run one of the models, and weights were to be carried over.
    """
    notes = check_valid(job.source.file, path)
    after = read(str(path), job.source.bindings)
    check_interface(job.source.proto, after.proto)
    _check_cleared(job, after.subject)
    untold = (None,) * len(plan.places)
    if not is_installed():
        return Verified(after.proto, untold, None, (*notes, "not run: no runtime is installed"))
    try:
        differences, largest = _run_both(job, plan, edits, after, orders)
    except LatencyError as error:
        if job.request.weights != "structure":
            raise
        note = f"not run: {error.message}: {error.cause}"
        return Verified(after.proto, untold, None, (*notes, note))
    return Verified(after.proto, differences, largest, notes)


def _check_cleared(job: Job, after: Subject) -> None:
    """No finding of the rules that the rewrite clears on the nodes that it made."""
    old = {node.path for node in job.source.subject.view.nodes}
    new = {node.path for node in after.view.nodes} - old
    rules = registry.rules()
    for code in job.rewrite.clears:
        options = {option.name: option.default for option in rules[code].options}
        for site in rules[code].check(Context(after.view, after.costs, options)):
            severity = rules[code].severity if site.severity is None else site.severity
            if severity > Severity.INFO and any(node.path in new for node in site.nodes):
                raise _failed(f"{site.nodes[0].path} has a finding of {code}", site.message)


def _run_both(
    job: Job, plan: Plan, edits: Sequence[Edit], after: Source, orders: Orders
) -> tuple[tuple[float | None, ...], float | None]:
    view = job.source.subject.view
    feed = inputs.make(view)
    original = runner(job.source, job.request.folder)
    before = original.run(feed, view.outputs)
    outputs = Runner(after.proto, after.subject.view, after.file.parent).run(feed, view.outputs)
    _check_outputs(before, outputs)
    largest = None
    if plan.exact:
        largest = largest_difference(before, outputs)
        _check_exact("the model", largest, before)
    by_origin = {edit.origin: edit for edit in edits}
    differences = tuple(
        _place_difference(job, original, feed, by_origin[place.origin], orders)
        if place.exact and not plan.exact
        else None
        for place in plan.places
    )
    return differences, largest


def runner(source: Source, folder: Path) -> Runner:
    """Runs a source model; its external data are brought to `folder`."""
    proto = source.proto
    if next(iter(external_tensors(proto)), None) is not None:
        local = folder / "original.onnx"
        save(proto, source.file, local, force=True)
        proto = type(proto).FromString(local.read_bytes())
    return Runner(proto, source.subject.view, folder)


def _place_difference(
    job: Job, original: Runner, feed: Mapping[str, Array], edit: Edit, orders: Orders
) -> float:
    """The largest difference of an exact place's outputs, fed with the original's values."""
    view = job.source.subject.view
    place = place_model(edit, view, job.source.proto)
    reads = [value.name for value in place.graph.input]
    writes = [value.name for value in place.graph.output]
    moving = [key for key in reads if key not in view.static_values]
    values = _finite(original, feed, [*moving, *writes])
    values = [
        value[:, list(orders[key])] if key in orders else value
        for key, value in zip((*moving, *writes), values, strict=True)
    ]
    fed = dict(zip(moving, values, strict=False))
    for key in reads:
        numbers = job.source.subject.numbers(key)
        if key not in fed and numbers is not None:
            fed[key] = numbers
    new = Runner(place, view, job.request.folder).run(fed, writes)
    before = values[len(moving) :]
    difference = largest_difference(before, new)
    _check_exact(edit.origin, difference, before)
    return difference


def _finite(original: Runner, feed: Mapping[str, Array], keys: Sequence[str]) -> Sequence[Array]:
    """The original's values, on smaller inputs where it overflows (float16 does in deep layers)."""
    import numpy as np

    values: Sequence[Array] = []
    for scale in _INPUT_SCALES:
        smaller = {
            key: (array * scale).astype(array.dtype) if array.dtype.kind == "f" else array
            for key, array in feed.items()
        }
        values = original.run(smaller, keys)
        if all(np.isfinite(value).all() for value in values if value.dtype.kind == "f"):
            break
    return values


def check_valid(original: Path, rewritten: Path) -> tuple[str, ...]:
    """`onnx.checker` with strict shape inference; a note where the original fails it as well.

    Raises:
        RewriteError: the rewritten model is not valid, and the original is.
    """
    reason = _checker(rewritten)
    if not reason:
        return ()
    if not _checker(original):
        raise _failed("the checker refuses it", reason)
    return (f"onnx.checker refuses the original already: {reason}",)


def _checker(path: Path) -> str:
    from onnx import checker

    try:
        checker.check_model(str(path), full_check=True)
    except Exception as error:  # the checker's, inference's and protobuf's errors have no base
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return lines[0] if lines else type(error).__name__
    return ""


def check_interface(before: ModelProto, after: ModelProto) -> None:
    """The same inputs, outputs, operator sets and IR version.

    Raises:
        RewriteError: one of them differs.
    """
    stored = {tensor.name for tensor in (*before.graph.initializer, *after.graph.initializer)}

    def said(values: Iterable[Any]) -> list[bytes]:
        return [value.SerializeToString() for value in values if value.name not in stored]

    same = (
        said(before.graph.input) == said(after.graph.input)
        and said(before.graph.output) == said(after.graph.output)
        and list(before.opset_import) == list(after.opset_import)
        and before.ir_version == after.ir_version
    )
    if not same:
        raise _failed("its inputs, outputs or operator sets differ", "they must stay as they are")


def _check_outputs(before: Sequence[Array], after: Sequence[Array]) -> None:
    """The outputs have the shapes of the original's, and hold numbers where those do."""
    import numpy as np

    for old, new in zip(before, after, strict=True):
        if new.shape != old.shape:
            raise _failed("an output has another shape", f"{new.shape}, it was {old.shape}")
        if new.dtype.kind == "f" and np.isfinite(old).all() and not np.isfinite(new).all():
            raise _failed("an output is not finite", "it overflows or divides by zero")


def largest_difference(one: Sequence[Array], other: Sequence[Array]) -> float:
    """The largest difference of two runs' values, as a share of the largest of each value.

    Where the first is not finite, the second has to be the same.
    """
    import numpy as np

    largest = 0.0
    for a, b in zip(one, other, strict=True):
        if a.dtype.kind not in "fiu":
            largest = max(largest, 0.0 if np.array_equal(a, b) else np.inf)
            continue
        x, y = a.astype(np.float64), b.astype(np.float64)
        finite = np.isfinite(x)
        if not np.array_equal(x[~finite], y[~finite], equal_nan=True):
            return float("inf")
        if finite.any():
            apart = np.abs(x[finite] - y[finite]).max()
            scale = max(float(np.abs(x[finite]).max()), 1e-30)
            largest = max(largest, float(apart) / scale if np.isfinite(apart) else np.inf)
    return largest


def _check_exact(what: str, difference: float, values: Sequence[Array]) -> None:
    """An exact place computes what it did, but for the rounding of its type."""
    kinds = [str(array.dtype) for array in values if array.dtype.kind == "f"]
    tolerance = max((RELATIVE_TOLERANCE.get(kind, _COARSE_TOLERANCE) for kind in kinds), default=0)
    if not difference <= tolerance:
        raise _failed(
            f"{what} computes something else",
            f"the largest difference is {difference:.2g}, at most {tolerance:.0e} is rounding",
        )


def place_model(edit: Edit, view: GraphView, like: ModelProto) -> ModelProto:
    """The new nodes of one edit as a model: from what they read to what they write."""
    from onnx import helper

    made = {name for node in edit.nodes for name in node.output}
    stored = {tensor.name for tensor in edit.initializers}
    read = {name for node in edit.nodes for name in node.input} - made - stored - {""}
    written = [name for node in edit.removed for name in node.outputs if name in made]
    graph = helper.make_graph(
        list(edit.nodes),
        "place",
        [_value(view, name) for name in sorted(read)],
        [_value(view, name) for name in written],
        list(edit.initializers),
    )
    model: ModelProto = helper.make_model(graph, opset_imports=list(like.opset_import))
    model.ir_version = max(like.ir_version, 4)
    return model


def _value(view: GraphView, key: str) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(key, getattr(view.type(key), "dtype", 1), None)


def _failed(what: str, why: str) -> RewriteError:
    return RewriteError(
        f"the rewritten model did not pass: {what}",
        cause=why,
        hint="nothing was written; please report it with the model's structure",
    )
