"""From timed kernels to times of nodes: a node's share of its kernel's time.

A share is an estimate. A node weighs its memory access in bytes and a quarter of a byte for every
multiply-add: about what a core moves while it multiplies. Within a kernel, a node's share is its
part of the weight; where no node weighs anything, the shares are equal. The shares of a kernel sum
to its time; a node that several kernels run has a share of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from graphlint.costs.contract import NodeCost
from graphlint.latency.anchors import Kernel as GraphKernel
from graphlint.latency.attribution import Attribution, Group
from graphlint.latency.protocol import Timings
from graphlint.latency.quantiles import relative_spread
from graphlint.times import How, Kernel, NodeTime

BYTES_PER_MULTIPLY_ADD = 0.25


def weight(cost: NodeCost) -> float:
    """What a node weighs against the others of its kernel, in bytes; 0 where it is not known."""
    if cost.unknown is not None:
        return 0.0
    return cost.memory_access_bytes + BYTES_PER_MULTIPLY_ADD * cost.multiply_adds


def split(seconds: float, weights: Sequence[float]) -> list[float]:
    """`seconds` in parts after the weights."""
    total = sum(weights)
    if total <= 0:
        return [seconds / len(weights)] * len(weights)
    return [seconds * part / total for part in weights]


def kernels(
    attribution: Attribution, timings: Timings, graph: Sequence[GraphKernel]
) -> tuple[Kernel, ...]:
    """The measured groups, in the attribution's order, and behind them what the runtime put in."""
    taken: set[str] = set()
    found = [_kernel(group, timings, graph, taken) for group in attribution.groups]
    others = sorted({op for session in timings.sessions for op in session.other})
    for op in others:
        seconds = [session.other.get(op, 0.0) for session in timings.sessions]
        name = _unique(f"{op} (inserted)", taken)
        found.append(Kernel(name, (op,), median(seconds), relative_spread(seconds), ()))
    return tuple(found)


def _kernel(
    group: Group, timings: Timings, graph: Sequence[GraphKernel], taken: set[str]
) -> Kernel:
    by_session = timings.by_session(group.kernels)
    dearest = max(group.kernels, key=lambda k: median(timings.by_session((k,))))
    name = f"{graph[dearest].op} {graph[dearest].name}".rstrip()
    return Kernel(
        _unique(name, taken),
        tuple(graph[k].op for k in group.kernels),
        median(by_session),
        relative_spread(by_session),
        group.nodes,
    )


def _unique(name: str, taken: set[str]) -> str:
    unique, count = name, 1
    while unique in taken:
        count += 1
        unique = f"{name} #{count}"
    taken.add(unique)
    return unique


def node_times(
    fates: Sequence[How], measured: Sequence[Kernel], costs: Sequence[NodeCost]
) -> tuple[NodeTime, ...]:
    """A time for every node of the view, from its fate and the kernels that run it."""
    seconds = [0.0] * len(costs)
    running: list[list[Kernel]] = [[] for _ in costs]
    for kernel in measured:
        if not kernel.nodes:
            continue
        weights = [weight(costs[node]) for node in kernel.nodes]
        for node, part in zip(kernel.nodes, split(kernel.seconds, weights), strict=True):
            seconds[node] += part
            running[node].append(kernel)
    return tuple(
        NodeTime(
            seconds[node],
            max((kernel.spread for kernel in running[node]), default=0.0),
            running[node][0].name if running[node] else "",
            fate,
        )
        for node, fate in enumerate(fates)
    )
