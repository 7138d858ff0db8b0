"""Operators: the element-wise ones by what they do, and those that have their channels last."""

from __future__ import annotations

from graphlint.graph import Node

BATCH_NORMALISATION = frozenset({"BatchNormalization"})

# One function of one tensor. PRelu's slope and Clip's bounds are settings.
ACTIVATIONS = frozenset(
    {
        "Celu",
        "Clip",
        "Elu",
        "FastGelu",
        "Gelu",
        "HardSigmoid",
        "HardSwish",
        "LeakyRelu",
        "Mish",
        "PRelu",
        "QLinearLeakyRelu",
        "QLinearSigmoid",
        "QuickGelu",
        "Relu",
        "ScaledTanh",
        "Selu",
        "Shrink",
        "Sigmoid",
        "Softplus",
        "Softsign",
        "Swish",
        "Tanh",
        "ThresholdedRelu",
    }
)

# Of two activations a join; of one and a constant a scale or a bias.
AFFINE = frozenset({"Add", "Sub", "Mul", "Div", "QLinearAdd", "QLinearMul"})
SUMS = frozenset({"Add", "Sum", "Sub", "QLinearAdd"})
SCALES = frozenset({"Mul", "Div"})

# Of one activation and a constant an activation: Min(Max(x, 0), 6).
BOUNDS = frozenset({"Max", "Min"})

# They make one activation of several.
ARITHMETIC = AFFINE | BOUNDS | {"Sum", "Mean", "Pow"}

# Functions that activations are spelt with.
_FUNCTIONS = frozenset({"Abs", "Erf", "Exp", "Log", "Neg", "Pow", "Reciprocal", "Sign", "Sqrt"})
NONLINEAR = ACTIVATIONS | BOUNDS | (_FUNCTIONS - {"Neg"})
POINTWISE = ACTIVATIONS | ARITHMETIC | _FUNCTIONS

# The domain of what ONNX Runtime has moved to channels last.
_INTERNAL_NHWC = "com.ms.internal.nhwc"


def is_channels_last(node: Node) -> bool:
    """Whether the operator's data is NHWC: by its name, its domain, or an attribute."""
    return (
        node.op.startswith("Nhwc")
        or node.domain == _INTERNAL_NHWC
        or bool(node.attribute("channels_last", 0))
    )
