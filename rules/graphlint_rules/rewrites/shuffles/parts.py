"""What an operator does with the order of channels: it follows, any order will do, or only one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from math import prod

from graphlint.graph import ABSENT, Node
from graphlint.rewrites import Subject
from graphlint.rewriting.scratch import is_editable
from graphlint_rules.rewrites.definitions import axes_of, is_standard
from graphlint_rules.rewrites.shuffles.routing import CHANNEL_AXIS, VIEWS, channel_count

GROUPED = "a grouped convolution fixes the order of its channels"
MIXES = "it mixes channels, or needs their order"

_VARIANCE = 4  # the input of a BatchNormalization that is divided by


@dataclass(frozen=True, slots=True)
class Parameter:
    """A constant input, at `position`, whose `axis` has the channels of the value `key`.

    An added channel, of zeros, has `fill` there.
    """

    position: int
    axis: int
    key: str
    fill: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """A node by what it does with channels.

    The values `tied` have one order, whichever it is. The values `free` may have any. The values
    `fixed` must stay as they are, for the `reason`. `parameters` are those that are reordered with
    the channels. A node that is not `editable` can't even read a value under another name.
    """

    node: Node
    tied: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    reason: str = ""
    editable: bool = True


def part(subject: Subject, node: Node) -> Part:
    """What the node does with the order of channels; one that is not known needs its own."""
    if not stands_in_main_graph(subject, node) or subject.view.bodies(node):
        return _fixed(subject, node, "it stands in a subgraph or a function", editable=False)
    known = _PARTS.get(node.op) if is_standard(node) else None
    made = known(subject, node) if known is not None else None
    if made is None:
        return _fixed(subject, node, MIXES)
    if isinstance(made, str):
        return _fixed(subject, node, made)
    if not all(_has_its_channels(subject, node, parameter) for parameter in made.parameters):
        return _fixed(subject, node, "its parameters are not as many as its channels")
    return made


def _has_its_channels(subject: Subject, node: Node, parameter: Parameter) -> bool:
    """Whether the parameter is as long as there are channels, on the axis that goes with them."""
    shape = subject.view.shape(node.inputs[parameter.position])
    return (
        shape is not None
        and parameter.axis < len(shape)
        and shape[parameter.axis] == channel_count(subject, parameter.key)
    )


def stands_in_main_graph(subject: Subject, node: Node) -> bool:
    """Whether the node can be replaced; the quick answer first."""
    plain = node.scope == "" and node.path == node.proto.name
    return plain or is_editable(subject, node)


def _fixed(subject: Subject, node: Node, why: str, *, editable: bool = True) -> Part:
    keys = (*node.inputs, *node.outputs)
    fixed = tuple(key for key in keys if channel_count(subject, key) is not None)
    return Part(node, fixed=fixed, reason=f"{node.path} ({node.op}): {why}", editable=editable)


# Convolutions and what multiplies by matrices


def _convolution(subject: Subject, node: Node) -> Part | str | None:
    x, y = node.input(0), node.outputs[0]
    width, width_out = channel_count(subject, x), channel_count(subject, y)
    groups = node.attribute("group", 1)
    if width is None or width_out is None or (node.op == "ConvTranspose" and groups > 1):
        return None
    if not _can_be_permuted(subject, node.inputs[1:]):
        return "its weights are computed, quantised or fed"
    bias = [Parameter(2, 0, y)] if node.input(2) else []
    if groups == 1:
        transposed = node.op == "ConvTranspose"
        weights = Parameter(1, int(transposed), y), Parameter(1, int(not transposed), x)
        return Part(node, free=(x, y), parameters=(*weights, *bias))
    if groups == width == width_out:
        return Part(node, tied=(x, y), parameters=(Parameter(1, 0, y), *bias))
    return GROUPED


def _matrix(subject: Subject, node: Node) -> Part | str | None:
    """Gemm and MatMul of a matrix (n, c) by a constant: any order of c will do."""
    x, y = node.input(0), node.outputs[0]
    shape = subject.view.shape(x)
    if shape is None or len(shape) != 2 or node.attribute("transA", 0):
        return None
    if channel_count(subject, x) is None or channel_count(subject, y) is None:
        return None
    if not _can_be_permuted(subject, node.inputs[1:2]):
        return "its weights are computed, quantised or fed"
    rows = Parameter(1, 1 if node.attribute("transB", 0) else 0, x)
    return Part(node, free=(x,), fixed=(y,), parameters=(rows,), reason=f"{node.path} ({node.op})")


# What works on each channel by itself


def _unary(subject: Subject, node: Node) -> Part | str | None:
    """One function of every element; further inputs are settings."""
    settings = node.inputs[1:]
    if not _all_constant(subject, settings):
        return None
    return _tied(subject, node)


def _tied(subject: Subject, node: Node, parameters: Iterable[Parameter] = ()) -> Part | None:
    x, y = node.input(0), node.outputs[0]
    if channel_count(subject, x) is None or channel_count(subject, x) != channel_count(subject, y):
        return None
    if any(subject.view.readers(key) or subject.view.is_output(key) for key in node.outputs[1:]):
        return None
    return Part(node, tied=(x, y), parameters=tuple(parameters))


def _normalisation(subject: Subject, node: Node) -> Part | str | None:
    if not _can_be_permuted(subject, node.inputs[1:]):
        return "its parameters are computed, quantised or fed"
    if node.attribute("training_mode", 0) or not node.attribute("spatial", 1):
        return None
    y = node.outputs[0]
    own = (Parameter(at, 0, y, int(at == _VARIANCE)) for at in range(1, len(node.inputs)))
    return _tied(subject, node, own)


def _elementwise(subject: Subject, node: Node) -> Part | str | None:
    """A function of several tensors that may broadcast, constants among them."""
    y = node.outputs[0]
    width, shape = channel_count(subject, y), subject.view.shape(y)
    if width is None or shape is None:
        return None
    tied = [y]
    free: list[str] = []
    parameters: list[Parameter] = []
    for position, key in enumerate(node.inputs):
        operand = subject.view.shape(key)
        if operand is None:
            return None
        axis = CHANNEL_AXIS - (len(shape) - len(operand))
        varies = axis >= 0 and operand[axis] > 1
        if key in subject.view.static_values:
            if varies and not _can_be_permuted(subject, [key]):
                return "its operand is computed or quantised"
            parameters += [Parameter(position, axis, y)] if varies else []
        elif axis == CHANNEL_AXIS:
            (tied if operand[axis] == width else free).append(key)
        elif prod(operand) > 1:
            return None
    return Part(node, tuple(tied), tuple(free), parameters=tuple(parameters))


def _cast_like(subject: Subject, node: Node) -> Part | str | None:
    """Of its second input it reads only the type."""
    x, like = node.input(0), node.input(1)
    made = _tied(subject, node) if channel_count(subject, x) is not None else Part(node)
    if made is None or channel_count(subject, like) is None or like == x:
        return made
    return replace(made, free=(like,))


def _pad(subject: Subject, node: Node) -> Part | str | None:
    if not _all_constant(subject, node.inputs[1:]):
        return None
    before, after = (subject.view.shape(key) for key in (node.input(0), node.outputs[0]))
    return _tied(subject, node) if before and after and before[:2] == after[:2] else None


def _behind_channels(subject: Subject, node: Node) -> Part | str | None:
    """Works on what lies behind the channels, if the first two sizes stay: views and reductions."""
    before, after = (subject.view.shape(key) for key in (node.input(0), node.outputs[0]))
    if before is None or after is None or before[:2] != after[:2] or len(after) < 2:
        return None
    if node.op in VIEWS or node.op in ("Resize", "Upsample"):
        cropped = node.attribute("coordinate_transformation_mode", "") == "tf_crop_and_resize"
        return None if cropped else _tied(subject, node)
    axes = axes_of(subject, node, len(before))
    return _tied(subject, node) if axes and not {0, CHANNEL_AXIS} & axes else None


def _size(subject: Subject, node: Node) -> Part | str | None:
    return Part(node, free=(node.input(0),))


# Constants


def _all_constant(subject: Subject, keys: Iterable[str]) -> bool:
    return all(
        key == ABSENT or key in subject.view.static_values or _elements(subject, key) == 1
        for key in keys
    )


def _can_be_permuted(subject: Subject, keys: Iterable[str]) -> bool:
    """Whether they are constants, and not the integers that stand for quantised numbers."""
    return all(_is_plain(subject, key) for key in keys if key != ABSENT)


def _is_plain(subject: Subject, key: str) -> bool:
    producer = subject.view.producer(key)
    quantised = producer is not None and producer.op in (
        "DequantizeLinear",
        "DynamicQuantizeLinear",
    )
    return key in subject.view.static_values and not quantised and key not in subject.view.inputs


def _elements(subject: Subject, key: str) -> int:
    shape = subject.view.shape(key)
    return -1 if shape is None else prod(shape)


_Maker = Callable[[Subject, Node], Part | str | None]


def _table() -> Iterator[tuple[str, _Maker]]:
    for names, maker in (
        ("Conv ConvTranspose", _convolution),
        ("Gemm MatMul", _matrix),
        ("BatchNormalization InstanceNormalization", _normalisation),
        ("Abs Cast Ceil Celu Clip Dropout Elu Erf Exp Floor Gelu HardSigmoid", _unary),
        ("HardSwish Identity LeakyRelu Log Mish Neg Reciprocal Relu Selu Shrink Sigmoid", _unary),
        ("Sign Softplus Softsign Sqrt Swish Tanh ThresholdedRelu", _unary),
        ("AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool", _unary),
        ("Add Div Max Mean Min Mul PRelu Pow Sub Sum", _elementwise),
        ("CastLike", _cast_like),
        ("Pad", _pad),
        ("Flatten Reshape Squeeze Unsqueeze Resize Upsample", _behind_channels),
        ("ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum", _behind_channels),
        ("Shape Size", _size),
    ):
        for name in names.split():
            yield name, maker


_PARTS = dict(_table())
