"""A V2 unit as nodes: laid out in a scratch graph, in the operators of the model's own opset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlint.graph import TensorType
from graphlint.rewrites import Edit, Subject
from graphlint.rewriting.scratch import blank, constant, edit_of
from graphlint_rules.rewrites.v1.units import Activation, Array, SpatialShape
from graphlint_rules.rewrites.v2.network import Style
from graphlint_rules.rewrites.v2.units import ConvWeights, UnitPlan, UnitWeights

if TYPE_CHECKING:
    import onnx_graphsurgeon as gs

EPSILON = 1e-5
_POINT = SpatialShape((1, 1), (1, 1), (1, 1), (0, 0, 0, 0))


@dataclass(frozen=True, slots=True)
class Final:
    """The 1×1 convolution that comes after the last unit, as the paper's conv5."""

    weights: ConvWeights
    activation: Activation


def unit_edit(
    subject: Subject,
    plan: UnitPlan,
    weights: UnitWeights,
    label: str,
    style: Style,
    final: Final | None = None,
) -> Edit:
    """The edit that puts the V2 unit in the place of the V1 unit; new names start with `label`."""
    unit = plan.unit
    graph = blank(subject, unit.nodes)
    layers = Layers(subject, graph, unit.output, label, style)
    x = layers.value(unit.input)
    if plan.stride == 1:
        passed, branch = layers.split(x, (plan.passed, plan.branch_in))
    else:
        passed, branch = _shortcut(layers, x, plan, weights), x
    branch = _branch(layers, branch, plan, weights)
    parts = [branch, passed] if plan.branch_first else [passed, branch]
    joined = layers.concat(parts)
    if plan.shuffled:
        joined = layers.shuffle(joined, plan, _area(subject, unit.output))
    if final is not None:
        layers = Layers(subject, graph, unit.output, "final", style)
        slope = final.activation.slope
        joined = layers.conv("conv", joined, final.weights)
        joined = layers.activation(
            "conv", joined, final.activation, None if slope is None else slope.mean()
        )
    layers.finish(joined, unit.output)
    return edit_of(graph, unit.nodes, label)


def _branch(layers: Layers, x: gs.Variable, plan: UnitPlan, weights: UnitWeights) -> gs.Variable:
    with layers.inside("branch"):
        slope = weights.activation_slope
        x = layers.conv("pw1", x, weights.first)
        x = layers.activation("pw1", x, plan.activation, slope)
        x = layers.conv("dw", x, weights.depthwise, plan.unit.window, groups=plan.width_mid)
        x = layers.conv("pw2", x, weights.last)
        place = slice(0, plan.branch_out) if plan.branch_first else slice(plan.passed, None)
        return layers.activation("pw2", x, plan.branch_activation, _part(plan, place))


def _shortcut(layers: Layers, x: gs.Variable, plan: UnitPlan, weights: UnitWeights) -> gs.Variable:
    assert plan.unit.pool is not None
    assert weights.shortcut_pointwise is not None
    window = plan.unit.pool.window
    with layers.inside("shortcut"):
        if weights.shortcut_depthwise is None:
            x = layers.average_pool("pool", x, window, plan.unit.pool.counts_padding)
        else:
            x = layers.conv("dw", x, weights.shortcut_depthwise, window, groups=plan.width_in)
        x = layers.conv("pw", x, weights.shortcut_pointwise)
        place = slice(plan.branch_out, None) if plan.branch_first else slice(0, plan.passed)
        return layers.activation("pw", x, plan.shortcut_activation, _part(plan, place))


def _part(plan: UnitPlan, place: slice) -> np.ndarray[Any, Any] | None:
    """The slopes of the output's PRelu for some of its channels; their mean for other widths."""
    slope = plan.unit.output_activation.slope
    if slope is None or slope.size == 1:
        return slope
    if plan.exact and not plan.unit.activates_branch_only:
        return slope[place]
    return slope if plan.exact else slope.mean(keepdims=True).ravel()


def _area(subject: Subject, key: str) -> tuple[int, int] | None:
    """Height and width of a value, None where the model leaves them open."""
    shape = subject.view.shape(key)
    return None if shape is None or key in subject.open_values else (shape[2], shape[3])


class Layers:
    """Appends layers to a scratch graph. Names are `label/part/Operator`."""

    def __init__(
        self, subject: Subject, graph: gs.Graph, typed_like: str, label: str, style: Style
    ) -> None:
        type_ = subject.view.type(typed_like)
        assert isinstance(type_, TensorType)
        self._dtype = type_.dtype
        self._opset = subject.view.opsets[""]
        self._graph = graph
        self._style = style
        self._label = label

    def inside(self, part: str) -> _Inside:
        """Names in the `with` block have one more part."""
        return _Inside(self, part)

    def value(self, key: str) -> gs.Variable:
        """An input of the scratch graph."""
        return next(value for value in self._graph.inputs if value.name == key)

    def conv(
        self,
        name: str,
        x: gs.Variable,
        weights: ConvWeights,
        window: SpatialShape = _POINT,
        groups: int = 1,
    ) -> gs.Variable:
        """A convolution, and BatchNormalization after it unless the style folds it."""
        attributes = {
            "kernel_shape": list(weights.weight.shape[2:]),
            "strides": list(window.strides),
            "dilations": list(window.dilations),
            "pads": list(window.pads),
            "group": groups,
        }
        place = f"{name}/Conv"
        inputs = [x, self._constant(f"{place}/weight", weights.weight)]
        if self._style.folds_batch_norm:
            return self._node(
                "Conv", place, [*inputs, self._constant(f"{place}/bias", weights.bias)], attributes
            )
        return self._batch_norm(
            f"{name}/BatchNormalization", self._node("Conv", place, inputs, attributes), weights
        )

    def _batch_norm(self, place: str, x: gs.Variable, weights: ConvWeights) -> gs.Variable:
        """One that adds the bias and no more, with the statistics that training starts from."""
        mean = np.zeros_like(weights.bias) if weights.mean is None else weights.mean
        variance = np.ones_like(weights.bias) if weights.variance is None else weights.variance
        parameters = {
            "scale": np.sqrt(variance + np.float32(EPSILON)),
            "bias": mean + weights.bias,
            "mean": mean,
            "variance": variance,
        }
        inputs = [self._constant(f"{place}/{name}", array) for name, array in parameters.items()]
        return self._node("BatchNormalization", place, [x, *inputs], {"epsilon": EPSILON})

    def activation(
        self,
        name: str,
        x: gs.Variable,
        activation: Activation,
        slope: np.ndarray[Any, Any] | None = None,
    ) -> gs.Variable:
        """The activation, if there is one; `slope` is PRelu's."""
        if not activation:
            return x
        place, attributes, inputs = f"{name}/{activation.op}", dict(activation.attributes), [x]
        if slope is not None:
            inputs.append(self._constant(f"{place}/slope", np.reshape(slope, (-1, 1, 1))))
        if activation.bounds is not None:
            low, high = activation.bounds
            if self._opset < 11:
                attributes |= {"min": low, "max": high}
            else:
                inputs += self._bounds(place, low, high)
        given = {key: value for key, value in attributes.items() if value is not None}
        return self._node(activation.op, place, inputs, given)

    def _bounds(self, place: str, low: float | None, high: float | None) -> list[Any]:
        import onnx_graphsurgeon as gs

        given = (("min", low), ("max", high))
        return [
            gs.Variable.empty()
            if bound is None
            else self._constant(f"{place}/{name}", np.asarray(bound, np.float32))
            for name, bound in given
        ]

    def average_pool(
        self, name: str, x: gs.Variable, window: SpatialShape, counts_padding: bool
    ) -> gs.Variable:
        """An average pooling."""
        attributes = {
            "kernel_shape": list(window.kernel),
            "strides": list(window.strides),
            "pads": list(window.pads),
            "count_include_pad": int(counts_padding),
        }
        return self._node("AveragePool", f"{name}/AveragePool", [x], attributes)

    def split(self, x: gs.Variable, widths: tuple[int, ...]) -> tuple[gs.Variable, ...]:
        """The channels in parts of these widths."""
        import onnx_graphsurgeon as gs

        place = f"{self._label}/Split"
        outputs = [gs.Variable(f"{place}_output_{i}") for i in range(len(widths))]
        inputs: list[Any] = [x]
        attributes: dict[str, Any] = {"axis": 1}
        if self._opset < 13:
            attributes["split"] = list(widths)
        else:
            inputs.append(gs.Constant(f"{place}/sizes", np.array(widths, np.int64)))
        self._graph.nodes.append(gs.Node("Split", place, attributes, inputs, outputs))
        return tuple(outputs)

    def concat(self, parts: list[gs.Variable]) -> gs.Variable:
        """The parts' channels one after the other."""
        return self._node("Concat", "Concat", parts, {"axis": 1})

    def shuffle(self, x: gs.Variable, plan: UnitPlan, area: tuple[int, int] | None) -> gs.Variable:
        """The unit's shuffle: Reshape, Transpose, Reshape; Gather where the size is open."""
        import onnx_graphsurgeon as gs

        with self.inside("shuffle"):
            if area is None:
                order = gs.Constant(f"{self._label}/order", plan.order.astype(np.int64))
                return self._node("Gather", "Gather", [x, order], {"axis": 1})
            height, width = area
            # The batch stays what it is: 0 copies it. A chunk's channels lie one after the other.
            apart = [0, 2, plan.width_out // (2 * plan.chunk), plan.chunk * height, width]
            joined = [0, plan.width_out, height, width]
            targets = [
                gs.Constant(f"{self._label}/{name}", np.array(target, np.int64))
                for name, target in (("groups", apart), ("shape", joined))
            ]
            x = self._node("Reshape", "Reshape", [x, targets[0]], {})
            x = self._node("Transpose", "Transpose", [x], {"perm": [0, 2, 1, 3, 4]})
            return self._node("Reshape", "Reshape_1", [x, targets[1]], {})

    def reshape(
        self, x: gs.Variable, sizes: Sequence[int], attributes: dict[str, Any]
    ) -> gs.Variable:
        """A Reshape to constant sizes."""
        import onnx_graphsurgeon as gs

        target = gs.Constant(f"{self._label}/Reshape/shape", np.array(sizes, np.int64))
        return self._node("Reshape", "Reshape", [x, target], attributes)

    def classifier(self, x: gs.Variable, weight: Array, bias: Array, rank: int) -> gs.Variable:
        """A Gemm, or a 1×1 convolution where `x` is a map; weight: (classes, channels)."""
        if rank == 4:
            rows = self._constant("Conv/weight", weight[:, :, None, None])
            inputs = [x, rows, self._constant("Conv/bias", bias)]
            return self._node("Conv", "Conv", inputs, {"kernel_shape": [1, 1]})
        inputs = [x, self._constant("Gemm/weight", weight), self._constant("Gemm/bias", bias)]
        return self._node("Gemm", "Gemm", inputs, {"transB": 1})

    def finish(self, x: gs.Variable, key: str) -> None:
        """Let the node that makes `x` make the scratch graph's output `key`."""
        output = next(value for value in self._graph.outputs if value.name == key)
        (producer,) = x.inputs
        producer.outputs = [output if value is x else value for value in producer.outputs]

    def _node(
        self, op: str, place: str, inputs: list[Any], attributes: dict[str, Any]
    ) -> gs.Variable:
        import onnx_graphsurgeon as gs

        name = f"{self._label}/{place}"
        output = gs.Variable(f"{name}_output_0")
        self._graph.nodes.append(gs.Node(op, name, attributes, inputs, [output]))
        return output

    def _constant(self, place: str, array: np.ndarray[Any, Any]) -> gs.Constant:
        return constant(f"{self._label}/{place}", array, self._dtype)


class _Inside:
    def __init__(self, layers: Layers, part: str) -> None:
        self._layers, self._part = layers, part

    def __enter__(self) -> None:
        self._outer = self._layers._label
        self._layers._label = f"{self._outer}/{self._part}"

    def __exit__(self, *_: object) -> None:
        self._layers._label = self._outer
