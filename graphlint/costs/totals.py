"""From a view with shapes to the cost of every node, and of the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from graphlint.costs.contract import Category, Handle, NodeCost, Operand, Operation
from graphlint.costs.count import count_with_parameters
from graphlint.graph import ABSENT, GraphView, Node, Scope

Handles = Mapping[tuple[str, str], Handle]

MOST = 2**63 - 1
"""The largest figure of a node: sizes are 64-bit numbers, and no machine holds more."""

FREE = NodeCost(Category.VIEW)
"""The cost of shape arithmetic: it can be folded before the model runs, and moves nothing."""


@dataclass(frozen=True, slots=True)
class Costs:
    """The cost of every node, by its index, and what they were told from.

    Costs are additive: the model's are the sum over all nodes. A node in a body counts for all its
    executions; of the branches of an If, the dearer counts. `shape_arithmetic` holds the indices of
    the nodes that only make shapes. `parameters` counts every stored tensor that some node counts
    as weights, once each. `executions` says how often each scope runs in one run of the model, or
    why that is not known.
    """

    nodes: tuple[NodeCost, ...]
    shape_arithmetic: frozenset[int]
    parameters: int
    executions: Mapping[str, int | str]

    @property
    def total(self) -> NodeCost:
        """The sum over all nodes whose cost is known; `parameters` of distinct tensors."""
        return replace(add(self.nodes), parameters=self.parameters)

    @property
    def uncosted(self) -> int:
        """How many nodes the total leaves out."""
        return sum(cost.unknown is not None for cost in self.nodes)


def add(costs: Iterable[NodeCost]) -> NodeCost:
    """The sum of the known ones among `costs`."""
    known = [cost for cost in costs if cost.unknown is None]
    return NodeCost(
        Category.OTHER,
        multiply_adds=sum([cost.multiply_adds for cost in known]),
        element_operations=sum([cost.element_operations for cost in known]),
        read_elements=sum([cost.read_elements for cost in known]),
        write_elements=sum([cost.write_elements for cost in known]),
        weight_elements=sum([cost.weight_elements for cost in known]),
        read_bytes=sum([cost.read_bytes for cost in known]),
        write_bytes=sum([cost.write_bytes for cost in known]),
        weight_bytes=sum([cost.weight_bytes for cost in known]),
        parameters=sum([cost.parameters for cost in known]),
    )


def node_costs(view: GraphView, handles: Handles) -> Costs:
    """The cost of every node of `view`, by the handles of a table (domain, operator) → handle."""
    arithmetic = shape_arithmetic(view, handles)
    once, parameters = _costs_once(view, arithmetic, handles)
    executions = _executions(view, once)
    return Costs(
        tuple(
            _bounded(_repeated(cost, executions[node.scope]))
            for node, cost in zip(view.nodes, once, strict=True)
        ),
        arithmetic,
        parameters,
        executions,
    )


class _Operands(dict[str, Operand | None]):
    """What is known of every value, by its key, made when it is first asked for."""

    def __init__(self, view: GraphView) -> None:
        super().__init__({ABSENT: None})
        self.view = view

    def __missing__(self, key: str) -> Operand:
        view = self.view
        operand = self[key] = Operand(
            key,
            view.types.get(key),
            view.constants.get(key),
            view.data.get(key),
            key in view.static_values,
            view.reasons.get(key, ""),
        )
        return operand

    def operation(self, node: Node) -> Operation:
        """The node with its operands."""
        return Operation(
            node,
            tuple([self[key] for key in node.inputs]),
            tuple([self[key] for key in node.outputs]),
        )


def _costs_once(
    view: GraphView, arithmetic: frozenset[int], handles: Handles
) -> tuple[list[NodeCost], int]:
    """The cost of one execution of every node, and the parameters of the model.

    A tensor that several nodes read counts for the most that one of them counts it for.
    """
    operands = _Operands(view)
    costs: list[NodeCost] = []
    most: dict[str, int] = {}
    for node in view.nodes:
        if node.index in arithmetic:
            costs.append(FREE)
            continue
        cost, parameters = _cost_once(node, operands, handles)
        costs.append(cost)
        if cost.unknown is None:
            for key, number in parameters.items():
                most[key] = max(number, most.get(key, number))
    return costs, sum(most.values())


def _cost_once(
    node: Node, operands: _Operands, handles: Handles
) -> tuple[NodeCost, Mapping[str, int]]:
    handle = handles.get((node.domain, node.op))
    if handle is None:
        name = f"{node.domain}.{node.op}" if node.domain else node.op
        reason = f"graphlint has no cost for the operator {name}: a rule pack can register one"
        return NodeCost(unknown=reason), {}
    cost, parameters = count_with_parameters(operands.operation(node), handle)
    return _bounded(cost), parameters


def shape_arithmetic(view: GraphView, handles: Handles) -> frozenset[int]:
    """Indices of the nodes that only make shapes, axes or indices, and can be folded.

    A node is one when its outputs do not depend on the model's data and every reader either is one
    too or takes the value where its operator expects a shape, axes, indices or a setting.
    """
    static = view.static_values
    found: set[int] = set()
    for node in reversed(view.nodes):
        outputs = [key for key in node.outputs if key != ABSENT]
        if node.op == "Constant" or view.bodies(node):
            continue
        if not any(view.readers(key) for key in outputs) or not all(
            key in static for key in outputs
        ):
            continue
        if all(
            not view.is_output(key)
            and all(
                reader.index in found or _only_controls(reader, key, handles)
                for reader in view.readers(key)
            )
            for key in outputs
        ):
            found.add(node.index)
    return frozenset(found)


def _only_controls(reader: Node, key: str, handles: Handles) -> bool:
    handle = handles.get((reader.domain, reader.op))
    return handle is not None and all(
        position in handle.control for position, name in enumerate(reader.inputs) if name == key
    )


def _executions(view: GraphView, once: list[NodeCost]) -> Mapping[str, int | str]:
    """How often each scope runs, the cheaper branch of an undecided If never."""
    executions = dict(view.executions)
    weights: dict[str, tuple[int, int]] = {}
    # Scopes are listed outermost first: inner ones are weighed before the branch they stand in.
    for scope in reversed(list(view.scopes.values())):
        weights[scope.path] = _weight(view, scope, once, weights)
    for node in view.nodes:
        branches = view.bodies(node)
        if node.op != "If" or not branches or any(executions[b.path] == 0 for b in branches):
            continue
        dearest = max(branches, key=lambda branch: weights[branch.path])
        for branch in branches:
            if branch is not dearest:
                _stop(view, branch, executions)
    return executions


def _weight(
    view: GraphView, scope: Scope, once: list[NodeCost], weights: Mapping[str, tuple[int, int]]
) -> tuple[int, int]:
    """Bytes moved and multiply-adds of one run of a scope, with those of the scopes in it."""
    nodes = view.scope_nodes(scope.path)
    own = [once[node.index] for node in nodes]
    inner = [weights[body.path] for node in nodes for body in view.bodies(node)]
    memory = sum(cost.memory_access_bytes for cost in own) + sum(moved for moved, _ in inner)
    multiply_adds = sum(cost.multiply_adds for cost in own) + sum(made for _, made in inner)
    return memory, multiply_adds


def _stop(view: GraphView, scope: Scope, executions: dict[str, int | str]) -> None:
    executions[scope.path] = 0
    for node in view.scope_nodes(scope.path):
        for body in view.bodies(node):
            _stop(view, body, executions)


def _repeated(cost: NodeCost, times: int | str) -> NodeCost:
    """The cost of all executions.

    What is unknown stays so, even where it is held never to run: with it, its branch might have
    been the dearer.
    """
    if times == 1 or cost.unknown is not None:
        return cost
    if isinstance(times, str):
        free = cost.memory_access_bytes == cost.multiply_adds == cost.element_operations == 0
        return cost if free else NodeCost(cost.category, unknown=times)
    return NodeCost(
        cost.category,
        cost.multiply_adds * times,
        cost.element_operations * times,
        cost.read_elements * times,
        cost.write_elements * times,
        cost.weight_elements * times,
        cost.read_bytes * times,
        cost.write_bytes * times,
        cost.weight_bytes * times,
        cost.parameters,
    )


def _bounded(cost: NodeCost) -> NodeCost:
    """The cost, or an unknown one where a figure is too large to be meant."""
    most = max(cost.memory_access_bytes, cost.multiply_adds, cost.element_operations)
    if most <= MOST:
        return cost
    return NodeCost(cost.category, unknown="its shapes are too large: a figure is above 2^63")
