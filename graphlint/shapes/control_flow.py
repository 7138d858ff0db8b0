"""Bodies of If, Loop and Scan: their types, and how often they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphlint.graph import ABSENT, Dim, Node, Scope, TensorType, ValueType
from graphlint.shapes.algebra import joined, merged, stacked, without_axis
from graphlint.shapes.reasons import title

if TYPE_CHECKING:
    from graphlint.shapes.inference import Inference


def run_control(inference: Inference, node: Node, bodies: tuple[Scope, ...]) -> None:
    """Infer the bodies of a control node, how often each runs, and the node's outputs."""
    run = {"If": _run_if, "Loop": _run_loop, "Scan": _run_scan}.get(
        node.op if node.domain == "" else ""
    )
    if run is not None:
        run(inference, node, bodies)
        return
    for body in bodies:
        inference.executions[body.path] = f"how often {title(node)} runs its body is not known"
        for key in body.inputs:
            inference.set_input(key, inference.declared.get(key))
        inference.run_scope(body.path)
    inference.set_outputs(node, (None,) * len(node.outputs), "")


def _times(inference: Inference, scope: str, factor: int) -> int | str:
    outer = inference.executions[scope]
    return outer * factor if isinstance(outer, int) else outer


def _run_if(inference: Inference, node: Node, bodies: tuple[Scope, ...]) -> None:
    condition = inference.numbers(node.input(0))
    for body in bodies:
        taken = True
        if condition is not None and condition.size == 1:
            taken = bool(condition.reshape(())) == (body.attribute == "then_branch")
        inference.executions[body.path] = _times(inference, node.scope, 1) if taken else 0
        inference.run_scope(body.path)
    taken_bodies = [body for body in bodies if inference.executions[body.path] != 0] or list(bodies)
    types = []
    for position in range(len(node.outputs)):
        found = [
            inference.types.get(body.outputs[position]) if position < len(body.outputs) else None
            for body in taken_bodies
        ]
        common = found[0]
        for other in found[1:]:
            common = joined(common, other)
        types.append(common)
    inference.set_outputs(node, types, "")


def _run_loop(inference: Inference, node: Node, bodies: tuple[Scope, ...]) -> None:
    body = bodies[0]
    trips = _trip_count(inference, node, body)
    inference.executions[body.path] = (
        _times(inference, node.scope, trips) if isinstance(trips, int) else trips
    )
    carried = [inference.types.get(key) for key in node.inputs[2:]]
    carried = _run_carried(inference, body, [TensorType(7, ()), TensorType(9, ())], carried, 1)
    scanned = [
        stacked(inference.types.get(key), trips if isinstance(trips, int) else None, 0)
        for key in body.outputs[1 + len(carried) :]
    ]
    inference.set_outputs(node, [*carried, *scanned], trips if isinstance(trips, str) else "")


def _run_carried(
    inference: Inference,
    body: Scope,
    leading: Sequence[ValueType | None],
    carried: list[ValueType | None],
    skip: int,
    trailing: Sequence[ValueType | None] = (),
) -> list[ValueType | None]:
    """Infer a body until the types that it carries around no longer change.

    The body's inputs are `leading`, `carried`, `trailing`; its first `skip` outputs are not
    carried. A type that changes from one round to the next becomes what the rounds share.
    """
    rounds = 3 if inference.depth < 3 else 1  # nested loops would multiply the rounds
    inference.depth += 1
    for _ in range(rounds):
        _forget(inference, body)
        types = [*leading, *carried, *trailing]
        for key, type_ in zip(body.inputs, types, strict=False):
            inference.set_input(key, merged(type_, inference.declared.get(key)))
        inference.run_scope(body.path)
        after = [inference.types.get(key) for key in body.outputs[skip : skip + len(carried)]]
        common = [joined(a, b) for a, b in zip(carried, after, strict=False)]
        stable, carried = common == carried, common
        if stable:
            break
    inference.depth -= 1
    return carried


def _forget(inference: Inference, body: Scope) -> None:
    for node in inference.view.scope_nodes(body.path):
        for key in node.outputs:
            if key not in inference.view.constants:
                inference.types.pop(key, None)
                inference.data.pop(key, None)
            inference.reasons.pop(key, None)
        for inner in inference.view.bodies(node):
            _forget(inference, inner)
    for key in body.inputs:
        inference.reasons.pop(key, None)


def _trip_count(inference: Inference, node: Node, body: Scope) -> int | str:
    unknown = f"the trip count of {title(node)} is not known before the model runs"
    limit = inference.numbers(node.input(0)) if node.input(0) != ABSENT else None
    start = inference.numbers(node.input(1)) if node.input(1) != ABSENT else None
    if node.input(1) != ABSENT and start is None:
        return unknown
    if start is not None and start.size == 1 and not bool(start.reshape(())):
        return 0
    if limit is None or limit.size != 1 or not body.outputs:
        return unknown
    return max(0, int(limit.reshape(()))) if _always_goes_on(inference, body) else unknown


def _always_goes_on(inference: Inference, body: Scope) -> bool:
    """Whether the body's condition is constant true or the condition that it was given."""
    key = body.outputs[0]
    while (producer := inference.view.producer(key)) is not None and producer.op == "Identity":
        key = producer.input(0)
    if len(body.inputs) > 1 and key == body.inputs[1]:
        return True
    numbers = inference.numbers(key)
    return numbers is not None and numbers.size == 1 and bool(numbers.reshape(()))


def _run_scan(inference: Inference, node: Node, bodies: tuple[Scope, ...]) -> None:
    body = bodies[0]
    first = 1 if node.version < 9 else 0  # Scan-8 has sequence lengths first, and a batch axis
    scans = integer(node, "num_scan_inputs", 0)
    given = [inference.types.get(key) for key in node.inputs[first:]]
    states, sequences = given[: len(given) - scans], given[len(given) - scans :]
    axes = _integers(node, "scan_input_axes")
    steps: Dim = None
    elements: list[ValueType | None] = []
    batch: Dim = 1
    for position, type_ in enumerate(sequences):
        axis = axes[position] if position < len(axes) else 0
        if first and isinstance(type_, TensorType) and type_.shape:
            batch, type_ = type_.shape[0], without_axis(type_, 0)
        if (
            isinstance(type_, TensorType)
            and type_.shape
            and -len(type_.shape) <= axis < len(type_.shape)
        ):
            steps = type_.shape[axis]
        elements.append(without_axis(type_, axis))
    if first:
        states = [without_axis(type_, 0) for type_ in states]
    inference.executions[body.path] = (
        _times(inference, node.scope, steps * batch)
        if isinstance(steps, int) and isinstance(batch, int)
        else f"the sequence length of {title(node)} is not known"
    )
    states = _run_carried(inference, body, [], states, 0, elements)
    axes = _integers(node, "scan_output_axes")
    outputs = [
        stacked(inference.types.get(key), steps, axes[position] if position < len(axes) else 0)
        for position, key in enumerate(body.outputs[len(states) :])
    ]
    types = [*states, *outputs]
    inference.set_outputs(node, [stacked(t, batch, 0) for t in types] if first else types, "")


def integer(node: Node, name: str, default: int) -> int:
    """An attribute that is to be an integer; the default where it is none."""
    value = node.attribute(name)
    return value if isinstance(value, int) else default


def _integers(node: Node, name: str) -> tuple[int, ...]:
    value = node.attribute(name)
    return value if isinstance(value, tuple) and all(isinstance(i, int) for i in value) else ()
