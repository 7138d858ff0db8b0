"""Every operator that has a decision: `HANDLES`, by domain and name.

The table holds all operators of ONNX in all their versions, and those of ONNX Runtime that its
optimisers and quantisers write. An operator that is missing is nobody's: the report names it as
unknown. A plug-in may add its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphlint.costs import (
    attention,
    contrib_attention,
    convolution,
    elementwise,
    generators,
    matmul,
    ml,
    movement,
    normalisation,
    pooling,
    quantisation,
    recurrent,
    reduction,
    sequences,
    signal,
    text,
    training,
    views,
)
from graphlint.costs.contract import Handle

__all__ = ["HANDLES"]

_ONNX = (
    attention.HANDLES,
    convolution.HANDLES,
    elementwise.HANDLES,
    generators.HANDLES,
    matmul.HANDLES,
    movement.HANDLES,
    normalisation.HANDLES,
    pooling.HANDLES,
    quantisation.HANDLES,
    recurrent.HANDLES,
    reduction.HANDLES,
    sequences.HANDLES,
    signal.HANDLES,
    text.HANDLES,
    views.HANDLES,
)
_MICROSOFT = (
    contrib_attention.MICROSOFT,
    convolution.MICROSOFT,
    elementwise.MICROSOFT,
    matmul.MICROSOFT,
    movement.MICROSOFT,
    normalisation.MICROSOFT,
    pooling.MICROSOFT,
    quantisation.MICROSOFT,
    recurrent.MICROSOFT,
    reduction.MICROSOFT,
    sequences.MICROSOFT,
    signal.MICROSOFT,
    text.MICROSOFT,
    views.MICROSOFT,
)
_DOMAINS: Mapping[str, tuple[dict[str, Handle], ...]] = {
    "": _ONNX,
    "ai.onnx.ml": (ml.HANDLES,),
    "ai.onnx.preview": (attention.PREVIEW,),
    "ai.onnx.preview.training": (training.HANDLES,),
    "com.microsoft": _MICROSOFT,
    "com.microsoft.nchwc": (convolution.NCHWC, movement.NCHWC, pooling.NCHWC),
    "com.ms.internal.nhwc": (
        convolution.INTERNAL_NHWC,
        movement.INTERNAL_NHWC,
        normalisation.INTERNAL_NHWC,
        pooling.INTERNAL_NHWC,
    ),
}


def _entries() -> Iterator[tuple[tuple[str, str], Handle]]:
    for domain, families in _DOMAINS.items():
        for family in families:
            for name, handle in family.items():
                yield (domain, name), handle


HANDLES: Mapping[tuple[str, str], Handle] = dict(_entries())
