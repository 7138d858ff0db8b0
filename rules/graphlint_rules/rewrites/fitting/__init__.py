"""Carrying weights over from a ShuffleNet V1 network, without labels, in numpy."""

from graphlint_rules.rewrites.fitting.fit import fit

__all__ = ["fit"]
