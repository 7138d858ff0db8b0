"""What a structure is made of: texts and numbers, without onnx and without names of the model's."""

from __future__ import annotations

from dataclasses import dataclass

Fact = tuple[str, str]
"""Something that is known of a node, and how it reads: `("groups", "3")`."""

CONSTANT = -1
"""The producer of an input that no counted node computes: a weight, a shape, nothing at all."""


def model_input(position: int) -> int:
    """The producer that stands for the model's input at `position`."""
    return -2 - position


@dataclass(frozen=True, slots=True)
class NodeStructure:
    """A node without its name.

    `title` is how it reads (`Conv 240→60, 1×1, groups 3`). `family` and `facts` say all that makes
    it what it is: nodes that have both in common do the same to tensors of the same shapes. `kind`
    is what a node keeps when only its widths change (`Conv 1×1`); `dims` are those of its first
    output, None where they are not known. `inputs` are the indices of the nodes that compute its
    inputs, free nodes passed over, or `CONSTANT`, or a `model_input`; `unordered`: they may change
    places. `free` nodes cost nothing and are not compared: constants, shape arithmetic, identities.
    `weights` is a digest of its weights' numbers, where asked for.
    """

    title: str
    family: str
    kind: str
    facts: tuple[Fact, ...]
    inputs: tuple[int, ...]
    dims: tuple[int, ...] | None = None
    unordered: bool = False
    free: bool = False
    weights: str = ""


@dataclass(frozen=True, slots=True)
class Structure:
    """A model's nodes, by their index, and the producers of its outputs.

    `external_files` are the locations of its external data, as the model spells them.
    `unread_weights` counts nodes with weights that were asked for and could not be read.
    """

    nodes: tuple[NodeStructure, ...]
    outputs: tuple[int, ...]
    external_files: tuple[str, ...] = ()
    unread_weights: int = 0
