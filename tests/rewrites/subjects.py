"""Small models in ONNX's text form, as rewrites see them, without a file."""

from __future__ import annotations

from pathlib import Path

from onnx import ModelProto

from graphlint.costs import HANDLES
from graphlint.costs.totals import node_costs
from graphlint.graph import Node
from graphlint.rewrites import Subject
from graphlint.rewriting.numbers import Numbers
from tests.models import parsed, shaped


def subject_of(proto: ModelProto) -> Subject:
    """A model as rewrites see it."""
    view = shaped(proto)
    return Subject(view, node_costs(view, HANDLES), Numbers(proto, Path("model.onnx"), view))


def written(text: str, opset: int = 17) -> Subject:
    """The model of a text, without its first line."""
    return subject_of(parsed(f'<ir_version: 8, opset_import: ["" : {opset}, "own" : 1]>\n{text}'))


def made_by(subject: Subject, key: str = "y") -> Node:
    """The node that makes a value."""
    node = subject.view.producer(key)
    assert node is not None
    return node
