"""One small model of every kind there is, with what is known of its costs beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from models import graph, model, values
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper
from onnx.defs import onnx_opset_version
from onnx.helper import make_node

MS = "com.microsoft"


@dataclass(frozen=True)
class Kind:
    """A model, its multiply-adds, and the operators whose cost can't be told."""

    name: str
    make: Callable[[], ModelProto]
    multiply_adds: int = 0
    uncosted: tuple[str, ...] = ()


def weight(name: str, *shape: int, dtype: int = TensorProto.FLOAT) -> TensorProto:
    """A stored tensor of ones."""
    return helper.make_tensor(name, dtype, shape, [1] * int(np.prod(shape)))


def numbers(name: str, *given: int) -> TensorProto:
    """A stored list of integers."""
    return numpy_helper.from_array(np.array(given, np.int64), name)


def tensors(nodes: Sequence[Any], outputs: dict[str, Any], *stored: TensorProto, **more: Any):
    """A model with one float input `x` of 2x4x8."""
    return model(nodes, {"x": [2, 4, 8]}, outputs, stored, domains=("local", MS), **more)


def _tree_ensemble() -> ModelProto:
    node = make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0, 0, 0],
        nodes_values=[0.5, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 0],
        target_weights=[1.0, 2.0],
    )
    scaler = make_node("Scaler", ["r"], ["x"], domain="ai.onnx.ml", offset=[0.0], scale=[1.0])
    return model([scaler, node], {"r": [3, 4]}, {"y": [3, 1]}, domains=("ai.onnx.ml",))


def _zip_map() -> ModelProto:
    node = make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
    made = model([node], {"x": [3, 2]}, {}, domains=("ai.onnx.ml",))
    entry = helper.make_map_type_proto(
        TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    )
    made.graph.output.append(helper.make_value_info("y", helper.make_sequence_type_proto(entry)))
    return made


def _momentum() -> ModelProto:
    node = make_node(
        "Momentum",
        ["r", "t", "x", "g", "v"],
        ["nx", "nv"],
        domain="ai.onnx.preview.training",
        alpha=0.9,
        beta=0.1,
        mode="standard",
        norm_coefficient=0.0,
    )
    inputs = {"r": [], "t": (TensorProto.INT64, []), "x": [8], "g": [8], "v": [8]}
    domains = ("ai.onnx.preview.training",)
    return model([node], inputs, {"nx": [8], "nv": [8]}, domains=domains)


def body(nodes: Sequence[Any], inputs: dict[str, Any], outputs: dict[str, Any]) -> GraphProto:
    """A body of a control node."""
    return graph(nodes, inputs, outputs)


def _loop_with_if() -> ModelProto:
    """Five rounds of: if a captured condition, a MatMul with a captured weight."""
    yes = body([make_node("MatMul", ["s", "w"], ["a"])], {}, {"a": [2, 4, 8]})
    no = body([make_node("Neg", ["s"], ["b"])], {}, {"b": [2, 4, 8]})
    inner = body(
        [
            make_node("If", ["flag"], ["r"], then_branch=yes, else_branch=no),
            make_node("Identity", ["c"], ["d"]),
        ],
        {"i": (TensorProto.INT64, []), "c": (TensorProto.BOOL, []), "s": [2, 4, 8]},
        {"d": (TensorProto.BOOL, []), "r": [2, 4, 8]},
    )
    return model(
        [make_node("Loop", ["n", "", "x"], ["y"], body=inner)],
        {"x": [2, 4, 8], "flag": (TensorProto.BOOL, [])},
        {"y": [2, 4, 8]},
        [numpy_helper.from_array(np.array(5, np.int64), "n"), weight("w", 8, 8)],
    )


def _scan_in_function() -> ModelProto:
    step = body(
        [make_node("MatMul", ["e", "w"], ["f"]), make_node("Add", ["s", "f"], ["t"])],
        {"s": [8], "e": [8]},
        {"t": [8]},
    )
    function = helper.make_function(
        "local",
        "Summed",
        ["s0", "v", "w"],
        ["out"],
        [make_node("Scan", ["s0", "v"], ["out"], body=step, num_scan_inputs=1)],
        [helper.make_opsetid("", 17)],
    )
    call = make_node("Summed", ["z", "x", "w"], ["y"], domain="local")
    inputs = {"x": [6, 8], "z": [8]}
    return model([call], inputs, {"y": [8]}, [weight("w", 8, 8)], functions=[function])


def _sequence_map() -> ModelProto:
    each = body([make_node("Relu", ["e"], ["r"])], {"e": [8]}, {"r": [8]})
    nodes = [
        make_node("SequenceConstruct", ["x", "x"], ["s"]),
        make_node("SequenceMap", ["s"], ["m"], body=each),
        make_node("ConcatFromSequence", ["m"], ["y"], axis=0),
    ]
    return model(nodes, {"x": [8]}, {"y": [16]})


def _optional() -> ModelProto:
    nodes = [
        make_node("Optional", ["x"], ["o"]),
        make_node("OptionalHasElement", ["o"], ["h"]),
        make_node("OptionalGetElement", ["o"], ["y"]),
    ]
    return model(nodes, {"x": [8]}, {"y": [8], "h": (TensorProto.BOOL, [])}, opset=18)


def _strings() -> ModelProto:
    nodes = [make_node("StringNormalizer", ["x"], ["y"], case_change_action="LOWER")]
    return model(nodes, {"x": (TensorProto.STRING, [3])}, {"y": (TensorProto.STRING, None)})


def _sparse() -> ModelProto:
    stored = helper.make_sparse_tensor(
        helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0]),
        helper.make_tensor("indices", TensorProto.INT64, [2], [3, 9]),
        [8, 5],
    )
    nodes = [make_node("MatMul", ["x", "w"], ["y"])]
    return model(nodes, {"x": [4, 8]}, {"y": [4, 5]}, sparse_initializer=[stored])


def casts(dtype: int) -> Callable[[], ModelProto]:
    """A value cast to a type of few bits and back."""

    def make() -> ModelProto:
        nodes = [
            make_node("Cast", ["x"], ["m"], to=dtype),
            make_node("Cast", ["m"], ["y"], to=TensorProto.FLOAT),
        ]
        return model(nodes, {"x": [3, 5]}, {"y": [3, 5]}, opset=onnx_opset_version())

    return make


def _qdq() -> ModelProto:
    def pair(name: str) -> list[Any]:
        return [
            make_node("QuantizeLinear", [name, "s", "z"], [f"{name}_q"]),
            make_node("DequantizeLinear", [f"{name}_q", "s", "z"], [f"{name}_d"]),
        ]

    nodes = [
        *pair("x"),
        make_node("DequantizeLinear", ["w", "s", "wz"], ["w_d"]),
        make_node("Conv", ["x_d", "w_d"], ["y"]),
        *pair("y"),
    ]
    stored = [
        numpy_helper.from_array(np.array(0.1, np.float32), "s"),
        numpy_helper.from_array(np.array(0, np.uint8), "z"),
        numpy_helper.from_array(np.array(0, np.int8), "wz"),
        numpy_helper.from_array(np.ones((6, 3, 1, 1), np.int8), "w"),
    ]
    return model(nodes, {"x": [1, 3, 4, 4]}, {"y_d": [1, 6, 4, 4]}, stored)


def _integers() -> ModelProto:
    nodes = [
        make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        make_node("MatMulInteger", ["q", "w", "z"], ["y"]),
    ]
    stored = [numpy_helper.from_array(np.ones((8, 5), np.int8), "w")]
    return model(nodes, {"x": [4, 8]}, {"y": (TensorProto.INT32, [4, 5])}, stored)


def _packed_bits() -> ModelProto:
    node = make_node(
        "MatMulNBits", ["x", "w", "s"], ["y"], domain=MS, K=32, N=6, bits=4, block_size=32
    )
    stored = [weight("w", 6, 1, 16, dtype=TensorProto.UINT8), weight("s", 6)]
    return model([node], {"x": [4, 32]}, {"y": [4, 6]}, stored, domains=(MS,))


def _attention_by_parts() -> ModelProto:
    nodes = [
        make_node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
        make_node("MatMul", ["q", "kt"], ["s"]),
        make_node("Softmax", ["s"], ["p"]),
        make_node("MatMul", ["p", "v"], ["y"]),
    ]
    inputs = {"q": [1, 2, 3, 8], "k": [1, 2, 5, 8], "v": [1, 2, 5, 8]}
    return model(nodes, inputs, {"y": [1, 2, 3, 8]})


def _attention_with_cache() -> ModelProto:
    node = make_node(
        "Attention",
        ["q", "k", "v", "", "pk", "pv"],
        ["y", "nk", "nv"],
        q_num_heads=2,
        kv_num_heads=2,
    )
    inputs = {name: [1, 3, 16] for name in "qkv"} | {name: [1, 2, 4, 8] for name in ("pk", "pv")}
    outputs = {"y": [1, 3, 16], "nk": [1, 2, 7, 8], "nv": [1, 2, 7, 8]}
    return model([node], inputs, outputs, opset=23)


def _rotary() -> ModelProto:
    node = make_node("RotaryEmbedding", ["x", "c", "s"], ["y"])
    inputs = {"x": [1, 2, 3, 8], "c": [1, 3, 4], "s": [1, 3, 4]}
    return model([node], inputs, {"y": [1, 2, 3, 8]}, opset=23)


def _detection() -> ModelProto:
    nodes = [
        make_node("NonMaxSuppression", ["boxes", "scores", "most"], ["picked"]),
        make_node("Cast", ["picked"], ["y"], to=TensorProto.FLOAT),
    ]
    inputs = {"boxes": [1, 9, 4], "scores": [1, 2, 9]}
    return model(nodes, inputs, {"y": [None, 3]}, [numbers("most", 3)])


def _recurrent() -> ModelProto:
    node = make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=3, direction="bidirectional")
    return model(
        [node],
        {"x": [5, 2, 4]},
        {"y": [5, 2, 2, 3]},
        [weight("w", 2, 12, 4), weight("r", 2, 12, 3)],
    )


def _duplicate_names() -> ModelProto:
    nodes = [
        make_node("Relu", ["x"], ["a"], "same"),
        make_node("Neg", ["a"], ["b"], "same"),
        make_node("Abs", ["b"], ["y"], "same"),
    ]
    return tensors(nodes, {"y": [2, 4, 8]})


def _no_inputs() -> ModelProto:
    return model([make_node("Abs", ["w"], ["y"])], {}, {"y": [3]}, [weight("w", 3)])


def _no_nodes() -> ModelProto:
    made = model([], {"x": [3]}, {})
    made.graph.output.extend(values({"x": [3]}))
    return made


def _empty() -> ModelProto:
    nodes = [make_node("MatMul", ["x", "w"], ["y"])]
    return model(nodes, {"x": [4, 0]}, {"y": [4, 5]}, [weight("w", 0, 5)])


def _complex() -> ModelProto:
    nodes = [make_node("Identity", ["x"], ["m"]), make_node("Reshape", ["m", "s"], ["y"])]
    typed = (TensorProto.COMPLEX64, [2, 3])
    return model(nodes, {"x": typed}, {"y": (TensorProto.COMPLEX64, [6])}, [numbers("s", 6)])


_FEW_BITS = "INT2 UINT2 FLOAT6E2M3 INT4 UINT4 FLOAT4E2M1 FLOAT8E4M3FN FLOAT8E5M2 BFLOAT16 FLOAT16"

KINDS = (
    Kind("tree ensemble", _tree_ensemble),
    Kind("map", _zip_map, uncosted=("ZipMap",)),
    Kind("optimiser", _momentum),
    Kind("if in a loop", _loop_with_if, 5 * 2 * 4 * 8 * 8),
    Kind("scan in a function", _scan_in_function, 6 * 8 * 8),
    Kind("sequence map", _sequence_map, uncosted=("ConcatFromSequence", "Relu")),
    Kind("optional", _optional),
    Kind("strings", _strings, uncosted=("StringNormalizer",)),
    Kind("sparse weight", _sparse, 4 * 8 * 5),
    *(
        Kind(name, casts(getattr(TensorProto, name)))
        for name in _FEW_BITS.split()
        if hasattr(TensorProto, name)  # the younger ones are not in every onnx
    ),
    Kind("quantise and dequantise", _qdq, 6 * 4 * 4 * 3),
    Kind("dynamic quantisation", _integers, 4 * 8 * 5),
    Kind("weights of four bits", _packed_bits, 4 * 32 * 6),
    Kind("attention by parts", _attention_by_parts, 2 * (2 * 3 * 5 * 8)),
    Kind("attention with a cache", _attention_with_cache, 2 * (2 * 3 * 7 * 8)),
    Kind("rotary embedding", _rotary),
    Kind("detection", _detection, uncosted=("NonMaxSuppression", "Cast")),
    Kind("recurrent", _recurrent, 5 * 2 * 2 * 4 * 3 * (4 + 3)),
    Kind("duplicate names", _duplicate_names),
    Kind("no inputs", _no_inputs),
    Kind("no nodes", _no_nodes),
    Kind("empty tensors", _empty),
    Kind("complex numbers", _complex),
)
