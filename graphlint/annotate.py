"""A copy of a model with costs and times in the metadata of its nodes, for Netron.

Each node of the main graph gets `metadata_props` such as `graphlint.multiply_adds`; the model gets
the totals. Nodes inside functions and bodies have no entries: one of them may run many times, and
`graphlint profile` tells each run's cost. Everything else is as it was, and external data stay
external: their files go along.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from graphlint.atomic import NewFile, cleaned_up_when_terminated
from graphlint.errors import ModelError, UsageError
from graphlint.external_data import external_tensors
from graphlint.results import ModelReport, NodeReport

if TYPE_CHECKING:
    import onnx

PREFIX = "graphlint."
_KEYS = frozenset(
    "multiply_adds element_operations read_bytes write_bytes weight_bytes memory_access_bytes "
    "parameters category unknown seconds spread how kernel findings region wall_seconds "
    "cpu_seconds kernel_seconds provider threads optimization nodes uncosted_nodes".split()
)
"""All that graphlint writes here. `graphlint.ignore` is the user's, and stays."""


def annotate(
    path: str | os.PathLike[str], report: ModelReport, out: Path, *, force: bool = False
) -> int:
    """Write the model at `path` to `out`, annotated after `report`; return how many nodes are.

    The report must be of this very file, with its nodes. External data are copied along where `out`
    is in another folder.

    Raises:
        UsageError: `out` is the model itself or stands in the way, or can't be written.
        ModelError: the model can't be read, has changed since the report, or lacks external data.
    """
    source = Path(path)
    _refuse(source, out, force)
    model = _load(source)
    data = _external(source, model)
    if _same_folder(source, out):
        clash = next((name for name in data if _is_same(source.parent / name, out)), None)
        if clash is not None:
            raise _in_the_way(out, "it holds the model's external data", "choose another name")
        data = []
    count = _annotate(source, model, report)
    _write(source, model, data, out, force)
    return count


def _refuse(source: Path, out: Path, force: bool) -> None:
    if _is_same(source, out):
        raise _in_the_way(out, "it is the model itself", "choose another name")
    if out.is_dir():
        raise _in_the_way(out, "it is a folder", "name a file")
    if out.exists() and not force:
        raise _in_the_way(out, "it exists", "choose another name, or give --force")
    if not out.parent.is_dir():
        raise UsageError(f"{out}: can't be written", cause="its folder does not exist")


def _in_the_way(out: Path, cause: str, hint: str) -> UsageError:
    return UsageError(f"{out}: not written", cause=cause, hint=hint)


def _is_same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _same_folder(one: Path, other: Path) -> bool:
    return one.parent.samefile(other.parent)


def _load(source: Path) -> onnx.ModelProto:
    """The whole model, external data left where they are."""
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    from graphlint import model

    opened = model.load(str(source))  # names what is no model, and finds broken external data
    if opened.problems:
        raise opened.problems[0]
    proto = ModelProto()
    try:
        proto.ParseFromString(source.read_bytes())
    except DecodeError as error:
        raise ModelError(
            f"{source}: can't be annotated",
            cause="it is too large for protobuf to read at once",
            hint="save it with external data",
        ) from error
    return proto


def _annotate(source: Path, model: onnx.ModelProto, report: ModelReport) -> int:
    findings: dict[str, list[str]] = {}
    for finding in report.findings:
        for path in finding.nodes:
            codes = findings.setdefault(path, [])
            if finding.code not in codes:
                codes.append(finding.code)
    pairs = list(_pairs(source, model, report.nodes))
    for proto, node in pairs:
        _replace(proto, _node_values(node, findings.get(node.path, ())))
    _replace(model, _model_values(report))
    return len(pairs)


def _pairs(
    source: Path, model: onnx.ModelProto, nodes: Sequence[NodeReport]
) -> Iterator[tuple[onnx.NodeProto, NodeReport]]:
    """The main graph's nodes with their reports.

    The graph is laid open as it was for the report, so positions agree. A node of the main graph
    gives values by their own names; calls of functions are gone there, replaced by what they do.
    """
    from graphlint.graph import ABSENT
    from graphlint.graph_builder import build
    from graphlint.model import Model

    view = build(Model(str(source), source, model, 0, 0))
    if [node.path for node in view.nodes] != [node.path for node in nodes]:
        raise ModelError(
            f"{source}: can't be annotated",
            cause="its nodes are not those of the report",
            hint="profile it again",
        )
    calls = {(function.domain, function.name, function.overload) for function in model.functions}
    producers = {
        name: proto
        for proto in model.graph.node
        if (proto.domain, proto.op_type, proto.overload) not in calls
        for name in proto.output
        if name != ABSENT
    }
    for node, report in zip(view.nodes, nodes, strict=True):
        given = next((key for key in node.outputs if key != ABSENT), None)
        if node.scope == "" and given in producers:
            yield producers[given], report


def _node_values(node: NodeReport, codes: Sequence[str]) -> Mapping[str, str]:
    cost = node.cost
    values = {"category": str(cost.category)}
    if cost.unknown is not None:
        values["unknown"] = cost.unknown
    else:
        values |= {
            "multiply_adds": str(cost.multiply_adds),
            "element_operations": str(cost.element_operations),
            "memory_access_bytes": str(cost.memory_access_bytes),
            "read_bytes": str(cost.read_bytes),
            "write_bytes": str(cost.write_bytes),
            "weight_bytes": str(cost.weight_bytes),
            "parameters": str(cost.parameters),
        }
    if (time := node.time) is not None:
        values |= {"seconds": _seconds(time.seconds), "how": time.how}
        if time.kernel:
            values |= {"spread": f"{time.spread:.4f}", "kernel": time.kernel}
    if node.region:
        values["region"] = node.region
    if codes:
        values["findings"] = ", ".join(codes)
    return values


def _model_values(report: ModelReport) -> Mapping[str, str]:
    values: dict[str, str] = {}
    if (totals := report.totals) is not None:
        values |= {
            "nodes": str(totals.nodes),
            "uncosted_nodes": str(totals.uncosted_nodes),
            "multiply_adds": str(totals.multiply_adds),
            "memory_access_bytes": str(totals.memory_access_bytes),
            "parameters": str(totals.parameters),
        }
    if (times := report.times) is not None:
        values |= {
            "wall_seconds": _seconds(times.wall_seconds),
            "cpu_seconds": _seconds(times.cpu_seconds),
            "kernel_seconds": _seconds(times.kernel_seconds),
            "provider": times.provider,
            "threads": str(times.threads),
            "optimization": times.optimization,
        }
    return values


def _seconds(seconds: float) -> str:
    return f"{seconds:.9f}"


def _replace(proto: onnx.NodeProto | onnx.ModelProto, values: Mapping[str, str]) -> None:
    """Set graphlint's entries, in place of those of an earlier annotation."""
    kept = [
        (entry.key, entry.value)
        for entry in proto.metadata_props
        if entry.key.removeprefix(PREFIX) == entry.key
        or entry.key.removeprefix(PREFIX) not in _KEYS
    ]
    del proto.metadata_props[:]
    for key, value in [*kept, *((PREFIX + key, value) for key, value in values.items())]:
        proto.metadata_props.add(key=key, value=value)


# External data


def _external(source: Path, model: onnx.ModelProto) -> list[str]:
    """The files of external data, each once, relative to the model's folder.

    That they exist and lie inside it was checked when the model was read.
    """
    places = {
        entry.value: None
        for tensor in external_tensors(model)
        for entry in tensor.external_data
        if entry.key == "location"
    }
    return list(places)


# Writing


def _write(
    source: Path, model: onnx.ModelProto, data: Sequence[str], out: Path, force: bool
) -> None:
    """All or nothing: everything is written beside its place, then moved there, the model last."""
    from google.protobuf.message import EncodeError

    targets = [out.parent / name for name in data]
    for target in targets:
        if target.exists() and (not force or _is_same(source, target)):
            raise _in_the_way(target, "the external data would go there", "choose an empty folder")
        if _is_same(target, out) or target == out:
            raise _in_the_way(out, "the external data would go there", "choose another name")
    try:
        with cleaned_up_when_terminated(), ExitStack() as stack:
            staged = []
            for name, target in zip(data, targets, strict=True):
                target.parent.mkdir(parents=True, exist_ok=True)
                staged.append((stack.enter_context(_copied(source.parent / name, target)), target))
            file = stack.enter_context(NewFile(out.parent))
            content = model.SerializeToString(deterministic=True)
            file.write(content, 0)
            file.finish(len(content))
            for each, target in (*staged, (file, out)):
                each.publish(target, replace=force)
    except EOFError as error:
        raise ModelError(f"{source}: its external data changed while they were copied") from error
    except OSError as error:
        raise UsageError(
            f"{out}: can't be written", cause=error.strerror or str(error), hint="check its folder"
        ) from error
    except (EncodeError, ValueError) as error:
        raise ModelError(
            f"{source}: can't be annotated",
            cause="with its metadata it is too large for protobuf",
            hint="save it with external data",
        ) from error


def _copied(source: Path, target: Path) -> NewFile:
    """A new file for `target` with what is in `source`."""
    file = NewFile(target.parent)
    with source.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        file.copy(stream.fileno(), 0, size, 0)
        file.finish(size)
    return file
