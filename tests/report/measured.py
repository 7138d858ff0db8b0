"""Reports with times made by hand, for the reporters that show them."""

from __future__ import annotations

from collections.abc import Sequence

from graphlint.costs.contract import Category, NodeCost
from graphlint.findings import Finding, FoundSite, Location, Severity
from graphlint.results import ModelReport, NodeReport, Report, Totals
from graphlint.times import Kernel, ModelTimes, NodeTime
from graphlint.timing import with_times


def node(index: int, op: str, cost: NodeCost, *, path: str = "", region: str = "") -> NodeReport:
    """A node at `path`, or one that is named after its position."""
    return NodeReport(index, path or f"/n{index}/{op}", path, op, "", cost, region)


def convolution(multiply_adds: int = 4000, read: int = 800) -> NodeCost:
    """What a convolution costs."""
    return NodeCost(
        Category.CONVOLUTION, multiply_adds, read_bytes=read, write_bytes=200, parameters=50
    )


def relu(moved: int = 100) -> NodeCost:
    """What an element-wise node costs."""
    return NodeCost(Category.ELEMENTWISE, read_bytes=moved, write_bytes=moved)


def finding(*paths: str, code: str = "G9", message: str = "moves too much") -> Finding:
    """A finding at the nodes, a site each."""
    sites = tuple(FoundSite(Location("m.onnx", (path,)), 64) for path in paths)
    return Finding(
        code, "a-rule", Severity.WARNING, message, "move less", sites, 64 * len(sites), "f"
    )


def model(
    nodes: Sequence[NodeReport], findings: Sequence[Finding] = (), *, path: str = "m.onnx"
) -> ModelReport:
    """A report of the nodes, with their sums."""
    costs = [item.cost for item in nodes]
    totals = Totals(
        nodes=len(nodes),
        uncosted_nodes=sum(cost.unknown is not None for cost in costs),
        multiply_adds=sum(cost.multiply_adds for cost in costs),
        element_operations=0,
        memory_access_elements=0,
        memory_access_bytes=sum(cost.memory_access_bytes for cost in costs),
        parameters=sum(cost.parameters for cost in costs),
    )
    return ModelReport(
        path, 17, ("1x3x8x8 float32",), (), totals, (), tuple(findings), tuple(nodes)
    )


def small() -> ModelReport:
    """A convolution with its activation in a region, a constant, an addition, an unknown node."""
    return model(
        [
            node(0, "Conv", convolution(), path="/unit/Conv", region="/unit/Add"),
            node(1, "Relu", relu(), path="/unit/Relu", region="/unit/Add"),
            node(2, "Constant", NodeCost(Category.VIEW), path="/unit/Constant"),
            node(3, "Add", relu(150), path="/unit/Add", region="/unit/Add"),
            node(4, "Odd", NodeCost(unknown="no one knows"), path="/tail/Odd"),
        ],
        [finding("/unit/Add", "/unit/Conv")],
    )


def timed(report: ModelReport) -> ModelReport:
    """Times for `small`: Conv and Relu run in one kernel, the constant is folded."""
    kernels = (
        Kernel("Add /unit/Add", ("Add",), 0.0001, 0.01, (3,)),
        Kernel("FusedConv /unit/Conv", ("Conv", "Relu"), 0.0009, 0.02, (0, 1)),
        Kernel("Odd /tail/Odd", ("Odd",), 0.0000333333, 0.05, (4,)),
        Kernel("ReorderInput (inserted)", ("ReorderInput",), 0.00005, 0.03, ()),
    )
    nodes = (
        NodeTime(0.0008, 0.02, "FusedConv /unit/Conv", "fused"),
        NodeTime(0.0001, 0.02, "FusedConv /unit/Conv", "fused"),
        NodeTime(0.0, 0.0, "", "folded"),
        NodeTime(0.0001, 0.01, "Add /unit/Add", "own"),
        NodeTime(0.0000333333, 0.05, "Odd /tail/Odd", "own"),
    )
    return with_times(
        report,
        ModelTimes(nodes, kernels, 0.0012, 0.0011, 5, 100, 1.01, "cpu", 1, "all"),
    )


def report(*models: ModelReport) -> Report:
    """The models in one report."""
    return Report("1.2.3", models)


def large(count: int) -> ModelReport:
    """A chain of `count` nodes in regions of ten, with times."""
    kinds = [("Conv", convolution()), ("Relu", relu())]
    nodes = [
        node(i, *kinds[i % 2], path=f"/stage{i // 10}/n{i}", region=f"/stage{i // 10}/join")
        for i in range(count)
    ]
    found = finding(*(item.path for item in nodes[::7]))
    names = [f"{item.op} {item.path}" for item in nodes]
    seconds = [1e-6 * (1 + i % 13) for i in range(count)]
    kernels = tuple(
        Kernel(name, (item.op,), time, 0.01, (item.index,))
        for name, time, item in zip(names, seconds, nodes, strict=True)
    )
    times = tuple(
        NodeTime(time, 0.01, name, "own") for name, time in zip(names, seconds, strict=True)
    )
    whole = sum(seconds)
    measured = ModelTimes(times, kernels, whole, whole, 3, 60, 1.0, "cpu", 1, "all")
    return with_times(model(nodes, [found]), measured)
