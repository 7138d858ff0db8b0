"""Numbers that are given with the model, those that borrow their type from an activation too.

The dynamo exporter makes a bias by CastLike(0, x) and Expand: no input changes it, but x stands in
its way when constants are looked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlint.rewrites import Subject

_DEPTH = 4


def is_given(subject: Subject, key: str, depth: int = _DEPTH) -> bool:
    """Whether the value is the same for every input."""
    if key in subject.view.static_values:
        return True
    node = subject.view.producer(key)
    if node is None or node.domain != "" or depth == 0:
        return False
    if node.op == "CastLike":
        return is_given(subject, node.input(0), depth - 1)
    return node.op == "Expand" and all(is_given(subject, key, depth - 1) for key in node.inputs)


def given_numbers(subject: Subject, key: str, depth: int = _DEPTH) -> np.ndarray[Any, Any] | None:
    """The numbers of a given value; None where they can't be had."""
    array = subject.numbers(key)
    node = subject.view.producer(key)
    if array is not None or node is None or node.domain != "" or depth == 0:
        return array
    if node.op not in ("CastLike", "Expand"):
        return None
    source = given_numbers(subject, node.input(0), depth - 1)
    if source is None or node.op == "CastLike":
        return source
    shape = subject.view.shape(key)
    return None if shape is None else np.broadcast_to(source, shape)
