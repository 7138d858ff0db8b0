"""Why a shape is not known, in words that name the flag that would help."""

from __future__ import annotations

from graphlint.graph import Node, TensorType

# Operators whose outputs are as large as their data make them.
DATA_DEPENDENT = frozenset({"NonZero", "Unique", "Compress", "NonMaxSuppression", "StringSplit"})

# Operators whose inputs say how large their outputs are, and the first of these inputs.
SHAPED_BY_DATA = {
    **dict.fromkeys("Range ConstantOfShape".split(), 0),
    **dict.fromkeys(
        "Reshape Expand Tile Slice Resize Upsample Pad TopK OneHot Split Squeeze Unsqueeze "
        "CenterCropPad Col2Im AffineGrid".split(),
        1,
    ),
    "MaxUnpool": 2,
}


def title(node: Node) -> str:
    """The node as reasons name it."""
    return f"{node.path} ({node.op})" if node.name else node.path


def input_reason(key: str, type_: TensorType) -> str:
    """Why an input's shape is not known, and the flag that gives it."""
    if type_.shape is None:
        return f"the input {key!r} has no declared rank: give --input-shape {key}:…"
    names = [dim for dim in type_.shape if isinstance(dim, str)]
    spelled = "x".join("?" if dim is None else str(dim) for dim in type_.shape)
    if names and None not in type_.shape:
        flags = " ".join(f"--dim {name}=…" for name in dict.fromkeys(names))
        return f"the input {key!r} is {spelled}: give {flags}"
    return f"the input {key!r} is {spelled}: give --input-shape {key}:{spelled}"
