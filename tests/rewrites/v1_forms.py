"""Units of ShuffleNet V1 in every form that exporters and authors write: a generator for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import ModelProto, helper

from tests.rewrites.v1_builder import NEWEST, SIZE, Builder, Form
from tests.rewrites.v1_shuffles import SHUFFLES

# Units and models.


def unit(b: Builder, x: str, form: Form | None = None) -> str:
    """The unit that `form` describes, the builder's own by default, reading `x`."""
    form = form or b.form
    y = branch(b, x, form)
    if form.activated == "branch":
        y = b.act(y, form.activation, form.branch)
    other = x if form.stride == 1 else b.average(x)
    parts = [y, other] if form.branch_first else [other, y]
    joined = b.op(form.join, *parts) if form.stride == 1 else b.op("Concat", *parts, axis=1)
    return b.act(joined, form.activation, form.width_out) if form.activated == "joined" else joined


def branch(b: Builder, x: str, form: Form) -> str:
    """The branch of a unit, up to its last convolution."""
    y = b.conv(x, form.width, form.mid, form.first_groups)
    y = b.act(y, form.activation, form.mid)
    if form.place == "before":
        y = shuffled(b, y, form, _input_size(form))
    y = b.conv(y, form.mid, form.mid, form.mid, form.kernel, form.stride)
    if form.place == "after":
        y = shuffled(b, y, form, _input_size(form) // form.stride)
    return b.conv(y, form.mid, form.branch, form.groups)


def shuffled(b: Builder, x: str, form: Form, size: int) -> str:
    """The form's shuffle of the bottleneck."""
    batch = form.batch if isinstance(form.batch, int) else 1
    return SHUFFLES[form.shuffle](b, x, form.mid, form.groups, batch, size)


def _input_size(form: Form) -> int:
    return form.size if isinstance(form.size, int) else SIZE


def unit_model(form: Form, seed: int = 0) -> ModelProto:
    """One unit from `x` to `y`."""
    b = Builder(form, seed)
    return model(b, unit(b, "x"))


def model(b: Builder, *outputs: str, inputs: Sequence[Any] = ()) -> ModelProto:
    """A model of what was built, from `x`; the first output is called `y`."""
    form = b.form
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(b.dtype))
    for node in b.nodes:
        node.output[:] = ["y" if name == outputs[0] else name for name in node.output]
        node.input[:] = ["y" if name == outputs[0] else name for name in node.input]
    x = helper.make_tensor_value_info("x", kind, [form.batch, form.width, form.size, form.size])
    made = [helper.make_tensor_value_info(name, kind, None) for name in ("y", *outputs[1:])]
    graph = helper.make_graph(b.nodes, "g", [x, *inputs], made, b.initializers)
    for node in b.nodes:
        if node.op_type == "ChannelShuffle":
            info = helper.make_tensor_value_info(
                node.output[0], kind, [form.batch, form.mid, form.size, form.size]
            )
            graph.value_info.append(info)
    imports = [helper.make_opsetid("", form.opset), helper.make_opsetid("custom", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def sweep() -> dict[str, Form]:
    """Forms by what is special about them: each spelling with each of several figures."""
    figures = {
        "g2": Form(),
        "g3": Form(groups=3, first_groups=3, width=24, mid=6, branch=24),
        "g4": Form(groups=4, first_groups=1, width=16, mid=16, branch=16),
        "g8": Form(groups=8, first_groups=8, width=32, mid=32, branch=32),
        "g2 s2": Form(stride=2, first_groups=1, branch=24),
        "g3 s2": Form(stride=2, groups=3, first_groups=3, width=12, mid=9, branch=15),
    }
    return {
        f"{name}, {key}={value}": replace(form, **{key: value, **extra})
        for name, form in figures.items()
        for key, value, extra in _SPELLINGS
        if _makes_sense(form, key, value)
    }


_SPELLINGS: Sequence[tuple[str, Any, Mapping[str, Any]]] = (
    *(("norm", norm, {}) for norm in ("kept", "half", "scaled")),
    ("norm", "kept", {"bias": False}),
    ("bias", False, {}),
    *(
        ("activation", op, {})
        for op in ("Clip", "LeakyRelu", "PRelu", "HardSwish", "spelt HardSwish", "")
    ),
    ("activation", "Clip", {"opset": 9}),
    *(("activated", what, {}) for what in ("none", "branch")),
    *(("shuffle", name, {}) for name in SHUFFLES if name not in ("reversed", "five")),
    *(
        ("shuffle", name, {"place": "after"})
        for name in SHUFFLES
        if name not in ("reversed", "custom")
    ),
    *(("shuffle", name, {"opset": 9}) for name in ("split", "slices", "computed", "open ends")),
    ("branch_first", False, {}),
    ("join", "Sum", {"branch_first": False}),
    *(("constants", kind, {"norm": "kept"}) for kind in ("node", "filled", "expanded", "cast")),
    ("constants", "node", {"shuffle": "computed"}),
    *(("pool", kind, {}) for kind in ("padded", "same", "ceil", "not counted")),
    ("pool", "padded", {"opset": 9}),
    *(("unrolled", kind, {}) for kind in ("split", "slices")),
    ("batch", "n", {"shuffle": "computed"}),
    ("size", "s", {"shuffle": "computed", "batch": "n"}),
    ("batch", 3, {}),
    ("batch", 3, {"shuffle": "last"}),
    *(("opset", opset, {"norm": "kept"}) for opset in (7, 8, 10, 12, 13, 15, 19, 22, NEWEST)),
    ("half", True, {"norm": "kept"}),
    ("kernel", 5, {}),
    ("dilation", 2, {}),
)


def _makes_sense(form: Form, key: str, value: Any) -> bool:
    """Whether the spelling can be had with these figures."""
    if key in ("join",) or (key, value) == ("dilation", 2):
        return form.stride == 1
    if key == "pool":
        return form.stride == 2
    if (key, value) == ("activated", "branch"):
        return form.stride == 2
    return not (key == "unrolled" and form.groups == form.mid)
