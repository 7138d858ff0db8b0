"""A model's structure as plain values, by which two models are compared without their names."""

from graphlint.structure.values import CONSTANT, Fact, NodeStructure, Structure, model_input

__all__ = ["CONSTANT", "Fact", "NodeStructure", "Structure", "model_input"]
