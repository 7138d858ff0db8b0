"""MatMul and Gemm with constant weights over several rows: 1×1 convolutions by another name."""

from __future__ import annotations

from collections.abc import Iterator

from graphlint.graph import Node
from graphlint.rule import Context
from graphlint_rules.convolution_sites import Convolution, tensor
from graphlint_rules.data_flow import is_activation, runs

# The position of the weight among the inputs; the data is input 0.
_WEIGHTS = {"FusedMatMul": 1, "Gemm": 1, "MatMul": 1, "MatMulInteger": 1, "QLinearMatMul": 3}


def linear_layers(context: Context) -> Iterator[Convolution]:
    """Every linear layer of static shape that runs on more than one row."""
    for node in context.view.nodes:
        layer = _read(context, node)
        if layer is not None and layer.positions > 1:
            yield layer


def _read(context: Context, node: Node) -> Convolution | None:
    position = _WEIGHTS.get(node.op)
    if position is None or not runs(context, node):
        return None
    key = node.input(position)
    weight = context.view.shape(key)
    source, result = tensor(context, node.input(0)), tensor(context, node.outputs[0])
    if weight is None or len(weight) != 2 or is_activation(context, key):
        return None
    if source is None or result is None or node.attribute("transA", 0) or 0 in weight:
        return None
    width_in, width_out = reversed(weight) if node.attribute("transB", 0) else weight
    executions = context.executions(node)
    return Convolution(
        nodes=(node,),
        channels_in=width_in,
        channels_out=width_out,
        groups=1,
        kernel=(1,),
        input=source,
        output=result,
        spatial=result.shape[:-1],
        moved=context.cost(node).memory_access_bytes // executions,
        executions=executions,
    )
