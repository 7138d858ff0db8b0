"""Shapes of every value, and the numbers of those that only shapes are made of.

One pass over the nodes in topological order: a node's output types come from the operator's own
inference (`onnx.shape_inference.infer_node_outputs`), given the types of its inputs and the numbers
of those that are known; where all its inputs are known numbers, the node is evaluated
(`onnx.reference`), so that chains like Shape → Gather → Div → Slice resolve as they are met. The
cost is linear in the nodes, no weight is read, and what fails at one node is told at that node.

Bodies of If, Loop and Scan are inferred with the types that their node gives them.
"""

from __future__ import annotations

from dataclasses import replace

from graphlint.bindings import Bindings, bind
from graphlint.graph import GraphView, TensorType
from graphlint.shapes.inference import Inference
from graphlint.shapes.numbers import MAX_FOLDED_ELEMENTS, Payload

__all__ = ["MAX_FOLDED_ELEMENTS", "Payload", "declared_only", "infer"]

_NO_BINDINGS = Bindings()


def infer(
    view: GraphView,
    bindings: Bindings = _NO_BINDINGS,
    payload: Payload | None = None,
) -> tuple[GraphView, tuple[str, ...]]:
    """The view with the type of every value that can be told, and notes on what was assumed.

    `payload` reads a constant's numbers where the model left them in the file.

    Raises:
        ShapeError: `bindings` do not fit the model.
    """
    bound = bind(view, bindings)
    inference = Inference(view, bound.types, payload)
    inference.run_scope("")
    return replace(
        view,
        types=inference.types,
        data=inference.data,
        reasons=inference.reasons,
        constants={**view.constants, **inference.generated},
        # A broken model may hold bodies that its operators have no use for.
        executions=dict.fromkeys(view.scopes, "nothing is known to run this body")
        | inference.executions,
    ), bound.notes


def declared_only(
    view: GraphView, bindings: Bindings, reason: str
) -> tuple[GraphView, tuple[str, ...]]:
    """The view with nothing but declared types, where inference can't be run: `reason` says why."""
    bound = bind(view, bindings)
    unknown = {
        key: reason
        for node in view.nodes
        for key in node.outputs
        if not (isinstance(t := bound.types.get(key), TensorType) and t.is_static)
    }
    executions: dict[str, int | str] = dict.fromkeys(view.scopes, reason)
    return replace(
        view, types=bound.types, reasons=unknown, executions={**executions, "": 1}
    ), bound.notes
